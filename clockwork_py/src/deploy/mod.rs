//! Drives pyinfra's API in this process.
//!
//! All contact with pyinfra is here and, for what must be a Python class or function, in the
//! private package `clockwork._pyinfra`.
//!
//! A run has four stages: connect and prepare, on one native thread a host; schedule, here; execute,
//! again on one thread a host; disconnect. Hosts do not wait for one another, except where an
//! operation asks for it (`_serial`, `_parallel`, `_run_once`: see [`gate`]).

mod execute;
mod explain;
mod gate;
mod lane;
mod prepare;
mod report;
mod schedule;
mod session;
mod threads;
mod visit;

pub use visit::{Visit, visit};

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clockwork_core::compile::Script;
use clockwork_core::event::Observer;
use clockwork_core::outcome::DeployOutcome;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// What to do with a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Find out what it would change, and change nothing.
    Plan,
    /// Run it.
    Execute,
}

/// Stops a run from another thread.
///
/// Ctrl-C needs none of this: [`run`] asks for it while it waits.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Stops the run: it ends what it started and then returns `KeyboardInterrupt`.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the run is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
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
    /// Whether a host stops at its first failure; else what does not need the failed one goes on.
    pub fail_fast: bool,
    /// The hosts that are left alone, because something has failed there already.
    pub stopped: &'a [String],
    /// Who wants to know.
    pub observer: Arc<dyn Observer>,
    /// Stops the run from another thread.
    pub cancel: Cancel,
    /// Shown what is going to be done before any of it is, and says whether it is to be done.
    pub decide: Option<Decide<'a>>,
    /// Whether who decides looks at the diffs of what is new, too. A look tells them in any case.
    pub diffs: bool,
}

/// Decides whether what is planned is done.
pub type Decide<'a> = &'a dyn Fn(Python<'_>, &DeployOutcome) -> PyResult<bool>;

/// Runs a job on every host of its inventory.
///
/// An operation that fails or a host that is away is no error here: the outcome tells. Errors are an
/// inventory that raises, what `decide` raises, and `KeyboardInterrupt`, after everything has been
/// stopped. Where the decision is against it, the outcome is the plan.
pub fn run(py: Python<'_>, job: &Job<'_>) -> PyResult<DeployOutcome> {
    let session = session::Session::open(py, job)?;
    let done = session.run(py, job);
    let closed = session.close(py);
    let reached = done?;
    closed?;
    Ok(report::outcome(job.script, &session, reached))
}

/// Starts to import pyinfra in the background, so that it is there when it is needed.
pub fn preload(py: Python<'_>) -> PyResult<()> {
    let import = py.import("importlib")?.getattr("import_module")?;
    let name = PyTuple::new(py, ["clockwork._pyinfra"])?;
    threads::thread(py, "clockwork-preload", &import, &name)?.call_method0("start")?;
    Ok(())
}
