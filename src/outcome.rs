//! The outcome of a run: for each operation, for each resource on each host, and as a whole.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::intent::Intent;
use crate::ownership::Ownership;
use crate::resource::{Address, Artifact};
use crate::state;

/// The effect of a run on a resource on a host, planned or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The thing does not exist, and is created.
    Create,
    /// The thing exists, and is changed in place.
    Change,
    /// The thing exists, and is removed.
    Remove,
    /// The definition is the deployed one, but somebody else has changed the thing.
    Drifted,
    /// The host is in the desired state.
    Unchanged,
    /// The effect is known only after the run.
    Conditional,
    /// The operation was not run.
    Skipped,
}

impl Action {
    /// True for every action that changes something, or may.
    pub fn is_change(self) -> bool {
        !matches!(self, Self::Unchanged | Self::Skipped)
    }

    /// The word for the action in a table, planned or done.
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

    /// Combines the actions of two parts into the action of the whole.
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
    /// The action.
    pub action: Action,
    /// True if something changed, or in a plan would change.
    pub changed: bool,
    /// The reason of the failure, if it failed.
    pub error: Option<String>,
    /// The duration.
    pub seconds: f64,
    /// The unified diff, if the operation gives one.
    pub diff: Option<String>,
    /// True if a thing is removed and created again.
    pub replaces: bool,
    /// The intent, if the operation yields one. It is in no document.
    #[serde(skip)]
    pub intent: Option<Intent>,
}

impl OperationOutcome {
    /// The name and the reason, if it failed.
    fn failure(&self) -> Option<String> {
        self.error.as_ref().map(|error| format!("{}: {error}", self.name))
    }
}

/// One resource on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct ResourceOutcome {
    /// The resource.
    #[serde(flatten)]
    pub address: Address,
    /// The host's name in the inventory.
    pub host: String,
    /// The action.
    pub action: Action,
    /// True if anything changed, or in a plan would change.
    pub changed: bool,
    /// The reason of the failure, if it failed.
    pub error: Option<String>,
    /// The duration.
    pub seconds: f64,
    /// The diffs of its operations, joined.
    pub diff: Option<String>,
    /// Its operations, in order.
    pub operations: Vec<OperationOutcome>,
    /// The path of the group that it belongs to.
    pub group: Option<String>,
    /// True if the thing is removed and created again.
    pub replaces: bool,
    /// True for an orphan.
    pub gone: bool,
    /// The fields that differ from the prior state.
    pub changes: Vec<FieldChange>,
    /// A further explanation of the action.
    pub reason: Option<String>,
    /// The identity of the thing. It is in no document, as the members below.
    #[serde(skip)]
    pub identity: String,
    /// True if the operations are those that destroy it.
    #[serde(skip)]
    pub removes: bool,
    /// The relation to the state.
    #[serde(skip)]
    pub prior: Prior,
    /// The owner of the thing that would be overwritten, replaced or removed.
    #[serde(skip)]
    pub ownership: Ownership,
}

/// The relation of a resource on a host to the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prior {
    /// True if the last deployment completed, with the present definition.
    pub settled: bool,
    /// True if it must be neither removed nor replaced.
    pub protected: bool,
}

/// A field whose desired value differs from the deployed one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field.
    pub field: String,
    /// The deployed value; null if there was none.
    pub before: Value,
    /// The desired value; null if there is to be none.
    pub after: Value,
    /// True if a model chose the desired value.
    pub by_model: bool,
}

impl ResourceOutcome {
    /// Combines the outcomes of the operations of one resource on one host.
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

/// A host that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostError {
    /// The host's name in the inventory.
    pub host: String,
    /// The reason.
    pub error: String,
}

/// The outcome of the deploy stage.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DeployOutcome {
    /// One for each resource and host, in order of deployment.
    pub resources: Vec<ResourceOutcome>,
    /// The hosts that could not be reached.
    pub host_errors: Vec<HostError>,
    /// The names of all hosts of the inventory. They are in no document.
    #[serde(skip)]
    pub hosts: Vec<String>,
}

impl DeployOutcome {
    /// Returns true if anything failed.
    pub fn failed(&self) -> bool {
        !self.host_errors.is_empty() || self.resources.iter().any(|r| r.error.is_some())
    }

    /// Returns true if anything changed, or in a plan would change.
    pub fn changed(&self) -> bool {
        self.resources.iter().any(|r| r.changed)
    }
}

