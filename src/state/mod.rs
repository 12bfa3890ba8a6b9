//! `.clockwork/state.json`: what was deployed where, and how to take it down again.

mod file;
mod heir;
mod record;
mod shown;
mod store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::VERSION;
use crate::clock::now;
use crate::resource::Address;
use crate::suggestion;

pub use heir::hand_over;
pub use record::{begin, forget, record};
pub use shown::{hidden, shown, stands_in};
pub use store::{Store, Wait};

/// The state's file, in the folder of main.py.
pub const FILE_NAME: &str = ".clockwork/state.json";

/// The code that takes a resource down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// pyinfra code.
    Code(String),
    /// The resource does not say how it is taken down.
    Unknown,
    /// There is code, but it holds a secret, which no state keeps.
    Secret,
}

/// What was brought up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// The hash of the code that brought it up.
    pub fingerprint: String,
    /// The resource's fields, as far as they may be shown.
    pub fields: Map<String, Value>,
    /// What takes it down.
    pub removal: Removal,
    /// When, in UTC.
    pub at: String,
    /// The version of Clockwork that did it.
    pub by: String,
}

/// What a run was about to do when it was last heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Bring it up.
    Apply,
    /// Take it down.
    Remove,
}

/// Something that was begun, and of which it is not known how far it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What was begun.
    pub intent: Intent,
    /// What takes down what may have come of it.
    pub removal: Removal,
    /// When, in UTC.
    pub at: String,
    /// The version of Clockwork that did it.
    pub by: String,
}

/// What takes down what an earlier run may have left beside what is deployed now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// The code.
    pub removal: Removal,
    /// The version of Clockwork that knew it first.
    pub by: String,
}

/// What is known of one resource on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The resource.
    #[serde(flatten)]
    pub address: Address,
    /// The host's name in the inventory.
    pub host: String,
    /// The name of the file that defines it; none where a program passed it.
    #[serde(default)]
    pub source: Option<String>,
    /// The path of the group that it belongs to.
    #[serde(default)]
    pub group: Option<String>,
    /// Whether it must not be removed.
    #[serde(default)]
    pub protect: bool,
    /// What it needs.
    #[serde(default)]
    pub needs: Vec<Address>,
    /// What was last brought up as a whole.
    pub deployed: Option<Deployed>,
    /// What was begun since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// What takes down what it had before, as far as nobody has done that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Leftover>,
}

/// What main.py wants of a resource, as far as the state is concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The resource.
    pub address: Address,
    /// The name of the file that defines it.
    pub source: Option<String>,
    /// The path of the group that it belongs to.
    pub group: Option<String>,
    /// Whether it must be neither removed nor replaced.
    pub protect: bool,
    /// What it needs.
    pub needs: Vec<Address>,
    /// The hash of the code that brings it up.
    pub fingerprint: String,
    /// Its fields, as far as they may be shown.
    pub fields: Map<String, Value>,
    /// What takes it down.
    pub removal: Removal,
    /// Whether other code to take it down means that it has another place now, so that what stands
    /// at the old one is to go.
    pub has_place: bool,
}

/// A resource that has another name now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// What it was called.
    pub old: Address,
    /// What it is called.
    pub new: Address,
}

/// Everything that is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    entries: Vec<Entry>,
}

impl Removal {
    /// The code, where there is some.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Code(code) => Some(code),
            Self::Unknown | Self::Secret => None,
        }
    }

    /// Whether it takes down all that another one does: all lines of it stand in it, one after the other.
    pub fn holds(&self, part: &Self) -> bool {
        match (self, part) {
            (Self::Code(whole), Self::Code(part)) => {
                format!("\n{}\n", whole.trim_end()).contains(&format!("\n{}\n", part.trim_end()))
            }
            (one, other) => one == other,
        }
    }
}

impl Deployed {
    /// Whether it was deployed just as it is wanted now.
    pub fn is(&self, wanted: &Wanted) -> bool {
        // Another version may word in another way how the same thing is taken down.
        self.fingerprint == wanted.fingerprint && (self.removal == wanted.removal || self.by != VERSION)
    }
}

impl Entry {
    /// Whether it is on that host, and is that resource.
    pub fn is(&self, address: &Address, host: &str) -> bool {
        self.address == *address && self.host == host
    }

    /// What takes down all that may be there: what was deployed, what was begun since, and what was
    /// left before.
    pub fn removals(&self) -> Vec<&Removal> {
        let leftovers = self.leftovers.iter().map(|leftover| &leftover.removal);
        let mut all: Vec<&Removal> = Vec::new();
        for removal in self.current().chain(leftovers) {
            if !all.iter().any(|known| known.holds(removal)) {
                all.push(removal);
            }
        }
        all
    }

