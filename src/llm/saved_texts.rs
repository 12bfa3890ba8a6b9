//! Texts that are kept for the user below `.clockwork` beside main.py: unusable answers, and edited
//! artifacts that a new answer replaced.

use std::fs;
use std::path::{Path, PathBuf};

use crate::atomic_file::{self, FilePolicy};
use crate::hash::sha256;
use crate::resource::{Address, Artifact};

/// The folder of unusable answers.
const FAILED: &str = "failed";
/// The folder of edited artifacts that a new answer replaced.
const REPLACED: &str = "replaced";

/// The folder for all of them.
#[derive(Debug, Clone)]
pub(super) struct SavedTexts {
    folder: PathBuf,
}

impl SavedTexts {
    /// The folder of a project, by the path of its lock.
    pub fn beside(lock: &Path) -> Self {
        Self { folder: lock.parent().unwrap_or(Path::new("")).join(".clockwork") }
    }

    /// Keeps an unusable answer, and returns its path. A failure is no error: it must not hide why the answer
    /// is unusable.
    pub fn failed(&self, address: &Address, answer: &str) -> Option<PathBuf> {
        self.keep(FAILED, address, answer)
    }

    /// Keeps an artifact that the user had edited, and returns its path.
    pub fn replaced(&self, address: &Address, artifact: &Artifact) -> Option<PathBuf> {
        self.keep(REPLACED, address, &artifact.to_text())
    }

    /// Deletes the unusable answer, now that there is a usable one.
    pub fn forget_failed(&self, address: &Address) {
        // There usually is none.
        let _ = fs::remove_file(self.path(FAILED, address));
    }

    fn keep(&self, folder: &str, address: &Address, text: &str) -> Option<PathBuf> {
        let path = self.path(folder, address);
        atomic_file::make_folder(path.parent()?).ok()?;
        // The text may hold something that not everybody on the machine should read.
        atomic_file::replace(&path, text, FilePolicy::Derived).ok()?;
        Some(path)
    }

    fn path(&self, folder: &str, address: &Address) -> PathBuf {
        self.folder.join(folder).join(file_name(address))
    }
}

/// The file name for an address: readable, and allowed on every file system.
fn file_name(address: &Address) -> String {
    let full = format!("{}-{}", address.kind, address.name);
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = full.chars().map(safe).take(100).collect();
    if name == full {
        return format!("{name}.txt");
    }
    // Two addresses that differ only in the replaced characters must not share a file.
    let hash: String = sha256(full.as_bytes()).chars().take(8).collect();
    format!("{name}-{hash}.txt")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(name: &str) -> Address {
        Address { kind: "FileResource".into(), name: name.into() }
    }

    #[test]
    fn a_file_stays_in_its_folder() {
        assert_eq!(file_name(&address("a.md")), "FileResource-a.md.txt");
        let odd = file_name(&address("../../etc/passwd\0\n"));
        assert!(odd.starts_with("FileResource-.._.._etc_passwd__-") && !odd.contains('/'), "{odd}");
        assert_ne!(file_name(&address("a b")), file_name(&address("a/b")));
        assert!(file_name(&address(&"x".repeat(500))).len() < 120);
    }

    #[test]
    #[cfg(unix)]
    fn is_for_the_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let saved = SavedTexts::beside(&folder.path().join("clockwork.lock"));
        let path = saved.failed(&address("a.md"), "half").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "half");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        saved.forget_failed(&address("a.md"));
        assert!(!path.exists());
    }
}
