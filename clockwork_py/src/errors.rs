//! Converts between the core's errors and Python's exceptions.
//!
//! The exceptions are defined in Python, in `clockwork.exceptions`, so that they pickle.

use clockwork_core::error::{Error, Origin, Result};
use pyo3::exceptions::{PyException, PyKeyboardInterrupt};
use pyo3::prelude::*;

/// Creates an exception of a class in `clockwork.exceptions`.
pub fn exception(py: Python<'_>, class: &str, message: &str) -> PyErr {
    exception_with(py, class, message, None)
}

/// Creates such an exception, with the result of the run until then.
pub fn exception_with(py: Python<'_>, class: &str, message: &str, result: Option<Bound<'_, PyAny>>) -> PyErr {
    let made = py
        .import("clockwork.exceptions")
        .and_then(|module| module.getattr(class))
        .and_then(|class| class.call1((message, result)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// Converts results of the core to results of Python.
pub trait OrRaise<T> {
    /// Converts an error of the core to its exception. An exception that the core has passed on stays the same object.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| match error {
            Error::Interrupted => PyKeyboardInterrupt::new_err(()),
            Error::Foreign { error, message, .. } => match error.downcast::<PyErr>() {
                Ok(error) => *error,
                Err(_) => exception(py, "ClockworkError", &message),
            },
            error => exception(py, error.class(), &error.to_string()),
        })
    }
}

/// Runs `work` with the thread attached to the interpreter. An exception becomes an error that the core passes on.
pub fn attached<T>(work: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T> {
    Python::attach(|py| work(py).map_err(|error| to_core(py, error)))
}

fn to_core(py: Python<'_>, error: PyErr) -> Error {
    let message = error.value(py).str().map_or_else(|_| error.to_string(), |text| text.to_string());
    let class = error.get_type(py).name().map_or_else(|_| "Exception".to_owned(), |name| name.to_string());
    let origin = if is_ours(py, &error) {
        Origin::Ours
    } else if error.is_instance_of::<PyException>(py) {
        Origin::Other
    } else {
        Origin::Interrupt
    };
    Error::Foreign { message, class, origin, error: Box::new(error) }
}

/// Returns true if an exception is Clockwork's own. Its message says what to do.
pub fn is_ours(py: Python<'_>, error: &PyErr) -> bool {
    let class = py.import("clockwork.exceptions").and_then(|module| module.getattr("ClockworkError"));
    class.is_ok_and(|class| error.matches(py, class).unwrap_or(false))
}

/// Returns true for `KeyboardInterrupt`.
pub fn is_interrupt(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyKeyboardInterrupt>(py)
}
