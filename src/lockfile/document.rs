//! The content of a lock file, apart from the file: its entries, and the changes that runs make.

use std::collections::{BTreeMap, HashSet};

use super::Entry;
use crate::resource::Address;

/// The content of a lock file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Document {
    /// The entries of each address, ordered by fingerprint. No two of one address have the same.
    pub entries: BTreeMap<Address, Vec<Entry>>,
    /// Keys of the file that this version does not know. They are written back as they are.
    pub unknown: toml::Table,
}

/// One change that a run makes to the entries of an address.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// The entry is added, or takes the place of the one with the same fingerprint.
    Insert(Box<Entry>),
    /// The entry with this fingerprint is removed.
    Remove(Option<String>),
    /// The stack no longer uses the entry with this fingerprint.
    Release(Option<String>, String),
}

impl Document {
    /// Adds an entry; the error is the entry itself if there is one with its fingerprint.
    pub fn add(&mut self, address: Address, entry: Entry) -> Result<(), Address> {
        let entries = self.entries.entry(address.clone()).or_default();
        let Err(place) = entries.binary_search_by(|other| other.fingerprint.cmp(&entry.fingerprint)) else {
            return Err(address);
        };
        entries.insert(place, entry);
        Ok(())
    }

    /// Makes a change.
    pub fn apply(&mut self, address: &Address, change: &Change) {
        let entries = self.entries.entry(address.clone()).or_default();
        match change {
            Change::Insert(entry) => {
                match entries.binary_search_by(|other| other.fingerprint.cmp(&entry.fingerprint)) {
                    Ok(place) => {
                        let stacks = std::mem::take(&mut entries[place].stacks);
                        entries[place] = Entry { stacks: union(stacks, &entry.stacks), ..(**entry).clone() };
                    }
                    Err(place) => entries.insert(place, (**entry).clone()),
                }
            }
            Change::Remove(fingerprint) => entries.retain(|entry| entry.fingerprint != *fingerprint),
            Change::Release(fingerprint, stack) => entries.retain_mut(|entry| {
                if entry.fingerprint != *fingerprint || !entry.stacks.contains(stack) {
                    return true;
                }
                entry.stacks.retain(|other| other != stack);
                !entry.stacks.is_empty()
            }),
        }
        if entries.is_empty() {
            self.entries.remove(address);
        }
    }

    /// The changes that leave only the entries that somebody wants; see [`Lock::retain`](super::Lock::retain).
    pub fn unwanted(
        &self,
        wanted: &HashSet<(Address, Option<String>)>,
        stack: Option<&str>,
    ) -> Vec<(Address, Change)> {
        let addresses: HashSet<&Address> = wanted.iter().map(|(address, _)| address).collect();
        let mut changes = Vec::new();
        for (address, entries) in &self.entries {
            let is_wanted = |entry: &Entry| wanted.contains(&(address.clone(), entry.fingerprint.clone()));
            let is_answered = entries.iter().any(is_wanted);
            for entry in entries.iter().filter(|entry| !is_wanted(entry)) {
                let fingerprint = entry.fingerprint.clone();
                if entry.stacks.is_empty() {
                    // An answer to an older question goes once there is one to the new question. One that
                    // the user edited goes only with its resource.
                    let is_replaced = is_answered && !entry.edited();
                    if is_replaced || !addresses.contains(address) {
                        changes.push((address.clone(), Change::Remove(fingerprint)));
                    }
                } else if let Some(stack) =
                    stack.filter(|stack| entry.stacks.iter().any(|other| other == stack))
                {
                    changes.push((address.clone(), Change::Release(fingerprint, stack.to_owned())));
                }
            }
        }
        changes
    }
}

/// The stacks of both lists, each once.
fn union(mut stacks: Vec<String>, more: &[String]) -> Vec<String> {
    for stack in more {
        if !stacks.contains(stack) {
            stacks.push(stack.clone());
        }
    }
    stacks
}
