//! One entry of a lock, as text.

use serde_json::Value;

use super::{Entry, text};
use crate::resource::{Address, Artifact};

/// Writes an entry behind what is there.
pub(super) fn entry(out: &mut String, address: &Address, entry: &Entry) {
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            out.push_str(&format!("{name} = {value}\n"));
        }
    };
    line("\n[[artifact]]\nkind", Some(text::string(&address.kind)));
    line("name", Some(text::value(&Value::String(address.name.clone())).unwrap_or_default()));
    line("fingerprint", Some(text::string(&entry.fingerprint)));
    line("sha256", Some(text::string(&entry.sha256)));
    line("model", Some(text::string(&entry.model)));
    line("provider", entry.provider.as_deref().map(text::string));
    line("generated_at", Some(text::string(&entry.generated_at)));
    line("tokens_in", entry.tokens_in.map(|count| count.to_string()));
    line("tokens_out", entry.tokens_out.map(|count| count.to_string()));
    line("cost", entry.cost.and_then(|cost| text::value(&cost.into())));
    match &entry.content {
        Artifact::Text(content) => line("content", Some(text::string(content))),
        Artifact::Object(object) => {
            let members: Option<Vec<_>> =
                object.iter().map(|(name, value)| Some((text::key(name), text::value(value)?))).collect();
            let Some(mut members) = members else {
                // Numbers and nulls that TOML does not have.
                let json = Value::Object(object.clone()).to_string();
                line("content_json", Some(text::string(&json)));
                return;
            };
            members.sort();
            out.push_str("[artifact.content]\n");
            for (name, value) in members {
                out.push_str(&format!("{name} = {value}\n"));
            }
        }
    }
}
