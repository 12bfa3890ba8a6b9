//! Secrets in running text: assignments to names that look like a secret's, passwords in addresses,
//! private keys, and the tokens of well-known services.
//!
//! Rather too much than too little: a configuration that is written from the rest still knows the
//! names.

use super::{PLACEHOLDER, is_secret};

/// How the tokens of well-known services begin.
const TOKENS: &[&str] = &[
    "sk-",
    "sk_live_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "eyJ",
    "hf_",
    "npm_",
    "pypi-",
    "dop_v1_",
    "SG.",
];
/// Shorter words that begin like a token are none.
const TOKEN_LENGTH: usize = 16;

/// A whole file, whose lines may be assignments.
pub fn document(path: &str, text: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase();
    // Of environment variables no value is shown, whatever the names.
    let environment =
        name.starts_with(".env") || name.rsplit_once('.').is_some_and(|(_, kind)| kind == "env");
    if environment || matches!(name.as_str(), ".netrc" | ".pgpass") {
        return text.lines().map(|line| environment_line(line) + "\n").collect();
    }
    let mut result = String::with_capacity(text.len());
    let mut block = None;
    for line in evident(text).split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        match block {
            Some(outer) if indent > outer || line.trim().is_empty() => continue,
            Some(_) => block = None,
            None => {}
        }
        let (shown, goes_on) = assignments(line);
        if goes_on {
            block = Some(indent);
        }
        result.push_str(&shown);
    }
    result
}

/// What is a secret whatever stands around it: private keys, tokens, passwords in addresses.
pub fn evident(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut in_key = false;
    for line in text.split_inclusive('\n') {
        let ends = line.contains("-----END ");
        if !in_key && line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
            in_key = !ends;
            result.push_str(PLACEHOLDER);
            result.push('\n');
        } else if in_key {
            in_key = !ends;
        } else {
            result.push_str(&tokens(&addresses(line)));
        }
    }
    result
}

fn environment_line(line: &str) -> String {
    let name = line.split_once('=').map(|(name, _)| name).filter(|name| !name.trim_start().starts_with('#'));
    match name {
        Some(name) => format!("{name}={PLACEHOLDER}"),
        None if line.trim().is_empty() => String::new(),
        // A comment may well hold the value that was there before.
        None => "# (not shown)".to_owned(),
    }
}

/// Takes the password out of `scheme://user:password@host`.
fn addresses(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        result.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) if after[..at].contains(':') => {
                let user = after[..at].split(':').next().unwrap_or_default();
                result.push_str(&format!("{user}:{PLACEHOLDER}"));
                &after[at..]
            }
            _ => after,
        };
    }
    result + rest
}

fn tokens(text: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '/' | '=');
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(part) {
        result.push_str(&rest[..start]);
        let word = &rest[start..];
        let word = &word[..word.find(|c| !part(c)).unwrap_or(word.len())];
        // `KEY=token`: what stands before the sign is a name.
        let value = word.rsplit_once('=').map_or(word, |(_, value)| value);
        if value.len() >= TOKEN_LENGTH && TOKENS.iter().any(|token| value.starts_with(token)) {
            result.push_str(&word[..word.len() - value.len()]);
            result.push_str(PLACEHOLDER);
        } else {
            result.push_str(word);
        }
        rest = &rest[start + word.len()..];
    }
    result + rest
}

/// One line without the values that are given to secrets, and whether such a value goes on in the
/// lines below.
fn assignments(line: &str) -> (String, bool) {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut result = String::new();
    let mut rest = line;
    let mut before = "";
    while let Some(start) = rest.find(part) {
        let name = &rest[start..];
        let name = &name[..name.find(|c| !part(c)).unwrap_or(name.len())];
        let end = start + name.len();
        result.push_str(&rest[..end]);
        let after = &rest[end..];
        let flag = name.starts_with("--");
        let secret = is_secret(name.trim_start_matches('-'))
            || name.eq_ignore_ascii_case("bearer")
            || (name.eq_ignore_ascii_case("by") && before.eq_ignore_ascii_case("identified"));
        before = name;
        rest = after;
        if !secret {
            continue;
        }
        let spaced = flag || name.eq_ignore_ascii_case("bearer");
        let Some((lead, value, tail)) = value(after, spaced) else { continue };
        if matches!(value.trim(), "|" | ">" | "|-" | ">-" | "|+" | ">+") {
            return (format!("{result}{lead}{PLACEHOLDER}\n"), true);
        }
        result.push_str(lead);
        result.push_str(if is_reference(value) { value } else { PLACEHOLDER });
        rest = tail;
    }
    (result + rest, false)
}