/// One artifact of a run of the generate stage.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, and a key of the report")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactOutcome {
    /// The resource.
    #[serde(flatten)]
    pub address: Address,
    /// True if the lock file had it, so that no request was made.
    pub pinned: bool,
    /// The model that wrote it.
    pub model: Option<String>,
    /// The provider that ran the model, if the server tells.
    #[serde(default)]
    pub provider: Option<String>,
    /// True if the user has edited it in the lock file.
    #[serde(default)]
    pub edited: bool,
    /// True if the lock file had an answer to an older question.
    #[serde(default)]
    pub stale: bool,
    /// True if it names an image that is not one of Docker's official images.
    #[serde(default)]
    pub unverified: bool,
    /// The number of times that an answer was sent back to the model.
    #[serde(default)]
    pub repairs: u32,
    /// The file that keeps the user's edit, if a new answer replaced it in the lock file.
    #[serde(default)]
    pub backup: Option<PathBuf>,
    /// The tokens of the prompt, if the server tells.
    pub tokens_in: Option<u64>,
    /// The tokens of the answer, if the server tells.
    pub tokens_out: Option<u64>,
    /// The cost in US dollars, if the server tells.
    pub cost: Option<f64>,
    /// The duration of the request, with its retries.
    pub seconds: f64,
    /// The reason of the failure, if it failed.
    pub error: Option<String>,
}

impl ArtifactOutcome {
    /// The outcome of an artifact before anything is known of it.
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

/// An artifact and its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactReport {
    /// The outcome.
    #[serde(flatten)]
    pub outcome: ArtifactOutcome,
    /// The artifact; `None` if the request failed or was not made.
    pub content: Option<Artifact>,
    /// The unified diff against the artifact that was pinned before.
    pub diff: Option<String>,
    /// The messages that a dry run would send.
    pub request: Option<serde_json::Value>,
}

impl ArtifactReport {
    /// The report of an artifact without content.
    pub fn new(outcome: ArtifactOutcome) -> Self {
        Self { outcome, content: None, diff: None, request: None }
    }

    /// Adds the difference from the artifact that was pinned before.
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
    /// The resource.
    #[serde(flatten)]
    pub address: Address,
    /// The host's name in the inventory.
    pub host: String,
    /// The description of the assertion, in one line.
    pub assertion: String,
    /// True if the assertion holds.
    pub ok: bool,
    /// The reason of the failure, if it does not hold.
    pub error: Option<String>,
    /// The number of tries.
    pub attempts: u32,
    /// The duration of all tries, with the time between them.
    pub seconds: f64,
}

impl FieldChange {
    /// Returns true if a text changed that the state does not keep.
    pub fn is_of_a_text(&self) -> bool {
        state::stands_in(&self.before) || state::stands_in(&self.after)
    }
}

/// The failure of a command that has something to report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The class of the failure in `clockwork.exceptions`.
    #[serde(rename = "kind")]
    pub class: Cow<'static, str>,
    /// The message: the failure, and what to do next.
    pub message: String,
}

/// The report of a command.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The version of the document that `--json` prints.
    pub schema: u32,
    /// `apply`, `plan`, `generate`, `destroy` or `check`.
    pub command: &'static str,
    /// True if the command changed nothing.
    pub dry_run: bool,
    /// The folder of main.py.
    pub folder: String,
    /// The outcome of the deployment.
    #[serde(flatten)]
    pub deploy: DeployOutcome,
    /// The outcomes of the artifacts.
    pub artifacts: Vec<ArtifactReport>,
    /// The outcomes of the assertions.
    pub checks: Vec<CheckOutcome>,
    /// The duration.
    pub seconds: f64,
    /// Further sentences for the user.
    pub notes: Vec<String>,
    /// The reason of the failure, if it failed.
    #[serde(rename = "error")]
    pub failure: Option<Failure>,
}

impl Failure {
    /// Converts an error to a failure.
    pub fn of(error: &crate::Error) -> Self {
        Self::new(error.class().to_owned(), error.to_string())
    }

    /// A failure of a class, with its message.
    pub fn new(class: impl Into<Cow<'static, str>>, message: String) -> Self {
        Self { class: class.into(), message }
    }
}

impl Report {
    /// True if a model wrote a resource's artifact in this run.
    pub fn has_written(&self, address: &Address) -> bool {
        self.artifacts.iter().any(|artifact| {
            artifact.outcome.address == *address && !artifact.outcome.pinned && artifact.content.is_some()
        })
    }

    /// The version of the document. It is raised if a key changes its meaning or is removed, and
    /// not if a key is added.
    pub const SCHEMA: u32 = 1;

    /// A report without outcomes.
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
