//! Compiles resources to pyinfra code: readable files that plain pyinfra can run too, with
//! `pyinfra inventory.py deploy.py`.
//!
//! Every value in the code is a literal or a deferred expression that [`literal`] wrote. No value can
//! become code. The same input gives the same bytes.

mod code;
mod imports;
pub mod literal;
pub mod path;
mod render;
mod write;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::operation::{Effects, Step};
use crate::resource::Address;
use imports::Imports;

pub use write::{DEFAULT_INVENTORY, write_file, write_files};

/// The steps of one resource in one script.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// The resource.
    pub address: Address,
    /// The identity of the thing.
    pub identity: String,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The resources whose steps must have succeeded before.
    pub needs: Vec<Address>,
    /// The hosts.
    pub hosts: Hosts,
}

/// The hosts of a resource, by their names in the inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Hosts {
    /// All hosts.
    #[default]
    All,
    /// These hosts.
    Only(Vec<String>),
}

impl Hosts {
    /// Returns true if a host is one of them.
    pub fn has(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(hosts) => hosts.iter().any(|name| name == host),
        }
    }
}

/// The section of one resource in a [`Script`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The resource.
    pub address: Address,
    /// The identity of the thing.
    pub identity: String,
    /// The line of the script on which the code begins, counted from 1.
    pub line: usize,
    /// The code, ending in a newline.
    pub code: String,
    /// The indexes of the sections that must have succeeded before.
    pub needs: Vec<usize>,
    /// The hosts.
    pub hosts: Hosts,
    /// The declared effects of its operations, in order. Empty where any of its steps is code.
    pub effects: Vec<Effects>,
}

/// A compiled `deploy.py` or `destroy.py`.
///
/// The engine runs the sections one by one, so that it knows the resource of each operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// The text of the file.
    pub text: String,
    /// The head: the docstring and the imports.
    pub prelude: String,
    /// The sections, in order.
    pub sections: Vec<Section>,
    /// True if modules of the user's own are imported.
    pub uses_own_modules: bool,
}

/// The files of a compiled project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The text of `inventory.py`.
    pub inventory: String,
    /// `deploy.py`; `None` for a destroy.
    pub deploy: Option<Script>,
    /// `destroy.py`.
    pub destroy: Script,
}

/// The two scripts of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `deploy.py`
    Deploy,
    /// `destroy.py`
    Destroy,
}

/// Finds the module of `pyinfra.facts` that defines a fact, by the fact's name.
pub type FactModules<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Compiles the work of resources to scripts.
pub struct Compiler<'a> {
    /// The folder of main.py, for modules of the user's own.
    pub project: &'a Path,
    /// The facts that code of users' kinds can name.
    pub facts: &'a FactModules<'a>,
}

impl Compiler<'_> {
    /// Compiles work, in its order, to one script.
    pub fn script(&self, phase: Phase, all: &[Work]) -> Script {
        let mut imports = Imports::default();
        let blocks: Vec<String> = all.iter().map(|work| self.block(work, &mut imports)).collect();
        let prelude = imports.prelude(phase, self.project);
        let mut text = prelude.clone();
        let mut places: HashMap<&Address, Vec<usize>> = HashMap::new();
        for (place, work) in all.iter().enumerate() {
            places.entry(&work.address).or_default().push(place);
        }
        let mut sections = Vec::with_capacity(all.len());
        let mut line = prelude.matches('\n').count() + 1;
        for (work, code) in all.iter().zip(blocks) {
            let needs = work.needs.iter().filter_map(|need| places.get(need)).flatten().copied().collect();
            let _ = write!(text, "\n\n# {}\n", work.address);
            line += 3;
            text.push_str(&code);
            let lines = code.matches('\n').count();
            let Work { address, identity, hosts, .. } = work.clone();
            let effects = effects(&work.steps);
            sections.push(Section { address, identity, line, code, needs, hosts, effects });
            line += lines;
        }
        Script { text, prelude, sections, uses_own_modules: imports.users }
    }

    /// Writes the section of one resource.
    fn block(&self, work: &Work, imports: &mut Imports) -> String {
        let mut code = String::new();
        for step in &work.steps {
            match step {
                Step::Operation(operation) => render::operation(&mut code, operation, imports),
                Step::Code(text) => {
                    code::scan(text, imports, self.facts);
                    imports.users |= self.imports_own(text);
                    code.push_str(text.trim_matches('\n'));
                    code.push('\n');
                }
            }
        }
        if code.trim().is_empty() { "pass\n".to_owned() } else { code }
    }
}

