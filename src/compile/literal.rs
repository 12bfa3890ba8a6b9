//! Python literals. Every value in compiled code is written here.

use std::fmt::Write as _;

use crate::operation::{Argument, Deferred};

/// Writes a value as a Python literal that Python reads back unchanged, or a deferred value as an expression.
///
/// With an `indent`, a text of several lines is written as one literal a line, in parentheses, each line indented by
/// four spaces more than that, and the closing one by just that.
pub fn literal(value: &Argument, indent: Option<usize>) -> String {
    match value {
        Argument::Null => "None".to_owned(),
        Argument::Bool(true) => "True".to_owned(),
        Argument::Bool(false) => "False".to_owned(),
        Argument::Number(number) => number.to_string(),
        Argument::Text(text) => match indent {
            Some(indent) if text.trim_end_matches('\n').contains('\n') => lines(text, indent),
            _ => quote(text),
        },
        Argument::Bytes(bytes) => quote_bytes(bytes),
        Argument::List(items) => {
            let items: Vec<String> = items.iter().map(|item| literal(item, None)).collect();
            format!("[{}]", items.join(", "))
        }
        Argument::Map(items) => {
            let items: Vec<String> =
                items.iter().map(|(key, item)| format!("{}: {}", quote(key), literal(item, None))).collect();
            format!("{{{}}}", items.join(", "))
        }
        Argument::TextFile(text) => format!("StringIO({})", literal(text, indent)),
        Argument::BytesFile(bytes) => format!("BytesIO({})", quote_bytes(bytes)),
        Argument::Deferred(Deferred::Secret(name)) => format!("secret({})", quote(name)),
        Argument::Deferred(Deferred::HostData(key)) => format!("host_data({})", quote(key)),
        Argument::Deferred(Deferred::Output(resource, key)) => {
            format!("output({}, {})", quote(resource), quote(key))
        }
    }
}

fn quote_bytes(bytes: &[u8]) -> String {
    let escaped: String = bytes
        .iter()
        .map(|byte| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(*byte)),
            0x20..=0x7e => char::from(*byte).to_string(),
            byte => format!("\\x{byte:02x}"),
        })
        .collect();
    format!("b\"{escaped}\"")
}

fn lines(text: &str, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let mut literal = "(\n".to_owned();
    for line in text.split_inclusive('\n') {
        let _ = writeln!(literal, "{pad}    {}", quote(line));
    }
    literal.push_str(&pad);
    literal.push(')');
    literal
}

/// Writes a text as a literal in double quotes.
fn quote(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            c if !is_hidden(c) => literal.push(c),
            c if u32::from(c) < 0x100 => {
                let _ = write!(literal, "\\x{:02x}", u32::from(c));
            }
            c if u32::from(c) < 0x1_0000 => {
                let _ = write!(literal, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(literal, "\\U{:08x}", u32::from(c));
            }
        }
    }
    literal.push('"');
    literal
}

/// Returns true for a character that is invisible or is displayed at another place.
///
/// The compiled code, the lock file and the terminal share this list. Characters that turn the direction of
/// writing make code look different from what it is (CVE-2021-42574).
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of_json(value: Value, indent: Option<usize>) -> String {
        literal(&serde_json::from_value(value).unwrap(), indent)
    }

    #[test]
    fn writes_pythons_own_words() {
        assert_eq!(of_json(json!([true, false, null, 1, -2.5]), None), "[True, False, None, 1, -2.5]");
        assert_eq!(of_json(json!({"a": ["b\nc"]}), None), r#"{"a": ["b\nc"]}"#);
        assert_eq!(literal(&Argument::Bytes(vec![0, b'a', b'"', 0xff]), None), r#"b"\x00a\"\xff""#);
    }

    #[test]
    fn no_text_ends_its_own_literal() {
        assert_eq!(of_json(json!(r#"" + evil() + "\"#), None), r#""\" + evil() + \"\\""#);
        assert_eq!(of_json(json!("\u{202e}\u{0}\u{e0041}é"), None), r#""\u202e\x00\U000e0041é""#);
    }

    #[test]
    fn lines_stand_one_below_the_other() {
        assert_eq!(of_json(json!("a\nb"), Some(4)), "(\n        \"a\\n\"\n        \"b\"\n    )");
        assert_eq!(of_json(json!("one line\n"), Some(4)), r#""one line\n""#);
    }

    #[test]
    fn deferred_values_are_expressions() {
        let secret = Argument::Deferred(Deferred::Secret("A\"B".into()));
        assert_eq!(literal(&Argument::List(vec![secret]), None), r#"[secret("A\"B")]"#);
    }
}
