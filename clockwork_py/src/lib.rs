//! The Python module `clockwork._core`: converts, detaches from the interpreter, calls the core,
//! maps the error.

mod deploy;
mod errors;

use pyo3::prelude::*;

/// What Python imports as `clockwork._core`.
#[pymodule]
mod _core {
    #[pymodule_export]
    const VERSION: &str = clockwork_core::VERSION;
}
