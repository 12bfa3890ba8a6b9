//! JSON schemas of structured answers, in the strict form that servers want.

use serde_json::{Map, Value, json};

/// The `format` of a property that names a container image.
pub(super) const CONTAINER_IMAGE: &str = "container-image";

/// The depth to which a schema is followed, so that a recursive one ends.
pub(super) const DEPTH: usize = 32;

/// The schema in the form that strict servers want: no other properties, and all of them required. An
/// optional property may be null instead.
///
/// The format of a container image is left out: strict servers know only the formats of the standard.
///
/// It is a part of the question's fingerprint.
pub(super) fn strict(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(strict).collect(),
        Value::Object(object) => {
            let required = required(object);
            let mut result: Map<String, Value> = object
                .iter()
                .filter(|(key, value)| match key.as_str() {
                    "default" | "title" | "examples" => false,
                    "format" => *value != CONTAINER_IMAGE,
                    _ => true,
                })
                .map(|(key, value)| {
                    let literal = matches!(key.as_str(), "enum" | "const" | "required");
                    (key.clone(), if literal { value.clone() } else { strict(value) })
                })
                .collect();
            if let Some(properties) = object.get("properties").and_then(Value::as_object) {
                // Filtered anew: a property may be called `title`.
                let properties: Map<String, Value> = properties
                    .iter()
                    .map(|(name, property)| {
                        let property = strict(property);
                        let optional = !required.contains(&name.as_str()) && !takes_null(&property);
                        let nullable = || json!({"anyOf": [property.clone(), {"type": "null"}]});
                        (name.clone(), if optional { nullable() } else { property })
                    })
                    .collect();
                result.insert("required".into(), properties.keys().cloned().collect());
                result.insert("properties".into(), properties.into());
                result.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            Value::Object(result)
        }
        other => other.clone(),
    }
}

/// The definition that a schema refers to.
pub(super) fn target<'s>(schema: &Map<String, Value>, root: &'s Value) -> Option<&'s Value> {
    root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
}

/// The members that a schema requires.
pub(super) fn required(schema: &Map<String, Value>) -> Vec<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn takes_null(schema: &Value) -> bool {
    let is_null = |schema: &Value| match schema.get("type") {
        Some(Value::String(name)) => name == "null",
        Some(Value::Array(names)) => names.iter().any(|name| name == "null"),
        _ => false,
    };
    is_null(schema) || schema.get("anyOf").and_then(Value::as_array).into_iter().flatten().any(is_null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({
            "title": "Service", "type": "object", "required": ["image"], "additionalProperties": false,
            "properties": {
                "image": {"type": "string", "minLength": 1, "format": "container-image"},
                "day": {"type": "string", "format": "date"},
                "ports": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/port"}}, {"type": "null"}], "default": null},
                "title": {"enum": ["a", "b"]},
            },
            "$defs": {"port": {"type": "integer", "minimum": 1, "maximum": 65535}},
        })
    }

    #[test]
    fn the_strict_form_requires_all() {
        let strict = strict(&schema());
        assert_eq!(strict["required"], json!(["image", "day", "ports", "title"]));
        assert_eq!(strict["properties"]["title"], json!({"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}));
        assert!(strict["properties"]["ports"].get("default").is_none());
        assert_eq!(strict["properties"]["image"], json!({"type": "string", "minLength": 1}));
        assert_eq!(strict["properties"]["day"]["anyOf"][0]["format"], "date");
        assert!(strict.get("title").is_none());
    }
}
