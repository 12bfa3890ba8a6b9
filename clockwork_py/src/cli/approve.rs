//! Shows the plan before it is run, and asks before anything is removed or replaced.

use std::io::{IsTerminal as _, Write as _};

use clockwork_core::cli::Display;
use clockwork_core::error::Result;
use clockwork_core::outcome::Report;
use clockwork_core::report;
use clockwork_core::workflow::approval::Question;
use clockwork_core::workflow::ports::{Approval, Approver};
use pyo3::prelude::*;

use crate::errors;

/// The approver at the terminal.
pub struct TerminalApprover {
    display: Display,
    terminal: bool,
    asks: bool,
    prune: bool,
}

impl TerminalApprover {
    /// `asks` is false for `--yes`, and `prune` is true for `--prune`.
    pub fn new(display: Display, asks: bool, prune: bool) -> Self {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !display.json;
        Self { display, terminal, asks, prune }
    }

    /// Returns true if there is a terminal to ask on.
    pub fn has_terminal(&self) -> bool {
        self.terminal
    }
}

impl Approver for TerminalApprover {
    fn can_ask(&self) -> bool {
        self.terminal && self.asks
    }

    fn shows_diffs(&self) -> bool {
        self.can_ask()
    }

    fn approve(&self, planned: &Report, question: &Question) -> Result<Approval> {
        let go = Approval::Go { prune: self.prune };
        if !planned.deploy.changed() {
            return Ok(go);
        }
        if !self.display.json {
            let _ = std::io::stdout().write_all(report::plan(planned, self.terminal).as_bytes());
        }
        if !self.can_ask() || !question.is_needed() {
            return Ok(go);
        }
        errors::attached(|py| self.answer(py, question))
    }
}

impl TerminalApprover {
    fn answer(&self, py: Python<'_>, question: &Question) -> PyResult<Approval> {
        if question.orphans > 0 {
            let what = match question.orphans {
                1 => "what main.py no longer has".to_owned(),
                several => format!("the {several} things that main.py no longer has"),
            };
            let text = format!("Go on, and remove {what}? y: yes, k: go on and keep it, n: no [y/k/N]");
            return Ok(match ask(py, &text)?.as_str() {
                "y" | "yes" => Approval::Go { prune: true },
                "k" | "keep" => Approval::Go { prune: self.prune },
                _ => Approval::Stop,
            });
        }
        let text = if question.destroys {
            "Take all this down?"
        } else if question.takes_over {
            "Something that this project did not make, or that was edited since, is going to be overwritten, replaced or \
             removed. Go on?"
        } else if question.takes_away {
            "Something is going to be removed or replaced. Go on?"
        } else {
            "A model has just written or chosen some of what is shown above. Go on?"
        };
        let defaults_to_no = question.defaults_to_no();
        let answer = ask(py, &format!("{text} {}", if defaults_to_no { "[y/N]" } else { "[Y/n]" }))?;
        let yes = matches!(answer.as_str(), "y" | "yes") || (answer.is_empty() && !defaults_to_no);
        Ok(if yes { Approval::Go { prune: self.prune } } else { Approval::Stop })
    }
}

/// Asks a question and returns the answer, in lower case. The end of the input counts as no.
fn ask(py: Python<'_>, question: &str) -> PyResult<String> {
    eprint!("{question} ");
    let _ = std::io::stderr().flush();
    // Ctrl-C ends a read in Python, but not one in Rust.
    let read = py.import("sys")?.getattr("stdin")?.call_method0("readline");
    let answer: String = read.inspect_err(|_| eprintln!())?.extract()?;
    if answer.is_empty() { Ok("no".to_owned()) } else { Ok(answer.trim().to_lowercase()) }
}
