//! A plan in a file, to be looked at by others and then run exactly as it is, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::VERSION;
use crate::atomic_file::{self, FilePolicy};
use crate::clock;
use crate::error::{Error, Result};
use crate::outcome::{DeployOutcome, Prior, ResourceOutcome};
use crate::ownership::Ownership;
use crate::resource::CompiledResource;

/// The format that this version writes, and the only one that it reads.
const FORMAT: u32 = 1;

/// A plan, and what tells whether it still holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    format: u32,
    clockwork: String,
    created_at: String,
    /// The main.py that it is a plan of.
    pub source: PathBuf,
    /// The resources that it is limited to; all of them where there are none.
    pub targets: Vec<String>,
    /// True if things that main.py no longer has are removed.
    pub prune: bool,
    /// By resource, the hash of the code that brings it up.
    wanted: BTreeMap<String, String>,
    /// The planned actions, by resource and host.
    resources: Vec<ResourceOutcome>,
}

impl SavedPlan {
    /// Makes a plan that can be kept out of one that was just made.
    pub fn new(
        source: &Path,
        targets: Vec<String>,
        prune: bool,
        wanted: &[CompiledResource],
        outcome: &DeployOutcome,
    ) -> Self {
        Self {
            format: FORMAT,
            clockwork: VERSION.to_owned(),
            created_at: clock::now(),
            source: source.to_path_buf(),
            targets,
            prune,
            wanted: fingerprints(wanted),
            resources: of_interest(outcome, prune),
        }
    }

    /// True if a file of that name can be taken for a plan: anything else is Python.
    pub fn can_be(path: &Path) -> bool {
        path.extension().is_some_and(|end| end == "json")
    }

    /// Writes it, for the user's eyes only: a diff can show what is nobody else's business.
    pub fn write(&self, path: &Path) -> Result<()> {
        let is_other = match std::fs::read_to_string(path) {
            Ok(text) => !is_plan(&text),
            Err(error) => error.kind() != ErrorKind::NotFound,
        };
        if is_other {
            let message =
                format!("{} is there already, and is no plan: give --out another name", path.display());
            return Err(Error::Settings(message));
        }
        let failed = |source| Error::Write { path: path.to_path_buf(), source };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        atomic_file::replace(path, &format!("{text}\n"), FilePolicy::Record).map_err(failed)
    }

    /// Reads one.
    pub fn read(path: &Path) -> Result<Self> {
        let bad = |reason: String| Error::Read { path: path.to_path_buf(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                bad("there is no such file. `clockwork plan --out FILE` writes a plan".to_owned())
            }
            _ => bad(error.to_string()),
        })?;
        match format_of(&text) {
            Some(format) if format == u64::from(FORMAT) => serde_json::from_str(&text).map_err(|error| {
                bad(format!("it is no plan of Clockwork's: {error}. Plan again with --out"))
            }),
            Some(format) => Err(bad(format!(
                "it is a plan of format {format}, and this Clockwork ({VERSION}) reads format {FORMAT}. Plan again \
                 with --out"
            ))),
            None => Err(bad("it is no plan that `clockwork plan --out` has written".to_owned())),
        }
    }

    /// The differences between this plan and the one that is made now.
    pub fn moved(&self, wanted: &[CompiledResource], outcome: &DeployOutcome) -> Vec<String> {
        let mut moved = Vec::new();
        let now = fingerprints(wanted);
        let names: BTreeSet<&String> = self.wanted.keys().chain(now.keys()).collect();
        for name in names {
            match (self.wanted.get(name), now.get(name)) {
                (Some(_), None) => moved.push(format!("{name} is no longer defined")),
                (None, Some(_)) => moved.push(format!("{name} is defined now")),
                (before, after) if before != after => moved.push(format!("{name} is defined in another way")),
                _ => {}
            }
        }
        let by_place = |resources: &[ResourceOutcome]| -> BTreeMap<(String, String), ResourceOutcome> {
            resources.iter().map(|r| ((r.address.to_string(), r.host.clone()), r.clone())).collect()
        };
        let (before, after) = (by_place(&self.resources), by_place(&of_interest(outcome, self.prune)));
        let places: BTreeSet<&(String, String)> = before.keys().chain(after.keys()).collect();
        for (name, host) in places {
            let key = &(name.clone(), host.clone());
            let word = |r: Option<&ResourceOutcome>| r.map_or("not in the plan", |r| r.action.word(false));
            let (before, after) = (before.get(key), after.get(key));
            if before.map(|r| r.action) != after.map(|r| r.action) {
                moved.push(format!("{name} on {host}: planned as {}, now {}", word(before), word(after)));
            } else if before != after {
                moved.push(format!("{name} on {host}: the {} is another one now", word(after)));
            }
        }
        moved
    }
}

fn fingerprints(wanted: &[CompiledResource]) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for resource in wanted {
        let own = all.entry(resource.address.to_string()).or_default();
        // Several may share an address where their hosts differ.
        if !own.is_empty() {
            own.push('+');
        }
        own.push_str(&resource.steps_fingerprint);
    }
    all
}

/// The rows that are part of the plan, without the values that differ from one look at a host to the next.
fn of_interest(outcome: &DeployOutcome, prune: bool) -> Vec<ResourceOutcome> {
    let planned = outcome.resources.iter().filter(|resource| prune || !resource.gone);
    planned
        .cloned()
        .map(|mut resource| {
            resource.seconds = 0.0;
            // No part of the file.
            resource.identity.clear();
            resource.removes = false;
            resource.prior = Prior::default();
            resource.ownership = Ownership::default();
            for operation in &mut resource.operations {
                operation.seconds = 0.0;
                operation.intent = None;
            }
            resource
        })
        .collect()
}

/// True if a document looks like a plan of any format. The state has a format too.
fn is_plan(text: &str) -> bool {
    let document = serde_json::from_str::<serde_json::Value>(text);
    document.is_ok_and(|document| document.get("wanted").is_some()) && format_of(text).is_some()
}

/// The format that a document says it has.
fn format_of(text: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(text).ok()?.get("format")?.as_u64()
}
