//! The grammar of Dockerfiles. There is no maintained crate for it. The commands inside are not checked.

const INSTRUCTIONS: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Checks that every instruction is known, has arguments, and that a `FROM` comes first.
pub(super) fn dockerfile(text: &str) -> Result<(), String> {
    let escape = escape_of(text);
    let mut based = false;
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let bad = |reason: String| Err(format!("it is no valid Dockerfile: line {}: {reason}", index + 1));
        let Some(mut instruction) = code(line).map(str::to_owned) else { continue };
        while let Some(before) = instruction.strip_suffix(escape).map(str::to_owned) {
            // Comments and empty lines inside are skipped, as Docker does.
            let Some(next) = lines.by_ref().find_map(|(_, line)| code(line)) else {
                return bad("it goes on after the file's last line".to_owned());
            };
            instruction = format!("{before} {next}");
        }
        let (word, rest) = instruction.split_once(char::is_whitespace).unwrap_or((&instruction, ""));
        let name = word.to_ascii_uppercase();
        if !INSTRUCTIONS.contains(&name.as_str()) {
            return bad(format!("'{}' is no instruction", word.chars().take(40).collect::<String>()));
        }
        if rest.trim().is_empty() {
            return bad(format!("{name} needs something after it"));
        }
        match name.as_str() {
            "FROM" if !is_stage(rest) => return bad("write FROM image[:tag] [AS name]".to_owned()),
            "FROM" => based = true,
            "ARG" => {}
            _ if !based => return bad(format!("{name} stands before the first FROM")),
            _ => {}
        }
        for end in here_documents(&name, rest) {
            if !lines.by_ref().any(|(_, line)| line.trim_start_matches('\t') == end) {
                return bad(format!("the text up to {end} has no end"));
            }
        }
    }
    if based { Ok(()) } else { Err("it is no valid Dockerfile: it has no FROM".to_owned()) }
}

/// The character that continues a line: a backslash, or the one that a directive at the top names.
fn escape_of(text: &str) -> char {
    let directives = text.lines().take_while(|line| line.trim_start().starts_with('#'));
    let escape = directives.filter_map(|line| line.trim_start_matches(['#', ' ']).split_once('='));
    let backtick = escape
        .into_iter()
        .any(|(name, value)| name.trim().eq_ignore_ascii_case("escape") && value.trim() == "`");
    if backtick { '`' } else { '\\' }
}

/// The line, if it is neither empty nor a comment.
fn code(line: &str) -> Option<&str> {
    Some(line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn is_stage(rest: &str) -> bool {
    let words: Vec<&str> = rest.split_whitespace().skip_while(|word| word.starts_with("--")).collect();
    match words[..] {
        [_image] => true,
        [_image, between, _name] => between.eq_ignore_ascii_case("as"),
        _ => false,
    }
}

/// The marks that end the texts which follow a line, as in `RUN <<END`.
fn here_documents(name: &str, rest: &str) -> Vec<String> {
    if !matches!(name, "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    let starts = rest.split_whitespace().filter_map(|word| {
        let word = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
        let mark = word.trim_start_matches('-').trim_matches(['"', '\'']);
        let plain = mark.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        (plain && mark.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then(|| mark.to_owned())
    });
    starts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_is_wrong() {
        let complaints = [
            "# nothing\n",
            "Here is your Dockerfile.\n",
            "RUN true\n",
            "FROM\n",
            "FROM nginx 1.27\n",
            "FROM nginx\nRUN\n",
            "FROM nginx\nINSTALL curl\n",
            "FROM nginx\nRUN true && \\\n",
            "FROM nginx\nRUN <<END\ntrue\n",
        ]
        .map(|text| dockerfile(text).unwrap_err());
        insta::assert_snapshot!(complaints.join("\n"));
    }

    #[test]
    fn lets_pass_what_is_right() {
        for text in [
            "# syntax=docker/dockerfile:1\nARG V=1.27\nFROM --platform=linux/amd64 nginx:$V AS a\nfrom a\n",
            "FROM nginx\nRUN apt-get update \\\n  # why\n\n  && true\nRUN <<-'END'\nIF x\n\tEND\nCMD [\"x\"]\n",
            "# escape=`\nFROM nginx\nRUN a `\n  b\nRUN echo $((1<<2))\n",
        ] {
            dockerfile(text).unwrap();
        }
    }
}
