//! Drives pyinfra's API in this process.
//!
//! All contact with pyinfra is here and, for what must be a Python class or function, in the
//! private module `clockwork._pyinfra`.

use std::path::Path;
use std::sync::Arc;

use clockwork_core::compile::Script;
use clockwork_core::event::Observer;
use clockwork_core::outcome::DeployOutcome;
use pyo3::prelude::*;

/// What to do with a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Find out what it would change, and change nothing.
    Plan,
    /// Run it.
    Execute,
}

/// A script, where to run it, and who wants to know.
pub struct Job<'a> {
    /// The text of an inventory file.
    pub inventory: &'a str,
    /// The folder that holds `inventory.py` and the script's file.
    pub folder: &'a Path,
    /// The name of the script's file in it.
    pub file: &'a str,
    /// The script.
    pub script: &'a Script,
    /// What to do with it.
    pub mode: Mode,
    /// Whether the script takes resources down, so that what it changes is a removal.
    pub removes: bool,
    /// Who wants to know.
    pub observer: Arc<dyn Observer>,
}

/// Runs a job on every host of its inventory.
///
/// An operation that fails or a host that is away is no error here: the outcome tells. Errors are an
/// inventory or a script that raises, and `KeyboardInterrupt`, after everything has been stopped.
pub fn run(py: Python<'_>, job: &Job<'_>) -> PyResult<DeployOutcome> {
    todo!()
}
