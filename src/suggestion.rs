//! Suggestions for a name that does not exist: "Did you mean …?".

/// The sentence for a project in which a model writes nothing.
pub(crate) const NOTHING_GENERATED: &str = "No resource of this project is generated.";

/// The known name that is closest to `name`, if one is close enough to be meant.
pub fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, closest) = known.iter().map(|other| (distance(name, other), *other)).min()?;
    (distance <= 1 + name.chars().count() / 3).then_some(closest)
}

/// A sentence that suggests the closest name, or else lists all of them. It is `nothing` if there are none.
pub(crate) fn hint(name: &str, known: &[&str], nothing: &str) -> String {
    match closest(name, known) {
        _ if known.is_empty() => nothing.to_owned(),
        Some(other) => format!("Did you mean '{}'?", other.escape_debug()),
        None => {
            let mut names: Vec<String> = known.iter().map(|name| name.escape_debug().to_string()).collect();
            names.sort();
            names.dedup();
            if names.len() > 20 {
                names.truncate(20);
                names.push("…".to_owned());
            }
            format!("There are: {}.", names.join(", "))
        }
    }
}

/// The number of letters to insert, drop or replace to turn one name into the other. Case makes no
/// difference.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, c) in one.to_lowercase().chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], index + 1);
        for (place, d) in other.iter().enumerate() {
            let replaced = corner + usize::from(c != *d);
            corner = row[place + 1];
            row[place + 1] = replaced.min(corner + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(hint("artcle.md", &["web", "article.md"], ""), "Did you mean 'article.md'?");
        assert_eq!(hint("zzz", &["web", "article.md"], ""), "There are: article.md, web.");
        assert_eq!(hint("x", &[], "Nothing."), "Nothing.");
    }
}
