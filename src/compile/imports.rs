//! The head of a compiled file: the imports of the names that its code uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use super::Phase;
use super::literal::literal;
use crate::operation::{Argument, Deferred};

/// The modules of `pyinfra.operations`, as of pyinfra 3.10.
pub(super) const OPERATIONS: &[&str] = &[
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

/// The context objects of `pyinfra`.
pub(super) const CONTEXT: &[&str] = &["config", "host", "inventory", "state"];

/// The package of Clockwork's own operations. Its modules are imported under aliases, so that `files` always means
/// pyinfra's.
const OWN: &str = "clockwork.operations.";

/// The start of the names that these modules have in compiled code.
pub(super) const ALIAS: &str = "clockwork_";

/// The names of those modules that code can name.
pub(super) const OWN_MODULES: &[&str] = &["clockwork_docker", "clockwork_files"];

/// The functions of `clockwork.operations` that return deferred values.
pub(super) const DEFERRED: &[&str] = &["secret", "host_data", "output"];

/// The names that code uses, and that have to be imported.
#[derive(Debug, Default)]
pub(super) struct Imports {
    /// Modules of `pyinfra.operations`.
    pub operations: BTreeSet<String>,
    /// Those of them that code reaches through `server`.
    pub under_server: BTreeSet<String>,
    /// Facts, by their module of `pyinfra.facts`.
    pub facts: BTreeMap<String, BTreeSet<String>>,
    /// Context objects of pyinfra.
    pub context: BTreeSet<String>,
    /// Modules of `clockwork.operations`.
    pub own: BTreeSet<String>,
    /// Functions of `clockwork.operations` that return deferred values.
    pub deferred: BTreeSet<&'static str>,
    /// True if a module of the user's own is used.
    pub users: bool,
    /// True if `StringIO` is used.
    pub text_file: bool,
    /// True if `BytesIO` is used.
    pub bytes_file: bool,
}

impl Imports {
    /// Returns the expression for a function, and adds the imports that it needs. A module of the user's own is imported in
    /// `code`, the resource's section, so that a missing module fails only this resource.
    pub(super) fn function(&mut self, path: &str, code: &mut String) -> String {
        let Some((module, name)) = path.rsplit_once('.') else { return path.to_owned() };
        let pyinfra = module.strip_prefix("pyinfra.operations.").unwrap_or(module);
        if OPERATIONS.binary_search(&pyinfra).is_ok() {
            self.operations.insert(pyinfra.to_owned());
            return format!("{pyinfra}.{name}");
        }
        if let Some(own) = module.strip_prefix(OWN) {
            self.own.insert(own.to_owned());
            return format!("{}.{name}", alias(own));
        }
        self.users = true;
        let first = module.split('.').next().unwrap_or(module);
        // A module with the name of one of pyinfra's gets another name here.
        let is_taken = OPERATIONS.binary_search(&first).is_ok() || CONTEXT.contains(&first);
        let (line, name) = if is_taken {
            let alias = format!("own_{}", module.replace('.', "_"));
            (format!("import {module} as {alias}\n"), format!("{alias}.{name}"))
        } else {
            (format!("import {module}\n"), path.to_owned())
        };
        if !code.contains(&line) {
            code.push_str(&line);
        }
        name
    }

    /// Adds the imports that a value needs.
    pub(super) fn value(&mut self, value: &Argument) {
        self.text_file |= matches!(value, Argument::TextFile(_));
        self.bytes_file |= matches!(value, Argument::BytesFile(_));
        match value {
            Argument::TextFile(inner) => self.value(inner),
            Argument::List(items) => items.iter().for_each(|item| self.value(item)),
            Argument::Map(items) => items.iter().for_each(|(_, item)| self.value(item)),
            Argument::Deferred(deferred) => {
                self.deferred.insert(match deferred {
                    Deferred::Secret(_) => "secret",
                    Deferred::HostData(_) => "host_data",
                    Deferred::Output(..) => "output",
                });
            }
            _ => {}
        }
    }

    /// Writes the head of a compiled file.
    pub(super) fn prelude(&self, phase: Phase, project: &Path) -> String {
        let (file, what) = match phase {
            Phase::Deploy => ("deploy.py", "Brings the resources of main.py up"),
            Phase::Destroy => ("destroy.py", "Takes the resources of main.py down"),
        };
        let mut head = format!(
            "\"\"\"{what}. Written by Clockwork; run it by hand with: pyinfra inventory.py {file}\"\"\"\n\n"
        );
        let mut standard = String::new();
        if self.users {
            standard.push_str("import sys\n");
        }
        let files: Vec<&str> = [("BytesIO", self.bytes_file), ("StringIO", self.text_file)]
            .into_iter()
            .filter_map(|(name, is_used)| is_used.then_some(name))
            .collect();
        if !files.is_empty() {
            let _ = writeln!(standard, "from io import {}", files.join(", "));
        }
        if !self.under_server.is_empty() {
            standard.push_str("from types import SimpleNamespace\n");
        }
        if !standard.is_empty() {
            head.push_str(&standard);
            head.push('\n');
        }
        let join = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        if !self.context.is_empty() {
            let _ = writeln!(head, "from pyinfra import {}", join(&self.context));
        }
        for (module, names) in &self.facts {
            let _ = writeln!(head, "from pyinfra.facts.{module} import {}", join(names));
        }
        if !self.operations.is_empty() {
            let _ = writeln!(head, "from pyinfra.operations import {}", join(&self.operations));
        }
        self.own(&mut head);
        if self.users {
            let project = literal(&Argument::Text(project.display().to_string()), None);
            let _ = writeln!(
                head,
                "\n# Modules of your own are beside main.py.\n\
                 if {project} not in sys.path:\n    sys.path.insert(0, {project})"
            );
        }
        if let Some(first) = self.under_server.first() {
            let modules: Vec<String> =
                self.under_server.iter().map(|name| format!("\"{name}\": {name}")).collect();
            let _ = writeln!(
                head,
                "\n# The resources below also write server.{first}.…; what pyinfra's server has of itself stays.\n\
                 server = SimpleNamespace(**{{{}, **vars(server)}})",
                modules.join(", ")
            );
        }
        head
    }

    /// Writes the import of Clockwork's own operations, with a message for hosts where they are not installed.
    fn own(&self, head: &mut String) {
        if self.own.is_empty() && self.deferred.is_empty() {
            return;
        }
        if !head.ends_with("\n\n") {
            head.push('\n');
        }
        head.push_str("try:\n");
        if !self.deferred.is_empty() {
            let names: Vec<&str> = self.deferred.iter().copied().collect();
            let _ = writeln!(head, "    from clockwork.operations import {}", names.join(", "));
        }
        for module in &self.own {
            let (package, name) = match module.rsplit_once('.') {
                Some((package, name)) => (format!("{OWN}{package}"), name),
                None => (OWN.trim_end_matches('.').to_owned(), module.as_str()),
            };
            let _ = writeln!(head, "    from {package} import {name} as {}", alias(module));
        }
        head.push_str(
            "except ImportError as error:\n    \
             raise SystemExit(f\"This file uses operations of Clockwork's: install clockwork beside pyinfra ({error})\") from error\n",
        );
    }
}

/// The name that a module of `clockwork.operations` has in compiled code.
fn alias(module: &str) -> String {
    format!("{ALIAS}{}", module.replace('.', "_"))
}
