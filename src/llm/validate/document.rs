//! Checks of formats whose documents a parser can tell from others: JSON, TOML, XML and INI.

use std::fmt::Display;

/// Checks one JSON document.
pub(super) fn json(text: &str) -> Result<(), String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map(drop)
        .map_err(|error| complaint("JSON", error.line(), error.column(), words(&error)))
}

/// Checks a JSON document on each line. Empty lines pass.
pub(super) fn json_lines(text: &str) -> Result<(), String> {
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        serde_json::from_str::<serde::de::IgnoredAny>(line)
            .map_err(|error| complaint("JSON", index + 1, error.column(), words(&error)))?;
    }
    Ok(())
}

/// The parser's message without the place, which the complaint names before it.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map(|(words, _)| words.to_owned()).unwrap_or(text)
}

/// Checks a TOML document.
pub(super) fn toml(text: &str) -> Result<(), String> {
    text.parse::<toml::Table>().map(drop).map_err(|error| {
        let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or(text);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        complaint("TOML", before.matches('\n').count() + 1, column, error.message().replace('\n', " "))
    })
}

/// Checks that an XML document is well-formed.
pub(super) fn xml(text: &str) -> Result<(), String> {
    // A document type is harmless: nothing outside the text is fetched for it.
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    roxmltree::Document::parse_with_options(text, options).map(drop).map_err(|error| {
        let place = error.pos();
        let words = error.to_string();
        let words = words.rsplit_once(" at ").map_or(words.as_str(), |(words, _)| words);
        complaint("XML", place.row as usize, place.col as usize, words)
    })
}

/// Checks an INI file: sections, `name = value` or `name: value`, names alone, comments, and values that go on with an
/// indentation.
///
/// The crates for INI either accept any line or reject files of common programs, so none is used.
pub(super) fn ini(text: &str) -> Result<(), String> {
    let mut settings = 0;
    for (index, line) in text.lines().enumerate() {
        let bad = |reason: &str| Err(format!("it is no valid INI: line {}: {reason}", index + 1));
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with([';', '#']) {
            continue;
        }
        let goes_on = line.starts_with([' ', '\t']) && settings > 0;
        if let Some(section) = bare.strip_prefix('[').filter(|_| !goes_on) {
            match section.split_once(']') {
                Some((name, rest)) if !name.trim().is_empty() => {
                    if !rest.trim().is_empty() && !rest.trim().starts_with([';', '#']) {
                        return bad("something stands after the section");
                    }
                }
                Some(_) => return bad("the section has no name"),
                None => return bad("the section is not closed with ']'"),
            }
        } else if !goes_on {
            let name = bare.split(['=', ':']).next().unwrap_or_default().trim();
            if name.is_empty() {
                return bad("there is no name before the value");
            }
            // Names alone are options that are on; a sentence is none.
            if name.len() == bare.len() && name.split_whitespace().count() > 2 {
                return bad("it is neither a section nor 'name = value'");
            }
        }
        settings += 1;
    }
    if settings == 0 { Err("it is no valid INI: it sets nothing".to_owned()) } else { Ok(()) }
}

/// One complaint, worded in the same way for every format.
pub(super) fn complaint(format: &str, line: usize, column: usize, reason: impl Display) -> String {
    format!("it is no valid {format}: line {line}, column {column}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_where_it_goes_wrong() {
        let complaints = [
            json("{\n  \"a\": 1,\n}\n"),
            json("{} {}"),
            json_lines("{}\n\n{\n"),
            toml("a = 1\nb = \n"),
            toml("a = 1\na = 2\n"),
            xml("<a>\n  <b></a>\n"),
            xml("words"),
            ini("[a\n"),
            ini("[a] b\n"),
            ini("[a]\n= 1\n"),
            ini("This is a sentence.\n"),
            ini("# nothing\n"),
        ];
        let text: Vec<String> = complaints.into_iter().map(|complaint| complaint.unwrap_err()).collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn lets_pass_what_is_right() {
        json(" [1, {\"a\": null}]\n").unwrap();
        json_lines("{}\n{\"a\": 1}\n").unwrap();
        toml("[a]\nb = '''\nc\n'''\n").unwrap();
        xml("<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY b \"c\">]>\n<a x='1'>&b;</a>\n").unwrap();
        ini("; c\ntop = 1\n[a \"b\"] # c\nname: x\nskip-networking\nlist =\n  one\n  [two]\n").unwrap();
    }
}
