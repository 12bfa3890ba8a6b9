//! A lock's text, read back.

use std::collections::BTreeMap;

use super::{Entry, VERSION, text};
use crate::resource::{Address, Artifact};

/// Reads the text of a lock; the error ends a sentence that begins with the file's name.
pub(super) fn parse(text: &str) -> std::result::Result<BTreeMap<Address, Entry>, String> {
    if text.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    if text.lines().any(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ")) {
        return Err(
            "holds the marks of an unfinished merge. Finish the merge: keep one of the two sides whole, \
                    or delete the entry, and it is generated anew."
                .to_owned(),
        );
    }
    // A carriage return inside a content is always escaped, so one that stands in the file was put
    // there by git or an editor.
    let text = text.replace("\r\n", "\n");
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let offset = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.get(..offset).unwrap_or_default().matches('\n').count() + 1;
        corrupt(&format!("line {line}: {}", error.message().replace('\n', " ")))
    })?;
    match table.get("version").and_then(toml::Value::as_integer) {
        Some(VERSION) => {}
        Some(newer) if newer > VERSION => {
            return Err(format!(
                "was written by a newer Clockwork: it has format {newer}, and this version knows {VERSION}. Upgrade \
                 Clockwork."
            ));
        }
        _ => return Err(corrupt("it has no version")),
    }
    let artifacts = match table.remove("artifact") {
        None => Vec::new(),
        Some(toml::Value::Array(artifacts)) => artifacts,
        Some(_) => return Err(corrupt("'artifact' is no list of tables")),
    };
    let mut entries = BTreeMap::new();
    for (index, artifact) in artifacts.into_iter().enumerate() {
        let (address, entry) =
            read_entry(artifact).map_err(|reason| corrupt(&format!("entry {}: {reason}", index + 1)))?;
        if entries.contains_key(&address) {
            return Err(corrupt(&format!("{address} stands in it twice")));
        }
        entries.insert(address, entry);
    }
    Ok(entries)
}

fn read_entry(artifact: toml::Value) -> std::result::Result<(Address, Entry), String> {
    let toml::Value::Table(mut table) = artifact else { return Err("it is no table".to_owned()) };
    let content = match (table.remove("content"), table.remove("content_json")) {
        (Some(toml::Value::String(text)), None) => Artifact::Text(text),
        (Some(toml::Value::Table(object)), None) => Artifact::Object(text::to_object(object)),
        (None, Some(toml::Value::String(json))) => serde_json::from_str(&json)
            .map(Artifact::Object)
            .map_err(|error| format!("its content_json is no JSON object: {error}"))?,
        _ => return Err("it has no content".to_owned()),
    };
    let mut text = |name: &str| match table.remove(name) {
        Some(toml::Value::String(text)) => Ok(text),
        _ => Err(format!("it has no {name}")),
    };
    let address = Address { kind: text("kind")?, name: text("name")? };
    let mut entry = Entry {
        fingerprint: text("fingerprint")?,
        content,
        sha256: text("sha256")?,
        model: text("model")?,
        provider: text("provider").ok(),
        generated_at: text("generated_at")?,
        tokens_in: None,
        tokens_out: None,
        cost: None,
    };
    let count =
        |name: &str| table.get(name).and_then(toml::Value::as_integer).and_then(|n| n.try_into().ok());
    entry.tokens_in = count("tokens_in");
    entry.tokens_out = count("tokens_out");
    entry.cost = table.get("cost").and_then(toml::Value::as_float);
    Ok((address, entry))
}

/// The end of a sentence that says what is wrong with a lock, and what to do.
pub(super) fn corrupt(reason: &str) -> String {
    format!(
        "cannot be read: {reason}. Restore it from version control, or delete it, and everything in it is generated \
         anew."
    )
}
