//! The one mapping between the core's errors and Python's exceptions.
//!
//! The exceptions are defined in Python, in `clockwork.exceptions`, so that they pickle.

use clockwork_core::Error;
use pyo3::exceptions::PyKeyboardInterrupt;
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

/// The class in `clockwork.exceptions` for an error of the core.
pub fn class(error: &Error) -> &'static str {
    match error {
        Error::Settings(_) => "SettingsError",
        Error::Compile { .. } => "CompileError",
        Error::Write { .. } => "WriteError",
        Error::Model { kind, .. } => kind.class(),
        Error::Cycle(_) => "DependencyCycleError",
        Error::Target { .. } => "TargetError",
        Error::Lock { .. } => "LockError",
        Error::Locked { .. } => "LockedError",
        Error::State { .. } => "StateError",
        Error::Held { .. } => "StateLockedError",
        _ => "ClockworkError",
    }
}

/// Maps an error of the core.
pub fn map(py: Python<'_>, error: &Error) -> PyErr {
    match error {
        Error::Interrupted => PyKeyboardInterrupt::new_err(()),
        error => exception(py, class(error), &error.to_string()),
    }
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
