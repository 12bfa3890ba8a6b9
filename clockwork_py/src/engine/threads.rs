//! Native threads that Python knows of, and an interruptible wait for them.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use super::cancel::Cancel;
use crate::wait::check_signals;

/// The longest wait between two checks for signals.
pub const STEP: Duration = Duration::from_millis(50);

/// The seconds that threads have to end after an interrupt. One that is in the middle of opening a TCP
/// connection cannot be woken; it ends by itself when that times out, and does nothing more.
const GRACE_SECONDS: f64 = 3.0;

/// The work of each thread. The index is that of its host.
pub type Task = Arc<dyn Fn(Python<'_>, usize) + Send + Sync>;

/// Makes a daemon thread, to be started.
pub fn thread<'py>(
    py: Python<'py>,
    name: &str,
    target: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let options = PyDict::new(py);
    options.set_item("target", target)?;
    options.set_item("name", name)?;
    options.set_item("args", args)?;
    options.set_item("daemon", true)?;
    py.import("threading")?.getattr("Thread")?.call((), Some(&options))
}

/// Counts threads that have not ended.
#[derive(Default)]
struct Running {
    count: Mutex<usize>,
    ended: Condvar,
}

/// Decrements the count when a thread ends, even by a panic.
struct Ticket(Arc<Running>);

impl Drop for Ticket {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.ended.notify_all();
    }
}

/// Runs a task for each of `names` on a thread of its own, and waits for all.
///
/// On an interrupt, by a signal or through `cancel`, `stop` is called to wake them, and when they
/// have ended the interrupt is returned.
pub fn fan_out(
    py: Python<'_>,
    names: &[String],
    cancel: &Cancel,
    task: &Task,
    stop: impl Fn(Python<'_>),
) -> PyResult<()> {
    // Some versions of Python start no more threads once Ctrl-C has ended the main thread.
    check_signals(py)?;
    let running = Arc::new(Running::default());
    let mut threads = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let task = Arc::clone(task);
        let ticket = Mutex::new(Some(Ticket(Arc::clone(&running))));
        *running.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let target = PyCFunction::new_closure(
            py,
            None,
            None,
            move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
                let _ticket = ticket.lock().unwrap_or_else(PoisonError::into_inner).take();
                task(args.py(), index);
            },
        )?;
        threads.push(thread(py, &format!("clockwork-{name}"), target.as_any(), &PyTuple::empty(py))?);
    }
    // A signal can be raised out of a start as well, with the thread already running.
    let started = threads.iter().try_for_each(|thread| thread.call_method0("start").map(drop));
    let waited = started.and_then(|()| wait(py, &running, cancel));
    if waited.is_err() {
        cancel.cancel();
        stop(py);
    }
    let each = GRACE_SECONDS / f64::from(u32::try_from(threads.len().max(1)).unwrap_or(u32::MAX));
    for thread in threads {
        if waited.is_err() {
            // One that was never started cannot be joined.
            let _ = thread.call_method1("join", (each,));
        } else {
            thread.call_method0("join")?;
        }
    }
    waited
}

/// Waits until no thread runs. Checks signals and `cancel` meanwhile.
fn wait(py: Python<'_>, running: &Running, cancel: &Cancel) -> PyResult<()> {
    loop {
        let left = py.detach(|| {
            let count = running.count.lock().unwrap_or_else(PoisonError::into_inner);
            if *count == 0 {
                return 0;
            }
            let (count, _) = running.ended.wait_timeout(count, STEP).unwrap_or_else(PoisonError::into_inner);
            *count
        });
        check_signals(py)?;
        if cancel.is_cancelled() {
            return Err(pyo3::exceptions::PyKeyboardInterrupt::new_err(()));
        }
        if left == 0 {
            return Ok(());
        }
    }
}
