//! Finds the names of pyinfra in the code of users' kinds, so that they are imported.

use super::FactModules;
use super::imports::{ALIAS, CONTEXT, DEFERRED, Imports, OPERATIONS, OWN_MODULES};

/// A word of code with its surroundings.
struct Word<'a> {
    text: &'a str,
    after_dot: bool,
    before_dot: bool,
    after: &'a str,
}

/// The words of a piece of code.
///
/// The search is lexical, so a word in a string counts too. That costs an import that is not
/// needed, never one that is missing.
fn words(code: &str) -> impl Iterator<Item = Word<'_>> {
    let mut end = 0;
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter_map(move |text| {
        let start = end + code[end..].find(text).unwrap_or_default();
        end = start + text.len();
        (!text.is_empty()).then(|| Word {
            text,
            after_dot: code[..start].ends_with('.'),
            before_dot: code[end..].starts_with('.'),
            after: &code[end..],
        })
    })
}

/// Collects the names that a piece of code uses.
pub(super) fn scan(code: &str, imports: &mut Imports, facts: &FactModules<'_>) {
    let asks = code.contains("get_fact");
    let mut is_after_server = false;
    for Word { text, after_dot, before_dot, after } in words(code) {
        if before_dot {
            if OPERATIONS.binary_search(&text).is_ok() {
                if !after_dot {
                    imports.operations.insert(text.to_owned());
                } else if is_after_server {
                    imports.operations.extend([text.to_owned(), "server".to_owned()]);
                    imports.under_server.insert(text.to_owned());
                }
            }
            // Code from `super()` names Clockwork's own operations.
            if !after_dot && OWN_MODULES.contains(&text) {
                imports.own.insert(text.trim_start_matches(ALIAS).to_owned());
            }
            if !after_dot && CONTEXT.contains(&text) {
                imports.context.insert(text.to_owned());
            }
        }
        if asks
            && !after_dot
            && text.starts_with(char::is_uppercase)
            && let Some(module) = facts(text)
        {
            imports.facts.entry(module).or_default().insert(text.to_owned());
        }
        if !after_dot && after.starts_with('(') {
            imports.deferred.extend(DEFERRED.iter().find(|name| **name == text));
        }
        imports.text_file |= text == "StringIO";
        imports.bytes_file |= text == "BytesIO";
        is_after_server = text == "server" && !after_dot && before_dot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_modules_by_halves() {
        assert!(OPERATIONS.is_sorted());
        let found: Vec<_> = words("é.a_b ..c. d").map(|w| (w.text, w.after_dot, w.before_dot)).collect();
        let wanted = [("é", false, true), ("a_b", true, false), ("c", true, true), ("d", false, false)];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_word_in_a_text_does_no_harm() {
        let scanned = |code: &str| {
            let mut imports = Imports::default();
            scan(code, &mut imports, &|_| None);
            imports
        };
        assert!(scanned("'spring.cloud.config.server.git.uri='").operations.is_empty());
        assert!(scanned("'a server. git.example.com'").under_server.is_empty());
        assert_eq!(scanned("'the unit on server.systemd.service'").under_server.len(), 1);
        assert!(scanned("print(Directory)").facts.is_empty(), "nothing asks for a fact");
    }
}
