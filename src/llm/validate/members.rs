//! Keeps only the members of an answer that its schema asks for.

use serde_json::{Map, Value};

use super::super::schema::{DEPTH, required, target};
use super::schema;

/// Drops the members that the schema does not name, unless it allows others. The strict schema forbids
/// them, but not all servers keep to that, and a resource would take a volume that nobody asked for as
/// readily as an image.
///
/// An optional member that is null is dropped too: the strict schema leaves a model no other way to omit it.
pub(super) fn wanted(value: Value, schema: &Value) -> Value {
    part(value, schema, schema, DEPTH)
}

fn part(value: Value, schema: &Value, root: &Value, depth: usize) -> Value {
    // The check counts at least as fast, and rejects a value that is nested so deep.
    if depth == 0 {
        return value;
    }
    let mut parts = Vec::new();
    gather(schema, root, &mut parts);
    match parts.iter().fold(value, |value, part| choose(value, part, root, depth)) {
        Value::Array(items) => {
            let trimmed = items.into_iter().enumerate().map(|(index, item)| {
                let schemas = parts.iter().filter_map(|part| {
                    part.get("prefixItems").and_then(|items| items.get(index)).or_else(|| part.get("items"))
                });
                schemas.fold(item, |item, schema| self::part(item, schema, root, depth - 1))
            });
            trimmed.collect()
        }
        Value::Object(object) => members(object, &parts, root, depth).into(),
        other => other,
    }
}

/// Collects a schema with those that it refers to and consists of: all of them hold for the same value.
fn gather<'s>(schema: &'s Value, root: &'s Value, parts: &mut Vec<&'s Map<String, Value>>) {
    let Some(object) = schema.as_object() else { return };
    // A schema that refers to itself ends here.
    if parts.iter().any(|seen| std::ptr::eq(*seen, object)) {
        return;
    }
    parts.push(object);
    let all = object.get("allOf").and_then(Value::as_array).into_iter().flatten();
    target(object, root).into_iter().chain(all).for_each(|schema| gather(schema, root, parts));
}

/// Trims a value by the choice that it fits. If it fits several, the one that leaves the most of it counts.
fn choose(value: Value, schema: &Map<String, Value>, root: &Value, depth: usize) -> Value {
    let choices = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    let fitting = choices
        .map(|choice| (part(value.clone(), choice, root, depth - 1), choice))
        .filter(|(trimmed, choice)| schema::check_part(trimmed, choice, root, "", depth - 1).is_ok());
    let most = fitting.min_by_key(|(trimmed, _)| std::cmp::Reverse(trimmed.to_string().len()));
    // A value that fits none is left as it is. The check complains about it.
    most.map_or(value, |(trimmed, _)| trimmed)
}

fn members(
    object: Map<String, Value>,
    parts: &[&Map<String, Value>],
    root: &Value,
    depth: usize,
) -> Map<String, Value> {
    let properties: Vec<&Value> = parts.iter().filter_map(|part| part.get("properties")).collect();
    let others: Vec<&Value> = parts.iter().filter_map(|part| part.get("additionalProperties")).collect();
    let has_others = others.iter().any(|schema| **schema != Value::Bool(false));
    let trimmed = object.into_iter().filter_map(|(name, value)| {
        let own: Vec<&Value> = properties.iter().filter_map(|properties| properties.get(&name)).collect();
        let is_named = !own.is_empty();
        if !is_named && others.is_empty() && !properties.is_empty() {
            return None;
        }
        let is_required = parts.iter().any(|part| required(part).contains(&name.as_str()));
        if value.is_null() && !is_required && (is_named || !has_others) {
            return None;
        }
        let schemas = if is_named { &own } else { &others };
        let value = schemas.iter().fold(value, |value, schema| part(value, schema, root, depth - 1));
        Some((name, value))
    });
    trimmed.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_schema_names_is_taken() {
        let schema = json!({
            "type": "object",
            "properties": {
                "image": {"type": "string"},
                "port": {"$ref": "#/$defs/Port"},
                "ports": {"type": "array", "items": {"$ref": "#/$defs/Port"}},
                "pair": {"prefixItems": [{"$ref": "#/$defs/Port"}]},
                "maybe": {"anyOf": [{"$ref": "#/$defs/Port"}, {"type": "null"}]},
                "whole": {"allOf": [{"$ref": "#/$defs/Port"}], "properties": {"more": {}}},
                "names": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Port"}},
                "any": {"type": "object"},
                "open": {"properties": {"a": {}}, "additionalProperties": true},
            },
            "$defs": {"Port": {"properties": {"number": {"type": "integer"}}, "required": ["number"]}},
        });
        let port = json!({"number": 1, "present": false});
        let answer = json!({
            "image": "nginx", "volumes": ["/:/host"], "present": false, "port": port, "ports": [port, port],
            "pair": [port], "maybe": port, "whole": {"number": 1, "more": 2, "less": 3}, "names": {"x": port},
            "any": {"x": 1}, "open": {"a": 1, "b": 2},
        });
        let port = json!({"number": 1});
        let left = json!({
            "image": "nginx", "port": port, "ports": [port, port], "pair": [port], "maybe": port,
            "whole": {"number": 1, "more": 2}, "names": {"x": port}, "any": {"x": 1}, "open": {"a": 1, "b": 2},
        });
        assert_eq!(wanted(answer, &schema), left);
    }

    #[test]
    fn what_may_be_forbidden_is_left_to_the_check() {
        let schema = json!({"properties": {"a": {}}, "additionalProperties": false});
        assert_eq!(wanted(json!({"a": 1, "b": 2, "c": null}), &schema), json!({"a": 1, "b": 2}));
        assert_eq!(wanted(json!({"x": 1}), &json!({"$ref": "#"})), json!({"x": 1}));
        assert_eq!(wanted(json!(["x"]), &json!(true)), json!(["x"]));
    }

    #[test]
    fn the_choice_that_leaves_the_most_counts() {
        let of = |names: &[&str]| {
            let properties: Map<String, Value> = names.iter().map(|n| ((*n).to_owned(), json!({}))).collect();
            json!({"type": "object", "properties": properties, "required": names})
        };
        let schema = json!({"anyOf": [of(&["a"]), of(&["a", "b"]), {"type": "string"}]});
        assert_eq!(wanted(json!({"a": 1, "b": 2, "c": 3}), &schema), json!({"a": 1, "b": 2}));
        assert_eq!(wanted(json!({"a": 1, "c": 3}), &schema), json!({"a": 1}));
        assert_eq!(wanted(json!({"c": 3}), &schema), json!({"c": 3}));
    }

    #[test]
    fn needless_nulls_go_at_every_level() {
        let inner = json!({"properties": {"a": {"type": "integer"}, "b": {}}, "required": ["b"]});
        let schema = json!({
            "properties": {"one": {"$ref": "#/$defs/inner"}, "many": {"items": {"$ref": "#/$defs/inner"}},
                           "map": {"additionalProperties": {"type": ["string", "null"]}}, "gone": {}},
            "$defs": {"inner": inner},
        });
        let nulls = json!({"a": null, "b": null});
        let answer = json!({"one": nulls, "many": [nulls], "map": {"x": null}, "gone": null});
        let left = json!({"one": {"b": null}, "many": [{"b": null}], "map": {"x": null}});
        assert_eq!(wanted(answer, &schema), left);
    }
}
