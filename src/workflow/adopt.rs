//! The two things that a plan leaves behind: a thing that is taken up as it is, and a plan in a file.

use super::Run;
use crate::error::Result;
use crate::outcome::{Action, Failure, Report, ResourceOutcome};
use crate::plan::SavedPlan;

impl Run<'_> {
    /// Writes the plan to a file, where that is asked for and there is nothing wrong with it.
    pub(super) fn keep_plan(&self, report: &mut Report) -> Result<()> {
        let Some(out) = self.options.out.as_ref().filter(|_| report.failure.is_none()) else {
            return Ok(());
        };
        let source = self.project.folder().join(self.project.source().unwrap_or_default());
        let (targets, prune) = (self.options.targets.clone(), self.options.prune);
        SavedPlan::new(&source, targets, prune, self.resources, &report.deploy).write(out)?;
        report.notes.push(format!("the plan is in {0}; run it with `clockwork apply {0}`", out.display()));
        Ok(())
    }

    /// Writes down that a resource is there, as it is, where that is asked for.
    pub(super) fn adopt(&self, report: &mut Report) -> Result<()> {
        let Some(name) = &self.options.adopts else { return Ok(()) };
        let mut adopted = report.deploy.clone();
        adopted.resources.retain(|resource| resource.address.is_called(name) && !resource.removes);
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
        self.record(&adopted)
    }

    /// The reason why a thing that goes by a name cannot be taken up, where it cannot.
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
        self.scope.state.of(&resource.address).any(|entry| entry.host == resource.host)
    }
}
