//! The extent of values of several lines: in brackets, in quotes, or by indentation.

/// The opening brackets.
pub const OPENING: [char; 3] = ['[', '{', '('];

/// The first line, without its line break.
pub fn line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

/// The position of the closing quote, if it is in the first line.
pub fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().take_while(|(_, c)| *c != '\n').find_map(|(index, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(index)
    })
}

/// The triple quotes at the start of a text.
pub fn triple(text: &str) -> Option<&'static str> {
    ["\"\"\"", "'''"].into_iter().find(|quotes| text.starts_with(quotes))
}

/// Tells if a value continues in the next line: it begins or ends with an open bracket, or leaves triple
/// quotes open.
pub fn opens(line: &str) -> bool {
    let code =
        [" #", " //"].into_iter().fold(line, |code, comment| code.split(comment).next().unwrap_or(code));
    let code = code.trim_end();
    // The body of a function is not a value.
    let body = code
        .strip_suffix('{')
        .map(str::trim_end)
        .is_some_and(|head| head.ends_with(')') || head.ends_with("=>"));
    line.starts_with(OPENING)
        || (code.ends_with(OPENING) && !body)
        || ["\"\"\"", "'''"].into_iter().any(|quotes| line.matches(quotes).count() % 2 == 1)
}

/// The length of a text up to the first of `ends` outside of brackets and quotes.
pub fn balanced(text: &str, ends: impl Fn(char) -> bool) -> usize {
    let mut open = Vec::new();
    let mut at = 0;
    let mut blank = true;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let mut length = c.len_utf8();
        match c {
            '[' => open.push(']'),
            '{' => open.push('}'),
            '(' => open.push(')'),
            _ if open.last() == Some(&c) => drop(open.pop()),
            _ if open.is_empty() && ends(c) => return at,
            '"' | '\'' | '`' => length = quoted(rest, c),
            '#' if blank => length = line(rest).len(),
            '/' if blank && rest.starts_with("//") => length = line(rest).len(),
            _ => {}
        }
        blank = c.is_whitespace();
        at += length;
    }
    text.len()
}

/// The length of the quoted text at the start of `text`. A quote that is not closed in its line is an
/// apostrophe.
fn quoted(text: &str, quote: char) -> usize {
    match triple(text) {
        Some(quotes) => text[3..].find(quotes).map_or(text.len(), |end| end + 6),
        None => closing(&text[1..], quote).map_or(1, |end| end + 2),
    }
}

/// The length of a text up to the end of the line that closes an open quote.
pub fn quoted_lines(text: &str, quote: char) -> usize {
    let mut open = true;
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while let Some(end) = closing(rest, quote) {
            open = !open;
            rest = &rest[end + 1..];
        }
        length += line.len();
        if !open {
            break;
        }
    }
    text[..length].trim_end().len()
}

/// The length of a text with the following lines that are indented by more than `outer`, or for `items` of
/// a list by at least as much.
pub fn indented(text: &str, outer: usize, items: bool) -> usize {
    let mut at = line(text).len();
    let mut length = text[..at].trim_end().len();
    for below in text[at..].split_inclusive('\n') {
        let content = below.trim();
        let indent = below.len() - below.trim_start().len();
        let item = items && indent == outer && (content == "-" || content.starts_with("- "));
        if !content.is_empty() && indent <= outer && !item {
            break;
        }
        if !content.is_empty() {
            length = at + below.trim_end().len();
        }
        at += below.len();
    }
    length
}

/// The length of a here-document that begins with the word `opening`, such as `<<-EOT`.
pub fn here_document(text: &str, opening: &str) -> usize {
    let name = opening.trim_start_matches(['<', '-', '~']).trim_matches(['"', '\'']);
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        length += line.len();
        if line.trim() == name {
            break;
        }
    }
    text[..length].trim_end().len()
}
