//! Reads `.env` files without changing this process's environment.

use std::collections::HashMap;
use std::path::Path;

use crate::error::{Error, Result};

/// Reads the values of a `.env` file; a missing file has none.
pub(super) fn read(path: &Path) -> Result<HashMap<String, String>> {
    let bad = |what: &str| Error::Settings(format!("{} {what}", path.display()));
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
        // A folder named .env is a virtual environment, and not an error.
        Err(_) if path.is_dir() => return Ok(HashMap::new()),
        Err(error) => return Err(bad(&format!("cannot be read: {error}"))),
    };
    let text = String::from_utf8(bytes).map_err(|_| bad("cannot be read: it is not UTF-8 text"))?;
    // Without a line break at the end, dotenvy rejects a blank after the last value.
    let text = format!("{}\n", text.trim_start_matches('\u{feff}'));
    let mut values = HashMap::new();
    for item in dotenvy::from_read_iter(text.as_bytes()) {
        match item {
            // The first of two lines with the same name wins, as in dotenvy.
            Ok((name, value)) => {
                values.entry(name).or_insert(value);
            }
            Err(dotenvy::Error::LineParse(broken, _)) => {
                // The message has the number of the line and not its text, which may hold a secret.
                let start = broken.lines().next().unwrap_or_default().trim_end();
                let is_it = |line: &str| !line.trim_start().starts_with('#') && line.contains(start);
                let number = text.lines().position(is_it).map_or(0, |index| index + 1);
                return Err(bad(&format!(
                    "cannot be read: line {number} is not of the form NAME=value. Put quotes around a value \
                     with blanks in it."
                )));
            }
            Err(_) => return Err(bad("cannot be read")),
        }
    }
    Ok(values)
}
