//! What the core knows of a resource: what it is called, and what its model has to fill in.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What tells one resource from all others: its kind and its name.
///
/// Two resources of different kinds may share a name; two of one kind may not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The name of the resource's class, such as `FileResource`.
    pub kind: String,
    /// The name that the user gave it.
    pub name: String,
}

impl Address {
    /// Whether this is what somebody means who types `name`, be it the name or `Kind.name`.
    pub fn is_called(&self, name: &str) -> bool {
        let rest = || name.strip_prefix(&self.kind)?.strip_prefix('.');
        name == self.name || rest() == Some(&self.name)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}'", self.kind, self.name.escape_debug())
    }
}

/// How long a text the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactSize {
    /// About 100 to 500 words.
    #[default]
    Small,
    /// About 500 to 2000 words.
    Medium,
    /// More than 2000 words.
    Large,
}

/// What a resource asks the model for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// The resource that asks.
    pub address: Address,
    /// The name that it had before, where it has another one now.
    #[serde(default)]
    pub renamed_from: Option<String>,
    /// The template that words the question: `file`, `docker_service`, or `resource` for a kind
    /// of the user's own.
    pub template: String,
    /// What the user wants, in the user's words.
    pub description: Option<String>,
    /// How long the text should be.
    #[serde(default)]
    pub size: ArtifactSize,
    /// The fields that the user set, without the values of anything secret.
    #[serde(default)]
    pub fields: Map<String, Value>,
    /// The fields among these that say where or how the thing is put. They do not bear on the answer, so a
    /// new value of one is no reason to ask again.
    #[serde(default)]
    pub placement: Vec<String>,
    /// The JSON schema of the answer; a plain text is wanted where there is none.
    pub schema: Option<Value>,
    /// Files that the user gives the model to read.
    #[serde(default)]
    pub context: Vec<ContextFile>,
    /// The project's other resources, to refer to.
    #[serde(default)]
    pub project: Vec<ProjectResource>,
}

/// A file that the user gives the model to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextFile {
    /// Its path, as the user wrote it.
    pub path: String,
    /// Its text. The secrets in it are taken out before it is sent.
    pub text: String,
}

/// What one resource may know of another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectResource {
    /// The name of its class.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the resource that asks is connected to it, and not merely in the same project.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub connected: bool,
    /// The fields that the user set, of one that it is connected to.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

impl Artifact {
    /// The artifact as a person reads it: the text itself, or indented JSON.
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Object(object) => format!("{:#}\n", Value::Object(object.clone())),
        }
    }
}

/// What the model wrote for one resource: a text, or an object that follows the request's schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Artifact {
    /// The whole content of a file, say.
    Text(String),
    /// Values for fields that the user left out.
    Object(Map<String, Value>),
}
