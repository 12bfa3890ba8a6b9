//! What of a round is news: told once, and again when it changes or comes back.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::{Place, Round, place};
use crate::hash::sha256;
use crate::outcome::{HostError, OperationOutcome, ResourceOutcome};
use crate::resource::Address;

/// The version of the form of what a webhook is sent. It grows where a key changes its meaning or goes.
const SCHEMA: u32 = 1;

/// How many resources or hosts a line names.
const NAMED: usize = 5;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody has changed or removed something.
    Drift,
    /// It was repaired.
    Healed,
    /// It could not be repaired, or does not work now that it is.
    Failed,
    /// A host cannot be used.
    HostAway,
    /// It can be used again.
    HostBack,
    /// Nothing, or not everything, could be looked at.
    RoundFailed,
}

impl Kind {
    /// What it is called in a document.
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

/// One thing to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// What happened.
    pub kind: Kind,
    /// The resources that it is about.
    pub resources: Vec<ResourceOutcome>,
    /// The hosts that it is about.
    pub hosts: Vec<String>,
    /// The same in one line.
    pub message: String,
}

/// What has been told, and is still so.
#[derive(Debug, Default)]
pub struct Memory {
    drifted: HashMap<Place, String>,
    failed: HashMap<Place, String>,
    unknown: HashMap<Place, String>,
    away: BTreeSet<String>,
    error: Option<String>,
}

impl Memory {
    /// What of a round has not been told yet. It counts as told from now on.
    pub fn news(&mut self, round: &Round) -> Vec<News> {
        let mut news = Vec::new();
        if let Some(problem) = &round.error {
            // Of everything else nothing is known, so that nothing of it is forgotten.
            if self.error.as_ref() != Some(&problem.message) {
                self.error = Some(problem.message.clone());
                let message = format!("the round failed: {}", ends(&problem.message));
                news.push(News::new(Kind::RoundFailed, &[], Vec::new(), &message, round));
            }
            return news;
        }
        self.error = None;
        self.hosts(round, &mut news);

        let unseen = unseen(round);
        let drifted: Vec<&ResourceOutcome> = round.drifted.iter().collect();
        let fresh = fresh(&mut self.drifted, &drifted, &unseen, looks);
        if !fresh.is_empty() {
            news.push(News::of(Kind::Drift, &fresh, "drift", round));
        }
        // What is whole again may drift in the same way again.
        for healed in &round.healed {
            self.drifted.remove(&place(healed));
        }
        if !round.healed.is_empty() {
            let healed: Vec<&ResourceOutcome> = round.healed.iter().collect();
            news.push(News::of(Kind::Healed, &healed, "repaired", round));
        }
        let error = |resource: &ResourceOutcome| resource.error.clone().unwrap_or_default();
        for (told, now, kind, what) in [
            (&mut self.failed, &round.failed, Kind::Failed, "could not be repaired"),
            (&mut self.unknown, &round.unknown, Kind::RoundFailed, "could not be looked at"),
        ] {
            let now: Vec<&ResourceOutcome> = now.iter().collect();
            let fresh = self::fresh(told, &now, &unseen, error);
            if !fresh.is_empty() {
                news.push(News::of(kind, &fresh, what, round));
            }
        }
        news
    }

    fn hosts(&mut self, round: &Round, news: &mut Vec<News>) {
        let away: BTreeSet<String> = round.host_errors.iter().map(|host| host.host.clone()).collect();
        let left: Vec<&HostError> =
            round.host_errors.iter().filter(|host| !self.away.contains(&host.host)).collect();
        if !left.is_empty() {
            let named = left.iter().map(|host| format!("{} ({})", host.host, ends(&host.error)));
            let message = format!("away: {}", list(named, left.len()));
            let hosts = left.iter().map(|host| host.host.clone()).collect();
            news.push(News::new(Kind::HostAway, &[], hosts, &message, round));
        }
        let back: Vec<String> = self.away.difference(&away).cloned().collect();
        if !back.is_empty() {
            let message = format!("back: {}", list(back.iter().cloned(), back.len()));
            news.push(News::new(Kind::HostBack, &[], back, &message, round));
        }
        self.away = away;
    }
}

impl News {
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

    /// News of resources, the first few of them named.
    fn of(kind: Kind, resources: &[&ResourceOutcome], what: &str, round: &Round) -> Self {
        let hosts: BTreeSet<&String> = resources.iter().map(|resource| &resource.host).collect();
        let named = resources.iter().map(|resource| {
            let why = resource.error.as_deref().map(|error| format!(" ({})", ends(error)));
            let why = why.or_else(|| {
                let reason = resource.reason.as_deref().filter(|_| kind == Kind::Drift);
                reason.map(|reason| format!(" ({reason})"))
            });
            format!("{} on {}{}", resource.address, resource.host, why.unwrap_or_default())
        });
        let message = format!("{what}: {}", list(named, resources.len()));
        Self::new(kind, resources, hosts.into_iter().cloned().collect(), &message, round)
    }

    /// What a webhook is sent. Diffs are left out, since they can show what is nobody else's business.
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
            // What chat services show.
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

/// What was not looked at in a round, so that nobody knows whether it is still as it was.
fn unseen(round: &Round) -> impl Fn(&Place) -> bool + use<> {
    let away: BTreeSet<String> = round.host_errors.iter().map(|host| host.host.clone()).collect();
    let missing: Vec<Address> =
        round.missing.iter().map(|artifact| artifact.outcome.address.clone()).collect();
    let unknown: Vec<Place> = round.unknown.iter().map(place).collect();
    move |at: &Place| away.contains(&at.1) || missing.contains(&at.0) || unknown.contains(at)
}

/// Those of `now` that have not been told as they are. Remembers them, and forgets what is over.
fn fresh<'a>(
    told: &mut HashMap<Place, String>,
    now: &[&'a ResourceOutcome],
    unseen: &dyn Fn(&Place) -> bool,
    looks: impl Fn(&ResourceOutcome) -> String,
) -> Vec<&'a ResourceOutcome> {
    let current: HashMap<Place, String> =
        now.iter().map(|resource| (place(resource), looks(resource))).collect();
    let is_fresh = |resource: &&&'a ResourceOutcome| {
        let at = place(resource);
        told.get(&at) != current.get(&at)
    };
    let fresh = now.iter().filter(is_fresh).copied().collect();
    told.retain(|at, _| unseen(at));
    told.extend(current);
    fresh
}

/// What tells one drift of a resource from another.
fn looks(resource: &ResourceOutcome) -> String {
    let operations = resource.operations.iter().filter(|op| op.changed);
    let operations: Vec<&str> = operations.map(|op| op.name.as_str()).collect();
    let looks = json!([resource.reason, resource.diff, operations]);
    sha256(looks.to_string().as_bytes())
}

/// The first few of a number of things.
fn list(all: impl Iterator<Item = String>, count: usize) -> String {
    let mut list = all.take(NAMED).collect::<Vec<_>>().join(", ");
    if count > NAMED {
        list.push_str(&format!(" and {} more", count - NAMED));
    }
    list
}

/// The first line of a text, and the last: what happened, and of a traceback what it was.
fn ends(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    match lines.next_back() {
        Some(last) => format!("{}: {last}", first.trim_end_matches(':')),
        None => first.to_owned(),
    }
}