impl Compiler<'_> {
    /// Returns true if code imports a module from the folder of main.py.
    fn imports_own(&self, code: &str) -> bool {
        code.lines().any(|line| {
            let named = line.trim_start();
            let named = named.strip_prefix("import ").or_else(|| named.strip_prefix("from "));
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let module = named.and_then(|named| named.split(|c| !is_name(c)).next()).unwrap_or_default();
            !module.is_empty()
                && (self.project.join(format!("{module}.py")).is_file() || self.project.join(module).is_dir())
        })
    }
}

/// The declared effects of steps; empty if one of them is code.
fn effects(steps: &[Step]) -> Vec<Effects> {
    let effects = steps.iter().map(|step| match step {
        Step::Operation(operation) => Some(operation.effects.clone()),
        Step::Code(_) => None,
    });
    effects.collect::<Option<_>>().unwrap_or_default()
}

/// Writes steps as code without a head, for people to read.
pub fn code_of(steps: &[Step]) -> String {
    let mut code = String::new();
    for step in steps {
        match step {
            Step::Operation(operation) => render::operation(&mut code, operation, &mut Imports::default()),
            Step::Code(text) => {
                code.push_str(text.trim_end());
                code.push('\n');
            }
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Argument, Deferred, Operation};
    use serde_json::{Map, json};

    fn compile(steps: Vec<Step>) -> Script {
        let address = Address { kind: "K".into(), name: "n\nimport os".into() };
        let facts = |name: &str| (name == "Directory").then(|| "files".to_owned());
        let compiler = Compiler { project: Path::new("/project"), facts: &facts };
        let identity = crate::identity::of_code(&address);
        let work = Work { address, identity, steps, needs: Vec::new(), hosts: Hosts::All };
        compiler.script(Phase::Deploy, &[work])
    }

    fn operation(function: &str, arguments: serde_json::Value) -> Step {
        let serde_json::Value::Object(arguments) = arguments else { panic!("arguments have names") };
        let arguments = arguments.into_iter();
        let arguments =
            arguments.map(|(name, value)| (name, serde_json::from_value(value).unwrap())).collect();
        Step::Operation(Operation {
            function: function.into(),
            arguments,
            state: Map::new(),
            effects: Effects::default(),
        })
    }

    fn code(text: &str) -> Step {
        Step::Code(text.into())
    }

    #[test]
    fn sections_know_their_lines() {
        let script = compile(vec![code("\nfiles.put(\n    name='a',\n)\n\n"), code("x = 1")]);
        let lines: Vec<&str> = script.text.lines().collect();
        assert_eq!(lines[script.sections[0].line - 1], "files.put(");
        assert_eq!(lines[script.sections[0].line + 2], "x = 1");
        assert!(script.text.contains("# K 'n\\nimport os'\n"));
    }

    #[test]
    fn operations_are_written_as_people_write_them() {
        let put = json!({
            "name": "Write /etc/motd", "src": {"$text_file": "one\ntwo\n"}, "dest": "/etc/motd", "mode": "644",
        });
        let script = compile(vec![
            operation("files.put", put),
            operation("files.file", json!({"path": "/a", "present": false})),
            operation("clockwork.operations.docker.container", json!({"container": "web"})),
            operation("mine.units.unit", json!({"text": {"$secret": "A"}, "port": {"$host_data": "port"}})),
            operation("server.shell", json!({"commands": [{"$output": ["db", "url"]}]})),
        ]);
        insta::assert_snapshot!(script.text);
    }

    #[test]
    fn code_finds_what_it_names_imported() {
        let script = compile(vec![
            code("if not host.get_fact(Directory, path='/a'):\n    server.systemd.service('nginx')"),
            code("files.put(src=StringIO('a'), dest='/a')\nmy_files.put()\n'a server. git.example.com'"),
        ]);
        insta::assert_snapshot!(script.text);
    }

    #[test]
    fn nothing_to_do_is_still_python() {
        assert_eq!(compile(Vec::new()).sections[0].code, "pass\n");
        let secret = Argument::Deferred(Deferred::Secret("A".into()));
        assert_eq!(secret.deferred().len(), 1);
    }
}
