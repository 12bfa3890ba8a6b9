//! The check of a structured answer by its schema.
//!
//! It is no full validator: the resource's own Pydantic model has the last word. It runs before that model,
//! because `anyOf` has to be decided before unwanted members are dropped, and because Pydantic converts
//! values that the lock would keep as the model wrote them.

use serde_json::{Map, Value};

use super::super::schema::{DEPTH, required, target};

/// Checks a value; the error says which part of it is wrong, and how.
pub(super) fn check(value: &Value, schema: &Value) -> Result<(), String> {
    check_part(value, schema, schema, "", DEPTH)
}

/// Checks the part of a value at `path` by the schema for it.
pub(super) fn check_part(
    value: &Value,
    schema: &Value,
    root: &Value,
    path: &str,
    depth: usize,
) -> Result<(), String> {
    let here = if path.is_empty() { "it" } else { path };
    let Some(schema) = schema.as_object() else {
        return if schema == &Value::Bool(false) { Err(format!("{here} is not wanted")) } else { Ok(()) };
    };
    if depth == 0 {
        return Err(format!("{here} is nested too deep"));
    }
    if let Some(target) = target(schema, root) {
        check_part(value, target, root, path, depth - 1)?;
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = schema.get(key).and_then(Value::as_array) {
            let mut complaints =
                choices.iter().map(|choice| check_part(value, choice, root, path, depth - 1)).peekable();
            let first = complaints.peek().cloned();
            if !complaints.any(|complaint| complaint.is_ok()) {
                first.unwrap_or(Ok(()))?;
            }
        }
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        check_part(value, part, root, path, depth - 1)?;
    }
    check_type(value, schema, here)?;
    if let Some(choices) = schema.get("enum").and_then(Value::as_array)
        && !choices.contains(value)
    {
        let choices: Vec<String> = choices.iter().take(20).map(Value::to_string).collect();
        return Err(format!("{here} has to be one of {}", choices.join(", ")));
    }
    if let Some(constant) = schema.get("const").filter(|constant| *constant != value) {
        return Err(format!("{here} has to be {constant}"));
    }
    check_bounds(value, schema, here)?;
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let items = schema.get("items").unwrap_or(&Value::Bool(true));
                check_part(item, items, root, &format!("{path}[{index}]"), depth - 1)?;
            }
            Ok(())
        }
        Value::Object(object) => check_members(object, schema, root, path, depth),
        _ => Ok(()),
    }
}

fn check_members(
    object: &Map<String, Value>,
    schema: &Map<String, Value>,
    root: &Value,
    path: &str,
    depth: usize,
) -> Result<(), String> {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(name) = required(schema).into_iter().find(|name| !object.contains_key(*name)) {
        return Err(format!("{} is missing", below(name)));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, value) in object {
        let property = properties.and_then(|properties| properties.get(name));
        if let Some(property) = property.or_else(|| schema.get("additionalProperties")) {
            check_part(value, property, root, &below(name), depth - 1)?;
        }
    }
    Ok(())
}

fn check_type(value: &Value, schema: &Map<String, Value>, here: &str) -> Result<(), String> {
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let fits = |name: &&str| match *name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    };
    if types.iter().any(fits) {
        Ok(())
    } else {
        Err(format!("{here} has to be of the type {}", types.join(" or ")))
    }
}

fn check_bounds(value: &Value, schema: &Map<String, Value>, here: &str) -> Result<(), String> {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let (size, keys) = match value {
        Value::String(text) => (u32::try_from(text.chars().count()), ["minLength", "maxLength"]),
        Value::Array(items) => (u32::try_from(items.len()), ["minItems", "maxItems"]),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            return within(number, bound("minimum"), bound("maximum"), here);
        }
        _ => return Ok(()),
    };
    let name = format!("the length of {here}");
    within(f64::from(size.unwrap_or(u32::MAX)), bound(keys[0]), bound(keys[1]), &name)
}

fn within(number: f64, least: Option<f64>, most: Option<f64>, what: &str) -> Result<(), String> {
    match (least, most) {
        (Some(least), _) if number < least => Err(format!("{what} has to be at least {least}")),
        (_, Some(most)) if number > most => Err(format!("{what} has to be at most {most}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "title": "Service", "type": "object", "required": ["image"], "additionalProperties": false,
            "properties": {
                "image": {"type": "string", "minLength": 1},
                "ports": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/port"}}, {"type": "null"}], "default": null},
                "title": {"enum": ["a", "b"]},
            },
            "$defs": {"port": {"type": "integer", "minimum": 1, "maximum": 65535}},
        })
    }

    #[test]
    fn complains_exactly() {
        let complaint = |value: Value| check(&value, &schema()).err().unwrap_or_default();
        assert_eq!(complaint(json!({"image": "x", "ports": [80], "title": "a"})), "");
        assert_eq!(complaint(json!({"image": "x", "ports": null})), "");
        assert_eq!(complaint(json!([])), "it has to be of the type object");
        assert_eq!(complaint(json!({})), "image is missing");
        assert_eq!(complaint(json!({"image": ""})), "the length of image has to be at least 1");
        assert_eq!(complaint(json!({"image": "x", "ports": [0]})), "ports[0] has to be at least 1");
        assert_eq!(complaint(json!({"image": "x", "title": "c"})), "title has to be one of \"a\", \"b\"");
        assert_eq!(complaint(json!({"image": "x", "more": 1})), "more is not wanted");
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"$ref": "#"});
        assert!(check(&json!({}), &schema).is_err());
    }
}
