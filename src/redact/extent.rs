//! Where values end that may go over several lines: in brackets, in quotes, or by indentation.

/// What opens a bracket.
pub const OPENING: [char; 3] = ['[', '{', '('];

/// The first line, without its end.
pub fn line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

/// Where in its line a quoted text ends.
pub fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().take_while(|(_, c)| *c != '\n').find_map(|(index, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(index)
    })
}

/// The sign that opens a text in triple quotes.
pub fn triple(text: &str) -> Option<&'static str> {
    ["\"\"\"", "'''"].into_iter().find(|quotes| text.starts_with(quotes))
}

/// Whether a value goes on in the lines below: it begins or ends with an open bracket, or leaves
/// triple quotes open.
pub fn opens(line: &str) -> bool {
    let code =
        [" #", " //"].into_iter().fold(line, |code, comment| code.split(comment).next().unwrap_or(code));
    let code = code.trim_end();
    // The body of a function is no value.
    let body = code
        .strip_suffix('{')
        .map(str::trim_end)
        .is_some_and(|head| head.ends_with(')') || head.ends_with("=>"));
    line.starts_with(OPENING)
        || (code.ends_with(OPENING) && !body)
        || ["\"\"\"", "'''"].into_iter().any(|quotes| line.matches(quotes).count() % 2 == 1)
}

/// How long a text is up to the first of `ends` that stands outside brackets and quotes.
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

/// How long the quoted text is that `text` begins with. A quote that its line does not close is an
/// apostrophe.
fn quoted(text: &str, quote: char) -> usize {
    match triple(text) {
        Some(quotes) => text[3..].find(quotes).map_or(text.len(), |end| end + 6),
        None => closing(&text[1..], quote).map_or(1, |end| end + 2),
    }
}

/// How long a text is up to the end of the line in which an open quote is closed.
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

/// How long a text is with the lines below it that are indented by more than `outer`, or, as
/// `items` of a list, by as much.
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

/// How long a text is that begins with the word `opening`, like `<<-EOT`, up to the line that
/// closes it.
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
