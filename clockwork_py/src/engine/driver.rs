//! The part of a session that all of its threads share.

use std::sync::Arc;

use clockwork_core::event::{Event, Observer};
use pyo3::intern;
use pyo3::prelude::*;

use super::failure;
use super::host_run::HostRun;

/// pyinfra, and the receiver of events.
pub struct Driver {
    /// The package `clockwork._pyinfra`.
    pub module: Py<PyAny>,
    /// pyinfra's `State`.
    pub state: Py<PyAny>,
    /// The default context of operations.
    pub context: Py<PyAny>,
    /// Receives the events.
    pub observer: Arc<dyn Observer>,
    /// True if a host stops at its first failure.
    pub fail_fast: bool,
}

impl Driver {
    /// Sends an event, without keeping the interpreter from others meanwhile.
    pub fn notify(&self, py: Python<'_>, event: &Event) {
        py.detach(|| self.observer.observe(event));
    }

    /// Runs `work` with the current thread attached to a host.
    pub fn attached<T>(
        &self,
        py: Python<'_>,
        host: &Py<PyAny>,
        run: &Py<HostRun>,
        work: impl FnOnce(Python<'_>) -> PyResult<T>,
    ) -> PyResult<T> {
        let module = self.module.bind(py);
        let state = self.state.bind(py);
        let inventory = state.getattr(intern!(py, "inventory"))?;
        module.call_method1(intern!(py, "attach"), (run, state, inventory, host))?;
        let done = work(py);
        let detached = module.call_method0(intern!(py, "detach"));
        done.and_then(|value| detached.map(|_| value))
    }

    /// The operations of a host: a dictionary by their keys.
    pub fn operations<'py>(&self, py: Python<'py>, host: &Py<PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.state.bind(py).getattr(intern!(py, "ops"))?.get_item(host)
    }

    /// Explains an exception out of the code of a file or out of an operation.
    pub fn explain(&self, py: Python<'_>, error: &PyErr, file: &str, complaints: &[String]) -> String {
        let described = self
            .module
            .bind(py)
            .call_method1(intern!(py, "describe"), (error.clone_ref(py).into_value(py), file))
            .and_then(|text| text.extract::<String>());
        failure::message(complaints, &described.unwrap_or_else(|_| error.to_string()))
    }
}

/// Returns true if an error ends a run: it is an interrupt, or its like.
pub fn is_fatal(py: Python<'_>, error: &PyErr) -> bool {
    !error.is_instance_of::<pyo3::exceptions::PyException>(py)
}
