//! SIGINT, for threads in which Python does not handle it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use signal_hook::{consts::SIGINT, flag};

/// Puts a native handler of SIGINT before the one that is there, which is called as before.
///
/// There it stays until somebody sets another one. That, and that it makes signals restart system
/// calls, is for `clockwork._interrupt` to see to.
#[pyclass(frozen, name = "_Sigint", module = "clockwork._core")]
pub struct Sigint(Arc<AtomicBool>);

#[pymethods]
impl Sigint {
    #[new]
    fn new() -> PyResult<Self> {
        let heard = Arc::default();
        flag::register(SIGINT, Arc::clone(&heard))?;
        Ok(Self(heard))
    }

    /// Whether the signal has come since this was asked last.
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}
