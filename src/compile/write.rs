//! The files on disk that plain pyinfra can run.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::Deployment;
use crate::error::{Error, Result};

/// The inventory where nobody asks for another: the machine that Clockwork runs on.
pub const DEFAULT_INVENTORY: &str = "\
\"\"\"The hosts to deploy to. Written by Clockwork.\"\"\"

hosts = [\"@local\"]
";

/// Writes `inventory.py`, `deploy.py` and `destroy.py` into `folder`, which is made where needed.
///
/// A file whose text is already the same is not touched. Contents and environments can hold
/// secrets, so the files are for the user's eyes only.
pub fn write_files(folder: &Path, deployment: &Deployment) -> Result<()> {
    let failed = |path: &Path, source: std::io::Error| Error::Write { path: path.to_path_buf(), source };
    fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    let files = [
        ("inventory.py", Some(&deployment.inventory)),
        ("deploy.py", deployment.deploy.as_ref().map(|script| &script.text)),
        ("destroy.py", Some(&deployment.destroy.text)),
    ];
    for (name, text) in files {
        let Some(text) = text else { continue };
        let path = folder.join(name);
        if fs::read_to_string(&path).is_ok_and(|current| current == *text) {
            continue;
        }
        write_private(&path, text).map_err(|source| failed(&path, source))?;
    }
    Ok(())
}

/// Replaces a file as a whole, so that nobody ever reads half of it.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = (|| {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(temporary)?;
        file.write_all(text.as_bytes())?;
        fs::rename(temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(temporary);
    }
    written
}
