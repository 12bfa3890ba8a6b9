//! Everything that can go wrong in the core, with a message for the user: what was being done to
//! which resource, what went wrong, and what to do next.

use std::path::PathBuf;

use crate::resource::Address;

/// The result of a function of the core.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the core. Each has its own exception in Python.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has a value that cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The code of a resource cannot be written.
    #[error("{address} cannot be compiled: {reason}")]
    Compile {
        /// The resource.
        address: Address,
        /// Why, and what to do.
        reason: String,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}. Check that its folder exists and that you may write there.", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The user interrupted the run.
    #[error("interrupted")]
    Interrupted,
}
