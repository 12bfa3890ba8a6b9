//! The one mapping between the core's errors and Python's exceptions.
//!
//! The exceptions are defined in Python, in `clockwork.exceptions`, so that they pickle.

use clockwork_core::Error;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

/// Makes the exception of `clockwork.exceptions` that is called `class`.
pub fn exception(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let made = py
        .import("clockwork.exceptions")
        .and_then(|module| module.getattr(class))
        .and_then(|class| class.call1((message,)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// Maps an error of the core.
pub fn map(py: Python<'_>, error: &Error) -> PyErr {
    let class = match error {
        Error::Interrupted => return PyKeyboardInterrupt::new_err(()),
        Error::Settings(_) => "SettingsError",
        Error::Compile { .. } => "CompileError",
        Error::Write { .. } => "WriteError",
        _ => "ClockworkError",
    };
    exception(py, class, &error.to_string())
}
