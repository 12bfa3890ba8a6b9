//! Extracts a file from an answer with a code fence or remarks to the user around it.

use super::super::format::{Format, Syntax};

/// The first words of remarks before a file.
const OPENINGS: &[&str] =
    &["here", "sure", "certainly", "of course", "absolutely", "okay", "below", "the following", "great"];
/// The subjects of such remarks. A sentence without one of these words may belong to the file.
const SUBJECTS: &[&str] = &[
    "file",
    "article",
    "text",
    "content",
    "document",
    "script",
    "code",
    "configuration",
    "version",
    "example",
];
/// The first words of remarks after a file.
const CLOSINGS: &[&str] =
    &["let me know", "i hope", "hope this", "feel free", "if you need", "if you have", "please let me"];

/// Removes the code fence around a file, and a model's remarks.
///
/// `valid` tells whether a text passes the format's own check. If the format has a check, it decides. If it
/// has none, as for text for people, only words that cannot belong to the file are removed.
pub(super) fn file_alone<'a>(answer: &'a str, format: &Format, valid: &dyn Fn(&str) -> bool) -> &'a str {
    let markdown = format.name == "Markdown";
    let whole = without_fence(answer, markdown);
    let decided = !matches!(format.syntax, None | Some(Syntax::Python | Syntax::Shell));
    if decided && valid(whole) {
        return whole;
    }
    let bare = without_fence(without_remarks(whole, format), markdown);
    if bare.len() < whole.len() && (!decided || valid(bare)) {
        return bare;
    }
    // Plain text may well show a command in a block and say something before and after it.
    if (!format.prose || matches!(format.name, "HTML" | "LaTeX"))
        && let Some(block) = only_block(whole)
    {
        return block;
    }
    whole
}

/// The inside of the only fenced block of a text, if all around it is a remark to the user.
fn only_block(text: &str) -> Option<&str> {
    let mut fences = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some((mark, info)) = fence(line.trim_end()) {
            fences.push((start, start + line.len(), mark, info));
        }
        start += line.len();
    }
    let [(before, body, mark, _), (end, after, last_mark, "")] = fences[..] else { return None };
    if !last_mark.starts_with(mark) {
        return None;
    }
    let (before, after) = (text[..before].trim(), text[after..].trim());
    let begins_with_word =
        |text: &str| text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '*' | '-'));
    let opens = before.is_empty()
        || (before.len() <= 400 && begins_with_word(before) && before.ends_with([':', '.', '!']));
    let closes = after.is_empty() || (after.len() <= 1200 && begins_with_word(after));
    (opens && closes).then(|| &text[body..end])
}

/// Removes a first paragraph that announces the file, and then also a last paragraph of farewell.
fn without_remarks<'a>(text: &'a str, format: &Format) -> &'a str {
    let trimmed = text.trim();
    let Some((first, rest)) = trimmed.split_once('\n') else { return text };
    let lower = first.trim().to_lowercase();
    let announces = lower.len() <= 300
        && lower.ends_with([':', '.', '!'])
        && OPENINGS.iter().any(|opening| lower.starts_with(opening));
    let rest = rest.trim_start_matches(['\n', '\r']);
    let begins = match format.name {
        "Markdown" if rest.starts_with(['#', '`', '~', '-']) => true,
        "HTML" | "XML" | "SVG" => rest.starts_with('<'),
        "JSON" | "JSON Lines" => rest.starts_with(['{', '[']),
        _ => lower.ends_with(':') && SUBJECTS.iter().any(|subject| lower.contains(subject)),
    };
    if !announces || !begins {
        return text;
    }
    match rest.trim_end().rsplit_once("\n\n") {
        Some((body, last)) if is_leave(last) => body,
        _ => rest,
    }
}

fn is_leave(paragraph: &str) -> bool {
    let lower = paragraph.trim().to_lowercase();
    CLOSINGS.iter().any(|closing| lower.starts_with(closing))
}

/// Removes a code fence around a whole text.
///
/// Markdown may itself consist of fenced blocks, so there only a fence that names Markdown or nothing counts.
pub(super) fn without_fence(answer: &str, markdown: bool) -> &str {
    let trimmed = answer.trim();
    let inner = || {
        let (first, rest) = trimmed.split_once('\n')?;
        let (body, last) = rest.rsplit_once('\n').unwrap_or(("", rest));
        let (mark, info) = fence(first)?;
        let (last_mark, last_info) = fence(last)?;
        if !last_mark.starts_with(mark) || !last_info.is_empty() {
            return None;
        }
        let of_markdown = matches!(info.to_ascii_lowercase().as_str(), "md" | "markdown");
        if markdown && !of_markdown && !info.is_empty() {
            return None;
        }
        // A fence inside that closes the first one shows that it is not around the whole; where the
        // text is Markdown, a bare fence may as well open a block of its own.
        let mut open_inside = false;
        for (inner_mark, info) in body.lines().filter_map(fence) {
            if !inner_mark.starts_with(mark) {
                continue;
            }
            match (open_inside, info.is_empty()) {
                (false, true) if !of_markdown => return None,
                (false, _) => open_inside = true,
                (true, true) => open_inside = false,
                (true, false) => {}
            }
        }
        (!open_inside).then_some(body)
    };
    inner().unwrap_or(answer)
}

/// The mark and the info string of a line that is a code fence.
fn fence(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_end();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.len() - line.trim_start_matches(mark).len();
    let info = line[length..].trim();
    (length >= 3 && !info.contains('`')).then_some((&line[..length], info))
}

#[cfg(test)]
mod tests {
    use super::super::super::format::by_name;
    use super::*;

    fn alone(name: &str, answer: &str) -> String {
        let format = by_name(name).unwrap();
        file_alone(answer, &format, &|text| super::super::syntax(text, &format).is_ok()).trim().to_owned()
    }

    #[test]
    fn takes_off_remarks() {
        for (name, answer, wanted) in [
            ("a.json", "Here is the file:\n\n```json\n{}\n```\n\nLet me know!", "{}"),
            ("a.json", "Sure! Here it is:\n{\"a\": 1}\n\nI hope this helps.", "{\"a\": 1}"),
            ("a.py", "Certainly:\n```python\nprint(1)\n```\n- It prints 1.\n", "print(1)"),
            ("a.sh", "This script does it.\n```\n#!/bin/sh\n```", "#!/bin/sh"),
            ("a.md", "Here's the article:\n\n# A\n\ntext\n\nLet me know.", "# A\n\ntext"),
            ("a.md", "Here is the file:\n```markdown\n# A\n```", "# A"),
            ("a.html", "Below is the page:\n```html\n<p>\n```", "<p>"),
            ("a.txt", "Sure, here is the text:\n\nHello", "Hello"),
            ("a.md", "Here is the content of the file:\n\nHello", "Hello"),
        ] {
            assert_eq!(alone(name, answer), wanted, "{answer}");
        }
    }

    #[test]
    fn leaves_alone_what_may_be_meant() {
        for (name, answer) in [
            ("a.md", "Here is a story about it:\n\nOnce upon a time"),
            ("a.txt", "Here we go again:\n\nHello"),
            ("a.txt", "To list, type:\n```\nls\n```\nand read."),
            ("a.py", "\"\"\"Doc.\n```\nx\n```\n\"\"\"\nprint(1)"),
            ("a.sh", "#!/bin/sh\ncat <<E\n```\nx\n```\nE"),
            ("a.yaml", "text: |\n  Here:\n  ```\n  x\n  ```"),
            ("a.md", "# A\n\nLet me know what you think."),
        ] {
            assert_eq!(alone(name, answer), answer, "{answer}");
        }
    }
}
