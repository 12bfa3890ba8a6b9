//! Texts that are kept for the user to look at, below `.clockwork` beside main.py: answers that
//! could not be used, and what the user had edited before it was written anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::atomic_file::{self, FilePolicy};
use crate::hash::sha256;
use crate::resource::{Address, Artifact};

/// Where answers lie that could not be used.
const FAILED: &str = "failed";
/// Where edited artifacts lie that a new answer took the place of.
const REPLACED: &str = "replaced";

/// The folder for all of them.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    folder: PathBuf,
}

impl Saved {
    /// The folder of a project, by the path of its lock.
    pub fn beside(lock: &Path) -> Self {
        Self { folder: lock.parent().unwrap_or(Path::new("")).join(".clockwork") }
    }

    /// Keeps an answer that cannot be used, and tells where; that it cannot be kept is no reason
    /// to hide why it cannot be used.
    pub fn failed(&self, address: &Address, answer: &str) -> Option<PathBuf> {
        self.keep(FAILED, address, answer)
    }

    /// Keeps what the user had edited, and tells where.
    pub fn replaced(&self, address: &Address, artifact: &Artifact) -> Option<PathBuf> {
        let text = match artifact {
            Artifact::Text(text) => text.clone(),
            Artifact::Object(object) => serde_json::to_string_pretty(object).unwrap_or_default() + "\n",
        };
        self.keep(REPLACED, address, &text)
    }

    /// Forgets the answer that could not be used, now that there is a better one.
    pub fn forget_failed(&self, address: &Address) {
        // There hardly ever is one.
        let _ = fs::remove_file(self.path(FAILED, address));
    }

    fn keep(&self, folder: &str, address: &Address, text: &str) -> Option<PathBuf> {
        let path = self.path(folder, address);
        atomic_file::make_folder(path.parent()?).ok()?;
        // What a model wrote, or a user, may hold what not everybody on the machine should read.
        atomic_file::replace(&path, text, FilePolicy::Derived).ok()?;
        Some(path)
    }

    fn path(&self, folder: &str, address: &Address) -> PathBuf {
        self.folder.join(folder).join(file_name(address))
    }
}

/// A file name for an address: readable, and without anything that a file system minds.
fn file_name(address: &Address) -> String {
    let full = format!("{}-{}", address.kind, address.name);
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = full.chars().map(safe).take(100).collect();
    if name == full {
        return format!("{name}.txt");
    }
    // Two names that differ only in what was taken out must not share a file.
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
        let saved = Saved::beside(&folder.path().join("clockwork.lock"));
        let path = saved.failed(&address("a.md"), "half").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "half");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        saved.forget_failed(&address("a.md"));
        assert!(!path.exists());
    }
}
