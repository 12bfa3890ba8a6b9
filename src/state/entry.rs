//! One entry of the state: one thing on one host.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::operation::Step;
use crate::resource::{Address, CompiledResource};

/// The way in which something is taken down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// These steps.
    Steps(Vec<Step>),
    /// The resource does not say how it is taken down.
    Unknown,
    /// There are steps, but they hold a secret, which no state keeps.
    Secret,
}

/// A thing that was brought up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// The hash of the fields that differ from their defaults. None in an entry of format 1: its `fields` are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields_fingerprint: Option<String>,
    /// The hash of the steps that brought it up.
    pub steps_fingerprint: String,
    /// The resource's fields, as far as they may be shown.
    pub fields: Map<String, Value>,
    /// A keyed hash of the content that was written, where the resource is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The way in which it is taken down.
    pub removal: Removal,
    /// The time, in UTC.
    pub at: String,
    /// The version of Clockwork that did it.
    pub by: String,
}

/// The work that a run was about to do when it was last heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingAction {
    /// Bring it up.
    Apply,
    /// Take it down.
    Remove,
}

/// Work that was begun, and of which it is not known how far it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// The work.
    pub intent: PendingAction,
    /// The way in which the outcome of it is taken down.
    pub removal: Removal,
    /// The time, in UTC.
    pub at: String,
    /// The version of Clockwork that did it.
    pub by: String,
}

/// One thing on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateEntry {
    /// The host's name in the inventory.
    pub host: String,
    /// The identity of the thing, which no two entries of a host share.
    pub identity: String,
    /// The resource that it belongs to.
    #[serde(flatten)]
    pub address: Address,
    /// The other things that only this resource may have on its host, such as ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// The name of the file that defines it; none where a program passed it.
    #[serde(default)]
    pub source: Option<String>,
    /// The path of the group that it belongs to.
    #[serde(default)]
    pub group: Option<String>,
    /// True if it must not be removed.
    #[serde(default)]
    pub protect: bool,
    /// The resources that it needs.
    #[serde(default)]
    pub needs: Vec<Address>,
    /// The last whole deploy of it.
    pub deployed: Option<Deployed>,
    /// The work that was begun since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// Steps that take down what it had before, such as a network, and that nothing else knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Step>,
}

/// A relation of a compiled resource to the deployed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Fields and steps are those that were deployed.
    None,
    /// Fields differ.
    Fields,
    /// Only steps differ: another version or other code of the kind does the work in another way.
    Steps,
}

impl Removal {
    /// The steps, where there are some.
    pub fn steps(&self) -> Option<&[Step]> {
        match self {
            Self::Steps(steps) => Some(steps),
            Self::Unknown | Self::Secret => None,
        }
    }
}

impl Deployed {
    /// Compares it with what main.py wants now.
    pub fn difference(&self, wanted: &CompiledResource) -> Difference {
        let same_fields = match &self.fields_fingerprint {
            Some(fingerprint) => *fingerprint == wanted.fields_fingerprint,
            None if wanted.code_fingerprint.is_some() => {
                wanted.code_fingerprint.as_ref() == Some(&self.steps_fingerprint)
            }
            // Format 1 kept the fields in the form in which they are shown.
            None => wanted.has_fields(&self.fields),
        };
        if !same_fields {
            Difference::Fields
        } else if self.fields_fingerprint.is_some() && self.steps_fingerprint != wanted.steps_fingerprint {
            Difference::Steps
        } else {
            Difference::None
        }
    }
}

impl StateEntry {
    /// An entry of which nothing is known yet.
    pub fn new(address: Address, host: &str, identity: &str) -> Self {
        Self {
            host: host.to_owned(),
            identity: identity.to_owned(),
            address,
            claims: Vec::new(),
            source: None,
            group: None,
            protect: false,
            needs: Vec::new(),
            deployed: None,
            pending: None,
            leftovers: Vec::new(),
        }
    }

    /// True if it is that thing on that host.
    pub fn is(&self, host: &str, identity: &str) -> bool {
        self.identity == identity && self.host == host
    }

    /// The steps that take down all that may be there, or the reason why they are not known.
    pub fn removal(&self) -> Removal {
        let mut all: Vec<Step> = Vec::new();
        let current = self.deployed.iter().map(|deployed| &deployed.removal);
        for removal in current.chain(self.pending.iter().map(|pending| &pending.removal)) {
            match removal {
                Removal::Steps(steps) => extend(&mut all, steps),
                unknown => return unknown.clone(),
            }
        }
        extend(&mut all, &self.leftovers);
        Removal::Steps(all)
    }

    /// The time when something was last done to it, in UTC.
    pub fn at(&self) -> &str {
        let deployed = self.deployed.as_ref().map(|deployed| deployed.at.as_str());
        self.pending.as_ref().map(|pending| pending.at.as_str()).or(deployed).unwrap_or_default()
    }

    /// Keeps steps that `removal` does not have, so that what they take down is not forgotten.
    pub(super) fn keep_leftovers(&mut self, steps: &[Step], removal: &Removal) {
        let mut kept = std::mem::take(&mut self.leftovers);
        extend(&mut kept, steps);
        let wanted = removal.steps().unwrap_or_default();
        kept.retain(|step| !wanted.iter().any(|other| other.does_the_same(step)));
        self.leftovers = kept;
    }
}

/// Adds those steps that are not there yet.
fn extend(all: &mut Vec<Step>, steps: &[Step]) {
    for step in steps {
        if !all.iter().any(|known| known.does_the_same(step)) {
            all.push(step.clone());
        }
    }
}
