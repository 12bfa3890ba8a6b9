//! Resources as the core knows them: what they are called, what their model has to fill in, and what
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
    /// True if the answer is the text of a file, whose format the file's name decides.
    #[serde(default)]
    pub text: bool,
    /// The kind's own words for the model. They are part of the prompt and not of the fingerprint.
    #[serde(default)]
    pub instructions: Option<String>,
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

/// A resource as main.py declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredResource {
    /// The resource.
    pub address: Address,
    /// The name that it had before, where it says so.
    pub renamed_from: Option<String>,
    /// The path of the group that it is in, such as `webapp/storage`.
    pub group: Option<String>,
    /// The places of the resources that it needs.
    pub needs: Vec<usize>,
    /// The file and line of its definition, for messages.
    pub defined_at: Option<String>,
}

/// A resource that is complete: what is to be there, and the work that brings it there.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct CompiledResource {
    /// The resource.
    pub address: Address,
    /// The identity of the thing on its host.
    pub identity: String,
    /// The other things that only one resource on a host may have.
    pub claims: Vec<String>,
    /// The identities and claims that it needs where something in the project provides them.
    pub uses: Vec<String>,
    /// The name of the file that defines it; none where a program passed it.
    pub source: Option<String>,
    /// The path of the group that it belongs to.
    pub group: Option<String>,
    /// Whether it must be neither removed nor replaced.
    pub protect: bool,
    /// The resources that it needs.
    pub needs: Vec<Address>,
    /// The hosts that it is for.
    pub hosts: Hosts,
    /// The steps that bring it up; none where nobody asked for them.
    pub deploy: Vec<Step>,
    /// The steps that take it down, where it says so.
    pub destroy: Option<Vec<Step>>,
    /// The part of them that the state may keep.
    pub removal: Removal,
    /// Its fields, as far as they may be shown.
    pub fields: Map<String, Value>,
    /// The names of the fields that differ from their defaults.
    pub given: BTreeSet<String>,
    /// The hash of the fields that differ from their defaults.
    pub fields_fingerprint: String,
    /// The hash of the steps.
    pub steps_fingerprint: String,
    /// The hash of its code as format 1 of the state made it, where the kind returns code.
    pub code_fingerprint: Option<String>,
    /// The SHA-256 of the content that it writes, where it is a file.
    pub content: Option<String>,
    /// Whether its host executes what a model wrote for it.
    pub executes: bool,
    /// The field that a text of the model's fills.
    pub text_field: Option<String>,
    /// The values of its secrets.
    pub secrets: Vec<String>,
    /// Those of them that its steps name.
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
    /// A resource that is to be nowhere and does nothing yet.
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

    /// Computes its fingerprints. `values` are the fields that differ from their defaults, secrets included: the key
    /// keeps those from being guessed.
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

    /// Whether fields that an entry of format 1 keeps are those of this resource. Fields that came later do not count
    /// as long as they have their defaults.
    pub fn has_fields(&self, stored: &Map<String, Value>) -> bool {
        let is_same =
            |(name, value): (&String, &Value)| self.fields.get(name).unwrap_or(&Value::Null) == value;
        stored.iter().all(is_same)
            && self.given.iter().all(|name| name == "name" || stored.contains_key(name))
    }
}
