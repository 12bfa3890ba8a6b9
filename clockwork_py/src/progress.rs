//! An observer that calls a Python function.

use std::sync::Arc;

use clockwork_core::event::{Event, Observer, Silent};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pythonize::pythonize;

/// Calls a Python function with a dictionary for every event.
struct PyObserver(Py<PyAny>);

/// Creates an observer for a function, or a silent one for `None`.
pub fn observer(callable: Option<Py<PyAny>>) -> Arc<dyn Observer> {
    callable.map_or_else(|| Arc::new(Silent) as Arc<dyn Observer>, |callable| Arc::new(PyObserver(callable)))
}

impl Observer for PyObserver {
    fn observe(&self, event: &Event) {
        Python::attach(|py| {
            let sent = pythonize(py, event).map_err(PyErr::from).and_then(|event| self.0.call1(py, (event,)));
            if let Err(error) = sent {
                // A failed display must not stop a deployment, but Ctrl-C must, and Python may raise it here.
                if error.is_instance_of::<PyException>(py)
                    || py.import("_thread").and_then(|thread| thread.call_method0("interrupt_main")).is_err()
                {
                    error.write_unraisable(py, Some(self.0.bind(py)));
                }
            }
        });
    }
}
