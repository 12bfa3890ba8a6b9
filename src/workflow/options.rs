//! The options of a run, be it asked for by the command line or by Python.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Verb;
use crate::llm::Regenerate;
use crate::plan::SavedPlan;
use crate::settings::Overrides;
use crate::watch::Place;

/// The options of a run.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that can be given")]
pub struct Options {
    /// The command.
    pub verb: Verb,
    /// True if it only looks.
    pub dry_run: bool,
    /// True if a host stops at the first failure.
    pub fail_fast: bool,
    /// The settings that the caller gives.
    pub overrides: Overrides,
    /// The artifacts to ask for anew although the lock has them.
    pub regenerate: Regenerate,
    /// True if it fails where the lock lacks something, instead of asking.
    pub locked: bool,
    /// The resources and groups that it is limited to; all of them where there are none.
    pub targets: Vec<String>,
    /// True if orphans are removed.
    pub prune: bool,
    /// True if every question is answered with yes.
    pub yes: bool,
    /// The longest time that another run on the same project is waited for.
    pub lock_timeout: Duration,
    /// The plan that is to be run, and no other.
    pub saved: Option<SavedPlan>,
    /// The file that the plan is written to.
    pub out: Option<PathBuf>,
    /// The name of a thing that is on its host already, and is taken up as it is.
    pub adopts: Option<String>,
    /// True if nobody looks on: what the lock lacks is left out, and no file but the state is written.
    pub unattended: bool,
    /// The resources on hosts that a repair is limited to.
    pub only: Option<Vec<Place>>,
    /// True if what was deployed is checked.
    pub check: bool,
}

impl Options {
    /// Options of a command, with nothing asked for.
    pub fn new(verb: Verb) -> Self {
        Self {
            verb,
            dry_run: false,
            fail_fast: false,
            overrides: Overrides::default(),
            regenerate: Regenerate::None,
            locked: false,
            targets: Vec::new(),
            prune: false,
            yes: false,
            lock_timeout: Duration::ZERO,
            saved: None,
            out: None,
            adopts: None,
            unattended: false,
            only: None,
            check: false,
        }
    }

    /// Takes a plan in a file for what is to be run.
    pub fn run_saved(&mut self, saved: SavedPlan) {
        self.targets.clone_from(&saved.targets);
        self.prune = saved.prune;
        // The model might write something else now than was planned.
        self.locked = true;
        self.saved = Some(saved);
    }

    /// True if it repairs some resources on some hosts, and does not apply all.
    pub fn is_repair(&self) -> bool {
        self.only.is_some()
    }

    /// True if nothing is to be changed on any host.
    pub fn only_looks(&self) -> bool {
        self.dry_run || self.verb == Verb::Plan
    }

    /// The command, in words, where it changes the state.
    pub fn writes(&self) -> Option<&'static str> {
        if self.adopts.is_some() {
            return Some("state adopt");
        }
        let deploys = matches!(self.verb, Verb::Apply | Verb::Destroy) && !self.only_looks();
        deploys.then(|| if self.is_repair() { "watch --heal" } else { self.verb.word() })
    }
}
