//! The grammar of nginx configurations: directives that end with `;`, and blocks that close.
//!
//! The directives themselves are not checked: they depend on the modules that nginx is built with.

use super::document::complaint;

/// The depth to which blocks may be nested: nginx itself allows few, and the parser has no bound.
const DEPTH: usize = 100;

/// Checks that every directive and every block ends.
pub(super) fn nginx(text: &str) -> Result<(), String> {
    let mut depth = 0_usize;
    for (index, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH {
            return Err(at(text, index, "it is nested too deep"));
        }
    }
    let (_, errors) = nginx_lint_parser::parse_string_rowan(text);
    if let Some(error) = errors.first() {
        return Err(at(text, error.offset, &error.message));
    }
    let says_something = text.lines().any(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
    if says_something { Ok(()) } else { Err("it holds no nginx directive".to_owned()) }
}

fn at(text: &str, offset: usize, reason: &str) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    complaint("nginx configuration", before.matches('\n').count() + 1, column, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_is_wrong() {
        let complaints = [
            nginx("server {\n  listen 80\n}\n"),
            nginx("server {\n  listen 80;\n"),
            nginx("listen 80; }\n"),
            nginx("This is your configuration.\n"),
            nginx("# nothing\n"),
            nginx(&"a {".repeat(100_000)),
        ];
        let text: Vec<String> = complaints.into_iter().map(|complaint| complaint.unwrap_err()).collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn lets_pass_what_is_right() {
        nginx(
            "user nginx;\nevents {}\nhttp {\n  # c\n  map $a $b { default 1; ~^x\\{2\\} 2; }\n  server {\n    listen 80;\n    \
             location ~ \"^/a{2}$\" { return 200 \"{}\"; }\n    if ($host = 'x') { return 301 https://$host$uri; }\n  }\n}\n",
        )
        .unwrap();
    }

    proptest::proptest! {
        #[test]
        fn takes_any_text(text in "(?s)([a-z;{}\"'\\\\#$ \n]|content_by_lua_block \\{|ä|.)*") {
            let _ = nginx(&text);
        }
    }
}
