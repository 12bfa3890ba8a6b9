//! Redaction of values that are assigned to names of secrets, in text of any language.

use super::extent::{OPENING, balanced, closing, here_document, indented, line, opens, quoted_lines, triple};
use super::{PLACEHOLDER, is_secret};

/// The first words of lines that end with a colon and begin a block of code.
const HEADS: &[&str] =
    &["async", "case", "class", "def", "elif", "except", "for", "if", "match", "while", "with"];

/// Redacts the values that are assigned to secrets.
pub fn assignments(text: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
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
        let ahead = &text[..text.len() - after.len() - name.len()];
        let ahead = ahead.rsplit('\n').next().unwrap_or_default();
        let spaced = flag || name.eq_ignore_ascii_case("bearer");
        let Some((lead, value, tail)) = value(ahead, after, spaced) else { continue };
        // The first line may be empty or hold only a comment; then the value is in the lines below.
        let quoted = lead.ends_with(['"', '\'', '`']);
        if !quoted && value.starts_with(['\n', '\r', '#']) && value.contains('\n') {
            result.push_str(lead.trim_end());
            result.push_str(&below(value, lead.contains(':')));
        } else {
            result.push_str(lead);
            result.push_str(if is_reference(value) { value } else { PLACEHOLDER });
        }
        rest = tail;
    }
    result + rest
}

/// Splits the text after a name into the sign with an opening quote, the value, and the rest. `ahead` is the
/// text before the name in its line; with `spaced` a blank counts as a sign.
fn value<'a>(ahead: &str, after: &'a str, spaced: bool) -> Option<(&'a str, &'a str, &'a str)> {
    // The name itself may be in quotes or brackets.
    let sign = after.trim_start_matches(['"', '\'', '`', ']', ')']).trim_start_matches([' ', '\t']);
    let closers = &after[..after.len() - sign.len()];
    let rest = sign.trim_start_matches([':', '=', '>', '?']);
    let sign = &sign[..sign.len() - rest.len()];
    let rest = rest.trim_start_matches([' ', '\t']);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
    // In SQL the quoted value follows the name directly, as in `PASSWORD 'x'`.
    let blank = after.starts_with([' ', '\t']);
    if sign.is_empty() && !(blank && (spaced || quote.is_some())) {
        return None;
    }
    // `auth::{a, b}` is an import and `(key) => {` a function, so neither continues below.
    let goes_on = sign.contains([':', '=']) && !sign.starts_with("::") && !closers.contains(')');
    let (open, length) = match quote {
        Some(quote) => quoted(rest, quote, goes_on),
        None if sign.starts_with(':') && !sign.starts_with(":=") => (0, mapped(ahead, rest, goes_on)),
        None => (0, word(ahead, rest, sign, goes_on)),
    };
    let start = after.len() - rest.len() + open;
    (length > 0).then(|| (&after[..start], &after[start..start + length], &after[start + length..]))
}

/// The start and the length of a value in quotes.
fn quoted(rest: &str, quote: char, goes_on: bool) -> (usize, usize) {
    if let Some(quotes) = triple(rest) {
        return (3, rest[3..].find(quotes).unwrap_or(rest.len() - 3));
    }
    let inner = &rest[1..];
    let length = match closing(inner, quote) {
        Some(end) => end,
        None if goes_on => quoted_lines(inner, quote),
        None => line(inner).trim_end().len(),
    };
    (1, length)
}

/// The length of a value after a colon. As in YAML, it may contain blanks and continue below.
fn mapped(ahead: &str, rest: &str, goes_on: bool) -> usize {
    let first = line(rest);
    let single = bare(first).len();
    if is_block(first) {
        return indented(rest, column(ahead), false);
    }
    if !goes_on {
        return single;
    }
    let empty = first.trim().is_empty() || first.starts_with('#');
    let bracket = if empty { rest.len() - rest[first.len()..].trim_start().len() } else { 0 };
    let key = match ahead.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()) {
        None => true,
        Some(word) => empty && !HEADS.contains(&word),
    };
    let end = if opens(first) || (empty && key && rest[bracket..].starts_with(OPENING)) {
        bracket + balanced(&rest[bracket..], ends_line)
    } else if key {
        // In YAML the items of a list may have the indentation of their key.
        indented(rest, column(ahead), empty || first.starts_with(['!', '&']))
    } else {
        0
    };
    if end > first.len() { end } else { single }
}

