//! Atomic replacement of files: a reader sees the old or the new content, never a part.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{Result, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The permissions and the durability of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilePolicy {
    /// Readable by others, and synced to disk: a file that is made to be committed.
    Shared,
    /// Readable by the user only, and synced to disk: a file that cannot be made again.
    Record,
    /// Readable by the user only, and not synced: a file that can be made again.
    Derived,
}

/// The age from which temporary files belong to runs that were killed: no write takes that long.
const STALE_AGE: Duration = Duration::from_secs(60);

/// Replaces a file atomically. A symbolic link stays, and its target is replaced.
pub fn replace(path: &Path, text: &str, policy: FilePolicy) -> Result<()> {
    let path = resolve(path);
    remove_stale(&path);
    let temporary = temporary(&path);
    let written = (|| {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        if policy != FilePolicy::Shared {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let mut file = options.open(&temporary)?;
        file.write_all(text.as_bytes())?;
        if policy != FilePolicy::Derived {
            file.sync_all()?;
        }
        fs::rename(&temporary, &path)?;
        if policy != FilePolicy::Derived {
            // The rename is durable only once the folder is synced. An error is ignored, since the file is
            // already in place and some file systems cannot sync folders.
            let _ = File::open(folder(&path)).and_then(|folder| folder.sync_all());
        }
        Ok(())
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Checks that a file can be replaced, by creating and removing a temporary file beside it.
pub fn check_writable(path: &Path) -> Result<()> {
    let temporary = temporary(&resolve(path));
    File::create(&temporary).and_then(|_| fs::remove_file(&temporary))
}

/// The target of a path after symbolic links, which need not exist yet.
fn resolve(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    match fs::read_link(path) {
        Ok(target) => folder(path).join(target),
        Err(_) => path.to_path_buf(),
    }
}

/// Creates a folder and its parents. Within `.clockwork` it also keeps the content out of version control,
/// because files there hold values of the environment.
pub fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    write_gitignore(folder);
    Ok(())
}

/// Writes `.clockwork/.gitignore` if the folder is in `.clockwork`. Errors are ignored: nothing depends on it.
pub(crate) fn write_gitignore(folder: &Path) {
    let own = folder.ancestors().find(|folder| folder.file_name() == Some(OsStr::new(".clockwork")));
    let file = own.and_then(|own| File::create_new(own.join(".gitignore")).ok());
    if let Some(mut file) = file {
        let _ = file.write_all(b"*\n");
    }
}

/// The folder that holds a file.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes temporary files that killed runs have left beside a file. Errors are ignored.
fn remove_stale(path: &Path) {
    let (Some(name), Ok(beside)) = (path.file_name().and_then(OsStr::to_str), fs::read_dir(folder(path)))
    else {
        return;
    };
    let is_old = |entry: &DirEntry| {
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        age.is_some_and(|age| age > STALE_AGE)
    };
    for entry in beside.flatten() {
        if entry.file_name().to_str().is_some_and(|other| is_temporary(other, name)) && is_old(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Tells if [`temporary`] made a name.
fn is_temporary(name: &str, of: &str) -> bool {
    let numbers = name.strip_prefix(of).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".tmp"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.and_then(|text| text.split_once('.')).is_some_and(|(one, two)| is_number(one) && is_number(two))
}

/// An unused name for a temporary file beside `path`.
fn temporary(path: &Path) -> PathBuf {
    // The counter separates threads of one process that work on the same project.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_lock::FileLock;

    #[test]
    fn replaces_whole_files_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for (text, policy) in
            [("1", FilePolicy::Shared), ("2", FilePolicy::Record), ("3", FilePolicy::Derived)]
        {
            replace(&path, text, policy).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("none/a"), "", FilePolicy::Record).is_err());
    }

    #[test]
    fn what_killed_runs_have_left_goes_with_the_next_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let old = std::time::SystemTime::now() - 2 * STALE_AGE;
        let stay = ["a.1.2.tmp", "b.1.2.tmp", "a.1.tmp", "a.1.x.tmp", "a.tmp"];
        for name in ["a.3.4.tmp"].into_iter().chain(stay) {
            let file = File::create(folder.path().join(name)).unwrap();
            if name != "a.1.2.tmp" {
                file.set_modified(old).unwrap();
            }
        }
        replace(&path, "", FilePolicy::Record).unwrap();
        let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let left: std::collections::BTreeSet<_> = left.collect();
        assert_eq!(left, stay.into_iter().chain(["a"]).map(Into::into).collect());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("there/target"));
        std::os::unix::fs::symlink("there/target", &link).unwrap();
        assert!(check_writable(&link).is_err(), "where it leads to nothing can be written yet");
        fs::create_dir(folder.path().join("there")).unwrap();
        check_writable(&link).unwrap();
        for text in ["1", "2"] {
            replace(&link, text, FilePolicy::Shared).unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
            assert!(link.is_symlink());
        }
    }

    #[test]
    fn what_is_kept_stays_out_of_version_control() {
        let project = tempfile::tempdir().unwrap();
        let own = project.path().join(".clockwork");
        make_folder(&own.join("pyinfra")).unwrap();
        assert_eq!(fs::read_to_string(own.join(".gitignore")).unwrap(), "*\n");
        fs::write(own.join(".gitignore"), "mine").unwrap();
        make_folder(&own.join("failed")).unwrap();
        assert_eq!(fs::read_to_string(own.join(".gitignore")).unwrap(), "mine");
        make_folder(&project.path().join("elsewhere")).unwrap();
        assert!(!project.path().join("elsewhere/.gitignore").exists());
        FileLock::acquire(&project.path().join("two/.clockwork/lock")).unwrap_err();
        FileLock::acquire(&project.path().join("elsewhere/.clockwork/lock")).unwrap();
        assert!(project.path().join("elsewhere/.clockwork/.gitignore").exists());
    }

    #[test]
    fn a_name_alone_is_a_file_here() {
        assert_eq!(folder(Path::new("a")), Path::new("."));
        assert_eq!(folder(Path::new("b/a")), Path::new("b"));
    }
}
