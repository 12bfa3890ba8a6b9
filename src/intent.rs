//! The intent of an operation, and the context that decides about it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::outcome::Action;

/// The action of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntentAction {
    /// The thing does not exist, and is created.
    Create,
    /// The thing exists, and is changed.
    Change,
    /// The thing exists, and is removed.
    Remove,
}

impl From<IntentAction> for Action {
    fn from(action: IntentAction) -> Self {
        match action {
            IntentAction::Create => Self::Create,
            IntentAction::Change => Self::Change,
            IntentAction::Remove => Self::Remove,
        }
    }
}

/// A field whose value on the host differs from the desired one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The field.
    pub field: String,
    /// The value on the host; null if there is none.
    pub before: Value,
    /// The desired value; null if there is to be none.
    pub after: Value,
}

/// The announcement of an operation of what it is about to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The action.
    pub action: IntentAction,
    /// The fields that differ.
    pub changes: Vec<Difference>,
    /// The identity of the thing that is removed and created again.
    pub replaces: Option<String>,
    /// The identity of the existing thing whose content is overwritten.
    pub overwrites: Option<String>,
    /// Evidence of the owner of the existing thing: `sha256`, `mode`, `owner`, `group`, `project`.
    pub found: Map<String, Value>,
    /// The reason, if the changes do not show it.
    pub reason: Option<String>,
}

impl Intent {
    /// Adds a further intent of the same operation.
    ///
    /// If the thing is created, its parts are no changes. Identities and evidence stay those of the first.
    pub fn extend(&mut self, other: Self) {
        if self.action != other.action {
            self.action = match (self.action, other.action) {
                (IntentAction::Create, IntentAction::Change) => IntentAction::Create,
                _ => IntentAction::Change,
            };
        }
        self.changes.extend(other.changes);
        self.replaces = self.replaces.take().or(other.replaces);
        self.overwrites = self.overwrites.take().or(other.overwrites);
        for (key, value) in other.found {
            self.found.entry(key).or_insert(value);
        }
        self.reason = self.reason.take().or(other.reason);
    }
}

/// Settings that an operation reads while it runs, with the names and meanings of `clockwork.operations.Context`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Context {
    /// The lineage of the project's state, for the label of a thing.
    pub project: Option<String>,
    /// The name of the project's folder, for people who read the label.
    pub folder: Option<String>,
    /// True if the thing is copied on the host before it is overwritten or removed.
    pub keep_copy: bool,
    /// True if a foreign thing may be overwritten, replaced or removed.
    pub take_over: bool,
    /// The part of a move that the operation does: `set_aside`, `clear`, `put_back` or `drop`.
    pub aside: Option<&'static str>,
    /// True if the session puts back what is set aside, if the operation fails.
    pub puts_back: bool,
    /// The identity of the thing that takes the place.
    pub room_for: Option<String>,
    /// The folder for copies on this machine.
    pub backup_folder: Option<String>,
    /// The values of the secrets that compiled code names.
    pub secrets: SecretValues,
}

/// Values of secrets by name. No `Debug` output shows them.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct SecretValues(pub BTreeMap<String, String>);

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Default for Context {
    fn default() -> Self {
        Self {
            project: None,
            folder: None,
            keep_copy: false,
            take_over: true,
            aside: None,
            puts_back: false,
            room_for: None,
            backup_folder: None,
            secrets: SecretValues::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(action: IntentAction, field: &str) -> Intent {
        Intent {
            action,
            changes: vec![Difference { field: field.into(), before: Value::Null, after: Value::Bool(true) }],
            replaces: None,
            overwrites: None,
            found: Map::new(),
            reason: None,
        }
    }

    #[test]
    fn what_is_made_is_not_changed_by_its_parts() {
        let mut made = intent(IntentAction::Create, "path");
        made.extend(intent(IntentAction::Change, "mode"));
        assert_eq!(made.action, IntentAction::Create);
        assert_eq!(made.changes.len(), 2);
        made.extend(intent(IntentAction::Remove, "old"));
        assert_eq!(made.action, IntentAction::Change);
    }
}