    /// The same, in the words of this version. Another one may word the same thing in another way.
    pub fn removals_in_our_words(&self) -> impl Iterator<Item = &Removal> {
        let deployed = self.deployed.iter().map(|deployed| (&deployed.removal, &deployed.by));
        let pending = self.pending.iter().map(|pending| (&pending.removal, &pending.by));
        let leftovers = self.leftovers.iter().map(|leftover| (&leftover.removal, &leftover.by));
        let all = deployed.chain(pending).chain(leftovers);
        all.filter(|(_, by)| *by == VERSION).map(|(removal, _)| removal)
    }

    /// What takes down what it is now, as far as is known.
    fn current(&self) -> impl Iterator<Item = &Removal> {
        let deployed = self.deployed.iter().map(|deployed| &deployed.removal);
        deployed.chain(self.pending.iter().map(|pending| &pending.removal))
    }

    /// When something was last done to it, in UTC.
    pub fn at(&self) -> &str {
        let deployed = self.deployed.as_ref().map(|deployed| deployed.at.as_str());
        self.pending.as_ref().map(|pending| pending.at.as_str()).or(deployed).unwrap_or_default()
    }
}

impl State {
    /// Everything, in the order in which it was first deployed.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is known of a resource on a host.
    pub fn get(&self, address: &Address, host: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is(address, host))
    }

    /// What is known of a resource, host by host.
    pub fn of<'a>(&'a self, address: &'a Address) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.address == *address)
    }

    /// What is known, by resource and host.
    pub fn by_place(&self) -> HashMap<(&Address, &str), &Entry> {
        self.entries.iter().map(|entry| ((&entry.address, entry.host.as_str()), entry)).collect()
    }

    /// What a file once defined and does not define any more.
    pub fn gone<'a>(&'a self, source: Option<&'a str>, wanted: &'a [Address]) -> Vec<&'a Entry> {
        let there: std::collections::HashSet<&Address> = wanted.iter().collect();
        let mine = |entry: &&Entry| source.is_some() && entry.source.as_deref() == source;
        self.entries.iter().filter(mine).filter(|entry| !there.contains(&entry.address)).collect()
    }

    /// What goes by a name: `name`, or `Kind.name`, on all hosts or on one. An error says what there is.
    pub fn find(&self, name: &str, host: Option<&str>) -> Result<Vec<&Entry>, String> {
        let called: Vec<&Entry> = self.entries.iter().filter(|entry| entry.address.is_called(name)).collect();
        if called.is_empty() {
            let known: Vec<&str> = self.entries.iter().map(|entry| entry.address.name.as_str()).collect();
            let hint = suggestion::hint(name, &known, "It is empty.");
            return Err(format!("the state knows nothing called '{}'. {hint}", name.escape_debug()));
        }
        let Some(host) = host else { return Ok(called) };
        let found: Vec<&Entry> = called.iter().copied().filter(|entry| entry.host == host).collect();
        if found.is_empty() {
            let mut hosts: Vec<&str> = called.iter().map(|entry| entry.host.as_str()).collect();
            hosts.sort_unstable();
            hosts.dedup();
            return Err(format!(
                "the state knows nothing called '{}' on {}. It is on: {}.",
                name.escape_debug(),
                host.escape_debug(),
                hosts.join(", ")
            ));
        }
        Ok(found)
    }

    /// Gives what is known under an older name to the resource that says that it had it. Returns the
    /// new names of what was known under an older one until now.
    pub fn rename(&mut self, renames: &[Rename]) -> Vec<Address> {
        let mut found = Vec::new();
        for Rename { old, new } in renames {
            // What is known under the new name already is that resource's own.
            if self.of(new).next().is_some() {
                continue;
            }
            if self.of(old).next().is_some() {
                found.push(new.clone());
            }
            for entry in &mut self.entries {
                if entry.address == *old {
                    entry.address = new.clone();
                }
                for need in &mut entry.needs {
                    if need == old {
                        *need = new.clone();
                    }
                }
            }
        }
        found
    }

    fn entry(&mut self, address: &Address, host: &str) -> &mut Entry {
        let place = self.entries.iter().position(|entry| entry.is(address, host));
        let place = place.unwrap_or_else(|| {
            self.entries.push(Entry {
                address: address.clone(),
                host: host.to_owned(),
                source: None,
                group: None,
                protect: false,
                needs: Vec::new(),
                deployed: None,
                pending: None,
                leftovers: Vec::new(),
            });
            self.entries.len() - 1
        });
        &mut self.entries[place]
    }
}

/// Who writes the state.
fn version() -> String {
    VERSION.to_owned()
}
