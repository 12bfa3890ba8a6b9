//! Runs the core's workflow with ports that are implemented with Python objects.

use std::sync::Arc;
use std::time::Duration;

use clockwork_core::error::Result;
use clockwork_core::event::Observer;
use clockwork_core::llm::Endpoint;
use clockwork_core::outcome::Report;
use clockwork_core::settings::Model;
use clockwork_core::workflow::options::Options;
use clockwork_core::workflow::ports::{Approver, Process};
use clockwork_core::workflow::{self, Ports};
use pyo3::prelude::*;
use pythonize::pythonize;

use crate::errors::OrRaise;
use crate::project::PySource;
use crate::session::PyEngine;
use crate::wait::{check_signals, wait};
use crate::{errors, local_model};

/// Runs a command on a source: a path, or a list of resources.
pub fn run(
    py: Python<'_>,
    source: &PySource,
    options: &Options,
    approver: Option<&dyn Approver>,
    observer: &Arc<dyn Observer>,
) -> PyResult<Report> {
    with_ports(source, approver, observer, |ports| workflow::run(ports, options)).or_raise(py)
}

/// Creates the ports of a run.
pub fn with_ports<T>(
    source: &PySource,
    approver: Option<&dyn Approver>,
    observer: &Arc<dyn Observer>,
    work: impl FnOnce(&Ports<'_>) -> T,
) -> T {
    let ports =
        Ports { source, engine: &PyEngine, approver, process: &PyProcess, observer: Arc::clone(observer) };
    work(&ports)
}

/// The report as Python's `Result`.
pub fn to_result<'py>(py: Python<'py>, report: &Report) -> PyResult<Bound<'py, PyAny>> {
    let result = py.import("clockwork.results")?.getattr("Result")?;
    result.call_method1("from_dict", (pythonize(py, report)?,))
}

/// The Python process.
pub struct PyProcess;

/// The longest sleep between two checks for signals.
const STEP: Duration = Duration::from_millis(40);

impl Process for PyProcess {
    fn check_interrupt(&self) -> Result<()> {
        errors::attached(check_signals)
    }

    fn sleep(&self, span: Duration) -> Result<()> {
        let mut left = span;
        while !left.is_zero() {
            let step = left.min(STEP);
            Python::attach(|py| py.detach(|| std::thread::sleep(step)));
            self.check_interrupt()?;
            left = left.saturating_sub(step);
        }
        Ok(())
    }

    fn wait_for(&self, cancel: &dyn Fn(), work: Box<dyn FnOnce() + Send + '_>) -> Result<()> {
        errors::attached(|py| wait(py, cancel, work))
    }

    fn local_model(&self, model: &Model, observer: &Arc<dyn Observer>) -> Result<Endpoint> {
        errors::attached(|py| local_model::start(py, model, observer))
    }
}
