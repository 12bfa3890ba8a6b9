//! The engine of Clockwork, a straight pipeline: a model completes resources ([`llm`]), they are
//! compiled to pyinfra code ([`compile`]), and the outcome is reported ([`report`]).
//!
//! The core knows no Python objects. The crate `clockwork-py` converts values, calls the core and maps errors.

mod atomic_file;
pub mod cli;
mod clock;
pub mod compile;
pub mod error;
pub mod event;
mod file_lock;
pub mod graph;
pub mod hash;
mod http;
pub mod identity;
pub mod intent;
pub mod llm;
pub mod lockfile;
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
pub mod suggestion;
mod templates;
pub mod watch;
pub mod webhook;
pub mod workflow;

pub use error::{Error, Result};

/// The version of Clockwork, from the workspace's `Cargo.toml`, its only source.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
