//! One entry of the lock: what a model wrote for one question, and how it came about.

use serde_json::Value;

use crate::hash::sha256;
use crate::resource::Artifact;

/// One pinned artifact.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The hash of the question that it answers. An entry of format 1 has none: it answers the next
    /// question that its resource asks.
    pub fingerprint: Option<String>,
    /// The text or the object that the model wrote, or that the user made of it.
    pub content: Artifact,
    /// The hash of the content as the model wrote it.
    pub sha256: String,
    /// The model that wrote it.
    pub model: String,
    /// The provider that ran the model, if the server told.
    pub provider: Option<String>,
    /// The time at which it was written, in UTC.
    pub generated_at: String,
    /// Tokens of the question.
    pub tokens_in: Option<u64>,
    /// Tokens of the answer.
    pub tokens_out: Option<u64>,
    /// The cost in US dollars.
    pub cost: Option<f64>,
    /// The stacks that use it; empty in a project without stacks.
    pub stacks: Vec<String>,
    /// Keys that this version does not know. They are written back as they are.
    pub unknown: toml::Table,
}

impl Entry {
    /// Tells whether the content was edited after the model wrote it.
    pub fn edited(&self) -> bool {
        digest(&self.content) != self.sha256
    }
}

/// The hash of an artifact. The order of an object's keys makes no difference.
pub(crate) fn digest(artifact: &Artifact) -> String {
    match artifact {
        Artifact::Text(text) => sha256(text.as_bytes()),
        Artifact::Object(object) => {
            let mut value = Value::Object(object.clone());
            value.sort_all_objects();
            sha256(value.to_string().as_bytes())
        }
    }
}
