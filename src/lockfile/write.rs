//! Writes a lock as text, in the newest format.

use serde_json::Value;

use super::document::Document;
use super::{Entry, VERSION, toml_text};
use crate::resource::{Address, Artifact};

const HEAD: &str = "\
# What a model wrote for this project, pinned by Clockwork. Made to be read, reviewed and committed.
# A text that you edit here is kept, until you let it be written anew with --regenerate NAME.
";

/// Writes a whole lock.
pub(super) fn document(document: &Document) -> String {
    let mut text = format!("{HEAD}version = {VERSION}\n");
    for (name, value) in &document.unknown {
        line(&mut text, &toml_text::key(name), toml_text::value(value));
    }
    for (address, entries) in &document.entries {
        for entry in entries {
            write_entry(&mut text, address, entry);
        }
    }
    text
}

/// Writes an entry behind the text that is there.
fn write_entry(out: &mut String, address: &Address, entry: &Entry) {
    let mut optional = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            line(out, name, value);
        }
    };
    let number = |count: u64| count.to_string();
    let stacks = toml::Value::from(entry.stacks.clone());
    optional("\n[[artifact]]\nkind", Some(toml_text::string(&address.kind)));
    optional("name", Some(toml_text::line(&address.name)));
    optional("fingerprint", entry.fingerprint.as_deref().map(toml_text::string));
    optional("sha256", Some(toml_text::string(&entry.sha256)));
    optional("model", Some(toml_text::string(&entry.model)));
    optional("provider", entry.provider.as_deref().map(toml_text::string));
    optional("generated_at", Some(toml_text::string(&entry.generated_at)));
    optional("tokens_in", entry.tokens_in.map(number));
    optional("tokens_out", entry.tokens_out.map(number));
    optional("cost", entry.cost.and_then(|cost| toml_text::json(&cost.into())));
    optional("stacks", (!entry.stacks.is_empty()).then(|| toml_text::value(&stacks)));
    // All keys stand before the content, which may be a table.
    for (name, value) in &entry.unknown {
        optional(&toml_text::key(name), Some(toml_text::value(value)));
    }
    match &entry.content {
        Artifact::Text(content) => line(out, "content", toml_text::string(content)),
        Artifact::Object(object) => {
            let members: Option<Vec<_>> = object
                .iter()
                .map(|(name, value)| Some((toml_text::key(name), toml_text::json(value)?)))
                .collect();
            let Some(mut members) = members else {
                // TOML has no null and no integer of more than 64 bits.
                let json = Value::Object(object.clone()).to_string();
                line(out, "content_json", toml_text::string(&json));
                return;
            };
            members.sort();
            out.push_str("[artifact.content]\n");
            for (name, value) in members {
                line(out, &name, value);
            }
        }
    }
}

fn line(out: &mut String, name: &str, value: impl AsRef<str>) {
    out.push_str(&format!("{name} = {}\n", value.as_ref()));
}
