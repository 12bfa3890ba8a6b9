//! Tells what the lock has already from what a model has to be asked.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::fingerprint::fingerprint;
use super::official_images;
use super::prompt::{self, Prompt};
use super::question::Question;
use crate::error::{Error, Result};
use crate::lockfile::{Entry, FILE_NAME, Lock};
use crate::resource::{Address, Artifact, Request};
use crate::suggestion;

/// An artifact that needs no request.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// The resource that it is for.
    pub address: Address,
    /// The content of the lock's entry.
    pub artifact: Artifact,
    /// The model that wrote it.
    pub model: String,
    /// The provider that ran the model, if the server told.
    pub provider: Option<String>,
    /// True if the user has edited it.
    pub edited: bool,
    /// True if it answers an older question. That is so only for an edited one: nothing takes its place
    /// unless the user says so.
    pub stale: bool,
    /// True if it names an image that is not one of Docker's official ones.
    pub unverified: bool,
}

/// The artifacts that the lock has, and the questions that have to be asked.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// The artifacts that need no request.
    pub pinned: Vec<Pinned>,
    /// The questions that have to be asked.
    pub missing: Vec<Question>,
    /// The resources whose entry an older Clockwork wrote. It is kept as it is.
    pub migrated: Vec<Address>,
    /// Entries of format 1 and of resources with an older name, as they are to be in the lock.
    adopted: Vec<(Address, Entry)>,
    /// Each resource with the fingerprint of its question.
    wanted: HashSet<(Address, Option<String>)>,
    pub(super) order: HashMap<Address, usize>,
    lock: PathBuf,
}

/// The artifacts that are asked for although the lock has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Regenerate {
    /// None of them.
    #[default]
    None,
    /// All of them.
    All,
    /// Those of these resources: `name`, or `Kind.name` if two kinds share a name.
    Names(Vec<String>),
}

/// An entry of the lock that a request may make do with.
struct Found {
    entry: Entry,
    /// True if it answers the question as it is now.
    current: bool,
    /// True if it was written by an older Clockwork.
    migrated: bool,
    /// True if the lock has it under another fingerprint or another address.
    adopted: bool,
}

/// Tells what the lock has already from what a model has to be asked.
///
/// An entry that is asked for again stays in the lock until its successor is there.
pub fn prepare(requests: Vec<Request>, lock: &Lock, regenerate: &Regenerate) -> Result<Prepared> {
    let again = chosen(&requests, regenerate)?;
    let mut prepared = Prepared { lock: lock.path().to_path_buf(), ..Prepared::default() };
    let fingerprints: Vec<String> = requests.iter().map(fingerprint).collect();
    let keys = requests.iter().zip(&fingerprints);
    prepared.wanted = keys.map(|(request, own)| (request.address.clone(), Some(own.clone()))).collect();
    for (index, (request, fingerprint)) in requests.into_iter().zip(fingerprints).enumerate() {
        prepared.order.insert(request.address.clone(), index);
        let found = find(&request, &fingerprint, lock, &prepared.wanted);
        if let Some(found) = found.as_ref().filter(|found| found.adopted) {
            prepared.adopted.push((request.address.clone(), found.entry.clone()));
        }
        match found {
            Some(Found { entry, current, migrated, .. })
                if !again.contains(&index) && (current || entry.edited()) =>
            {
                if migrated {
                    prepared.migrated.push(request.address.clone());
                }
                prepared.pinned.push(Pinned {
                    edited: entry.edited(),
                    stale: !current,
                    unverified: official_images::unverified(&request, &entry.content),
                    address: request.address,
                    artifact: entry.content,
                    model: entry.model,
                    provider: entry.provider,
                });
            }
            found => prepared.missing.push(Question {
                prompt: Prompt::new(&request, false)?,
                fingerprint,
                stale: found.as_ref().is_some_and(|found| !found.current),
                replaces: found.map(|found| found.entry),
                request,
            }),
        }
    }
    Ok(prepared)
}

