//! A file lock that one process at a time holds.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Result, Write as _};
use std::path::Path;

use crate::atomic_file::write_gitignore;

/// A held lock. Dropping it, or the end of the process for whatever reason, releases it.
///
/// The lock file itself is never replaced or removed.
#[derive(Debug)]
pub struct FileLock {
    /// The locked file; `None` on a file system without locks, where each write is still atomic.
    file: Option<File>,
}

/// The result of trying to acquire a lock.
#[derive(Debug)]
pub enum LockAttempt {
    /// The lock is held until it is dropped.
    Acquired(FileLock),
    /// Another holder has it.
    Busy,
}

impl FileLock {
    /// Tries once to acquire the lock. Creates its folder, but not the folder above it: a project that does
    /// not exist is an error.
    pub fn try_acquire(path: &Path) -> Result<LockAttempt> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(LockAttempt::Acquired(Self { file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(LockAttempt::Busy),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                Ok(LockAttempt::Acquired(Self { file: None }))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Waits for the lock. Only for locks that are held for the duration of a write.
    pub fn acquire(path: &Path) -> Result<Self> {
        match Self::try_acquire(path)? {
            LockAttempt::Acquired(lock) => Ok(lock),
            LockAttempt::Busy => {
                let file = open(path)?;
                file.lock()?;
                Ok(Self { file: Some(file) })
            }
        }
    }

    /// Writes the holder's name into the lock file.
    pub fn write_holder(&self, text: &str) -> Result<()> {
        let Some(mut file) = self.file.as_ref() else { return Ok(()) };
        file.set_len(0)?;
        file.write_all(text.as_bytes())
    }
}

fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        match fs::create_dir(folder) {
            Ok(()) => write_gitignore(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    File::options().create(true).truncate(false).write(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/lock");
        let LockAttempt::Acquired(lock) = FileLock::try_acquire(&path).unwrap() else { panic!("it is free") };
        lock.write_holder("me").unwrap();
        assert!(matches!(FileLock::try_acquire(&path).unwrap(), LockAttempt::Busy));
        assert_eq!(fs::read_to_string(&path).unwrap(), "me");
        drop(lock);
        assert!(matches!(FileLock::try_acquire(&path).unwrap(), LockAttempt::Acquired(_)));
    }
}
