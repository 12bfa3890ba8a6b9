//! The one mapping between the core's errors and Python's exceptions.
//!
//! The exceptions are defined in Python, in `clockwork.exceptions`, so that they pickle.

use clockwork_core::Error;
use clockwork_core::error::Origin;
use pyo3::exceptions::{PyException, PyKeyboardInterrupt};
use pyo3::prelude::*;

/// Makes the exception of `clockwork.exceptions` that is called `class`.
pub fn exception(py: Python<'_>, class: &str, message: &str) -> PyErr {
    exception_with(py, class, message, None)
}

/// Makes such an exception, with what had been done until then.
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

/// Maps an error of the core. An exception that went through the core comes out as it was.
pub fn map(py: Python<'_>, error: Error) -> PyErr {
    match error {
        Error::Interrupted => PyKeyboardInterrupt::new_err(()),
        Error::Foreign { error, message, .. } => match error.downcast::<PyErr>() {
            Ok(error) => *error,
            Err(_) => exception(py, "ClockworkError", &message),
        },
        error => exception(py, error.class(), &error.to_string()),
    }
}

/// Lets an exception through the core.
pub fn to_core(py: Python<'_>, error: PyErr) -> Error {
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

/// Whether an exception is Clockwork's own, and says by itself what to do.
pub fn is_ours(py: Python<'_>, error: &PyErr) -> bool {
    let class = py.import("clockwork.exceptions").and_then(|module| module.getattr("ClockworkError"));
    class.is_ok_and(|class| error.matches(py, class).unwrap_or(false))
}

/// Whether an exception is the user's Ctrl-C.
pub fn is_interrupt(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyKeyboardInterrupt>(py)
}