/// What follows a name, in three: the sign between them and an opening quote, the value, and what
/// comes after it. `spaced`: a blank is sign enough.
fn value(after: &str, spaced: bool) -> Option<(&str, &str, &str)> {
    // The name itself may stand in quotes or brackets.
    let sign = after.trim_start_matches(['"', '\'', '`', ']', ')']).trim_start_matches([' ', '\t']);
    let rest = sign.trim_start_matches([':', '=', '>', '?']);
    let colon = sign.starts_with(':') && !sign.starts_with(":=");
    let signed = rest.len() < sign.len();
    let rest = rest.trim_start_matches([' ', '\t']);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
    // `PASSWORD 'x'` as in SQL: a quoted text right behind the name.
    let blank = after.starts_with([' ', '\t']);
    if !signed && !(blank && (spaced || quote.is_some())) {
        return None;
    }
    let start = after.len() - rest.len();
    let (open, length) = match quote {
        Some(quote) => {
            let inner = &rest[1..];
            (start + 1, closing(inner, quote).unwrap_or(inner.trim_end().len()))
        }
        // A value of YAML may hold blanks; any other ends with them.
        None if colon => (start, bare(rest).len()),
        None => (
            start,
            rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ')' | '}'))
                .unwrap_or(rest.len()),
        ),
    };
    (length > 0).then(|| (&after[..open], &after[open..open + length], &after[open + length..]))
}

/// A value without quotes, up to the end of the line and of the braces around it.
fn bare(rest: &str) -> &str {
    let value = rest.trim_end();
    if value.contains('{') { value } else { value.trim_end_matches([' ', ',', '}']) }
}

/// Where a quoted text ends.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(index, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(index)
    })
}

/// Whether a value only tells where the secret comes from, or that there is none.
fn is_reference(value: &str) -> bool {
    let value = value.trim();
    let name = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    let braced = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    braced.or_else(|| value.strip_prefix('$')).is_some_and(name)
        || (value.starts_with("{{") && value.ends_with("}}"))
        || matches!(value, "null" | "true" | "false" | "~" | "{" | "[" | "{}" | "[]" | PLACEHOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_values_and_leaves_names() {
        for (before, after) in [
            ("PASSWORD=hunter2", "PASSWORD=(not shown)"),
            ("export API_TOKEN='hunter2' # x", "export API_TOKEN='(not shown)' # x"),
            (
                "{\"password\": \"hun\\\"ter2\", \"user\": \"me\"}",
                "{\"password\": \"(not shown)\", \"user\": \"me\"}",
            ),
            ("  db_password: hunter2 and more", "  db_password: (not shown)"),
            ("secret = \"hunter2\"", "secret = \"(not shown)\""),
            ("CREATE USER me WITH PASSWORD 'hunter2';", "CREATE USER me WITH PASSWORD '(not shown)';"),
            ("CREATE USER me IDENTIFIED BY 'hunter2';", "CREATE USER me IDENTIFIED BY '(not shown)';"),
            ("mysql --password hunter2 -u me", "mysql --password (not shown) -u me"),
            ("mysql --password=hunter2 -u me", "mysql --password=(not shown) -u me"),
            ("Authorization: Bearer hunter2", "Authorization: (not shown)"),
            ("config[\"token\"] = 'hunter2'", "config[\"token\"] = '(not shown)'"),
            ("DB=postgres://me:hunter2@db/x", "DB=postgres://me:(not shown)@db/x"),
            ("see ghp_0123456789abcdef0123", "see (not shown)"),
            ("x=sk-or-v1-0123456789abcdef", "x=(not shown)"),
        ] {
            assert_eq!(document("a.txt", before), after, "{before}");
        }
    }

    #[test]
    fn leaves_what_is_none() {
        for text in [
            "password: ${DB_PASSWORD}\n",
            "password = $DB_PASSWORD\n",
            "token: \"{{ token }}\"\n",
            "CREATE TABLE a (token TEXT NOT NULL, author TEXT);\n",
            "The password is asked for.\n",
            "keyboard: us\nauthor: me\n",
            "https://example.com:80/a@b\n",
        ] {
            assert_eq!(document("a.sql", text), text, "{text}");
        }
    }

    #[test]
    fn what_goes_over_several_lines() {
        let key = "a\n-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\nb\n";
        assert_eq!(document("a.pem", key), "a\n(not shown)\nb\n");
        let yaml = "a:\n  token: |\n    hunter2\n\n    hunter2\n  b: 1\n";
        assert_eq!(document("a.yaml", yaml), "a:\n  token: (not shown)\n  b: 1\n");
        let env = "# OLD=hunter2\nexport A=hunter2\nB=1\n\nhunter2\n";
        let shown = document("deploy/.env.local", env);
        assert_eq!(shown, "# (not shown)\nexport A=(not shown)\nB=(not shown)\n\n# (not shown)\n");
    }

    proptest::proptest! {
        #[test]
        fn takes_any_text(text in "(?s)([a-z\"'=: \\\\\n{}]|password|token|://|@|-----BEGIN |PRIVATE KEY|ä|.)*") {
            let once = document("a.txt", &text);
            let _ = document(".env", &text);
            proptest::prop_assert!(once.len() <= text.len() * 12 + 100);
        }
    }
}
