//! Arguments of operations: JSON values, bytes, texts and bytes that are read like a file, and deferred
//! values.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value, json};

use crate::hash::{from_hex, to_hex};

/// The value of an argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// `None`.
    Null,
    /// `True` or `False`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Argument>),
    /// A dictionary, in its order.
    Map(Vec<(String, Argument)>),
    /// `StringIO(text)`: a text that is read like a file.
    TextFile(Box<Argument>),
    /// `BytesIO(bytes)`: bytes that are read like a file.
    BytesFile(Vec<u8>),
    /// A value that is known only for a host, or only later.
    Deferred(Deferred),
}

/// A value that is known only for a host, or only later.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Deferred {
    /// A secret, by its name.
    Secret(String),
    /// Data of the host in the inventory, by its key.
    HostData(String),
    /// An output of another resource: its address as text, and a key.
    Output(String, String),
}

impl Argument {
    /// Collects the deferred values in it.
    pub fn deferred(&self) -> Vec<&Deferred> {
        match self {
            Self::Deferred(deferred) => vec![deferred],
            Self::TextFile(inner) => inner.deferred(),
            Self::List(items) => items.iter().flat_map(Self::deferred).collect(),
            Self::Map(items) => items.iter().flat_map(|(_, item)| item.deferred()).collect(),
            _ => Vec::new(),
        }
    }

    /// Converts it to JSON. An object with one key that begins with `$` stands for a type that JSON lacks.
    fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => json!(value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => json!(text),
            Self::Bytes(bytes) => json!({ "$bytes": to_hex(bytes) }),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(items) => {
                let map: Map<_, _> = items.iter().map(|(key, item)| (key.clone(), item.to_json())).collect();
                if items.iter().any(|(key, _)| key.starts_with('$')) {
                    json!({ "$map": map })
                } else {
                    map.into()
                }
            }
            Self::TextFile(inner) => json!({ "$text_file": inner.to_json() }),
            Self::BytesFile(bytes) => json!({ "$bytes_file": to_hex(bytes) }),
            Self::Deferred(Deferred::Secret(name)) => json!({ "$secret": name }),
            Self::Deferred(Deferred::HostData(key)) => json!({ "$host_data": key }),
            Self::Deferred(Deferred::Output(resource, key)) => json!({ "$output": [resource, key] }),
        }
    }

    fn from_json(value: Value) -> Result<Self, String> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => {
                Self::List(items.into_iter().map(Self::from_json).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => match map.keys().next() {
                Some(key) if key.starts_with('$') && map.len() == 1 => Self::tagged(map)?,
                _ => Self::Map(members(map)?),
            },
        })
    }

    fn tagged(map: Map<String, Value>) -> Result<Self, String> {
        let Some((tag, value)) = map.into_iter().next() else { return Ok(Self::Map(Vec::new())) };
        let bytes = |value: &Value| value.as_str().and_then(from_hex);
        let wrong = || format!("the value of {tag} cannot be read");
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
        match (tag.as_str(), value) {
            ("$bytes", value) => Ok(Self::Bytes(bytes(&value).ok_or_else(wrong)?)),
            ("$bytes_file", value) => Ok(Self::BytesFile(bytes(&value).ok_or_else(wrong)?)),
            ("$text_file", value) => Ok(Self::TextFile(Box::new(Self::from_json(value)?))),
            ("$secret", value) => Ok(Self::Deferred(Deferred::Secret(text(&value)?))),
            ("$host_data", value) => Ok(Self::Deferred(Deferred::HostData(text(&value)?))),
            ("$output", Value::Array(parts)) if parts.len() == 2 => {
                Ok(Self::Deferred(Deferred::Output(text(&parts[0])?, text(&parts[1])?)))
            }
            ("$map", Value::Object(map)) => Ok(Self::Map(members(map)?)),
            _ => Err(wrong()),
        }
    }
}

fn members(map: Map<String, Value>) -> Result<Vec<(String, Argument)>, String> {
    map.into_iter().map(|(key, value)| Ok((key, Argument::from_json(value)?))).collect()
}

impl Serialize for Argument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_comes_back() {
        let all = Argument::List(vec![
            Argument::Null,
            Argument::Bool(true),
            Argument::Number(1.into()),
            Argument::Text("$secret".into()),
            Argument::Bytes(vec![0, 255]),
            Argument::BytesFile(vec![]),
            Argument::TextFile(Box::new(Argument::Text("a\n".into()))),
            Argument::Map(vec![("b".into(), Argument::Null), ("a".into(), Argument::Null)]),
            Argument::Map(vec![("$secret".into(), Argument::Text("none".into()))]),
            Argument::Map(vec![("$map".into(), Argument::Map(vec![]))]),
            Argument::Deferred(Deferred::Secret("PASSWORD".into())),
            Argument::Deferred(Deferred::HostData("port".into())),
            Argument::Deferred(Deferred::Output("db".into(), "port".into())),
        ]);
        let stored = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Argument>(&stored).unwrap(), all);
        assert_eq!(all.deferred().len(), 3);
    }

    #[test]
    fn a_tag_that_is_unknown_is_an_error() {
        for stored in [r#"{"$other": 1}"#, r#"{"$bytes": "xy"}"#, r#"{"$output": ["a"]}"#] {
            assert!(serde_json::from_str::<Argument>(stored).is_err(), "{stored}");
        }
    }
}
