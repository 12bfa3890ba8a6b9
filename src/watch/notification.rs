//! Notifications: each finding of a round is reported once, and again when it changes or recurs.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::{Place, Round, place};
use crate::hash::sha256;
use crate::outcome::{HostError, OperationOutcome, ResourceOutcome};
use crate::resource::Address;

/// The version of the webhook document. It is raised when a key changes its meaning or is removed.
const SCHEMA: u32 = 1;

/// The number of resources or hosts that a message names.
const MAX_NAMED: usize = 5;

/// The kind of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Resources have drifted.
    Drift,
    /// Resources were repaired.
    Healed,
    /// A repair failed, or a check fails after it.
    Failed,
    /// Hosts cannot be reached.
    HostAway,
    /// Hosts can be reached again.
    HostBack,
    /// The round failed, or some resources could not be compared.
    RoundFailed,
}

impl Kind {
    /// The word for it in documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Healed => "healed",
            Self::Failed => "failed",
            Self::HostAway => "host_away",
            Self::HostBack => "host_back",
            Self::RoundFailed => "round_failed",
        }
    }
}

/// A notification.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Its kind.
    pub kind: Kind,
    /// The resources that it is about.
    pub resources: Vec<ResourceOutcome>,
    /// The hosts that it is about.
    pub hosts: Vec<String>,
    /// The message, in one line.
    pub message: String,
}

/// The findings that have been reported and still hold.
#[derive(Debug, Default)]
pub struct NotificationLog {
    drifted: HashMap<Place, String>,
    failed: HashMap<Place, String>,
    unknown: HashMap<Place, String>,
    away: BTreeSet<String>,
    error: Option<String>,
}

impl NotificationLog {
    /// The notifications for findings of a round that have not been reported yet. Marks them as reported.
    pub fn notifications(&mut self, round: &Round) -> Vec<Notification> {
        let mut notifications = Vec::new();
        if let Some(problem) = &round.error {
            // A failed round says nothing about earlier findings, so they stay marked as reported.
            if self.error.as_ref() != Some(&problem.message) {
                self.error = Some(problem.message.clone());
                let message = format!("the round failed: {}", first_and_last(&problem.message));
                notifications.push(Notification::new(Kind::RoundFailed, &[], Vec::new(), &message, round));
            }
            return notifications;
        }
        self.error = None;
        self.hosts(round, &mut notifications);

        let unseen = unseen(round);
        let drifted: Vec<&ResourceOutcome> = round.drifted.iter().collect();
        let fresh = unreported(&mut self.drifted, &drifted, &unseen, drift_digest);
        if !fresh.is_empty() {
            notifications.push(Notification::of(Kind::Drift, &fresh, "drift", round));
        }
        // A repaired resource may drift in the same way again.
        for healed in &round.healed {
            self.drifted.remove(&place(healed));
        }
        if !round.healed.is_empty() {
            let healed: Vec<&ResourceOutcome> = round.healed.iter().collect();
            notifications.push(Notification::of(Kind::Healed, &healed, "repaired", round));
        }
        let error = |resource: &ResourceOutcome| resource.error.clone().unwrap_or_default();
        for (reported, now, kind, what) in [
            (&mut self.failed, &round.failed, Kind::Failed, "could not be repaired"),
            (&mut self.unknown, &round.unknown, Kind::RoundFailed, "could not be looked at"),
        ] {
            let now: Vec<&ResourceOutcome> = now.iter().collect();
            let fresh = unreported(reported, &now, &unseen, error);
            if !fresh.is_empty() {
                notifications.push(Notification::of(kind, &fresh, what, round));
            }
        }
        notifications
    }

    fn hosts(&mut self, round: &Round, notifications: &mut Vec<Notification>) {
        let away: BTreeSet<String> = round.host_errors.iter().map(|host| host.host.clone()).collect();
        let left: Vec<&HostError> =
            round.host_errors.iter().filter(|host| !self.away.contains(&host.host)).collect();
        if !left.is_empty() {
            let named = left.iter().map(|host| format!("{} ({})", host.host, first_and_last(&host.error)));
            let message = format!("away: {}", list(named, left.len()));
            let hosts = left.iter().map(|host| host.host.clone()).collect();
            notifications.push(Notification::new(Kind::HostAway, &[], hosts, &message, round));
        }
        let back: Vec<String> = self.away.difference(&away).cloned().collect();
        if !back.is_empty() {
            let message = format!("back: {}", list(back.iter().cloned(), back.len()));
            notifications.push(Notification::new(Kind::HostBack, &[], back, &message, round));
        }
        self.away = away;
    }
}

