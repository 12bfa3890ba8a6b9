//! `clockwork.lock`: what a model wrote, pinned, so that it is reviewed, committed, and paid for
//! once.

mod read;
mod text;
mod write;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::compile::kinds::hex_digest;
use crate::disk::{self, Guard, Keep};
use crate::error::{Error, Result};
use crate::resource::{Address, Artifact};
use crate::suggestion;

/// The name of the lock, in the folder of main.py.
pub const FILE_NAME: &str = "clockwork.lock";

/// What keeps other runs away while one writes, in the folder of main.py.
const GUARD: &str = ".clockwork/clockwork.lock.guard";

/// The format that this version writes, and the newest that it reads.
const VERSION: i64 = 1;

const HEAD: &str = "\
# What a model wrote for this project, pinned by Clockwork. Made to be read, reviewed and committed.
# A text that you edit here is kept until its resource's description or fields change.
";

/// One pinned artifact.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What tells the question that it answers from all others.
    pub fingerprint: String,
    /// What the model wrote, or what the user made of it.
    pub content: Artifact,
    /// The hash of what the model wrote.
    pub sha256: String,
    /// The model that wrote it.
    pub model: String,
    /// Who ran the model, where the server told.
    pub provider: Option<String>,
    /// When, in UTC.
    pub generated_at: String,
    /// Tokens of the question.
    pub tokens_in: Option<u64>,
    /// Tokens of the answer.
    pub tokens_out: Option<u64>,
    /// What it cost, in US dollars.
    pub cost: Option<f64>,
}

impl Entry {
    /// Whether the content was edited after the model wrote it.
    pub fn edited(&self) -> bool {
        digest(&self.content) != self.sha256
    }
}

/// The hash of an artifact, whatever the order of an object's keys.
pub fn digest(artifact: &Artifact) -> String {
    match artifact {
        Artifact::Text(text) => hex_digest(text.as_bytes()),
        Artifact::Object(object) => {
            let mut value = Value::Object(object.clone());
            value.sort_all_objects();
            hex_digest(value.to_string().as_bytes())
        }
    }
}

/// The lock of one project.
///
/// Several runs may have it open at once. Each remembers what it changed, and on saving changes just
/// that in the file as it is by then: what another run has added meanwhile stays, and so does what
/// the user has edited.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    path: PathBuf,
    entries: BTreeMap<Address, Entry>,
    /// What this run has pinned, and what it has dropped.
    changes: BTreeMap<Address, Option<Entry>>,
    /// The file as this run last saw it.
    seen: String,
}

impl Lock {
    /// Reads a lock; one that is not there is empty, one that cannot be understood is an error and
    /// stays as it is.
    pub fn load(path: &Path) -> Result<Self> {
        let seen = read_file(path)?;
        let entries = parse(path, &seen)?;
        Ok(Self { path: path.to_path_buf(), entries, changes: BTreeMap::new(), seen })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is pinned for a resource, whether or not its question is still the same.
    pub fn get(&self, address: &Address) -> Option<&Entry> {
        self.entries.get(address)
    }

    /// What is pinned under a name, or under `Kind.name` where two kinds share it.
    pub fn find(&self, name: &str) -> Result<(&Address, &Entry)> {
        let mut found = self.entries.iter().filter(|(address, _)| address.is_called(name));
        match (found.next(), found.next()) {
            (Some(found), None) => Ok(found),
            (Some((address, _)), Some(_)) => Err(Error::Settings(format!(
                "two kinds have something named '{name}': name one of them as {}.{name}",
                address.kind
            ))),
            (None, _) => {
                let known: Vec<&str> = self.entries.keys().map(|address| address.name.as_str()).collect();
                Err(Error::Settings(format!(
                    "{} has nothing for '{}'. {}",
                    self.path.display(),
                    name.escape_debug(),
                    suggestion::hint(name, &known, suggestion::NOTHING_GENERATED)
                )))
            }
        }
    }

    /// All that is pinned, by kind and name.
    pub fn entries(&self) -> impl Iterator<Item = (&Address, &Entry)> {
        self.entries.iter()
    }

    /// Pins an artifact, in memory.
    pub fn insert(&mut self, address: Address, entry: Entry) {
        self.changes.insert(address.clone(), Some(entry.clone()));
        self.entries.insert(address, entry);
    }

    /// Drops the entries of all resources but these, in memory, and says whose they were.
    pub fn retain(&mut self, addresses: &HashSet<Address>) -> Vec<Address> {
        let gone: Vec<Address> =
            self.entries.keys().filter(|address| !addresses.contains(address)).cloned().collect();
        self.entries.retain(|address, _| addresses.contains(address));
        self.changes.extend(gone.iter().map(|address| (address.clone(), None)));
        gone
    }

    /// Writes the lock where something in it has changed, in one step, so that nobody ever reads
    /// half of it and a crash leaves the old one.
    pub fn save(&mut self) -> Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let _guard = Guard::wait(&self.guard()).map_err(failed)?;
        let current = read_file(&self.path)?;
        if current != self.seen {
            // Where it can no longer be read, it stays as it is.
            self.entries = parse(&self.path, &current)?;
            for (address, change) in &self.changes {
                match change {
                    Some(entry) => self.entries.insert(address.clone(), entry.clone()),
                    None => self.entries.remove(address),
                };
            }
        }
        let text = self.text();
        if text != current {
            disk::replace(&self.path, &text, Keep::Shared).map_err(failed)?;
        }
        self.seen = text;
        self.changes.clear();
        Ok(())
    }

    /// Fails where the lock could not be written: better before a model is paid than after.
    pub fn check_writable(&self) -> Result<()> {
        let checked = Guard::wait(&self.guard()).and_then(|_| disk::check(&self.path));
        checked.map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// Kept apart from the lock itself, which is replaced by another file each time.
    fn guard(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(GUARD)
    }

    fn text(&self) -> String {
        let mut text = format!("{HEAD}version = {VERSION}\n");
        for (address, entry) in &self.entries {
            write::entry(&mut text, address, entry);
        }
        text
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

fn parse(path: &Path, text: &str) -> Result<BTreeMap<Address, Entry>> {
    read::parse(text).map_err(|reason| Error::Lock { path: path.to_path_buf(), reason })
}

#[cfg(test)]
mod tests;
