//! What a deploy or a plan did: per operation, per resource and host, and in all.

use serde::{Deserialize, Serialize};

use crate::resource::Address;

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

    /// The word for it in a table.
    pub fn word(self) -> &'static str {
        match self {
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
        use Action::{Change, Conditional, Create, Remove, Skipped, Unchanged};
        match (self, other) {
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
            error: error.or_else(|| operations.iter().find_map(|op| op.error.clone())),
            seconds: operations.iter().map(|op| op.seconds).sum(),
            diff: (!diffs.is_empty()).then(|| diffs.concat()),
            operations,
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactOutcome {
    /// The resource that it is for.
    #[serde(flatten)]
    pub address: Address,
    /// Whether it came out of the lock, without a request.
    pub pinned: bool,
    /// The model that wrote it.
    pub model: Option<String>,
    /// Tokens that went in and came out, where the server tells.
    pub tokens_in: Option<u64>,
    /// Tokens that came out.
    pub tokens_out: Option<u64>,
    /// What it cost in US dollars, where the server tells.
    pub cost: Option<f64>,
    /// How long the request took, with its retries.
    pub seconds: f64,
    /// Why it could not be had, where it could not.
    pub error: Option<String>,
}
