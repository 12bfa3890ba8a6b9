//! Rounds of a watch: what has drifted, what came of repairing it, and what else there is to tell.

mod news;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde::Serialize;

use crate::clock;
use crate::outcome::{Action, ArtifactReport, CheckOutcome, Failure, HostError, Report, ResourceOutcome};
use crate::resource::Address;

pub use news::{Kind, Memory, News};

/// A resource on a host.
pub type Place = (Address, String);

/// What one round found and did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Round {
    /// The version of this document's form, as `--json` prints it.
    pub schema: u32,
    /// `watch`.
    pub command: &'static str,
    /// Which round it is, from 1.
    pub number: u64,
    /// When it began, in UTC.
    pub time: String,
    /// The folder of main.py.
    pub folder: String,
    /// How many resources were looked at, each counted on each of its hosts.
    pub watched: usize,
    /// What somebody else has changed or removed.
    pub drifted: Vec<ResourceOutcome>,
    /// What of it was repaired.
    pub healed: Vec<ResourceOutcome>,
    /// What of it could not be repaired, or does not work now that it is.
    pub failed: Vec<ResourceOutcome>,
    /// What could not be looked at, on hosts that could.
    pub unknown: Vec<ResourceOutcome>,
    /// What main.py wants otherwise than it was deployed. A watch leaves that alone.
    pub pending: Vec<ResourceOutcome>,
    /// What could not be looked at because clockwork.lock has nothing for it.
    pub missing: Vec<ArtifactReport>,
    /// The checks of what was repaired.
    pub checks: Vec<CheckOutcome>,
    /// Hosts that were away.
    pub host_errors: Vec<HostError>,
    /// What the user should know beside all that.
    pub notes: Vec<String>,
    /// Why nothing could be looked at at all.
    pub error: Option<Failure>,
    /// How long it took.
    pub seconds: f64,
}

/// Where a resource is.
pub fn place(resource: &ResourceOutcome) -> Place {
    (resource.address.clone(), resource.host.clone())
}

impl Round {
    /// A round that begins.
    pub fn new(number: u64, folder: String) -> Self {
        Self {
            schema: Report::SCHEMA,
            command: "watch",
            number,
            time: clock::now(),
            folder,
            watched: 0,
            drifted: Vec::new(),
            healed: Vec::new(),
            failed: Vec::new(),
            unknown: Vec::new(),
            pending: Vec::new(),
            missing: Vec::new(),
            checks: Vec::new(),
            host_errors: Vec::new(),
            notes: Vec::new(),
            error: None,
            seconds: 0.0,
        }
    }

    /// Takes in what a plan has found.
    pub fn planned(&mut self, report: Report) {
        let lacks = |artifact: &ArtifactReport| artifact.outcome.error.is_some();
        self.missing = report.artifacts.into_iter().filter(lacks).collect();
        let away: HashSet<&str> = report.deploy.host_errors.iter().map(|host| host.host.as_str()).collect();
        for resource in report.deploy.resources {
            if away.contains(resource.host.as_str()) {
                continue;
            }
            if resource.error.is_some() {
                self.unknown.push(resource);
                continue;
            }
            self.watched += usize::from(!resource.gone);
            match resource.action {
                // What was deployed differently than is wanted now is no drift alone.
                Action::Drifted if resource.prior.settled => self.drifted.push(resource),
                // Of what is run each time nobody can tell whether it has to be.
                Action::Conditional if resource.prior.settled => {}
                action if action.is_change() => self.pending.push(resource),
                _ => {}
            }
        }
        self.host_errors = report.deploy.host_errors;
    }

    /// What may be repaired. What is protected is not replaced; a note says so.
    pub fn curable(&mut self) -> Vec<Place> {
        let kept = |resource: &&ResourceOutcome| resource.replaces && resource.prior.protected;
        let notes = self.drifted.iter().filter(kept).map(|resource| {
            format!(
                "{} on {} is protected, and is not replaced to repair it",
                resource.address, resource.host
            )
        });
        self.notes.extend(notes);
        self.drifted.iter().filter(|resource| !kept(resource)).map(place).collect()
    }

    /// Takes in what came of repairing.
    pub fn repaired(&mut self, report: Report) {
        for mut resource in report.deploy.resources {
            let its =
                |check: &&CheckOutcome| check.address == resource.address && check.host == resource.host;
            if let Some(check) = report.checks.iter().filter(its).find(|check| !check.ok) {
                let why = check.error.as_deref().unwrap_or_default();
                let error = format!("it is repaired, but a check fails: {}: {why}", check.assertion);
                resource.error.get_or_insert(error);
            }
            if resource.error.is_some() || resource.action == Action::Skipped {
                self.failed.push(resource);
            } else if resource.action == Action::Unchanged {
                // Somebody else was quicker.
                self.drifted.retain(|drifted| place(drifted) != place(&resource));
            } else {
                self.healed.push(resource);
            }
        }
        self.checks = report.checks;
        for error in report.deploy.host_errors {
            if !self.host_errors.iter().any(|known| known.host == error.host) {
                self.host_errors.push(error);
            }
        }
    }

    /// Takes note that nothing could be repaired.
    pub fn not_repaired(&mut self, places: &[Place], why: &str) {
        let failed = self.drifted.iter().filter(|resource| places.contains(&place(resource)));
        let failed =
            failed.map(|resource| ResourceOutcome { error: Some(why.to_owned()), ..resource.clone() });
        self.failed.extend(failed.collect::<Vec<_>>());
    }

    /// What has drifted and is not as it should be yet.
    pub fn unhealed(&self) -> impl Iterator<Item = &ResourceOutcome> {
        let healed: HashSet<Place> = self.healed.iter().map(place).collect();
        self.drifted.iter().filter(move |resource| !healed.contains(&place(resource)))
    }

    /// Whether everything that was deployed is as it was deployed, as far as can be told from here.
    pub fn is_well(&self) -> bool {
        self.error.is_none()
            && self.host_errors.is_empty()
            && self.unknown.is_empty()
            && self.failed.is_empty()
            && self.unhealed().next().is_none()
    }
}