impl Notification {
    fn new(
        kind: Kind,
        resources: &[&ResourceOutcome],
        hosts: Vec<String>,
        message: &str,
        round: &Round,
    ) -> Self {
        let project = round.folder.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("/");
        let message = format!("{project}: {message}");
        Self {
            kind,
            resources: resources.iter().map(|resource| (*resource).clone()).collect(),
            hosts,
            message: message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        }
    }

    /// A notification about resources; the message names the first few.
    fn of(kind: Kind, resources: &[&ResourceOutcome], what: &str, round: &Round) -> Self {
        let hosts: BTreeSet<&String> = resources.iter().map(|resource| &resource.host).collect();
        let named = resources.iter().map(|resource| {
            let why = resource.error.as_deref().map(|error| format!(" ({})", first_and_last(error)));
            let why = why.or_else(|| {
                let reason = resource.reason.as_deref().filter(|_| kind == Kind::Drift);
                reason.map(|reason| format!(" ({reason})"))
            });
            format!("{} on {}{}", resource.address, resource.host, why.unwrap_or_default())
        });
        let message = format!("{what}: {}", list(named, resources.len()));
        Self::new(kind, resources, hosts.into_iter().cloned().collect(), &message, round)
    }

    /// The document for a webhook. It has no diffs, which may contain confidential content.
    pub fn document(&self, round: &Round) -> Value {
        let resources: Vec<ResourceOutcome> = self.resources.iter().map(without_diffs).collect();
        json!({
            "schema": SCHEMA,
            "event": self.kind.word(),
            "project": round.folder,
            "time": round.time,
            "resources": resources,
            "hosts": self.hosts,
            "message": self.message,
            // Chat services display `text`.
            "text": self.message,
        })
    }
}

fn without_diffs(resource: &ResourceOutcome) -> ResourceOutcome {
    let operations = resource.operations.iter();
    ResourceOutcome {
        diff: None,
        operations: operations.map(|op| OperationOutcome { diff: None, ..op.clone() }).collect(),
        ..resource.clone()
    }
}

/// A test for resources that a round could not compare, so that their earlier findings still hold.
fn unseen(round: &Round) -> impl Fn(&Place) -> bool + use<> {
    let away: BTreeSet<String> = round.host_errors.iter().map(|host| host.host.clone()).collect();
    let missing: Vec<Address> =
        round.missing.iter().map(|artifact| artifact.outcome.address.clone()).collect();
    let unknown: Vec<Place> = round.unknown.iter().map(place).collect();
    move |at: &Place| away.contains(&at.1) || missing.contains(&at.0) || unknown.contains(at)
}

/// Returns the resources that have not been reported in this form. Marks them as reported, and removes those
/// that no longer hold.
fn unreported<'a>(
    reported: &mut HashMap<Place, String>,
    now: &[&'a ResourceOutcome],
    unseen: &dyn Fn(&Place) -> bool,
    digest: impl Fn(&ResourceOutcome) -> String,
) -> Vec<&'a ResourceOutcome> {
    let current: HashMap<Place, String> =
        now.iter().map(|resource| (place(resource), digest(resource))).collect();
    let is_fresh = |resource: &&&'a ResourceOutcome| {
        let at = place(resource);
        reported.get(&at) != current.get(&at)
    };
    let fresh = now.iter().filter(is_fresh).copied().collect();
    reported.retain(|at, _| unseen(at));
    reported.extend(current);
    fresh
}

/// A digest that distinguishes one drift of a resource from another.
fn drift_digest(resource: &ResourceOutcome) -> String {
    let operations = resource.operations.iter().filter(|op| op.changed);
    let operations: Vec<&str> = operations.map(|op| op.name.as_str()).collect();
    let parts = json!([resource.reason, resource.diff, operations]);
    sha256(parts.to_string().as_bytes())
}

/// Joins the first few of a number of items.
fn list(all: impl Iterator<Item = String>, count: usize) -> String {
    let mut list = all.take(MAX_NAMED).collect::<Vec<_>>().join(", ");
    if count > MAX_NAMED {
        list.push_str(&format!(" and {} more", count - MAX_NAMED));
    }
    list
}

/// The first and the last line of a text: the summary, and the exception of a traceback.
fn first_and_last(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    match lines.next_back() {
        Some(last) => format!("{}: {last}", first.trim_end_matches(':')),
        None => first.to_owned(),
    }
}
