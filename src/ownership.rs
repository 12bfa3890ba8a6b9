//! The ownership of things that a run would overwrite, replace or remove.

use serde_json::Value;

use crate::hash::keyed_sha256;
use crate::intent::{Intent, IntentAction};
use crate::outcome::ResourceOutcome;
use crate::state::{State, StateEntry};

/// The owner of a thing on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum Ownership {
    /// The project, or nobody.
    #[default]
    Ours,
    /// The project, but somebody has edited the content since its deployment.
    Edited,
    /// A file that the project did not write. It can be copied before it is overwritten.
    Foreign,
    /// A container, a unit or the like that is not the project's. There is no copy to restore it from.
    ForeignThing,
}

impl Ownership {
    /// Returns true if the thing is copied before it is overwritten or removed.
    pub fn keeps_copy(self) -> bool {
        matches!(self, Self::Edited | Self::Foreign)
    }
}

/// Determines the owner of the things that a resource's operations would overwrite, replace or remove.
pub fn judge(outcome: &ResourceOutcome, state: &State) -> Ownership {
    let entry = state.get(&outcome.host, &outcome.identity);
    let intents = outcome.operations.iter().filter_map(|operation| operation.intent.as_ref());
    intents.map(|intent| owner(intent, &outcome.identity, entry, state)).max().unwrap_or_default()
}

fn owner(intent: &Intent, identity: &str, entry: Option<&StateEntry>, state: &State) -> Ownership {
    let lineage = &state.lineage;
    let takes_content = intent.overwrites.is_some()
        || (intent.action == IntentAction::Remove && intent.found.contains_key("sha256"));
    if takes_content {
        return owner_of_file(intent, entry, &state.key);
    }
    let takes_thing = intent.replaces.is_some() || intent.action == IntentAction::Remove;
    if !takes_thing || !intent.found.contains_key("project") {
        return Ownership::Ours;
    }
    // Other operations of a resource concern other things, such as a container's networks.
    let replaced = intent.replaces.as_deref().unwrap_or(identity);
    match &intent.found["project"] {
        Value::String(label) if label == lineage && !lineage.is_empty() => Ownership::Ours,
        Value::Null if entry.is_some_and(|entry| entry.identity == replaced) => Ownership::Ours,
        _ => Ownership::ForeignThing,
    }
}

fn owner_of_file(intent: &Intent, entry: Option<&StateEntry>, key: &str) -> Ownership {
    let Some(entry) = entry else { return Ownership::Foreign };
    let Some(found) = intent.found.get("sha256").and_then(Value::as_str) else { return Ownership::Foreign };
    let Some(deployed) = &entry.deployed else {
        // An incomplete run may have written any content.
        return Ownership::Ours;
    };
    if entry.pending.is_some() {
        return Ownership::Ours;
    }
    match &deployed.content {
        Some(content) if *content == keyed_sha256(key.as_bytes(), found.as_bytes()) => Ownership::Ours,
        Some(_) => Ownership::Edited,
        // Format 1 kept the start of the hash among the fields, where it had the whole content.
        None => match deployed.fields.get("content").and_then(Value::as_str) {
            Some(shown) if shown.contains(&format!("sha256 {}…", found.get(..12).unwrap_or("-"))) => {
                Ownership::Ours
            }
            Some(_) => Ownership::Edited,
            None => Ownership::Ours,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::OperationOutcome;
    use crate::resource::Address;
    use serde_json::{Map, json};

    const LINEAGE: &str = "line";

    fn state() -> State {
        let mut state = State::default();
        (state.lineage, state.key) = (LINEAGE.into(), "key".into());
        state
    }

    fn intent(value: Value) -> Intent {
        let mut whole = json!({
            "changes": [], "replaces": null, "overwrites": null, "found": {}, "reason": null,
        });
        let Value::Object(value) = value else { panic!("an intent is an object") };
        whole.as_object_mut().unwrap().extend(value);
        serde_json::from_value(whole).unwrap()
    }

    fn entry(identity: &str, content: Option<&str>) -> StateEntry {
        let address = Address { kind: "K".into(), name: "n".into() };
        let mut entry = StateEntry::new(address, "@local", identity);
        let content = content.map(|sha256| keyed_sha256(b"key", sha256.as_bytes()));
        let deployed = json!({
            "steps_fingerprint": "", "fields": {}, "removal": "unknown", "at": "", "by": "", "content": content,
        });
        entry.deployed = Some(serde_json::from_value(deployed).unwrap());
        entry
    }

    #[test]
    fn files_are_ours_by_their_content() {
        let overwrite =
            intent(json!({"action": "change", "overwrites": "path:/a", "found": {"sha256": "one"}}));
        let remove = intent(json!({"action": "remove", "found": {"sha256": "one"}}));
        for intent in [&overwrite, &remove] {
            let of = |entry: Option<&StateEntry>| owner(intent, "path:/a", entry, &state());
            assert_eq!(of(None), Ownership::Foreign);
            assert_eq!(of(Some(&entry("path:/a", Some("one")))), Ownership::Ours);
            assert_eq!(of(Some(&entry("path:/a", Some("two")))), Ownership::Edited);
        }
        let mode = intent(json!({"action": "change", "found": {"sha256": "one"}}));
        assert_eq!(owner(&mode, "path:/a", None, &state()), Ownership::Ours, "its content stays");
    }

    #[test]
    fn containers_are_ours_by_their_label_or_by_the_state() {
        for action in [json!({"action": "change", "replaces": "container:a"}), json!({"action": "remove"})] {
            let of = |label: Value, entry: Option<&StateEntry>| {
                let mut action = action.clone();
                action["found"] = json!({ "project": label });
                owner(&intent(action), "container:a", entry, &state())
            };
            let known = entry("container:a", None);
            assert_eq!(of(json!(LINEAGE), None), Ownership::Ours);
            assert_eq!(of(json!("other"), None), Ownership::ForeignThing);
            assert_eq!(
                of(json!("other"), Some(&known)),
                Ownership::ForeignThing,
                "it has another owner by now"
            );
            assert_eq!(of(Value::Null, Some(&known)), Ownership::Ours);
            assert_eq!(of(Value::Null, None), Ownership::ForeignThing);
        }
    }

    #[test]
    fn the_worst_of_all_operations_counts() {
        let address = Address { kind: "K".into(), name: "n".into() };
        let operation = |found: Value| OperationOutcome {
            name: String::new(),
            action: crate::outcome::Action::Change,
            changed: true,
            error: None,
            seconds: 0.0,
            diff: None,
            replaces: false,
            intent: Some(intent(json!({"action": "remove", "found": found}))),
        };
        let operations = vec![operation(json!({"sha256": "x"})), operation(json!({"project": "other"}))];
        let outcome = ResourceOutcome::new(address, "@local", operations, None);
        assert_eq!(judge(&outcome, &State::default()), Ownership::ForeignThing);
        let _ = Map::<String, Value>::new();
    }
}
