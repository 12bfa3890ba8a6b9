//! Writes the compiled deployment to disk.

use std::fs;
use std::path::Path;

use super::Deployment;
use crate::atomic_file::{self, FilePolicy};
use crate::error::{Error, Result};

/// The default inventory: the machine that Clockwork runs on.
pub const DEFAULT_INVENTORY: &str = "\
\"\"\"The hosts to deploy to. Written by Clockwork.\"\"\"

hosts = [\"@local\"]
";

/// Writes `inventory.py`, `deploy.py` and `destroy.py` into `folder`, which is created if needed.
///
/// An unchanged file is not touched. Contents and environments can hold
/// secrets, so only the user can read the files.
pub fn write_files(folder: &Path, deployment: &Deployment) -> Result<()> {
    let failed = |source| Error::Write { path: folder.to_path_buf(), source };
    atomic_file::make_folder(folder).map_err(failed)?;
    let files = [
        ("inventory.py", Some(&deployment.inventory)),
        ("deploy.py", deployment.deploy.as_ref().map(|script| &script.text)),
        ("destroy.py", Some(&deployment.destroy.text)),
    ];
    for (name, text) in files {
        if let Some(text) = text {
            write_file(&folder.join(name), text)?;
        }
    }
    Ok(())
}

/// Writes one of the files. An unchanged file is not touched.
pub fn write_file(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|current| current == text) {
        return Ok(());
    }
    let failed = |source| Error::Write { path: path.to_path_buf(), source };
    atomic_file::replace(path, text, FilePolicy::Derived).map_err(failed)
}
