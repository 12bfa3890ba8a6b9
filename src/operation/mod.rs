//! Operations: the work of a kind as data. Compile, plan and state use them.

mod argument;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use argument::{Argument, Deferred};

/// One call of a pyinfra operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// `files.put` means `pyinfra.operations.files.put`; any other path is imported as it stands.
    pub function: String,
    /// The keyword arguments, in the order in which they are written.
    pub arguments: Vec<(String, Argument)>,
    /// The state that holds afterwards: keys of a fixed vocabulary (`path`, `type`, `sha256`, `mode`,
    /// `owner`, `group`, `target`). A missing key is not compared.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub state: Map<String, Value>,
    /// The effects of an operation that makes no [`crate::intent::Intent`].
    #[serde(default, skip_serializing_if = "Effects::is_empty")]
    pub effects: Effects,
}

/// The identities that an operation creates, replaces or removes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Effects {
    /// Things that are created.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub creates: Vec<String>,
    /// Things that are removed and created again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// Things that are removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<String>,
}

impl Effects {
    /// Returns true if nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.creates.is_empty() && self.replaces.is_empty() && self.removes.is_empty()
    }
}

/// One step of the work of a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// An operation.
    Operation(Operation),
    /// pyinfra code, which a kind of the user's own returned or an older format of the state kept.
    Code(String),
}

impl Step {
    /// Returns true if two steps do the same. The name of an operation is for people and does not count.
    pub fn does_the_same(&self, other: &Self) -> bool {
        let arguments = |operation: &Operation| -> Vec<(String, Argument)> {
            let named = operation.arguments.iter().filter(|(name, _)| name != "name");
            let mut named: Vec<_> = named.cloned().collect();
            named.sort_by(|(one, _), (other, _)| one.cmp(other));
            named
        };
        match (self, other) {
            (Self::Operation(one), Self::Operation(other)) => {
                one.function == other.function && arguments(one) == arguments(other)
            }
            (Self::Code(one), Self::Code(other)) => one.trim_end() == other.trim_end(),
            _ => false,
        }
    }
}

/// Hashes steps. Two lists of steps that do the same have the same hash.
pub fn fingerprint(steps: &[Step]) -> String {
    let text = serde_json::to_string(steps).unwrap_or_default();
    crate::hash::sha256(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn operation(name: &str, path: &str) -> Step {
        let text = |text: &str| Argument::Text(text.into());
        Step::Operation(Operation {
            function: "files.file".into(),
            arguments: vec![("name".into(), text(name)), ("path".into(), text(path))],
            state: Map::new(),
            effects: Effects::default(),
        })
    }

    #[test]
    fn a_name_is_for_people() {
        assert!(operation("Remove a", "/a").does_the_same(&operation("Delete a", "/a")));
        assert!(!operation("Remove a", "/a").does_the_same(&operation("Remove a", "/b")));
        assert!(!operation("", "/a").does_the_same(&Step::Code("files.file(path='/a')".into())));
    }

    #[test]
    fn steps_are_stored_and_read_back() {
        let steps = vec![operation("Remove a", "/a"), Step::Code("x = 1".into())];
        let stored = serde_json::to_value(&steps).unwrap();
        assert_eq!(
            stored,
            json!([
                {"operation": {"function": "files.file", "arguments": [["name", "Remove a"], ["path", "/a"]]}},
                {"code": "x = 1"},
            ])
        );
        assert_eq!(serde_json::from_value::<Vec<Step>>(stored).unwrap(), steps);
    }
}
