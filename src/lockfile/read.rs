//! Reads the text of a lock, in format 1 and in format 2.

use super::document::Document;
use super::{Entry, OLDEST_VERSION, VERSION, toml_text};
use crate::resource::{Address, Artifact};

/// Reads the text of a lock; the error ends a sentence that begins with the file's name.
pub(super) fn parse(text: &str) -> Result<Document, String> {
    if text.trim().is_empty() {
        return Ok(Document::default());
    }
    if text.lines().any(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ")) {
        return Err(
            "holds the marks of an unfinished merge. Finish the merge: keep one of the two sides whole, \
                    or delete the entry, and it is generated anew."
                .to_owned(),
        );
    }
    // The writer escapes every carriage return of a content, so one that stands in the file was put
    // there by git or an editor.
    let text = text.replace("\r\n", "\n");
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let offset = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.get(..offset).unwrap_or_default().matches('\n').count() + 1;
        corrupt(&format!("line {line}: {}", error.message().replace('\n', " ")))
    })?;
    let version = match table.remove("version").as_ref().and_then(toml::Value::as_integer) {
        Some(version @ OLDEST_VERSION..=VERSION) => version,
        Some(newer) if newer > VERSION => {
            return Err(format!(
                "was written by a newer Clockwork: it has format {newer}, and this version knows {VERSION}. Upgrade \
                 Clockwork."
            ));
        }
        _ => return Err(corrupt("it has no version")),
    };
    let artifacts = match table.remove("artifact") {
        None => Vec::new(),
        Some(toml::Value::Array(artifacts)) => artifacts,
        Some(_) => return Err(corrupt("'artifact' is no list of tables")),
    };
    let mut document = Document { unknown: table, ..Document::default() };
    for (index, artifact) in artifacts.into_iter().enumerate() {
        let (address, entry) =
            entry(artifact, version).map_err(|reason| corrupt(&format!("entry {}: {reason}", index + 1)))?;
        document.add(address, entry).map_err(|address| corrupt(&format!("{address} stands in it twice")))?;
    }
    Ok(document)
}

fn entry(artifact: toml::Value, version: i64) -> Result<(Address, Entry), String> {
    let toml::Value::Table(mut table) = artifact else { return Err("it is no table".to_owned()) };
    let content = match (table.remove("content"), table.remove("content_json")) {
        (Some(toml::Value::String(text)), None) => Artifact::Text(text),
        (Some(toml::Value::Table(object)), None) => Artifact::Object(toml_text::to_object(object)),
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
    let (sha256, model, generated_at) = (text("sha256")?, text("model")?, text("generated_at")?);
    let mut fingerprint = optional(&mut table, "fingerprint", as_text);
    if version == 1 {
        fingerprint.take().ok_or("it has no fingerprint")?;
    } else if table.contains_key("fingerprint") {
        return Err("its fingerprint is no text".to_owned());
    }
    let entry = Entry {
        fingerprint,
        content,
        sha256,
        model,
        generated_at,
        provider: optional(&mut table, "provider", as_text),
        tokens_in: optional(&mut table, "tokens_in", as_count),
        tokens_out: optional(&mut table, "tokens_out", as_count),
        cost: optional(&mut table, "cost", toml::Value::as_float),
        stacks: optional(&mut table, "stacks", as_texts).unwrap_or_default(),
        unknown: table,
    };
    Ok((address, entry))
}

/// Takes a value out of a table if it has the type that is wanted. All others stay in the table.
fn optional<T>(table: &mut toml::Table, name: &str, read: impl Fn(&toml::Value) -> Option<T>) -> Option<T> {
    let value = table.get(name).and_then(read)?;
    table.remove(name);
    Some(value)
}

fn as_text(value: &toml::Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn as_texts(value: &toml::Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(as_text).collect()
}

fn as_count(value: &toml::Value) -> Option<u64> {
    value.as_integer()?.try_into().ok()
}

/// The end of a sentence that says what is wrong with a lock, and what to do.
pub(super) fn corrupt(reason: &str) -> String {
    format!(
        "cannot be read: {reason}. Restore it from version control, or delete it, and everything in it is generated \
         anew."
    )
}
