//! The state as a run has it: read, held against other runs, and written.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{FILE_NAME, State, file, now};
use crate::error::{Error, Result};
use crate::file_lock::{FileLock, LockAttempt};
use crate::hash::to_hex;

/// What one run holds while it works, so that no other changes the same things meanwhile.
const LOCK: &str = ".clockwork/state.lock";

/// What one run holds while it reads, changes and writes the file.
const WRITING: &str = ".clockwork/state.lock.writing";

/// Who holds the lock.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    command: String,
    pid: u32,
    user: String,
    host: String,
    since: String,
}

/// How a lock is waited for.
pub struct Wait<'a> {
    /// How long at most.
    pub timeout: Duration,
    /// Called between two tries, with its holder. It sleeps for a while; an error ends the waiting.
    pub waiting: &'a mut dyn FnMut(&str) -> Result<()>,
}

/// The state of one project.
#[derive(Debug)]
pub struct Store {
    pub(super) path: PathBuf,
    folder: PathBuf,
    held: Option<FileLock>,
}

impl Store {
    /// The state of the project in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join(FILE_NAME), folder: folder.to_path_buf(), held: None }
    }

    /// What is known.
    pub fn read(&self) -> Result<State> {
        file::read(&self.path)
    }

    /// Keeps other runs away until the store is dropped.
    pub fn hold(&mut self, command: &str, wait: &mut Wait<'_>) -> Result<()> {
        let path = self.folder.join(LOCK);
        let failed = |source| Error::Write { path: path.clone(), source };
        let began = Instant::now();
        loop {
            if let LockAttempt::Acquired(lock) = FileLock::try_acquire(&path).map_err(failed)? {
                let holder = Holder {
                    command: command.to_owned(),
                    pid: std::process::id(),
                    user: variable(&["USER", "LOGNAME"]),
                    host: host(),
                    since: now(),
                };
                lock.write_holder(&serde_json::to_string(&holder).unwrap_or_default()).map_err(failed)?;
                self.held = Some(lock);
                return Ok(());
            }
            let holder = holder(&path);
            if began.elapsed() >= wait.timeout {
                return Err(Error::Held { holder });
            }
            (wait.waiting)(&holder)?;
        }
    }

    /// Gives the state a lineage and a key, where it has none.
    pub fn ensure_lineage(&self) -> Result<()> {
        if !self.read()?.lineage.is_empty() {
            return Ok(());
        }
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let (lineage, key) = (random().map_err(failed)?, random().map_err(failed)?);
        self.update(|state| {
            if state.lineage.is_empty() {
                (state.lineage, state.key) = (lineage, key);
            }
        })
    }

    /// Changes what is known, on top of what others have written meanwhile. Writes only what differs.
    pub fn update(&self, change: impl FnOnce(&mut State)) -> Result<()> {
        let guard = self.folder.join(WRITING);
        let _guard =
            FileLock::acquire(&guard).map_err(|source| Error::Write { path: guard.clone(), source })?;
        let before = self.read()?;
        let mut after = before.clone();
        change(&mut after);
        if after == before { Ok(()) } else { file::write(&self.path, &after) }
    }
}

/// Who holds a lock, in words.
fn holder(path: &Path) -> String {
    let signed = std::fs::read_to_string(path).ok();
    match signed.and_then(|text| serde_json::from_str::<Holder>(&text).ok()) {
        Some(Holder { command, pid, user, host, since }) => {
            format!("`clockwork {command}` (process {pid}, {user}@{host}, since {since})")
        }
        None => "another run".to_owned(),
    }
}

fn variable(names: &[&str]) -> String {
    names.iter().find_map(|name| std::env::var(name).ok()).unwrap_or_else(|| "?".to_owned())
}

fn host() -> String {
    let name = std::fs::read_to_string("/etc/hostname").map(|name| name.trim().to_owned());
    name.ok().filter(|name| !name.is_empty()).unwrap_or_else(|| variable(&["HOSTNAME", "HOST"]))
}

/// A random text of 32 hexadecimal digits.
fn random() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(to_hex(&bytes))
}
