//! What somebody may have meant who typed a name that is none.

/// What there is to say where nothing could have been meant but something that a model writes.
pub(crate) const NOTHING_GENERATED: &str = "No resource of this project is generated.";

/// A sentence that names what is closest, or else all there is; `nothing` where there is nothing.
pub(crate) fn hint(name: &str, known: &[&str], nothing: &str) -> String {
    let close = known.iter().map(|other| (distance(name, other), *other)).min();
    match close {
        None => nothing.to_owned(),
        Some((distance, other)) if distance <= 1 + name.chars().count() / 3 => {
            format!("Did you mean '{}'?", other.escape_debug())
        }
        Some(_) => {
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

/// How many letters have to be put in, left out or replaced to make one name of the other, whatever
/// their case.
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
