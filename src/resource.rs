//! Resources: their addresses, their requests to a model, the artifacts, and the compiled resources.
//! they compile to.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::compile::Hosts;
use crate::hash::keyed_sha256;
use crate::intent::SecretValues;
use crate::operation::{self, Step};
use crate::state::Removal;

/// The kind and the name of a resource. They identify it in the project.
///
/// Two resources of different kinds may share a name; two of one kind may not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The name of the resource's class, such as `FileResource`.
    pub kind: String,
    /// The name that the user has given.
    pub name: String,
}

impl Address {
    /// Returns true if `name` means this address: it is the name, or `Kind.name`.
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

/// The length of the text that the user wants.
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

/// The question of a resource to the model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// The resource that asks.
    pub address: Address,
    /// The former name, if the resource was renamed.
    #[serde(default)]
    pub renamed_from: Option<String>,
    /// True if the answer is the text of a file, whose format the file's name decides.
    #[serde(default)]
    pub text: bool,
    /// The kind's own words for the model. They are part of the prompt and not of the fingerprint.
    #[serde(default)]
    pub instructions: Option<String>,
    /// The purpose, in the user's words.
    pub description: Option<String>,
    /// The wanted length of the text.
    #[serde(default)]
    pub size: ArtifactSize,
    /// The fields that the user set, without the values of anything secret.
    #[serde(default)]
    pub fields: Map<String, Value>,
    /// The fields among these that say where or how the thing is put. They do not bear on the answer, so a
    /// new value of one is no reason to ask again.
    #[serde(default)]
    pub placement: Vec<String>,
    /// The JSON schema of the answer. Without one the answer is a plain text.
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

/// Another resource of the project, as the question shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectResource {
    /// The name of its class.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// True if the resource that asks is connected to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub connected: bool,
    /// The fields that the user set. Only connected resources show them.
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

/// The content that a model has written for one resource: a text, or an object that follows the schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Artifact {
    /// A text, such as the content of a file.
    Text(String),
    /// Values for fields that the user left out.
    Object(Map<String, Value>),
}

/// A resource as main.py declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredResource {
    /// The resource.
    pub address: Address,
    /// The former name, if main.py gives one.
    pub renamed_from: Option<String>,
    /// The path of the group that it is in, such as `webapp/storage`.
    pub group: Option<String>,
    /// The indexes of the resources that it depends on.
    pub needs: Vec<usize>,
    /// The file and line of its definition, for messages.
    pub defined_at: Option<String>,
}

/// A resource whose artifact is known: its desired state, and the steps that lead to it.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct CompiledResource {
    /// The resource.
    pub address: Address,
    /// The identity of the thing on its host.
    pub identity: String,
    /// Its claims: other things that only one resource on a host may have.
    pub claims: Vec<String>,
    /// Its uses: identities and claims that it needs if something in the project provides them.
    pub uses: Vec<String>,
    /// The name of the file that defines it; `None` if a program passed it.
    pub source: Option<String>,
    /// The path of the group that it belongs to.
    pub group: Option<String>,
    /// True if it must be neither removed nor replaced.
    pub protect: bool,
    /// The resources that it depends on.
    pub needs: Vec<Address>,
    /// The hosts that it is for.
    pub hosts: Hosts,
    /// The steps that deploy it.
    pub deploy: Vec<Step>,
    /// The steps that destroy it, if the kind gives any.
    pub destroy: Option<Vec<Step>>,
    /// The part of those steps that the state may keep.
    pub removal: Removal,
    /// The fields that may be shown.
    pub fields: Map<String, Value>,
    /// The names of the fields that differ from their defaults.
    pub given: BTreeSet<String>,
    /// The hash of the fields that differ from their defaults.
    pub fields_fingerprint: String,
    /// The hash of the steps.
    pub steps_fingerprint: String,
    /// The hash of its code as in format 1 of the state, if the kind returns code.
    pub code_fingerprint: Option<String>,
    /// The SHA-256 of its content, if it is a file.
    pub content: Option<String>,
    /// True if the host executes a text of the model.
    pub executes: bool,
    /// The field for a text of the model.
    pub text_field: Option<String>,
    /// The values of the secrets.
    pub secrets: Vec<String>,
    /// The secrets that its steps name.
    pub named_secrets: SecretValues,
    /// The file and line of its definition, for messages.
    pub defined_at: Option<String>,
}

/// Compiled resources by address and host. Several may share an address where their hosts differ.
#[derive(Debug, Default)]
pub struct Desired<'a>(HashMap<&'a Address, Vec<&'a CompiledResource>>);

impl<'a> Desired<'a> {
    /// An index of resources.
    pub fn new(all: &'a [CompiledResource]) -> Self {
        let mut index = Self::default();
        for resource in all {
            index.0.entry(&resource.address).or_default().push(resource);
        }
        index
    }

    /// The resource of that address that is for a host.
    pub fn get(&self, address: &Address, host: &str) -> Option<&'a CompiledResource> {
        self.0.get(address)?.iter().find(|resource| resource.hosts.has(host)).copied()
    }
}

impl CompiledResource {
    /// A resource without steps.
    pub fn new(address: Address, identity: String) -> Self {
        Self {
            address,
            identity,
            claims: Vec::new(),
            uses: Vec::new(),
            source: None,
            group: None,
            protect: false,
            needs: Vec::new(),
            hosts: Hosts::All,
            deploy: Vec::new(),
            destroy: None,
            removal: Removal::Unknown,
            fields: Map::new(),
            given: BTreeSet::new(),
            fields_fingerprint: String::new(),
            steps_fingerprint: String::new(),
            code_fingerprint: None,
            content: None,
            executes: false,
            text_field: None,
            secrets: Vec::new(),
            named_secrets: SecretValues::default(),
            defined_at: None,
        }
    }

    /// Computes the fingerprints. `values` are the fields that differ from their defaults, secrets included, which
    /// the key protects from being guessed.
    pub fn seal(&mut self, key: &str, values: &Map<String, Value>) {
        let mut values = Value::Object(values.clone());
        values.sort_all_objects();
        self.fields_fingerprint = keyed_sha256(key.as_bytes(), values.to_string().as_bytes());
        let steps: Vec<Step> = self.deploy.iter().chain(self.destroy.iter().flatten()).cloned().collect();
        self.steps_fingerprint = operation::fingerprint(&steps);
        let declared = |key: &str| {
            self.deploy.iter().find_map(|step| match step {
                Step::Operation(operation) => operation.state.get(key)?.as_str().map(str::to_owned),
                Step::Code(_) => None,
            })
        };
        self.content = declared("sha256");
        let mode = declared("mode").and_then(|mode| u32::from_str_radix(&mode, 8).ok());
        self.executes |= self.content.is_some() && mode.is_some_and(|mode| mode & 0o111 != 0);
    }

    /// Returns true if the fields of an entry of format 1 are those of this resource. A newer field does not count
    /// as long as it has its default.
    pub fn has_fields(&self, stored: &Map<String, Value>) -> bool {
        let is_same =
            |(name, value): (&String, &Value)| self.fields.get(name).unwrap_or(&Value::Null) == value;
        stored.iter().all(is_same)
            && self.given.iter().all(|name| name == "name" || stored.contains_key(name))
    }
}
