//! What a deploy or a plan did: per operation, per resource and host, and in all.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::intent::Intent;
use crate::ownership::Ownership;
use crate::resource::{Address, Artifact};
use crate::state;

/// What was done, or would be done, to a resource on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was not there.
    Create,
    /// It was there, but different.
    Change,
    /// It was there, and is not wanted.
    Remove,
    /// It was deployed as it is wanted, and somebody has changed it since.
    Drifted,
    /// It is as wanted.
    Unchanged,
    /// Whether it changes cannot be known before it runs.
    Conditional,
    /// It was not reached.
    Skipped,
}

impl Action {
    /// Whether something is, may be, or would be different afterwards.
    pub fn is_change(self) -> bool {
        !matches!(self, Self::Unchanged | Self::Skipped)
    }

    /// The word for it in a table, before it is done or after.
    pub fn word(self, done: bool) -> &'static str {
        match self {
            Self::Conditional if done => "run",
            Self::Drifted if done => "repaired",
            Self::Drifted => "drifted",
            Self::Create => "create",
            Self::Change => "change",
            Self::Remove => "remove",
            Self::Unchanged => "unchanged",
            Self::Conditional => "conditional",
            Self::Skipped => "skipped",
        }
    }

    /// The action of a whole whose parts are `self` and `other`.
    ///
    /// A change of any part is a change of the whole; parts that were created beside parts that
    /// stayed are a creation only where nothing was changed or removed.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        use Action::{Change, Conditional, Create, Drifted, Remove, Skipped, Unchanged};
        match (self, other) {
            (Drifted, _) | (_, Drifted) => Drifted,
            (Change, _) | (_, Change) | (Create, Remove) | (Remove, Create) => Change,
            (Create, _) | (_, Create) => Create,
            (Remove, _) | (_, Remove) => Remove,
            (Conditional, _) | (_, Conditional) => Conditional,
            (Unchanged, _) | (_, Unchanged) => Unchanged,
            (Skipped, Skipped) => Skipped,
        }
    }
}

/// One operation on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperationOutcome {
    /// The operation's name.
    pub name: String,
    /// What it did.
    pub action: Action,
    /// Whether it changed something; in a plan, whether it would.
    pub changed: bool,
    /// Why it failed, where it did.
    pub error: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// A unified diff, where the operation tells one.
    pub diff: Option<String>,
    /// Whether it takes something away to make it anew.
    pub replaces: bool,
    /// Its own account of what it does, where it gives one. No part of any document.
    #[serde(skip)]
    pub intent: Option<Intent>,
}

impl OperationOutcome {
    /// What failed, and why, where it did.
    fn failure(&self) -> Option<String> {
        self.error.as_ref().map(|error| format!("{}: {error}", self.name))
    }
}

/// One resource on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceOutcome {
    /// The resource.
    #[serde(flatten)]
    pub address: Address,
    /// The host's name in the inventory.
    pub host: String,
    /// What was done.
    pub action: Action,
    /// Whether anything changed; in a plan, whether it would.
    pub changed: bool,
    /// Why it failed, where it did.
    pub error: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// The diffs of its operations, one after the other.
    pub diff: Option<String>,
    /// Its operations, in order.
    pub operations: Vec<OperationOutcome>,
    /// The path of the group that it belongs to.
    pub group: Option<String>,
    /// Whether what is there is taken away to make it anew.
    pub replaces: bool,
    /// Whether main.py no longer has it.
    pub gone: bool,
    /// What differs from what was last deployed.
    pub changes: Vec<FieldChange>,
    /// Why it is as it is, where there is more to say than the action does.
    pub reason: Option<String>,
    /// The identity of the thing. No part of any document, as all that follows.
    #[serde(skip)]
    pub identity: String,
    /// Whether this is about taking it down.
    #[serde(skip)]
    pub removes: bool,
    /// Its relation to the state.
    #[serde(skip)]
    pub prior: Prior,
    /// The owner of what is on the host and would be overwritten, replaced or removed.
    #[serde(skip)]
    pub ownership: Ownership,
}

