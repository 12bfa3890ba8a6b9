//! The state during a run: it is held against other runs, and told what is begun and what came of it.

use std::time::Duration;

use super::options::Options;
use super::{Ports, Run};
use crate::error::Result;
use crate::event::Event;
use crate::outcome::{Action, DeployOutcome};
use crate::state::{self, State, Store, Wait};

/// The time between two tries to hold the state.
const STEP: Duration = Duration::from_millis(100);

/// Keeps other runs away, and tells whom it waits for.
pub(super) fn hold(ports: &Ports<'_>, options: &Options, command: &str, store: &mut Store) -> Result<()> {
    let mut is_told = false;
    let mut waiting = |holder: &str| {
        if !is_told {
            ports.observer.observe(&Event::Waiting { holder: holder.to_owned() });
            is_told = true;
        }
        ports.process.sleep(STEP)
    };
    let held = store.hold(command, &mut Wait { timeout: options.lock_timeout, waiting: &mut waiting });
    if is_told {
        ports.observer.observe(&Event::Waited);
    }
    held?;
    store.ensure_lineage()
}

impl Run<'_> {
    /// Writes down what is about to be done, where anything is.
    pub(super) fn announce(&self, planned: &DeployOutcome) -> Result<()> {
        // A repair is taken down as the state has it already, also where it breaks off.
        if !planned.changed() || self.options.is_repair() {
            return Ok(());
        }
        self.update(|state| state::begin(state, &planned.resources, self.resources))
    }

    /// Writes down what came of it.
    pub(super) fn record(&self, done: &DeployOutcome) -> Result<()> {
        self.update(|state| state::record(state, &self.scope.state, &done.resources, self.resources))
    }

    /// Writes down that things are back as they were before the run.
    pub(super) fn restore(&self, put_back: &DeployOutcome) -> Result<()> {
        let is_back = put_back.resources.iter().filter(|r| r.error.is_none() && r.action != Action::Skipped);
        let places: Vec<(&str, &str)> = is_back.map(|r| (r.host.as_str(), r.identity.as_str())).collect();
        if places.is_empty() {
            return Ok(());
        }
        self.update(|state| state.restore(&self.scope.state, &places))
    }

    fn update(&self, change: impl FnOnce(&mut State)) -> Result<()> {
        self.store.update(|state| {
            state.rename(&self.scope.renames);
            crate::plan::align(state, self.resources);
            change(state);
        })
    }
}
