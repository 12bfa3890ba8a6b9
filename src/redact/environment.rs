//! Files in which every value is redacted: environment variables and logins.

use super::PLACEHOLDER;

/// The replacement for a whole line. Comments are replaced too, since they may hold a former value.
const HIDDEN: &str = "# (not shown)";

/// Tells from a file's name if it holds environment variables.
pub fn holds_variables(name: &str) -> bool {
    name.starts_with(".env") || name.rsplit_once('.').is_some_and(|(_, kind)| kind == "env")
}

/// Tells from a file's name if it holds logins.
pub fn holds_logins(name: &str) -> bool {
    matches!(name, ".netrc" | "_netrc" | ".pgpass" | "pgpass.conf")
}

/// Redacts environment variables; their names stay.
pub fn variables(text: &str) -> String {
    let mut result = String::new();
    let mut open = None;
    let mut continued = false;
    for line in text.lines() {
        let name = name(line).filter(|_| open.is_none() && !continued);
        match name {
            Some(name) => result.push_str(&format!("{name}={PLACEHOLDER}")),
            None => result.push_str(hidden(line)),
        }
        result.push('\n');
        if open.is_some() || !line.trim_start().starts_with('#') {
            open = still_open(&line[name.map_or(0, |name| name.len() + 1)..], open);
            continued = line.ends_with('\\');
        }
    }
    result
}

/// Redacts logins completely, since a password may be anywhere in a line.
pub fn logins(text: &str) -> String {
    text.lines().map(|line| hidden(line).to_owned() + "\n").collect()
}

fn hidden(line: &str) -> &'static str {
    if line.trim().is_empty() { "" } else { HIDDEN }
}

/// The name of the variable that a line sets.
pub fn name(line: &str) -> Option<&str> {
    let (left, value) = line.split_once('=')?;
    let name = left.trim_start();
    let name = name.strip_prefix("export ").unwrap_or(name);
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    // `abc==` is the end of a base64 text.
    (plain && !value.starts_with('=')).then_some(left)
}

/// The quote that is open after a text, given the quote that was open before it.
fn still_open(text: &str, mut open: Option<char>) -> Option<char> {
    let mut previous = '=';
    let mut escaped = false;
    for c in text.chars() {
        match open {
            Some(quote) if c == quote && !escaped => open = None,
            None if c == '#' && previous.is_whitespace() => break,
            None if matches!(c, '"' | '`') && !escaped => open = Some(c),
            // After a letter or digit it is an apostrophe.
            None if c == '\'' && !escaped && !previous.is_alphanumeric() => open = Some(c),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        previous = c;
    }
    open
}

#[cfg(test)]
mod tests {
    use crate::redact::text::document;

    #[test]
    fn leaves_nothing_of_logins() {
        for (path, line) in [
            (".pgpass", "db:5432:app:me:pa=ss"),
            ("conf/pgpass.conf", "db:5432:app:me:pa=ss"),
            (".netrc", "machine h login me password abcd=efgh"),
            ("_netrc", "password abcd=efgh"),
        ] {
            assert_eq!(document(path, &format!("{line}\n\n")), "# (not shown)\n\n", "{path}");
        }
    }

    #[test]
    fn leaves_only_names_of_variables() {
        for (line, shown) in [
            ("A=hunter2", "A=(not shown)"),
            ("  export a.b_1=hunter2", "  export a.b_1=(not shown)"),
            ("A=it's", "A=(not shown)"),
            ("hunter2: a=b", "# (not shown)"),
            ("hun-ter2=a", "# (not shown)"),
            ("2hunter=a", "# (not shown)"),
            ("hunter2==", "# (not shown)"),
            ("export hunter 2=a", "# (not shown)"),
        ] {
            assert_eq!(
                document(".env", &format!("{line}\nB=1")),
                format!("{shown}\nB=(not shown)\n"),
                "{line}"
            );
        }
    }

    #[test]
    fn hides_the_lines_within_quotes() {
        for value in [
            "\"-----BEGIN PRIVATE KEY-----\nMIIE=\\\"\nKj==\n-----END PRIVATE KEY-----\"",
            "'MIIE\nMIIE=\n' # it's",
            "$'MIIE\nMIIE='",
            "\"\"\"\nMIIE=\n\"\"\"",
            "a\\\nMIIE=",
        ] {
            let shown = document("a.env", &format!("# it's\nA={value}\nB=1\n"));
            assert!(shown.starts_with("# (not shown)\nA=(not shown)\n# (not shown)\n"), "{shown}");
            assert!(shown.ends_with("\nB=(not shown)\n"), "{shown}");
            assert!(!shown.contains("MIIE") && !shown.contains("Kj"), "{shown}");
        }
    }
}
