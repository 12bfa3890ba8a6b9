//! Intents: what an operation says that it is about to do on a host.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The action of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntentAction {
    /// The thing is not there.
    Create,
    /// The thing is there, but different.
    Change,
    /// The thing is there, and is not wanted.
    Remove,
}

/// What an operation is about to do on a host, in its own words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The action.
    pub action: IntentAction,
    /// The fields that differ: name, value on the host, wanted value. Null stands for what is not there.
    #[serde(default)]
    pub changes: Vec<(String, Value, Value)>,
    /// The identity of what is taken away to be made anew.
    #[serde(default)]
    pub replaces: Option<String>,
    /// The identity of what is there and loses what is in it.
    #[serde(default)]
    pub overwrites: Option<String>,
    /// What tells whether the thing that is there is the project's own: `sha256`, `project`, ….
    #[serde(default)]
    pub found: Map<String, Value>,
    /// The reason, where the changes do not tell it.
    #[serde(default)]
    pub reason: Option<String>,
    /// A unified diff.
    #[serde(default)]
    pub diff: Option<String>,
}
