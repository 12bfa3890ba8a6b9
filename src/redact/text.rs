//! Redaction of free text: assignments to names of secrets, logins in URLs, private keys, and the tokens
//! of well-known services.
//!
//! In doubt a value is redacted: a configuration that is written from the rest needs only the names.

use super::assignments::assignments;
use super::credentials::{addresses, tokens};
use super::{PLACEHOLDER, environment};

/// Redacts a whole file, whose lines may be assignments.
pub fn document(path: &str, text: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase();
    if environment::holds_variables(&name) {
        environment::variables(text)
    } else if environment::holds_logins(&name) {
        environment::logins(text)
    } else {
        assignments(&evident(text))
    }
}

/// Redacts secrets that are recognizable by themselves: private keys, tokens, logins in URLs.
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
            // A quote that was opened before the key is closed again.
            let after = line.rsplit('-').next().filter(|_| ends).unwrap_or_default();
            if let Some(quote) = ["\"\"\"", "'''", "\"", "'"].iter().find(|quote| after.starts_with(**quote))
            {
                result.push_str(quote);
                result.push('\n');
            }
        } else {
            result.push_str(&tokens(&addresses(line)));
        }
    }
    result
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
        let quoted = "KEY = '\n-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----'\nb\n";
        assert_eq!(document("a.py", quoted), "KEY = '(not shown)\nb\n");
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