/// The relation of a resource on a host to the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prior {
    /// Whether it was deployed just as main.py wants it, and to its end.
    pub settled: bool,
    /// Whether it must be neither removed nor replaced.
    pub protected: bool,
}

/// A field that was deployed with one value and is wanted with another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field.
    pub field: String,
    /// What it was; null where there was none.
    pub before: Value,
    /// What it is to be; null where there is to be none.
    pub after: Value,
    /// Whether the model chose the new value.
    pub by_model: bool,
}

impl ResourceOutcome {
    /// Puts together what the operations of one resource did on one host.
    ///
    /// `error` is an error that belongs to no operation, such as a host that is away.
    pub fn new(
        address: Address,
        host: &str,
        operations: Vec<OperationOutcome>,
        error: Option<String>,
    ) -> Self {
        let action = operations.iter().map(|op| op.action).reduce(Action::and);
        let diffs: Vec<&str> = operations.iter().filter_map(|op| op.diff.as_deref()).collect();
        Self {
            address,
            host: host.to_owned(),
            action: action.unwrap_or(if error.is_some() { Action::Skipped } else { Action::Unchanged }),
            changed: operations.iter().any(|op| op.changed),
            error: error.or_else(|| operations.iter().find_map(OperationOutcome::failure)),
            // Not `sum`, which is -0 where there is nothing to add.
            seconds: operations.iter().fold(0.0, |sum, op| sum + op.seconds),
            diff: (!diffs.is_empty()).then(|| diffs.concat()),
            replaces: operations.iter().any(|op| op.replaces && op.changed),
            operations,
            group: None,
            gone: false,
            changes: Vec::new(),
            reason: None,
            identity: String::new(),
            removes: false,
            prior: Prior::default(),
            ownership: Ownership::default(),
        }
    }
}

/// A host that could not be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostError {
    /// The host's name in the inventory.
    pub host: String,
    /// Why.
    pub error: String,
}

/// Everything that the deploy stage has to tell.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DeployOutcome {
    /// Per resource and host, resources in order of deployment.
    pub resources: Vec<ResourceOutcome>,
    /// Hosts that were away.
    pub host_errors: Vec<HostError>,
    /// The names of all hosts of the inventory. No part of any document.
    #[serde(skip)]
    pub hosts: Vec<String>,
}

impl DeployOutcome {
    /// Whether anything failed.
    pub fn failed(&self) -> bool {
        !self.host_errors.is_empty() || self.resources.iter().any(|r| r.error.is_some())
    }

    /// Whether anything changed, or in a plan would.
    pub fn changed(&self) -> bool {
        self.resources.iter().any(|r| r.changed)
    }
}

/// One artifact of a run of the generate stage.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, and a key of the report")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactOutcome {
    /// The resource that it is for.
    #[serde(flatten)]
    pub address: Address,
    /// Whether it came out of the lock, without a request.
    pub pinned: bool,
    /// The model that wrote it.
    pub model: Option<String>,
    /// Who ran the model, where the server told.
    #[serde(default)]
    pub provider: Option<String>,
    /// Whether the user has edited what the lock holds.
    #[serde(default)]
    pub edited: bool,
    /// Whether the lock held an answer to an older question.
    #[serde(default)]
    pub stale: bool,
    /// Whether it names an image that is not one of Docker's official ones.
    #[serde(default)]
    pub unverified: bool,
    /// How often an answer went back to the model.
    #[serde(default)]
    pub repairs: u32,
    /// Where the user's edit of what was in the lock is kept, now that a new answer took its place.
    #[serde(default)]
    pub backup: Option<PathBuf>,
    /// Tokens that went in, where the server tells.
    pub tokens_in: Option<u64>,
    /// Tokens that came out, where the server tells.
    pub tokens_out: Option<u64>,
    /// What it cost in US dollars, where the server tells.
    pub cost: Option<f64>,
    /// How long the request took, with its retries.
    pub seconds: f64,
    /// Why it could not be had, where it could not.
    pub error: Option<String>,
}

impl ArtifactOutcome {
    /// An artifact of which nothing is known yet.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            pinned: false,
            model: None,
            provider: None,
            edited: false,
            stale: false,
            unverified: false,
            repairs: 0,
            backup: None,
            tokens_in: None,
            tokens_out: None,
            cost: None,
            seconds: 0.0,
            error: None,
        }
    }
}

