//! The engine of Clockwork, in one straight line: resources are completed by a model
//! ([`generate`]), compiled to pyinfra code ([`compile`]) and reported on ([`report`]).
//!
//! Nothing here knows of Python objects: the crate `clockwork-py` converts, calls and maps errors.

pub mod cli;
mod clock;
pub mod compile;
mod disk;
pub mod error;
pub mod event;
pub mod generate;
pub mod graph;
pub mod hash;
pub mod identity;
pub mod intent;
mod near;
pub mod operation;
pub mod outcome;
pub mod ownership;
pub mod plan;
pub mod probe;
pub mod redact;
pub mod report;
pub mod resource;
pub mod runtime;
pub mod scaffold;
pub mod settings;
pub mod state;
mod templates;
pub mod watch;
pub mod webhook;
pub mod workflow;

pub use error::{Error, Result};

/// The version of Clockwork, which stands in the workspace's `Cargo.toml` and nowhere else.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
