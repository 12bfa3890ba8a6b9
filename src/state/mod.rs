//! `.clockwork/state.json`: what was deployed where, and the steps that destroy it.

mod entry;
mod file;
mod migrate;
mod record;
mod shown;
mod store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::VERSION;
use crate::clock::now;
use crate::resource::{Address, CompiledResource};
use crate::suggestion;

pub use entry::{Deployed, Difference, Pending, PendingAction, Removal, StateEntry};
pub use record::{begin, forget, record};
pub use shown::{hidden, shown, stands_in};
pub use store::{Store, Wait};

/// The state's file, in the folder of main.py.
pub const FILE_NAME: &str = ".clockwork/state.json";

/// A resource that has another name now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// Its former address.
    pub old: Address,
    /// Its present address.
    pub new: Address,
}

/// All that is known: entries by host and identity.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// The label of the things of this state, where they can carry one. Empty until something is written.
    pub lineage: String,
    /// The key of the hashes that stand for secrets and contents. Unlike the lineage, it stays here.
    pub key: String,
    entries: Vec<StateEntry>,
}

impl State {
    /// All entries, in the order in which they were first deployed.
    pub fn entries(&self) -> &[StateEntry] {
        &self.entries
    }

    /// The entry of a thing on a host.
    pub fn get(&self, host: &str, identity: &str) -> Option<&StateEntry> {
        self.entries.iter().find(|entry| entry.is(host, identity))
    }

    /// All entries of a resource: one a host, and more where it was elsewhere before.
    pub fn of<'a>(&'a self, address: &'a Address) -> impl Iterator<Item = &'a StateEntry> {
        self.entries.iter().filter(move |entry| entry.address == *address)
    }

    /// All entries, by host and identity.
    pub fn by_identity(&self) -> HashMap<(&str, &str), &StateEntry> {
        self.entries.iter().map(|entry| ((entry.host.as_str(), entry.identity.as_str()), entry)).collect()
    }

    /// The entries of resources that a file once defined and does not define any more.
    pub fn orphans<'a>(&'a self, source: Option<&'a str>, defined: &'a [Address]) -> Vec<&'a StateEntry> {
        let there: std::collections::HashSet<&Address> = defined.iter().collect();
        let mine = |entry: &&StateEntry| source.is_some() && entry.source.as_deref() == source;
        self.entries.iter().filter(mine).filter(|entry| !there.contains(&entry.address)).collect()
    }

    /// The entries that go by a name: `name`, or `Kind.name`, on all hosts or on one. An error says what there is.
    pub fn find(&self, name: &str, host: Option<&str>) -> Result<Vec<&StateEntry>, String> {
        let called: Vec<&StateEntry> =
            self.entries.iter().filter(|entry| entry.address.is_called(name)).collect();
        if called.is_empty() {
            let known: Vec<&str> = self.entries.iter().map(|entry| entry.address.name.as_str()).collect();
            let hint = suggestion::hint(name, &known, "It is empty.");
            return Err(format!("the state knows nothing called '{}'. {hint}", name.escape_debug()));
        }
        let Some(host) = host else { return Ok(called) };
        let found: Vec<&StateEntry> = called.iter().copied().filter(|entry| entry.host == host).collect();
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

    /// Gives the entries of a former name to the resource that says that it had it. Returns the new
    /// addresses of those that were known under the former one until now.
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

    /// Gives a thing another identity, where no other thing has it.
    pub fn change_identity(&mut self, host: &str, old: &str, new: &str) {
        if self.get(host, new).is_none()
            && let Some(entry) = self.find_mut(host, old)
        {
            new.clone_into(&mut entry.identity);
        }
    }

    /// Gives the entries of these hosts and identities the form that they have in another state.
    pub fn restore(&mut self, before: &Self, places: &[(&str, &str)]) {
        for (host, identity) in places {
            if let (Some(entry), Some(known)) = (self.find_mut(host, identity), before.get(host, identity)) {
                entry.clone_from(known);
            }
        }
    }

    fn find_mut(&mut self, host: &str, identity: &str) -> Option<&mut StateEntry> {
        self.entries.iter_mut().find(|entry| entry.is(host, identity))
    }

    /// The entry of a compiled resource on a host. A thing that another resource had before is taken over.
    fn entry(&mut self, resource: &CompiledResource, host: &str) -> &mut StateEntry {
        let place = self.entries.iter().position(|entry| entry.is(host, &resource.identity));
        let place = place.unwrap_or_else(|| {
            self.entries.push(StateEntry::new(resource.address.clone(), host, &resource.identity));
            self.entries.len() - 1
        });
        &mut self.entries[place]
    }
}

/// The version that writes the state.
fn version() -> String {
    VERSION.to_owned()
}
