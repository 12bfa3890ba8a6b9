//! Resources become pyinfra code: readable files that plain `pyinfra inventory.py deploy.py` runs
//! just the same.
//!
//! Every value reaches the code as a literal that [`literal`] wrote; no value, whatever it holds,
//! can become code. The same input gives the same bytes.

mod imports;
pub mod kinds;
pub mod literal;
mod write;

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::resource::Address;

pub use write::{DEFAULT_INVENTORY, write_file, write_files};

/// One resource's code, for bringing it up or for taking it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The resource.
    pub address: Address,
    /// pyinfra code, as lines of a module.
    pub code: String,
    /// The resources whose code has to have succeeded before.
    pub needs: Vec<Address>,
    /// The hosts that it is for.
    pub hosts: Hosts,
}

/// The hosts that code is for, by their names in the inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Hosts {
    /// All of them.
    #[default]
    All,
    /// These.
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
    /// The line of the script's text, counted from 1, on which the code begins.
    pub line: usize,
    /// The code, ending in a newline.
    pub code: String,
    /// The places of the sections that have to have succeeded before.
    pub needs: Vec<usize>,
    /// The hosts that it is for.
    pub hosts: Hosts,
}

/// A compiled `deploy.py` or `destroy.py`, whole and in parts.
///
/// The parts let the deploy stage tell which operation belongs to which resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The text of the file.
    pub text: String,
    /// Its head: the docstring and the imports.
    pub prelude: String,
    /// The resources' parts, in order.
    pub sections: Vec<Section>,
}

/// All that the compile stage makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The text of `inventory.py`.
    pub inventory: String,
    /// `deploy.py`, unless there is nothing but taking down to do.
    pub deploy: Option<Script>,
    /// `destroy.py`.
    pub destroy: Script,
}

/// Which of its two scripts a block of code goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `deploy.py`
    Deploy,
    /// `destroy.py`
    Destroy,
}

impl Script {
    /// Puts the blocks, in their order, under one head that imports what they use.
    pub fn assemble(phase: Phase, blocks: Vec<Block>) -> Self {
        let prelude = imports::prelude(phase, &blocks);
        let mut text = prelude.clone();
        let mut places: HashMap<Address, Vec<usize>> = HashMap::new();
        for (place, block) in blocks.iter().enumerate() {
            places.entry(block.address.clone()).or_default().push(place);
        }
        let mut sections = Vec::with_capacity(blocks.len());
        let mut line = prelude.matches('\n').count() + 1;
        for Block { address, code, needs, hosts } in blocks {
            let needs = needs.iter().filter_map(|need| places.get(need)).flatten().copied().collect();
            let _ = write!(text, "\n\n# {address}\n");
            line += 3;
            let mut code = code.trim_matches('\n').to_owned();
            code.push('\n');
            text.push_str(&code);
            let lines = code.matches('\n').count();
            sections.push(Section { address, line, code, needs, hosts });
            line += lines;
        }
        Self { text, prelude, sections }
    }
}

impl Deployment {
    /// Compiles blocks, each list in the order in which it is run.
    pub fn new(inventory: String, deploy: Option<Vec<Block>>, destroy: Vec<Block>) -> Self {
        Self {
            inventory,
            deploy: deploy.map(|blocks| Script::assemble(Phase::Deploy, blocks)),
            destroy: Script::assemble(Phase::Destroy, destroy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(name: &str, code: &str) -> Block {
        let address = Address { kind: "FileResource".into(), name: name.into() };
        Block { address, code: code.into(), needs: Vec::new(), hosts: Hosts::All }
    }

    #[test]
    fn sections_know_their_lines() {
        let script = Script::assemble(
            Phase::Deploy,
            vec![block("a", "\nfiles.put(\n    name='a',\n)\n\n"), block("b\nimport os", "x = 1")],
        );
        let lines: Vec<&str> = script.text.lines().collect();
        assert_eq!(lines[script.sections[0].line - 1], "files.put(");
        assert_eq!(lines[script.sections[1].line - 1], "x = 1");
        assert!(script.text.contains("# FileResource 'b\\nimport os'\n"));
    }
}
