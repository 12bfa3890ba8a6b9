//! What is kept of a run: the state, and a plan in a file.

use std::path::PathBuf;

use clockwork_core::outcome::{Action, DeployOutcome, Failure, Report, ResourceOutcome};
use clockwork_core::plan::SavedPlan;
use clockwork_core::state::{self, Wanted};
use pyo3::prelude::*;

use super::Deploying;
use crate::{errors, load};

impl Deploying<'_> {
    /// Writes the plan to a file, where that is asked for and there is nothing wrong with it.
    pub(super) fn keep_plan(&self, py: Python<'_>, report: &mut Report) -> PyResult<()> {
        let Some(out) = self.invocation.out.as_ref().filter(|_| report.failure.is_none()) else {
            return Ok(());
        };
        let path: PathBuf = self.invocation.source.extract()?;
        let (folder, file) = load::place(&path);
        let targets = self.invocation.targets.clone();
        let saved = SavedPlan::new(
            &folder.join(file),
            targets,
            self.invocation.prune,
            &self.wanted(),
            &report.deploy,
        );
        saved.write(out).map_err(|error| errors::map(py, &error))?;
        report.notes.push(format!("the plan is in {0}; run it with `clockwork apply {0}`", out.display()));
        Ok(())
    }

    /// Writes down that a resource is there, as it is, where that is asked for.
    pub(super) fn adopt(&self, py: Python<'_>, report: &mut Report) -> PyResult<()> {
        let Some(name) = &self.invocation.adopts else { return Ok(()) };
        let mut adopted = report.deploy.clone();
        adopted.resources.retain(|resource| resource.address.is_called(name));
        if let Some(message) = self.no_adoption(name, &adopted.resources) {
            report.failure = Some(Failure::new("StateError", message));
            return Ok(());
        }
        adopted.resources.retain(|resource| !self.knows(resource));
        for resource in &mut adopted.resources {
            let differs =
                if resource.changed { ", where it differs from main.py: see `clockwork plan`" } else { "" };
            report.notes.push(format!("{} is taken up on {}{differs}", resource.address, resource.host));
            // It is as it is.
            resource.changed = false;
            resource.action = Action::Unchanged;
        }
        report.failure = None;
        self.record(py, &adopted, &self.wanted())
    }

    /// Why what goes by a name cannot be taken up, where it cannot.
    fn no_adoption(&self, name: &str, found: &[ResourceOutcome]) -> Option<String> {
        if found.is_empty() {
            return Some(format!(
                "'{}' is the name of no resource, and only resources are taken up: give the name of one",
                name.escape_debug()
            ));
        }
        let new: Vec<&ResourceOutcome> = found.iter().filter(|resource| !self.knows(resource)).collect();
        if new.is_empty() {
            let address = &found[0].address;
            return Some(format!(
                "the state knows {address} already, so that there is nothing to take up: `clockwork plan` shows how \
                 it differs from main.py, and `clockwork state forget {}` lets go of what is known",
                address.name
            ));
        }
        new.into_iter().find_map(|ResourceOutcome { address, host, action, error, .. }| match error {
            Some(error) => Some(format!(
                "{address} cannot be taken up, because it cannot be told whether it is on {host}: {error}"
            )),
            None if *action == Action::Create => Some(format!(
                "{address} is not on {host} as far as can be told, so that it cannot be taken up: `clockwork apply` \
                 creates it"
            )),
            None => None,
        })
    }

    fn knows(&self, resource: &ResourceOutcome) -> bool {
        self.known.state.get(&resource.address, &resource.host).is_some()
    }

    /// Writes down what is about to be done, where anything is.
    pub(super) fn announce(
        &self,
        py: Python<'_>,
        planned: &DeployOutcome,
        wanted: &[Wanted],
    ) -> PyResult<()> {
        // What is repaired is taken down as the state has it already, also where the repair breaks off.
        if !planned.changed() || self.invocation.is_repair() {
            return Ok(());
        }
        self.update(py, |state| state::begin(state, &planned.resources, wanted))
    }

    /// Writes down what came of it.
    pub(super) fn record(&self, py: Python<'_>, done: &DeployOutcome, wanted: &[Wanted]) -> PyResult<()> {
        self.update(py, |state| {
            state::record(state, &self.known.state, &done.resources, wanted);
            state::hand_over(state, &self.known.gone);
        })
    }

    pub(super) fn update(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&mut state::State) + Send,
    ) -> PyResult<()> {
        let (store, renames) = (self.store, &self.known.renames);
        let updated = py.detach(|| {
            store.update(|state| {
                state.rename(renames);
                change(state);
            })
        });
        updated.map_err(|error| errors::map(py, &error))
    }
}
