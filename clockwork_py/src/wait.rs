//! An interruptible wait for work in another thread.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;

/// The time between two checks for signals.
const STEP: Duration = Duration::from_millis(40);

/// Raises `KeyboardInterrupt`, or the exception of a signal's handler, if the run is to stop.
///
/// Python handles signals in its main thread; for runs in others `clockwork._interrupt` does.
pub fn check_signals(py: Python<'_>) -> PyResult<()> {
    py.check_signals()?;
    py.import(intern!(py, "clockwork._interrupt"))?.call_method0(intern!(py, "check"))?;
    Ok(())
}

/// Runs `work` in a thread and waits for it, detached from the interpreter.
///
/// On a signal that Python turns into an exception, `cancel` is called and `work` is waited for, so
/// that nothing is left behind; then the exception is returned.
pub fn wait<T: Send>(py: Python<'_>, cancel: impl Fn(), work: impl FnOnce() -> T + Send) -> PyResult<T> {
    let (sender, mut receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || sender.send(work()));
        let mut interrupt = None;
        loop {
            let outcome;
            (receiver, outcome) = py.detach(move || {
                let outcome = receiver.recv_timeout(STEP);
                (receiver, outcome)
            });
            match outcome {
                Ok(value) => return interrupt.map_or(Ok(value), Err),
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = check_signals(py) {
                        cancel();
                        interrupt.get_or_insert(error);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PyRuntimeError::new_err(
                        "a thread of Clockwork's own has died; please report it",
                    ));
                }
            }
        }
    })
}
