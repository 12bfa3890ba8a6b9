//! Files that nobody ever sees half of, and that one run at a time writes.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Result, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Who may read a file, and what it has to survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// For everybody's eyes, and safe from a loss of power: it is made to be committed.
    Shared,
    /// For the user's eyes only, and safe from a loss of power: it cannot be had again.
    Record,
    /// For the user's eyes only, and as good as what it is made from.
    Derived,
}

/// Temporary files of this age are those of runs that were killed: no write takes that long.
const LEFT_OVER: Duration = Duration::from_secs(60);

/// Replaces a file as a whole. Where it is a link, what it points to is replaced, and not the link.
pub fn replace(path: &Path, text: &str, keep: Keep) -> Result<()> {
    let path = followed(path);
    sweep(&path);
    let temporary = temporary(&path);
    let written = (|| {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        if keep != Keep::Shared {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let mut file = options.open(&temporary)?;
        file.write_all(text.as_bytes())?;
        if keep != Keep::Derived {
            file.sync_all()?;
        }
        fs::rename(&temporary, &path)?;
        if keep != Keep::Derived {
            // The new name is safe only when the folder that holds it is. It is there by now, and some
            // file systems cannot do more.
            let _ = File::open(folder(&path)).and_then(|folder| folder.sync_all());
        }
        Ok(())
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Fails where a file could not be replaced.
pub fn check(path: &Path) -> Result<()> {
    let temporary = temporary(&followed(path));
    File::create(&temporary).and_then(|_| fs::remove_file(&temporary))
}

/// Where a path leads to in the end, also where there is nothing yet.
fn followed(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    match fs::read_link(path) {
        Ok(target) => folder(path).join(target),
        Err(_) => path.to_path_buf(),
    }
}

/// Makes a folder for what Clockwork keeps, with the folders above it, and keeps what is in
/// `.clockwork` out of version control: values of the environment stand there as they are.
pub fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    ignore(folder);
    Ok(())
}

/// Where that fails, it is only untidy.
fn ignore(folder: &Path) {
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

/// Removes what runs that were killed have left beside a file. Where that fails, it is only untidy.
fn sweep(path: &Path) {
    let (Some(name), Ok(beside)) = (path.file_name().and_then(OsStr::to_str), fs::read_dir(folder(path)))
    else {
        return;
    };
    let is_old = |entry: &DirEntry| {
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        age.is_some_and(|age| age > LEFT_OVER)
    };
    for entry in beside.flatten() {
        if entry.file_name().to_str().is_some_and(|other| is_temporary(other, name)) && is_old(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a name is one that [`temporary`] gives.
fn is_temporary(name: &str, of: &str) -> bool {
    let numbers = name.strip_prefix(of).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".tmp"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.and_then(|text| text.split_once('.')).is_some_and(|(one, two)| is_number(one) && is_number(two))
}

/// A name beside a file that no one else uses.
fn temporary(path: &Path) -> PathBuf {
    // Two threads of one program may have the same project open.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    name.into()
}

/// A file that stands for the right to write others, and is never replaced itself.
///
/// The right ends with the process, however that ends.
#[derive(Debug)]
pub struct Guard {
    /// The file; none where the file system has no locks, and each write is still whole.
    file: Option<File>,
}

/// What came of asking for a guard.
#[derive(Debug)]
pub enum Asked {
    /// It is ours until it is dropped.
    Ours(Guard),
    /// Somebody else has it.
    Taken,
}

impl Guard {
    /// Asks for the guard once. Its folder is made where it does not exist, but not that one's folder:
    /// a project that is missing is an error to tell.
    pub fn ask(path: &Path) -> Result<Asked> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Asked::Ours(Self { file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(Asked::Taken),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                Ok(Asked::Ours(Self { file: None }))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Waits for the guard. For work that takes no longer than a write.
    pub fn wait(path: &Path) -> Result<Self> {
        match Self::ask(path)? {
            Asked::Ours(guard) => Ok(guard),
            Asked::Taken => {
                let file = open(path)?;
                file.lock()?;
                Ok(Self { file: Some(file) })
            }
        }
    }

    /// Writes down who has it.
    pub fn sign(&self, text: &str) -> Result<()> {
        let Some(mut file) = self.file.as_ref() else { return Ok(()) };
        file.set_len(0)?;
        file.write_all(text.as_bytes())
    }
}

fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        match fs::create_dir(folder) {
            Ok(()) => ignore(folder),
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
    fn replaces_whole_files_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for (text, keep) in [("1", Keep::Shared), ("2", Keep::Record), ("3", Keep::Derived)] {
            replace(&path, text, keep).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("none/a"), "", Keep::Record).is_err());
    }

    #[test]
    fn what_killed_runs_have_left_goes_with_the_next_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let old = std::time::SystemTime::now() - 2 * LEFT_OVER;
        let stay = ["a.1.2.tmp", "b.1.2.tmp", "a.1.tmp", "a.1.x.tmp", "a.tmp"];
        for name in ["a.3.4.tmp"].into_iter().chain(stay) {
            let file = File::create(folder.path().join(name)).unwrap();
            if name != "a.1.2.tmp" {
                file.set_modified(old).unwrap();
            }
        }
        replace(&path, "", Keep::Record).unwrap();
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
        assert!(check(&link).is_err(), "where it leads to nothing can be written yet");
        fs::create_dir(folder.path().join("there")).unwrap();
        check(&link).unwrap();
        for text in ["1", "2"] {
            replace(&link, text, Keep::Shared).unwrap();
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
        Guard::wait(&project.path().join("two/.clockwork/lock")).unwrap_err();
        Guard::wait(&project.path().join("elsewhere/.clockwork/lock")).unwrap();
        assert!(project.path().join("elsewhere/.clockwork/.gitignore").exists());
    }

    #[test]
    fn a_name_alone_is_a_file_here() {
        assert_eq!(folder(Path::new("a")), Path::new("."));
        assert_eq!(folder(Path::new("b/a")), Path::new("b"));
    }

    #[test]
    fn a_guard_is_one_holders_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/guard");
        let Asked::Ours(guard) = Guard::ask(&path).unwrap() else { panic!("it is free") };
        guard.sign("me").unwrap();
        assert!(matches!(Guard::ask(&path).unwrap(), Asked::Taken));
        assert_eq!(fs::read_to_string(&path).unwrap(), "me");
        drop(guard);
        assert!(matches!(Guard::ask(&path).unwrap(), Asked::Ours(_)));
    }
}
