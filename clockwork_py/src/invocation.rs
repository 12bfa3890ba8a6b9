//! What a caller asks for, be it the command line or Python.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clockwork_core::cli::Verb;
use clockwork_core::event::Observer;
use clockwork_core::llm::Regenerate;
use clockwork_core::outcome::Report;
use clockwork_core::plan::SavedPlan;
use clockwork_core::settings::Overrides;
use clockwork_core::watch::Place;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors;

/// What is asked of the pipeline.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that can be given")]
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
    /// The resources and groups that it is limited to; all of them where there are none.
    pub targets: Vec<String>,
    /// Whether what main.py no longer has is removed.
    pub prune: bool,
    /// How long another run on the same project is waited for.
    pub lock_timeout: Duration,
    /// The plan that is to be run, and no other.
    pub saved: Option<SavedPlan>,
    /// Where the plan is written to.
    pub out: Option<PathBuf>,
    /// The name of what is on its host already, and is taken up as it is.
    pub adopts: Option<String>,
    /// Who is shown the plan, and may say no to it.
    pub approver: Option<Box<dyn Approver + 'py>>,
    /// A `PyInfraCompiler` that writes the inventory.
    pub compiler: Option<Bound<'py, PyAny>>,
    /// Whether nobody looks on: what the lock lacks is left out, and no file but the state is written.
    pub unattended: bool,
    /// What on which hosts a repair is limited to.
    pub only: Option<Vec<Place>>,
    /// Whether what was deployed is checked.
    pub check: bool,
    /// Who wants to know what happens.
    pub observer: Arc<dyn Observer>,
}

impl<'py> Invocation<'py> {
    /// Where the source is a plan in a file, takes that for what is to be run. Whether it was one.
    pub fn read_plan(&mut self, py: Python<'py>) -> PyResult<bool> {
        let path = self.source.extract::<PathBuf>().ok();
        let is_plan = |path: &PathBuf| SavedPlan::can_be(path) && !path.is_dir();
        let Some(path) = path.filter(|path| self.verb == Verb::Apply && is_plan(path)) else {
            return Ok(false);
        };
        let saved = SavedPlan::read(&path).map_err(|error| errors::map(py, &error))?;
        self.source = PyString::new(py, &saved.source.to_string_lossy()).into_any();
        self.targets.clone_from(&saved.targets);
        self.prune = saved.prune;
        // What the model would write now is not what was planned.
        self.locked = true;
        self.saved = Some(saved);
        Ok(true)
    }

    /// A repair of some resources on some hosts, in place of an apply of all.
    pub fn is_repair(&self) -> bool {
        self.only.is_some()
    }

    /// The command, in words, where it changes what the state knows.
    pub fn writes(&self) -> Option<&'static str> {
        if self.adopts.is_some() {
            return Some("state adopt");
        }
        let deploys = matches!(self.verb, Verb::Apply | Verb::Destroy) && !self.looks();
        deploys.then(|| if self.is_repair() { "watch --heal" } else { self.verb.word() })
    }

    /// Whether nothing is to be changed on any host.
    pub fn looks(&self) -> bool {
        self.dry_run || self.verb == Verb::Plan
    }
}

/// Somebody who is shown what is going to be done before any of it is.
pub trait Approver {
    /// Whether what main.py no longer has is shown as well, to be removed where the answer says so.
    fn wants_gone(&self) -> bool;

    /// Whether the diffs of what is new are shown: they cost time, where there is much of it.
    fn wants_diffs(&self) -> bool {
        false
    }

    /// Shows a plan, and says what is to be done of it.
    fn approve(&self, py: Python<'_>, plan: &Report) -> PyResult<Approval>;
}

/// What is to be done of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// All that main.py asks for, and with `prune` what it no longer has goes.
    Go {
        /// Whether that goes.
        prune: bool,
    },
    /// Nothing.
    Stop,
}
