//! Compiles resources to pyinfra code: readable files that plain `pyinfra inventory.py deploy.py` runs
//! just the same.
//!
//! Every value reaches the code as a literal or a deferred expression that [`literal`] wrote; no value,
//! whatever it holds, can become code. The same input gives the same bytes.

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

/// The work of one resource in one phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// The resource.
    pub address: Address,
    /// The identity of the thing.
    pub identity: String,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The resources whose work has to have succeeded before.
    pub needs: Vec<Address>,
    /// The hosts that it is for.
    pub hosts: Hosts,
}

/// The hosts that work is for, by their names in the inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Hosts {
    /// All hosts.
    #[default]
    All,
    /// These hosts.
    Only(Vec<String>),
}

impl Hosts {
    /// Whether a host is one of them.
    pub fn has(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(hosts) => hosts.iter().any(|name| name == host),
        }
    }
}

/// One resource's part of a [`Script`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The resource.
    pub address: Address,
    /// The identity of the thing.
    pub identity: String,
    /// The line of the script's text, counted from 1, on which the code begins.
    pub line: usize,
    /// The code, ending in a newline.
    pub code: String,
    /// The places of the sections that have to have succeeded before.
    pub needs: Vec<usize>,
    /// The hosts that it is for.
    pub hosts: Hosts,
    /// The declared effects of its operations, in order. Empty where any of its steps is code.
    pub effects: Vec<Effects>,
}

/// A compiled `deploy.py` or `destroy.py`, whole and in parts.
///
/// The parts let the deploy stage tell which operation belongs to which resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// The text of the file.
    pub text: String,
    /// Its head: the docstring and the imports.
    pub prelude: String,
    /// The resources' parts, in order.
    pub sections: Vec<Section>,
    /// Whether modules of the user's own are imported.
    pub uses_own_modules: bool,
}

/// The files of a compiled project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The text of `inventory.py`.
    pub inventory: String,
    /// `deploy.py`, unless there is nothing but taking down to do.
    pub deploy: Option<Script>,
    /// `destroy.py`.
    pub destroy: Script,
}

/// The two scripts that work goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `deploy.py`
    Deploy,
    /// `destroy.py`
    Destroy,
}

/// The facts that pyinfra has: gives the module of `pyinfra.facts` that defines a name.
pub type FactModules<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Compiles work to scripts.
pub struct Compiler<'a> {
    /// The folder of main.py, in which modules of the user's own are looked for.
    pub project: &'a Path,
    /// The facts that code of users' kinds can name.
    pub facts: &'a FactModules<'a>,
}

impl Compiler<'_> {
    /// Puts work, in its order, under one head that imports what it uses.
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

    /// Writes the code of one resource.
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
    /// Whether code imports a module that is beside main.py.
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

/// The declared effects of steps that are all operations.
fn effects(steps: &[Step]) -> Vec<Effects> {
    let effects = steps.iter().map(|step| match step {
        Step::Operation(operation) => Some(operation.effects.clone()),
        Step::Code(_) => None,
    });
    effects.collect::<Option<_>>().unwrap_or_default()
}

/// Writes steps as code alone, without a head, for people.
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
        let arguments = arguments.as_object().unwrap().clone().into_iter();
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
