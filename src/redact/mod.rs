//! Redaction: removes the values of secrets from prompts, and from everything that a run reports. Names
//! of secrets stay, because a configuration has to refer to them.

mod assignments;
mod credentials;
mod environment;
mod extent;
mod redactor;
pub mod text;

use serde_json::{Map, Value};

pub use redactor::{RedactingObserver, Redactor, SHORTEST_SECRET};

/// The replacement for a secret's value.
pub const PLACEHOLDER: &str = "(not shown)";

/// Words that mark a name as that of a secret, anywhere in it.
const MARKS: &[&str] =
    &["password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "authorization"];
/// Words that mark a name as that of a secret only as a whole word: `ssh_key`, but not `keyboard`.
const WORDS: &[&str] = &["key", "keys", "pass", "pwd", "auth", "pin", "dsn"];
/// Fields that hold environment variables; all of their values are redacted.
const ENVIRONMENTS: &[&str] = &["env", "envvars", "environment", "environmentvariables"];

/// Returns the fields with the values of all secrets redacted.
pub fn fields(fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (name.clone(), member(name, value))).collect()
}

fn member(name: &str, value: &Value) -> Value {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    if ENVIRONMENTS.contains(&plain.to_ascii_lowercase().as_str()) {
        return names_only(value);
    }
    if is_secret(name) && !matches!(value, Value::Null | Value::Bool(_)) {
        return Value::String(PLACEHOLDER.to_owned());
    }
    redact(value)
}

fn redact(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(fields(map)),
        Value::Array(items) => Value::Array(items.iter().map(redact).collect()),
        Value::String(text) => Value::String(text::document("", text)),
        other => other.clone(),
    }
}

/// Redacts the values of environment variables, given as a map or as `NAME=value`.
fn names_only(value: &Value) -> Value {
    let hidden = || Value::String(PLACEHOLDER.to_owned());
    match value {
        Value::Object(map) => map.keys().map(|name| (name.clone(), hidden())).collect::<Map<_, _>>().into(),
        Value::Array(items) => items.iter().map(names_only).collect(),
        Value::String(text) => match environment::name(text) {
            Some(name) => Value::String(format!("{name}={PLACEHOLDER}")),
            None => hidden(),
        },
        Value::Null => Value::Null,
        _ => hidden(),
    }
}

fn is_secret(name: &str) -> bool {
    let mut spaced = String::new();
    let mut last_lower = false;
    let mut capitals = 0;
    for (index, c) in name.char_indices() {
        // `apiKey` is two words, like `api_key`, and so is `APIKey`; but `OAuth` and `KEYs` are one.
        let word = || name.bytes().skip(index + 1).take(2).filter(u8::is_ascii_lowercase).count() == 2;
        if c.is_ascii_uppercase() && (last_lower || (capitals > 1 && word())) {
            spaced.push(' ');
        }
        capitals = if c.is_ascii_uppercase() { capitals + 1 } else { 0 };
        last_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        spaced.push(if c.is_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
    }
    let joined = spaced.replace(' ', "");
    MARKS.iter().any(|mark| joined.contains(mark)) || spaced.split(' ').any(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn knows_secrets_by_name() {
        for name in ["password", "DB_PASSWORD", "apiKey", "ssh-key", "GITHUB_TOKEN", "auth", "clientSecret"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["SSHKey", "AWSKey", "DBPass", "mySSHKeyFile", "HTTPAuth", "KEYs", "S3Key", "API_KEYs"] {
            assert!(is_secret(name), "{name}");
        }
        for name in
            ["APIVersion", "compass", "COMPASS", "MONKEY", "Keyboard", "USKeyboard", "OAuth", "IPAuthor"]
        {
            assert!(!is_secret(name), "{name}");
        }
        for name in ["keyboard", "author", "passenger", "name", "ports", "monkey"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn leaves_names_and_takes_values() {
        let before = json!({
            "ports": ["80:80"],
            "env_vars": {"GREETING": "hunter2"},
            "environment": ["A=hunter2", "hunter2=="],
            "nested": [{"db_password": "hunter2", "user": "me"}],
            "command": ["PASSWORD=hunter2", "a=b"],
            "url": "see postgres://me:hunter2@db/x and http://h:80/a@b",
            "use_key": true,
        });
        let after = Value::Object(fields(before.as_object().unwrap()));
        assert_eq!(
            after,
            json!({
                "ports": ["80:80"],
                "env_vars": {"GREETING": "(not shown)"},
                "environment": ["A=(not shown)", "(not shown)"],
                "nested": [{"db_password": "(not shown)", "user": "me"}],
                "command": ["PASSWORD=(not shown)", "a=b"],
                "url": "see postgres://me:(not shown)@db/x and http://h:80/a@b",
                "use_key": true,
            })
        );
    }
}