/// Finds the entry for a request: the answer to its question, or else to an older one, under its name or
/// under the name that the resource had before.
fn find(
    request: &Request,
    fingerprint: &str,
    lock: &Lock,
    wanted: &HashSet<(Address, Option<String>)>,
) -> Option<Found> {
    let address = &request.address;
    let found =
        |entry: &Entry| Found { entry: entry.clone(), current: true, migrated: false, adopted: false };
    let renewed = |entry: &Entry| Found {
        entry: Entry { fingerprint: Some(fingerprint.to_owned()), ..entry.clone() },
        adopted: true,
        migrated: entry.fingerprint.is_none(),
        current: true,
    };
    if let Some(entry) = lock.answer(address, fingerprint) {
        return Some(found(entry));
    }
    if let Some(entry) = lock.outdated(address, wanted) {
        let is_migrated = entry.fingerprint.is_none();
        return Some(if is_migrated { renewed(entry) } else { Found { current: false, ..found(entry) } });
    }
    let name = request.renamed_from.clone().filter(|_| lock.get(address).is_none())?;
    let before = Request { address: Address { name, ..address.clone() }, ..request.clone() };
    // A text in another format answers another question.
    let same_format = prompt::format_of(&before) == prompt::format_of(request);
    if let Some(entry) = lock.answer(&before.address, &self::fingerprint(&before)).filter(|_| same_format) {
        return Some(renewed(entry));
    }
    match lock.outdated(&before.address, wanted)? {
        entry if entry.fingerprint.is_none() && same_format => Some(renewed(entry)),
        entry if entry.edited() => Some(Found { current: false, adopted: true, ..found(entry) }),
        _ => None,
    }
}

/// The indexes of the requests that are to be made again.
fn chosen(requests: &[Request], regenerate: &Regenerate) -> Result<HashSet<usize>> {
    let names = match regenerate {
        Regenerate::None => return Ok(HashSet::new()),
        Regenerate::All => return Ok((0..requests.len()).collect()),
        Regenerate::Names(names) => names,
    };
    let mut chosen = HashSet::new();
    for name in names {
        let is_meant = |index: &usize| requests[*index].address.is_called(name);
        let found: Vec<usize> = (0..requests.len()).filter(is_meant).collect();
        if found.is_empty() {
            let known: Vec<&str> = requests.iter().map(|request| request.address.name.as_str()).collect();
            return Err(Error::Settings(format!(
                "nothing is generated for '{}', so it cannot be generated again. {}",
                name.escape_debug(),
                suggestion::hint(name, &known, suggestion::NOTHING_GENERATED)
            )));
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

impl Prepared {
    /// Gives entries of format 1 the fingerprint of the question that they are taken to answer, and
    /// entries under an older name to the resource that had it.
    pub fn take_over(&mut self, lock: &mut Lock) -> Result<()> {
        for (address, entry) in self.adopted.drain(..) {
            lock.remove(&address, None);
            lock.insert(address, entry);
        }
        lock.save()
    }

    /// Each resource that asks something, with the fingerprint of its question; see [`Lock::retain`].
    pub fn wanted(&self) -> HashSet<(Address, Option<String>)> {
        self.wanted.clone()
    }

    /// Sentences for the user: that an older lock was taken over, and which edited texts answer an older
    /// question.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        match self.migrated.len() {
            0 => {}
            1 => notes.push(format!(
                "{FILE_NAME} was written by an older Clockwork: its entry is kept as it is, and no model is asked for it."
            )),
            count => notes.push(format!(
                "{FILE_NAME} was written by an older Clockwork: its {count} entries are kept as they are, and no model \
                 is asked for them."
            )),
        }
        for pinned in self.pinned.iter().filter(|pinned| pinned.stale) {
            notes.push(format!(
                "{} was edited in {FILE_NAME} and answers an older question. It is kept; `--regenerate {}` has it \
                 written anew.",
                pinned.address,
                pinned.address.name.escape_debug()
            ));
        }
        notes
    }

    /// Fails if the lock does not have everything. A run that must not ask a model calls it.
    pub fn ensure_complete(&self) -> Result<()> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let addresses = |held: bool| {
            let questions = self.missing.iter().filter(|question| question.replaces.is_some() == held);
            questions.map(|question| question.request.address.clone()).collect()
        };
        Err(Error::Locked { path: self.lock.clone(), missing: addresses(false), stale: addresses(true) })
    }
}
