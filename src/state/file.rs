//! The state's file: read with care, written whole.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::migrate::migrate;
use super::{State, StateEntry};
use crate::VERSION;
use crate::atomic_file::{self, FilePolicy};
use crate::error::{Error, Result};

/// The format that this version writes, and the newest that it reads.
pub(super) const FORMAT: u64 = 2;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    lineage: String,
    #[serde(default)]
    key: String,
    resources: Vec<StateEntry>,
}

/// Reads a state. One that is not there is empty; one that cannot be understood is an error, and stays.
pub(super) fn read(path: &Path) -> Result<State> {
    let bad = |reason: String| Error::State { path: path.to_path_buf(), reason };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(State::default()),
        Err(error) => return Err(bad(format!("cannot be read: {error}"))),
    };
    let corrupt = |reason: &str| {
        bad(format!(
            "cannot be understood: {reason}. It is left as it is. Put a copy of it from before in its place, or move \
             it away and take up what is there with `clockwork state adopt NAME`"
        ))
    };
    let document: Value = serde_json::from_str(&text).map_err(|error| corrupt(&error.to_string()))?;
    let format = document.get("format").and_then(Value::as_u64);
    let format = format.ok_or_else(|| corrupt("it does not say which format it has"))?;
    if format > FORMAT {
        let by = document.get("clockwork").and_then(Value::as_str).unwrap_or("another version");
        return Err(bad(format!(
            "is of a newer Clockwork ({by}, format {format}); this is {VERSION}, which reads up to format {FORMAT}. \
             Update Clockwork"
        )));
    }
    let document = migrate(document, format).map_err(|reason| corrupt(&reason))?;
    let document: Document = serde_json::from_value(document).map_err(|error| corrupt(&error.to_string()))?;
    Ok(State { lineage: document.lineage, key: document.key, entries: document.resources })
}

/// Writes a state, in one step, for the user's eyes only.
pub(super) fn write(path: &Path, state: &State) -> Result<()> {
    let document = json!({
        "format": FORMAT,
        "clockwork": VERSION,
        "lineage": state.lineage,
        "key": state.key,
        "resources": state.entries,
    });
    atomic_file::replace(path, &format!("{document:#}\n"), FilePolicy::Record)
        .map_err(|source| Error::Write { path: path.to_path_buf(), source })
}
