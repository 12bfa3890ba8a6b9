//! Writes TOML that people review: a text of several lines looks like itself wherever TOML allows it.
//!
//! The crate that reads TOML is not used for writing, because every byte of a text has to come back, and
//! because characters that nobody sees are escaped.

use serde_json::{Map, Number, Value};

use crate::compile::literal::is_hidden;

/// Writes a string, over several lines if it has several.
pub(super) fn string(text: &str) -> String {
    if !text.contains('\n') {
        return line(text);
    }
    // TOML drops a newline right after the opening quotes, so the text can begin on its own line.
    if is_literal(text) { format!("'''\n{text}'''") } else { format!("\"\"\"\n{}\"\"\"", escape(text, true)) }
}

/// Tells whether a text can stand between `'''`, where nothing is escaped.
fn is_literal(text: &str) -> bool {
    !text.contains("'''") && !text.ends_with('\'') && !text.chars().any(|c| c != '\n' && must_escape(c))
}

/// Writes a string on one line.
pub(super) fn line(text: &str) -> String {
    format!("\"{}\"", escape(text, false))
}

fn escape(text: &str, lines: bool) -> String {
    let mut result = String::with_capacity(text.len());
    let mut quotes = 0;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        quotes = if c == '"' { quotes + 1 } else { 0 };
        match c {
            '\n' if lines => result.push('\n'),
            '\\' => result.push_str("\\\\"),
            // Three in a row would end the text, and so would one right before the end.
            '"' if !lines || quotes % 3 == 0 || rest.peek().is_none() => result.push_str("\\\""),
            '\n' => result.push_str("\\n"),
            '\r' => result.push_str("\\r"),
            '\t' if !lines => result.push_str("\\t"),
            c if must_escape(c) => result.push_str(&number_of(c)),
            c => result.push(c),
        }
    }
    result
}

/// Characters that TOML does not allow as they are, and those that would change or hide the text
/// that a reviewer reads.
fn must_escape(c: char) -> bool {
    c != '\t' && is_hidden(c)
}

/// Writes a character as its number.
fn number_of(c: char) -> String {
    match u32::from(c) {
        short @ ..=0xffff => format!("\\u{short:04X}"),
        long => format!("\\U{long:08X}"),
    }
}

/// Writes a JSON value on one line; `None` if TOML has no such value.
pub(super) fn json(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number_text(number)?,
        Value::String(text) => line(text),
        Value::Array(items) => list(&items.iter().map(json).collect::<Option<Vec<_>>>()?),
        Value::Object(object) => {
            let member = |(name, member): (&String, &Value)| Some((key(name), json(member)?));
            inline_table(object.iter().map(member).collect::<Option<_>>()?)
        }
    })
}

/// Writes a value of TOML on one line.
pub(super) fn value(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => line(text),
        toml::Value::Array(items) => list(&items.iter().map(self::value).collect::<Vec<_>>()),
        toml::Value::Table(table) => {
            inline_table(table.iter().map(|(name, member)| (key(name), self::value(member))).collect())
        }
        simple => simple.to_string(),
    }
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

fn inline_table(members: Vec<(String, String)>) -> String {
    if members.is_empty() {
        return "{}".to_owned();
    }
    let members: Vec<String> = members.into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!("{{ {} }}", members.join(", "))
}

fn number_text(number: &Number) -> Option<String> {
    if let Some(number) = number.as_i64() {
        return Some(number.to_string());
    }
    // An integer of TOML has at most 64 bits, and a float needs a point.
    let text = number.to_string();
    number.is_f64().then(|| if text.contains(['.', 'e', 'E']) { text } else { format!("{text}.0") })
}

/// Writes a key, in quotes if it needs them.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { line(name) }
}

/// Converts a value of TOML to JSON.
pub(super) fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => to_object(table).into(),
    }
}

/// Converts a table to a JSON object.
pub(super) fn to_object(table: toml::Table) -> Map<String, Value> {
    table.into_iter().map(|(name, value)| (name, to_json(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(text: &str) -> String {
        let written = format!("a = {}\n", string(text));
        let mut table: toml::Table = written.parse().unwrap_or_else(|error| panic!("{written:?}: {error}"));
        match table.remove("a") {
            Some(toml::Value::String(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn odd_texts_come_back() {
        for text in [
            "",
            "\n",
            "\n\n",
            "a",
            "a\n",
            "\na",
            "a\r\nb\r\n",
            "a\rb\n",
            "\0\n",
            "'''\n",
            "\"\"\"\n",
            "\"\"\"\"\"\"\"\n\"",
            "a\n'",
            "a\n''",
            "a\n\"\"",
            "trail  \n  ",
            "a\\\n b\\",
            "\\u0041\n",
            "tab\t\n",
            "\u{7f}\n\u{85}",
            "😀\n\u{202e}",
            "\u{feff}\n",
            "\u{e0041}\u{ad}\n",
            "'\"\n\\'''",
            "\t",
        ] {
            assert_eq!(back(text), text);
        }
    }

    #[test]
    fn what_nobody_sees_is_written_as_its_number() {
        let text = "a\u{ad}\u{61c}\u{180e}\u{200b}\u{202e}\u{2066}\u{206a}\u{feff}\u{fff9}\u{e0041}b";
        for text in [text.to_owned(), format!("{text}\n")] {
            assert!(!string(&text).chars().any(|c| c != '\n' && is_hidden(c)), "{}", string(&text));
            assert_eq!(back(&text), text);
        }
    }

    #[test]
    fn a_text_looks_like_itself() {
        assert_eq!(string("a \"b\" \\d\n"), "'''\na \"b\" \\d\n'''");
        assert_eq!(string("it's\n"), "'''\nit's\n'''");
        assert_eq!(string("one line"), "\"one line\"");
    }

    proptest::proptest! {
        #[test]
        fn any_text_comes_back(text in "(?s)(.|['\"\\\\\r\n\t ])*") {
            proptest::prop_assert_eq!(back(&text), text);
        }
    }
}
