//! `clockwork init`: the files of a new project.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const FILES: &[(&str, &str)] = &[
    ("main.py", include_str!("scaffold/main.py")),
    (".env.example", include_str!("scaffold/env.example")),
    (".gitignore", include_str!("scaffold/gitignore")),
];

/// Writes the files of a new project into `folder`, which is created if needed.
///
/// Existing files stay as they are. Returns the files that were written and the files that were left.
pub fn init(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let failed = |path: &Path, source: std::io::Error| Error::Write { path: path.to_path_buf(), source };
    std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    let (mut written, mut left) = (Vec::new(), Vec::new());
    for (name, text) in FILES {
        let path = folder.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).map_err(|source| failed(&path, source))?;
                written.push(path);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => left.push(path),
            Err(source) => return Err(failed(&path, source)),
        }
    }
    Ok((written, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("main.py"), "mine").unwrap();
        let (written, left) = init(folder.path()).unwrap();
        assert_eq!((written.len(), left.len()), (2, 1));
        assert_eq!(std::fs::read_to_string(folder.path().join("main.py")).unwrap(), "mine");
    }
}
