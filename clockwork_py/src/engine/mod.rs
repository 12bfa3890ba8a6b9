//! Drives pyinfra's API in this process.
//!
//! All contact with pyinfra is here and, for what must be a Python class or function, in the
//! private package `clockwork._pyinfra`.
//!
//! A run opens one [`Session`], which connects to each host once, on first need. Scripts are planned and
//! executed in it one after the other. Each has four stages: prepare, on one native thread a host; schedule;
//! execute, again on one thread a host; put the outcome together. Hosts do not wait for one another, except
//! where an operation asks for it (`_serial`, `_parallel`, `_run_once`: see [`barriers`]).

mod barriers;
mod cancel;
mod diff;
mod driver;
mod execute;
mod failure;
mod host;
mod host_run;
mod intent;
mod operation;
mod outcome;
mod prepare;
mod schedule;
mod script;
mod session;
mod threads;

pub use cancel::Cancel;
pub use execute::Decisions;
pub use script::ScriptRun;
pub use session::{Options, Prepared, Session};

use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Starts to import pyinfra in the background, so that it is there when it is needed.
pub fn preload(py: Python<'_>) -> PyResult<()> {
    let import = py.import("importlib")?.getattr("import_module")?;
    let name = PyTuple::new(py, ["clockwork._pyinfra"])?;
    threads::thread(py, "clockwork-preload", &import, &name)?.call_method0("start")?;
    Ok(())
}
