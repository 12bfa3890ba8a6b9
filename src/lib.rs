//! The engine of Clockwork, in one straight line: resources are completed by a model
//! ([`llm`]), compiled to pyinfra code ([`compile`]) and reported on ([`report`]).
//!
//! Nothing here knows of Python objects: the crate `clockwork-py` converts, calls and maps errors.

pub mod cli;
mod clock;
pub mod compile;
mod disk;
pub mod error;
pub mod event;
pub mod graph;
mod http;
pub mod llm;
pub mod lockfile;
pub mod outcome;
pub mod plan;
pub mod probe;
pub mod redact;
pub mod report;
pub mod resource;
pub mod scaffold;
pub mod settings;
pub mod state;
pub mod suggestion;
mod templates;
pub mod watch;
pub mod webhook;

pub use error::{Error, Result};

/// The version of Clockwork, which stands in the workspace's `Cargo.toml` and nowhere else.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