/// The length of a value that ends at a blank, unless it continues below.
fn word(ahead: &str, rest: &str, sign: &str, goes_on: bool) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | ')' | '}');
    let mut length = rest.find(ends).unwrap_or(rest.len());
    // A placeholder from an earlier redaction is part of the value, although it contains a blank.
    while rest[..length].ends_with("(not") && rest[length..].starts_with(" shown)") {
        length += " shown)".len();
        length += rest[length..].find(ends).unwrap_or(rest.len() - length);
    }
    if is_block(&rest[..length]) {
        return indented(rest, column(ahead), false);
    }
    if !goes_on {
        return length;
    }
    if rest.starts_with(OPENING) {
        return balanced(rest, ends);
    }
    let first = line(rest);
    if matches!(first.trim(), "" | "\\") {
        indented(rest, column(ahead), false)
    } else if rest.starts_with("<<") {
        here_document(rest, &rest[..length])
    } else if (sign == "=" || length == first.trim_end().len()) && opens(first) {
        Some(balanced(rest, ends_line)).filter(|end| *end > first.len()).unwrap_or(length)
    } else {
        length
    }
}

/// Tells if a value is a YAML block scalar, with its text in the lines below.
fn is_block(value: &str) -> bool {
    value.strip_prefix(['|', '>']).is_some_and(|rest| rest.trim().chars().all(|c| "+-0123456789".contains(c)))
}

/// The characters that end a value of several lines outside of brackets.
fn ends_line(c: char) -> bool {
    matches!(c, '\n' | ']' | '}' | ')')
}

/// The column in which a key begins, after list markers.
fn column(ahead: &str) -> usize {
    ahead.len() - ahead.trim_start_matches([' ', '\t', '-']).len()
}

/// An unquoted value, without the closing braces and commas around it.
fn bare(line: &str) -> &str {
    let value = line.trim_end();
    if value.contains('{') { value } else { value.trim_end_matches([' ', ',', '}']) }
}

/// Redacts the lines below a secret's name. Names of a mapping stay if they have only letters: one with
/// digits may itself be a token.
fn below(value: &str, mapping: bool) -> String {
    let mut shown = String::new();
    // Lines with a deeper indentation belong to the value of the previous name.
    let mut limit = usize::MAX;
    for line in value.lines().skip(1).filter(|line| mapping && !line.trim().is_empty()) {
        let content = line.trim_start_matches([' ', '\t', '-']);
        let column = line.len() - content.len();
        let plain = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-'))
        };
        let named = content.split_once(':').filter(|(name, value)| {
            column <= limit && plain(name) && (value.is_empty() || value.starts_with([' ', '\t']))
        });
        let hidden = match named {
            Some((name, value)) => {
                let value = value.trim_end();
                let reference = is_reference(value);
                shown.push_str(&format!("\n{}:", &line[..column + name.len()]));
                shown.push_str(if reference { value } else { "" });
                limit = if value.is_empty() { usize::MAX } else { column };
                !value.is_empty() && !reference
            }
            None => true,
        };
        if hidden && !shown.ends_with(PLACEHOLDER) {
            shown.push_str(&format!(" {PLACEHOLDER}"));
        }
    }
    if shown.is_empty() { format!(" {PLACEHOLDER}") } else { shown }
}

