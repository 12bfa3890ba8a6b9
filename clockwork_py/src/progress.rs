//! An observer that tells a Python callable.

use std::sync::Arc;

use clockwork_core::event::{Event, Observer, Silent};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pythonize::pythonize;

/// Calls a Python callable with a dictionary for every event.
struct PyObserver(Py<PyAny>);

/// Makes an observer of a callable, or a silent one where there is none.
pub fn observer(callable: Option<Py<PyAny>>) -> Arc<dyn Observer> {
    callable.map_or_else(|| Arc::new(Silent) as Arc<dyn Observer>, |callable| Arc::new(PyObserver(callable)))
}

impl Observer for PyObserver {
    fn observe(&self, event: &Event) {
        Python::attach(|py| {
            let told = pythonize(py, event).map_err(PyErr::from).and_then(|event| self.0.call1(py, (event,)));
            if let Err(error) = told {
                // A display that fails must not stop a deploy. Ctrl-C must, which Python may raise just here.
                if error.is_instance_of::<PyException>(py)
                    || py.import("_thread").and_then(|thread| thread.call_method0("interrupt_main")).is_err()
                {
                    error.write_unraisable(py, Some(self.0.bind(py)));
                }
            }
        });
    }
}
