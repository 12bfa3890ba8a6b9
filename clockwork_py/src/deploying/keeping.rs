//! What is kept of a run: the state, and a plan in a file.

use std::path::PathBuf;

use clockwork_core::outcome::{Action, DeployOutcome, Failure, Report};
use clockwork_core::plan::SavedPlan;
use clockwork_core::resource::Address;
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
        let Ok(path) = self.invocation.source.extract::<PathBuf>() else {
            let message = "a plan of a list of resources cannot be kept: put them into a file, and plan that";
            return Err(errors::exception(py, "LoadError", message));
        };
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
        adopted.resources.retain(|resource| {
            let Address { kind, name: its } = &resource.address;
            its == name || format!("{kind}.{its}") == *name
        });
        let missing = adopted.resources.iter().find(|r| r.action == Action::Create || r.error.is_some());
        if let Some(missing) = missing {
            let message = format!(
                "{} is not on {} as far as can be told, so that it cannot be taken up: `clockwork apply` creates it",
                missing.address, missing.host
            );
            report.failure = Some(Failure::new("StateError", message));
            return Ok(());
        }
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
        self.update(py, |state| state::record(state, &self.known.state, &done.resources, wanted))
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