/// An artifact, and how it was come by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactReport {
    /// How it was come by.
    #[serde(flatten)]
    pub outcome: ArtifactOutcome,
    /// What the model wrote; nothing where that failed, or where the model was not asked.
    pub content: Option<Artifact>,
    /// What changed against what was pinned before, as a unified diff.
    pub diff: Option<String>,
    /// What would be sent, where a dry run only looked.
    pub request: Option<serde_json::Value>,
}

impl ArtifactReport {
    /// The report of an artifact of which only the outcome is known.
    pub fn new(outcome: ArtifactOutcome) -> Self {
        Self { outcome, content: None, diff: None, request: None }
    }

    /// Tells how the content differs from what was pinned before.
    #[must_use]
    pub fn against(mut self, before: Option<&Artifact>) -> Self {
        if let (Some(before), Some(content)) = (before, &self.content) {
            let (before, after) = (before.to_text(), content.to_text());
            let diff = similar::TextDiff::from_lines(&before, &after);
            let text = diff.unified_diff().context_radius(2).header("pinned", "new").to_string();
            self.diff = (!text.is_empty()).then_some(text);
        }
        self
    }
}

/// One assertion on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckOutcome {
    /// The resource that it belongs to.
    #[serde(flatten)]
    pub address: Address,
    /// The host's name in the inventory.
    pub host: String,
    /// What is checked, in one line.
    pub assertion: String,
    /// Whether it holds.
    pub ok: bool,
    /// Why it does not.
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// How long that took, with the waiting in between.
    pub seconds: f64,
}

impl FieldChange {
    /// Whether it is a change of a text that the state does not keep.
    pub fn is_of_a_text(&self) -> bool {
        state::stands_in(&self.before) || state::stands_in(&self.after)
    }
}

/// Why a command failed, after it had done something worth reporting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The class in `clockwork.exceptions` that says what kind of failure it is.
    #[serde(rename = "kind")]
    pub class: Cow<'static, str>,
    /// What went wrong, and what to do next.
    pub message: String,
}

/// All that a command has to tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The version of this document's form, as `--json` prints it.
    pub schema: u32,
    /// `apply`, `plan`, `generate`, `destroy` or `check`.
    pub command: &'static str,
    /// Whether it only looked.
    pub dry_run: bool,
    /// The folder of main.py.
    pub folder: String,
    /// What was deployed.
    #[serde(flatten)]
    pub deploy: DeployOutcome,
    /// What was generated.
    pub artifacts: Vec<ArtifactReport>,
    /// What was checked.
    pub checks: Vec<CheckOutcome>,
    /// How long it all took.
    pub seconds: f64,
    /// What the user should know beside all that.
    pub notes: Vec<String>,
    /// Why it failed, where it did.
    #[serde(rename = "error")]
    pub failure: Option<Failure>,
}

impl Failure {
    /// The failure that an error is, in a report.
    pub fn of(error: &crate::Error) -> Self {
        Self::new(error.class().to_owned(), error.to_string())
    }

    /// A failure of the class, with what went wrong and what to do next.
    pub fn new(class: impl Into<Cow<'static, str>>, message: String) -> Self {
        Self { class: class.into(), message }
    }
}

impl Report {
    /// Whether a model wrote a resource's artifact in this run.
    pub fn has_written(&self, address: &Address) -> bool {
        self.artifacts.iter().any(|artifact| {
            artifact.outcome.address == *address && !artifact.outcome.pinned && artifact.content.is_some()
        })
    }

    /// The form that this version writes. It grows where a key changes its meaning or goes; keys that
    /// come on top do not change it.
    pub const SCHEMA: u32 = 1;

    /// The report of a command that has done nothing yet.
    pub fn new(command: &'static str, dry_run: bool) -> Self {
        Self {
            schema: Self::SCHEMA,
            command,
            dry_run,
            folder: String::new(),
            deploy: DeployOutcome::default(),
            artifacts: Vec::new(),
            checks: Vec::new(),
            seconds: 0.0,
            notes: Vec::new(),
            failure: None,
        }
    }
}
