//! A resource's fields as the state keeps them: without secrets, and without long texts.

use serde_json::{Map, Value};

use crate::hash::sha256;
use crate::redact;

/// The longest text that is kept as it is, in characters.
const LONGEST: usize = 200;

/// What stands for a text that is not kept, and tells it from others.
fn stand_in(text: &str) -> Value {
    let hash: String = sha256(text.as_bytes()).chars().take(12).collect();
    Value::String(format!("({} characters, sha256 {hash}…)", text.chars().count()))
}

/// Whether a value stands for a text that is not kept.
pub fn stands_in(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with('(') && text.contains(" characters, sha256 "))
}

/// The fields without the values of anything secret, and without contents.
pub fn shown(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut shown = redact::fields(fields);
    for (name, value) in &mut shown {
        shorten(value, name == "content");
    }
    shown
}

fn shorten(value: &mut Value, whole: bool) {
    match value {
        Value::String(text) if whole || text.chars().count() > LONGEST => *value = stand_in(text),
        Value::Array(items) => items.iter_mut().for_each(|item| shorten(item, whole)),
        Value::Object(map) => map.values_mut().for_each(|item| shorten(item, whole)),
        _ => {}
    }
}

/// The texts of the fields that may not be shown.
pub fn hidden(fields: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    let redacted = redact::fields(fields);
    for (name, value) in fields {
        if let Some(after) = redacted.get(name) {
            differing(value, after, &mut found);
        }
    }
    found
}

fn differing(before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                if let Some(after) = after.get(key) {
                    differing(value, after, found);
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (before, after) in before.iter().zip(after) {
                differing(before, after, found);
            }
        }
        (before, after) if before != after => texts(before, found),
        _ => {}
    }
}

/// All texts and numbers in what is hidden as a whole.
fn texts(hidden: &Value, found: &mut Vec<String>) {
    match hidden {
        Value::String(text) => {
            // Of `NAME=value` the value alone is secret; a secret can hold the same sign.
            found.extend(text.split_once('=').map(|(_, value)| value.to_owned()));
            found.push(text.clone());
        }
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(map) => map.values().for_each(|value| texts(value, found)),
        Value::Null | Value::Bool(_) => {}
    }
}
