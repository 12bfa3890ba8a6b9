//! What a caller asks for, be it the command line or Python.

use std::sync::Arc;

use clockwork_core::cli::Verb;
use clockwork_core::event::Observer;
use clockwork_core::generate::Regenerate;
use clockwork_core::settings::Overrides;
use pyo3::prelude::*;

/// What is asked of the pipeline.
pub struct Invocation<'py> {
    /// What to do.
    pub verb: Verb,
    /// A path, or a list of resources.
    pub source: Bound<'py, PyAny>,
    /// Whether to only look.
    pub dry_run: bool,
    /// Whether a host stops at the first failure.
    pub fail_fast: bool,
    /// The settings that the caller gives.
    pub overrides: Overrides,
    /// What to ask for anew although the lock has it.
    pub regenerate: Regenerate,
    /// Whether to fail where the lock lacks something, instead of asking.
    pub locked: bool,
    /// A `PyInfraCompiler` that writes the inventory.
    pub compiler: Option<Bound<'py, PyAny>>,
    /// Who wants to know what happens.
    pub observer: Arc<dyn Observer>,
}
