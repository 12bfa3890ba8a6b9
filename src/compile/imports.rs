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

/// Where a word stands in code: with what comes before and after it.
///
/// The search is lexical, so a word in a string counts too. That costs an import that is not
/// needed, never one that is missing.
fn words(code: &str) -> impl Iterator<Item = (bool, &str, bool)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(is_word).filter_map(move |(start, _)| {
        if code[..start].ends_with(is_word) {
            return None;
        }
        let rest = &code[start..];
        let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        Some((code[..start].ends_with('.'), word, rest[word.len()..].starts_with('.')))
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

    for Block { code, .. } in blocks {
        let mut previous = "";
        for (after_dot, word, before_dot) in words(code) {
            let known = |list: &[&'static str]| list.iter().copied().find(|known| *known == word);
            if let Some(module) = known(OPERATIONS).filter(|_| before_dot) {
                if !after_dot {
                    operations.push(module);
                } else if previous == "server" {
                    operations.push(module);
                    under_server.push(module);
                }
            }
            facts.extend(known(DOCKER_FACTS));
            context.extend(known(CONTEXT).filter(|_| before_dot && !after_dot));
            string_io |= word == "StringIO";
            command_fact |= word == "Command";
            previous = word;
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
    if command_fact {
        head.push_str("from pyinfra.facts.server import Command\n");
    }
    if !operations.is_empty() {
        let _ = writeln!(head, "from pyinfra.operations import {}", operations.join(", "));
    }
    if !under_server.is_empty() {
        let modules: Vec<String> = under_server.iter().map(|module| format!("{module}={module}")).collect();
        let _ = writeln!(
            head,
            "\n# The resources below also write server.{}.…\nserver = SimpleNamespace(**vars(server), {})",
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
        assert!(head.contains("server = SimpleNamespace(**vars(server), systemd=systemd)\n"), "{head}");
    }
}
