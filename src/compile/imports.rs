//! The head of a compiled file: imports of just those names of pyinfra that its code uses.

use std::fmt::Write as _;

use super::{Block, Phase};

/// The modules of `pyinfra.operations`, as of pyinfra 3.10.
const OPERATIONS: &[&str] = &[
    "apk",
    "apt",
    "brew",
    "bsdinit",
    "cargo",
    "choco",
    "crontab",
    "dnf",
    "docker",
    "files",
    "flatpak",
    "freebsd",
    "gem",
    "git",
    "go",
    "gpg",
    "iptables",
    "launchd",
    "lxd",
    "mysql",
    "npm",
    "openrc",
    "opkg",
    "pacman",
    "pip",
    "pipx",
    "pkg",
    "pkgin",
    "postgres",
    "postgresql",
    "puppet",
    "python",
    "runit",
    "selinux",
    "server",
    "snap",
    "ssh",
    "systemd",
    "sysvinit",
    "upstart",
    "uv",
    "vzctl",
    "xbps",
    "yum",
    "zfs",
    "zypper",
];

/// The facts of `pyinfra.facts.docker` that the built-in kinds ask for.
const DOCKER_FACTS: &[&str] = &["DockerContainer", "DockerImage", "DockerNetwork"];

/// The context objects of `pyinfra`.
const CONTEXT: &[&str] = &["config", "host", "inventory", "state"];

/// A word of code, and what stands around it.
struct Word<'a> {
    text: &'a str,
    after_dot: bool,
    before_dot: bool,
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
        })
    })
}

/// Writes the head of a compiled file.
pub(super) fn prelude(phase: Phase, blocks: &[Block]) -> String {
    let mut operations: Vec<&str> = Vec::new();
    let mut under_server: Vec<&str> = Vec::new();
    let mut facts: Vec<&str> = Vec::new();
    let mut context: Vec<&str> = Vec::new();
    let mut string_io = false;
    let mut command_fact = false;
    let mut file_fact = false;
    let known = |list: &[&'static str], word: &str| list.iter().copied().find(|known| *known == word);

    for Block { code, .. } in blocks {
        let mut is_after_server = false;
        for Word { text, after_dot, before_dot } in words(code) {
            if before_dot {
                if let Ok(place) = OPERATIONS.binary_search(&text) {
                    if !after_dot {
                        operations.push(OPERATIONS[place]);
                    } else if is_after_server {
                        operations.extend([OPERATIONS[place], "server"]);
                        under_server.push(OPERATIONS[place]);
                    }
                }
                context.extend(known(CONTEXT, text).filter(|_| !after_dot));
            }
            facts.extend(known(DOCKER_FACTS, text));
            string_io |= text == "StringIO";
            command_fact |= text == "Command";
            file_fact |= text == "File";
            is_after_server = text == "server" && !after_dot && before_dot;
        }
    }
    for list in [&mut operations, &mut under_server, &mut facts, &mut context] {
        list.sort_unstable();
        list.dedup();
    }

    let (file, what) = match phase {
        Phase::Deploy => ("deploy.py", "Brings the resources of main.py up"),
        Phase::Destroy => ("destroy.py", "Takes the resources of main.py down"),
    };
    let mut head = format!(
        "\"\"\"{what}. Written by Clockwork; run it by hand with: pyinfra inventory.py {file}\"\"\"\n\n"
    );
    if string_io {
        head.push_str("from io import StringIO\n");
    }
    if !under_server.is_empty() {
        head.push_str("from types import SimpleNamespace\n");
    }
    if string_io || !under_server.is_empty() {
        head.push('\n');
    }
    for (module, names) in [("pyinfra", &context), ("pyinfra.facts.docker", &facts)] {
        if !names.is_empty() {
            let _ = writeln!(head, "from {module} import {}", names.join(", "));
        }
    }
    if file_fact {
        head.push_str("from pyinfra.facts.files import File\n");
    }
    if command_fact {
        head.push_str("from pyinfra.facts.server import Command\n");
    }
    if !operations.is_empty() {
        let _ = writeln!(head, "from pyinfra.operations import {}", operations.join(", "));
    }
    if !under_server.is_empty() {
        let modules: Vec<String> = under_server.iter().map(|name| format!("\"{name}\": {name}")).collect();
        let _ = writeln!(
            head,
            "\n# The resources below also write server.{}.…; what pyinfra's server has of itself stays.\n\
             server = SimpleNamespace(**{{{}, **vars(server)}})",
            under_server[0],
            modules.join(", ")
        );
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::Hosts;
    use crate::resource::Address;

    fn head(code: &str) -> String {
        let address = Address { kind: "K".into(), name: "n".into() };
        prelude(Phase::Deploy, &[Block { address, code: code.into(), needs: Vec::new(), hosts: Hosts::All }])
    }

    #[test]
    fn imports_what_is_used_and_no_more() {
        let head = head("systemd.service('nginx')\napt.packages(['nginx'])\nmy_files.put()");
        assert!(head.contains("from pyinfra.operations import apt, systemd\n"), "{head}");
        assert!(!head.contains("StringIO"));
        assert!(!head.contains("host"));
    }

    #[test]
    fn knows_the_spelling_through_server() {
        let head = head("server.systemd.service('nginx')");
        assert!(head.contains("from pyinfra.operations import server, systemd\n"), "{head}");
        assert!(
            head.contains("server = SimpleNamespace(**{\"systemd\": systemd, **vars(server)})\n"),
            "{head}"
        );
    }

    #[test]
    fn a_word_in_a_text_does_no_harm() {
        assert!(!head("'spring.cloud.config.server.git.uri='").contains("server"));
        assert!(!head("'a server. git.example.com'").contains("SimpleNamespace"));
        let harmless = head("'the unit on server.systemd.service'");
        assert!(harmless.contains("import server, systemd\n"), "{harmless}");
    }

    #[test]
    fn finds_modules_by_halves() {
        assert!(OPERATIONS.is_sorted());
        let found: Vec<_> = words("é.a_b ..c. d").map(|w| (w.text, w.after_dot, w.before_dot)).collect();
        let wanted = [("é", false, true), ("a_b", true, false), ("c", true, true), ("d", false, false)];
        assert_eq!(found, wanted);
    }
}
