//! The rounds of a watch: drift, repairs, and notifications.

mod notification;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde::Serialize;

use crate::clock;
use crate::outcome::{Action, ArtifactReport, CheckOutcome, Failure, HostError, Report, ResourceOutcome};
use crate::ownership::Ownership;
use crate::resource::Address;

pub use notification::{Kind, Notification, NotificationLog};

/// A resource on a host.
pub type Place = (Address, String);

/// The result of one round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Round {
    /// The version of the `--json` document.
    pub schema: u32,
    /// `watch`.
    pub command: &'static str,
    /// The number of the round, from 1.
    pub number: u64,
    /// The start time, in UTC.
    pub time: String,
    /// The folder of main.py.
    pub folder: String,
    /// The number of resources compared, counted once per host.
    pub watched: usize,
    /// Drifted resources: changed or removed by somebody else.
    pub drifted: Vec<ResourceOutcome>,
    /// Repaired resources.
    pub healed: Vec<ResourceOutcome>,
    /// Resources whose repair failed, or whose checks fail after it.
    pub failed: Vec<ResourceOutcome>,
    /// Resources that could not be compared, on hosts that were reached.
    pub unknown: Vec<ResourceOutcome>,
    /// Resources whose definition in main.py differs from what was deployed. A watch does not deploy them.
    pub pending: Vec<ResourceOutcome>,
    /// Resources that could not be compared because clockwork.lock has no artifact for them.
    pub missing: Vec<ArtifactReport>,
    /// The checks of the repaired resources.
    pub checks: Vec<CheckOutcome>,
    /// Hosts that could not be reached.
    pub host_errors: Vec<HostError>,
    /// Further remarks for the user.
    pub notes: Vec<String>,
    /// The error that ended the round before anything was compared.
    pub error: Option<Failure>,
    /// The duration.
    pub seconds: f64,
}

/// The address and the host of a resource.
pub fn place(resource: &ResourceOutcome) -> Place {
    (resource.address.clone(), resource.host.clone())
}

impl Round {
    /// Begins a round.
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

    /// Adds the result of a plan.
    pub fn add_plan(&mut self, report: Report) {
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
                // A resource whose definition has changed too is pending, and not only drifted.
                Action::Drifted if resource.prior.settled => self.drifted.push(resource),
                // Operations that are not idempotent always run, so they are never drift.
                Action::Conditional if resource.prior.settled => {}
                action if action.is_change() => self.pending.push(resource),
                _ => {}
            }
        }
        self.host_errors = report.deploy.host_errors;
    }

    /// The drifted resources that may be repaired. A protected one is not replaced, and nothing of others is taken;
    /// a note says so.
    pub fn repairable(&mut self) -> Vec<Place> {
        let (mut places, mut notes) = (Vec::new(), Vec::new());
        for resource in &self.drifted {
            let (address, host) = place(resource);
            if resource.replaces && resource.prior.protected {
                notes.push(format!("{address} on {host} is protected, and is not replaced to repair it"));
            } else if resource.ownership == Ownership::ForeignThing {
                notes.push(format!(
                    "{address} on {host} is not repaired, because this project did not make what is there"
                ));
            } else {
                places.push((address, host));
            }
        }
        self.notes.append(&mut notes);
        places
    }

    /// Adds the result of a repair.
    pub fn add_repair(&mut self, report: Report) {
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
                // Somebody else repaired it between the plan and the repair.
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

    /// Records that the repair of these resources failed as a whole.
    pub fn add_failed_repair(&mut self, places: &[Place], why: &str) {
        let failed = self.drifted.iter().filter(|resource| places.contains(&place(resource)));
        let failed =
            failed.map(|resource| ResourceOutcome { error: Some(why.to_owned()), ..resource.clone() });
        self.failed.extend(failed.collect::<Vec<_>>());
    }

    /// The drifted resources that were not repaired.
    pub fn unhealed(&self) -> impl Iterator<Item = &ResourceOutcome> {
        let healed: HashSet<Place> = self.healed.iter().map(place).collect();
        self.drifted.iter().filter(move |resource| !healed.contains(&place(resource)))
    }

    /// True if everything is as it was deployed, as far as it could be compared.
    pub fn is_well(&self) -> bool {
        self.error.is_none()
            && self.host_errors.is_empty()
            && self.unknown.is_empty()
            && self.failed.is_empty()
            && self.unhealed().next().is_none()
    }
}