/// Tells if a value is only a reference to a secret, or an empty value.
pub fn is_reference(value: &str) -> bool {
    let value = value.trim();
    let name = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    let braced = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let template = value.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    braced.or_else(|| value.strip_prefix('$')).is_some_and(name)
        || template.is_some_and(|inner| inner.chars().all(|c| c.is_alphanumeric() || "_-.$|() ".contains(c)))
        || matches!(value, "null" | "true" | "false" | "~" | "{}" | "[]" | PLACEHOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_values_and_leaves_names() {
        for (before, after) in [
            ("PASSWORD=hunter2", "PASSWORD=(not shown)"),
            ("PASSWORD=#hunter2 a", "PASSWORD=(not shown) a"),
            ("password: #hunter2", "password: (not shown)"),
            ("tokens = [\"hunter2\", \"hunter3\"] # x", "tokens = (not shown) # x"),
            ("SECRET = \"\"\"hunter2\"\"\"", "SECRET = \"\"\"(not shown)\"\"\""),
            ("token: {{ a }}hunter2{{ b }}", "token: (not shown)"),
            ("TOKEN={{ a }}hunter2 b", "TOKEN=(not shown) b"),
            ("tokens = {{\"hunter2\"}}", "tokens = (not shown)"),
            ("TOKEN={{ token }} b", "TOKEN={{ token }} b"),
            ("SECRET_URL=https://(not shown)@h/x?y=hunter2 b", "SECRET_URL=(not shown) b"),
        ] {
            assert_eq!(assignments(before), after, "{before}");
        }
    }

    #[test]
    fn takes_what_is_indented_below() {
        for (before, after) in [
            ("tokens:\n  - hunter2\n\n  - hunter3\nb: 1\n", "tokens: (not shown)\nb: 1\n"),
            ("tokens: # old: hunter2\r\n- hunter2\r\nb: 1\r\n", "tokens: (not shown)\r\nb: 1\r\n"),
            ("API keys:\n\n- hunter2\n\nb\n", "API keys: (not shown)\n\nb\n"),
            ("- tokens: &a\n  - hunter2\n  b: 1\n", "- tokens: (not shown)\n  b: 1\n"),
            ("key: !!binary |2-\n  hunter2\nb: 1", "key: (not shown)\nb: 1"),
            ("password: correct\n  horse\nb: 1", "password: (not shown)\nb: 1"),
            ("tokens =\n    hunter2\n    hunter3\n[b]\n", "tokens = (not shown)\n[b]\n"),
            ("const token =\n  \"hunter2\";\nb();\n", "const token = (not shown)\nb();\n"),
            ("{\"a\": 1, \"password\":\n  \"hunter2\"\n}", "{\"a\": 1, \"password\": (not shown)\n}"),
        ] {
            assert_eq!(assignments(before), after, "{before}");
        }
    }

    #[test]
    fn leaves_the_names_of_a_mapping() {
        for (before, after) in [
            ("auth:\n  provider: ldap\n", "auth:\n  provider: (not shown)\n"),
            (
                "secrets:\n  db:\n    file: a # b\n    hunter2: a\n  url: ${URL}\n  on: true\nb: 1\n",
                "secrets:\n  db:\n    file: (not shown)\n  url: ${URL}\n  on: true\nb: 1\n",
            ),
            (
                "auth:\n  - note: |\n      hunter: two\n    list:\n      - hunter2\n",
                "auth:\n  - note: (not shown)\n    list: (not shown)\n",
            ),
        ] {
            assert_eq!(assignments(before), after, "{before}");
        }
    }

    #[test]
    fn takes_what_stands_in_brackets_and_quotes() {
        for (before, after) in [
            ("\"api_keys\": [\n \"hunter2\"\n],\n\"b\": 1\n", "\"api_keys\": (not shown)\n\"b\": 1\n"),
            ("{\"auth\": {\n \"a]}\": [\"hunter2\"]\n}}\nb", "{\"auth\": (not shown)}\nb"),
            ("{\"keys\": [1\n], \"tokens\": [\n\"hunter2\"\n]}\nb", "{\"keys\": (not shown)}\nb"),
            ("\"auth\":\n{\n\"hunter2\": 1\n}\nb", "\"auth\": (not shown)\nb"),
            ("TOKENS=(\n  hunter2 # it's :)\n  hunter3\n)\nb", "TOKENS=(not shown)\nb"),
            ("keys := []string{\n\"hunter2\",\n}\nb", "keys := (not shown)\nb"),
            ("KEYS: list[str] = [  # b\n\"hunter2\",\n]\nb", "KEYS: (not shown)\nb"),
            ("keys = new Set([\n\"hunter2\",\n]);\nb", "keys = (not shown)\nb"),
            ("SECRET = \"\"\"\nhunter2\n\"\"\"\nb", "SECRET = \"\"\"(not shown)\"\"\"\nb"),
            ("password = <<-EOT\n  hunter2\n  EOT\nb", "password = (not shown)\nb"),
            ("key = |\n  hunter2\nb", "key = (not shown)\nb"),
            ("SECRET: str = '''\nhunter2\n'''\nb", "SECRET: (not shown)\nb"),
            ("SECRET = dedent(b\"\"\"\nhunter2)\n\"\"\")\nb", "SECRET = (not shown)\nb"),
            ("PASSWORD=\"hunter2\nhunter3\" hunter4\nb", "PASSWORD=\"(not shown)\nb"),
            ("password: 'hunter2\ntoken: 'hunter3'\nb", "password: '(not shown)"),
        ] {
            assert_eq!(assignments(before), after, "{before}");
        }
        for unclosed in ["tokens: [\n hunter2", "SECRET = \"\"\"\nhunter2", "PASSWORD='a\nhunter2"] {
            assert!(!assignments(unclosed).contains("hunter2"), "{unclosed}");
        }
    }

    #[test]
    fn leaves_code_that_is_no_value() {
        for text in [
            "def get(key):\n    return store[key]\n",
            "for token in tokens:\n    print(1)\n",
            "if kind == \"token\":\n    print(1)\n",
            "class Secret:\n    pass\n",
            "items.map((key) => {\n  print(1);\n});\n",
            "const getToken = () => {\n  print(1);\n};\n",
            "fn auth(token: &str) -> bool {\n    true\n}\n",
            "use crate::auth::{\n    a,\n};\n",
            "variable \"db_password\" {\n  sensitive = true\n}\n",
            "PASSWORD=\nUSER=me\n",
            "password:\nuser: me\n",
            "password: hun(ter2\nuser: me\n",
        ] {
            let shown = assignments(text);
            assert!(shown.lines().skip(1).eq(text.lines().skip(1)), "{shown}");
        }
    }
}
