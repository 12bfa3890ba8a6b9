//! A native handler of SIGINT, for runs in threads where Python handles no signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use signal_hook::{consts::SIGINT, flag};

/// Installs a native handler of SIGINT, which calls the previous one.
///
/// It stays until another one is installed. `clockwork._interrupt` takes care of that, and of the flag that
/// makes signals restart system calls.
#[pyclass(frozen, name = "_Sigint", module = "clockwork._core")]
pub struct Sigint(Arc<AtomicBool>);

#[pymethods]
impl Sigint {
    #[new]
    fn new() -> PyResult<Self> {
        let received = Arc::default();
        flag::register(SIGINT, Arc::clone(&received))?;
        Ok(Self(received))
    }

    /// Returns true if the signal has arrived since the last call.
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}
