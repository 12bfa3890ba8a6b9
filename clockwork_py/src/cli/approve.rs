//! Shows the plan before it is run, and asks where something would be taken away.

use std::io::{IsTerminal as _, Write as _};

use clockwork_core::cli::{Display, Verb};
use clockwork_core::outcome::Report;
use clockwork_core::{plan, report};
use pyo3::prelude::*;

use crate::invocation::{Approval, Approver};

/// Somebody at a terminal, or nobody.
pub struct Asker {
    display: Display,
    terminal: bool,
    asks: bool,
    prune: bool,
}

impl Asker {
    /// `asks` is whether questions are wanted, and `prune` whether one of them is answered already.
    pub fn new(display: Display, asks: bool, prune: bool) -> Self {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !display.json;
        Self { display, terminal, asks, prune }
    }

    /// Whether there is somebody to ask.
    pub fn has_somebody(&self) -> bool {
        self.terminal
    }
}

impl Approver for Asker {
    fn wants_gone(&self) -> bool {
        self.terminal && self.asks
    }

    fn approve(&self, py: Python<'_>, planned: &Report) -> PyResult<Approval> {
        let go = Approval::Go { prune: self.prune };
        if !planned.deploy.changed() {
            return Ok(go);
        }
        if !self.display.json {
            let _ = std::io::stdout().write_all(report::plan(planned, self.terminal).as_bytes());
        }
        if !(self.terminal && self.asks) {
            return Ok(go);
        }
        let (gone, wanted): (Vec<_>, Vec<_>) =
            planned.deploy.resources.iter().cloned().partition(|resource| resource.gone && resource.changed);
        let taken = plan::takes_away(&clockwork_core::outcome::DeployOutcome {
            resources: wanted,
            ..Default::default()
        });
        let destroys = planned.command == Verb::Destroy.word();
        if destroys && !ask(py, "Take all this down?")? {
            return Ok(Approval::Stop);
        }
        if !destroys && taken && !ask(py, "Something is going to be removed or replaced. Go on?")? {
            return Ok(Approval::Stop);
        }
        if destroys || gone.is_empty() || self.prune {
            return Ok(go);
        }
        let question = match gone.len() {
            1 => "Remove what main.py no longer has?".to_owned(),
            several => format!("Remove the {several} things that main.py no longer has?"),
        };
        Ok(Approval::Go { prune: ask(py, &question)? })
    }
}

/// Asks a question. Whatever is no yes is a no.
fn ask(py: Python<'_>, question: &str) -> PyResult<bool> {
    eprint!("{question} [y/N] ");
    let _ = std::io::stderr().flush();
    // Python's own reading ends with Ctrl-C; Rust's goes on.
    let read = py.import("sys")?.getattr("stdin")?.call_method0("readline");
    let answer: String = read.inspect_err(|_| eprintln!())?.extract()?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
