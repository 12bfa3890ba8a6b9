//! The lock's file: replaced in one step, and by one run at a time.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Result, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Kept apart from the lock itself, which is replaced by another file each time.
const GUARD: &str = ".clockwork/clockwork.lock.guard";

/// Waits until no other run writes the lock, and keeps them away until it is dropped.
pub(super) fn guard(lock: &Path) -> Result<Option<File>> {
    let path = lock.parent().unwrap_or(Path::new("")).join(GUARD);
    if let Some(folder) = path.parent() {
        // Not the project's own folder: one that is missing is an error to tell.
        if let Err(error) = fs::create_dir(folder)
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(error);
        }
    }
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        // A writer needs no longer than it takes to write.
        Err(TryLockError::WouldBlock) => file.lock().map(|()| Some(file)),
        // Some network file systems have no locks; each write is still whole.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A name beside a file that no one else uses.
fn temporary(path: &Path) -> PathBuf {
    // Two threads of one program may have the same project open.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    name.into()
}

/// Replaces a file as a whole, so that nobody ever reads half of it.
pub(super) fn replace(path: &Path, text: &str) -> Result<()> {
    // Where the lock is a link, what it points to is replaced, and not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let temporary = temporary(&path);
    let written = (|| {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Fails where a file could not be replaced.
pub(super) fn check(path: &Path) -> Result<()> {
    guard(path)?;
    let temporary = temporary(path);
    File::create(&temporary).and_then(|_| fs::remove_file(&temporary))
}
