//! `clockwork.lock`: the artifacts that a model wrote, pinned, so that they are reviewed, committed,
//! and paid for once.

mod document;
mod entry;
mod read;
mod toml_text;
mod write;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::atomic_file::{self, FilePolicy};
use crate::error::{Error, Result};
use crate::file_lock::FileLock;
use crate::resource::Address;
use crate::suggestion;
use document::{Change, Document};
pub use entry::Entry;
pub(crate) use entry::digest;

/// The name of the lock file, in the folder of main.py.
pub const FILE_NAME: &str = "clockwork.lock";

/// The file that keeps other runs away while one writes, in the folder of main.py.
const GUARD: &str = ".clockwork/clockwork.lock.guard";

/// The format that this version writes, and the newest that it reads.
const VERSION: i64 = 2;

/// The oldest format that this version reads.
const OLDEST_VERSION: i64 = 1;

/// The lock of one project.
///
/// Several runs may have it open at once. Each remembers its changes, and makes only these in the file
/// when it saves: entries that another run added meanwhile stay, and so do the user's edits.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    path: PathBuf,
    document: Document,
    /// The changes of this run that are not saved yet, in order.
    changes: Vec<(Address, Change)>,
    /// The file as this run last saw it.
    seen: String,
}

impl Lock {
    /// Reads a lock. A missing file is an empty lock; a file that cannot be understood is an error, and
    /// stays as it is.
    pub fn load(path: &Path) -> Result<Self> {
        let seen = read_file(path)?;
        let document = parse(path, &seen)?;
        Ok(Self { path: path.to_path_buf(), document, changes: Vec::new(), seen })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The entry that was last written for a resource, to whichever of its questions.
    pub fn get(&self, address: &Address) -> Option<&Entry> {
        let entries = self.document.entries.get(address)?;
        entries.iter().max_by_key(|entry| (entry.stacks.is_empty(), &entry.generated_at))
    }

    /// The entry that answers exactly this question of a resource.
    pub fn answer(&self, address: &Address, fingerprint: &str) -> Option<&Entry> {
        let mut entries = self.document.entries.get(address)?.iter();
        entries.find(|entry| entry.fingerprint.as_deref() == Some(fingerprint))
    }

    /// The entry that answers an older question of a resource, if its fingerprint is not among those that
    /// are wanted. One of format 1 comes first, then one that the user edited, then the newest.
    pub fn outdated(&self, address: &Address, wanted: &HashSet<(Address, Option<String>)>) -> Option<&Entry> {
        let entries = self.document.entries.get(address)?.iter().filter(|entry| entry.stacks.is_empty());
        let outdated = entries.filter(|entry| {
            entry.fingerprint.is_none() || !wanted.contains(&(address.clone(), entry.fingerprint.clone()))
        });
        outdated.max_by_key(|entry| (entry.fingerprint.is_none(), entry.edited(), &entry.generated_at))
    }

    /// The entry of the resource that is called `name`, or `Kind.name` if two kinds share the name.
    pub fn find(&self, name: &str) -> Result<(&Address, &Entry)> {
        let mut found = self.document.entries.keys().filter(|address| address.is_called(name));
        match (found.next(), found.next()) {
            (Some(address), Some(_)) => Err(Error::Settings(format!(
                "two kinds have something named '{name}': name one of them as {}.{name}",
                address.kind
            ))),
            (found, _) => found.and_then(|address| Some((address, self.get(address)?))).ok_or_else(|| {
                let known: Vec<&str> =
                    self.document.entries.keys().map(|address| address.name.as_str()).collect();
                Error::Settings(format!(
                    "{} has nothing for '{}'. {}",
                    self.path.display(),
                    name.escape_debug(),
                    suggestion::hint(name, &known, suggestion::NOTHING_GENERATED)
                ))
            }),
        }
    }

    /// All entries, by address.
    #[cfg(test)]
    pub fn entries(&self) -> impl Iterator<Item = (&Address, &Entry)> {
        let entries = self.document.entries.iter();
        entries.flat_map(|(address, entries)| entries.iter().map(move |entry| (address, entry)))
    }

    /// Pins an artifact, in memory. It takes the place of the entry with the same fingerprint.
    pub fn insert(&mut self, address: Address, entry: Entry) {
        self.change(address, Change::Insert(Box::new(entry)));
    }

    /// Removes the entry with this fingerprint, in memory.
    pub fn remove(&mut self, address: &Address, fingerprint: Option<&str>) {
        self.change(address.clone(), Change::Remove(fingerprint.map(str::to_owned)));
    }

    /// Drops the entries that nobody wants, in memory, and returns their addresses.
    ///
    /// `wanted` has each resource of main.py with the fingerprint of its question, or with none if it asks
    /// nothing. An entry without stacks is dropped if main.py no longer has its resource, or if another
    /// entry answers the resource's question by now. An entry with stacks is dropped once none of them
    /// wants it: `stack`, the one of this run, is taken off the entries that it does not want.
    pub fn retain(
        &mut self,
        wanted: &HashSet<(Address, Option<String>)>,
        stack: Option<&str>,
    ) -> Vec<Address> {
        let count = |lock: &Self, address: &Address| lock.document.entries.get(address).map_or(0, Vec::len);
        let mut dropped = Vec::new();
        for (address, change) in self.document.unwanted(wanted, stack) {
            let before = count(self, &address);
            self.change(address.clone(), change);
            if count(self, &address) < before {
                dropped.push(address);
            }
        }
        dropped
    }

    fn change(&mut self, address: Address, change: Change) {
        self.document.apply(&address, &change);
        self.changes.push((address, change));
    }

    /// Writes the lock if something in it has changed. The file is replaced in one step, so that nobody
    /// ever reads half of it and a crash leaves the old one.
    pub fn save(&mut self) -> Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let _guard = FileLock::acquire(&self.guard()).map_err(failed)?;
        let current = read_file(&self.path)?;
        if current != self.seen {
            // A file that can no longer be read stays as it is.
            self.document = parse(&self.path, &current)?;
            for (address, change) in &self.changes {
                self.document.apply(address, change);
            }
        }
        let text = write::document(&self.document);
        if text != current {
            atomic_file::replace(&self.path, &text, FilePolicy::Shared).map_err(failed)?;
        }
        self.seen = text;
        self.changes.clear();
        Ok(())
    }

    /// Fails if the lock cannot be written. A run calls it before it pays a model.
    pub fn check_writable(&self) -> Result<()> {
        let checked = FileLock::acquire(&self.guard()).and_then(|_| atomic_file::check_writable(&self.path));
        checked.map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// The guard is a file of its own, because the lock file is replaced by another each time.
    fn guard(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(GUARD)
    }
}

fn read_file(path: &Path) -> Result<String> {
    let bad = |reason: String| Error::Lock { path: path.to_path_buf(), reason };
    match fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| bad(read::corrupt("it is not UTF-8 text"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(bad(format!("cannot be read: {error}"))),
    }
}

fn parse(path: &Path, text: &str) -> Result<Document> {
    read::parse(text).map_err(|reason| Error::Lock { path: path.to_path_buf(), reason })
}

#[cfg(test)]
mod tests;
