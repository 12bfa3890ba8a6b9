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

pub use write::{DEFAULT_INVENTORY, write_files, write_private};

/// One resource's code, for bringing it up or for taking it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The resource.
    pub address: Address,
    /// pyinfra code, as lines of a module.
    pub code: String,
    /// The resources whose code has to have succeeded before.
    pub needs: Vec<Address>,
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
        let places: HashMap<Address, usize> =
            blocks.iter().enumerate().map(|(place, block)| (block.address.clone(), place)).collect();
        let mut sections = Vec::with_capacity(blocks.len());
        for Block { address, code, needs } in blocks {
            let needs = needs.iter().filter_map(|need| places.get(need).copied()).collect();
            let _ = write!(text, "\n\n# {address}\n");
            let line = text.lines().count() + 1;
            let mut code = code.trim_matches('\n').to_owned();
            code.push('\n');
            text.push_str(&code);
            sections.push(Section { address, line, code, needs });
        }
        Self { text, prelude, sections }
    }
}

impl Deployment {
    /// Compiles blocks that are in the order of deployment; they are taken down in reverse.
    pub fn new(inventory: String, deploy: Option<Vec<Block>>, mut destroy: Vec<Block>) -> Self {
        destroy.reverse();
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
        Block { address, code: code.into(), needs: Vec::new() }
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

    #[test]
    fn what_comes_up_last_goes_down_first() {
        let blocks = || vec![block("a", "x = 1"), block("b", "x = 2")];
        let deployment = Deployment::new(String::new(), Some(blocks()), blocks());
        let names =
            |script: &Script| script.sections.iter().map(|s| s.address.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&deployment.deploy.unwrap()), ["a", "b"]);
        assert_eq!(names(&deployment.destroy), ["b", "a"]);
    }
}
