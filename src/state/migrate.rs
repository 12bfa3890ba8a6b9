//! Brings states of older formats up to date.
//!
//! Format 1 kept one entry a resource and host, and code that takes it down. The identities of format 2 come
//! from that code, which is read by the shapes that format 1 wrote, and never run.

use serde_json::{Map, Value, json};

use super::file::FORMAT;
use crate::identity;
use crate::operation::{Argument, Effects, Operation, Step};
use crate::resource::Address;

/// Brings a document of an older format up to date, one step after the other.
pub(super) fn migrate(document: Value, format: u64) -> Result<Value, String> {
    match format {
        0 => migrate(from_0(document).ok_or("there is no format 0")?, 1),
        1 => migrate(from_1(document)?, 2),
        FORMAT => Ok(document),
        other => Err(format!("there is no format {other}")),
    }
}

/// Before its first release Clockwork wrote one object for each resource, by `Kind.name@host`.
fn from_0(mut document: Value) -> Option<Value> {
    let resources = document.get_mut("resources")?.as_object_mut()?;
    let list: Vec<Value> = std::mem::take(resources).into_iter().map(|(_, entry)| entry).collect();
    Some(json!({ "format": 1, "resources": list }))
}

/// One entry a resource and host becomes one entry a thing and host.
fn from_1(mut document: Value) -> Result<Value, String> {
    let entries = document.get_mut("resources").map(Value::take).ok_or("missing field `resources`")?;
    let entries = entries.as_array().cloned().ok_or("`resources` is no list")?;
    let mut migrated = Vec::new();
    for entry in entries {
        let entry = entry.as_object().ok_or("an entry is no object")?;
        migrated.extend(split(entry)?);
    }
    let mut kept: Vec<Value> = Vec::new();
    for entry in migrated {
        let same = |other: &Value| other["host"] == entry["host"] && other["identity"] == entry["identity"];
        match kept.iter().position(same) {
            Some(place) => kept[place] = merge(kept[place].take(), entry),
            None => kept.push(entry),
        }
    }
    Ok(json!({ "format": 2, "lineage": "", "resources": kept }))
}

/// Two entries of one thing become one. The resource that has deployed it last has it by now, and keeps all steps.
fn merge(one: Value, other: Value) -> Value {
    let at = |entry: &Value| entry["deployed"]["at"].as_str().unwrap_or_default().to_owned();
    let (mut owner, mut former) = if at(&one) > at(&other) { (one, other) } else { (other, one) };
    if owner["pending"].is_null() && !former["pending"].is_null() {
        owner["pending"] = former["pending"].take();
    }
    let steps =
        |entry: &Value, part: &str| entry[part]["removal"]["steps"].as_array().cloned().unwrap_or_default();
    let leftovers = |entry: &Value| entry["leftovers"].as_array().cloned().unwrap_or_default();
    let known = [steps(&owner, "deployed"), steps(&owner, "pending")].concat();
    let mut kept = leftovers(&owner);
    for step in [steps(&former, "deployed"), steps(&former, "pending"), leftovers(&former)].concat() {
        if !known.contains(&step) && !kept.contains(&step) {
            kept.push(step);
        }
    }
    owner["leftovers"] = Value::Array(kept);
    owner
}

/// The things of one entry: the one that was deployed, and those that are elsewhere.
fn split(entry: &Map<String, Value>) -> Result<Vec<Value>, String> {
    let text = |key: &str| {
        let text = entry.get(key).and_then(Value::as_str).map(str::to_owned);
        text.ok_or_else(|| format!("missing field `{key}`"))
    };
    let address = Address { kind: text("kind")?, name: text("name")? };
    let unknown = identity::of_code(&address);
    let part = |key: &str| entry.get(key).filter(|value| !value.is_null()).cloned();

    let mut things: Vec<(String, Map<String, Value>)> = Vec::new();
    if let Some(mut deployed) = part("deployed") {
        let (identity, removal) = removal(deployed.get("removal"));
        let old = deployed.get_mut("fingerprint").map_or_else(|| json!(""), Value::take);
        let mut deployed = deployed.as_object().cloned().unwrap_or_default();
        deployed.remove("fingerprint");
        deployed.insert("steps_fingerprint".to_owned(), old);
        deployed.insert("removal".to_owned(), removal);
        let part = Map::from_iter([("deployed".to_owned(), Value::Object(deployed))]);
        things.push((identity.unwrap_or_else(|| unknown.clone()), part));
    }
    if let Some(mut pending) = part("pending") {
        let (identity, removal) = removal(pending.get("removal"));
        pending["removal"] = removal;
        add(&mut things, identity.unwrap_or_else(|| unknown.clone()), "pending", pending);
    }
    for leftover in part("leftovers").as_ref().and_then(Value::as_array).into_iter().flatten() {
        let (identity, removal) = removal(leftover.get("removal"));
        let steps = removal.get("steps").cloned().unwrap_or_else(|| json!([]));
        // Code that cannot be read stays with the thing that was deployed.
        let place = identity.or_else(|| things.first().map(|(identity, _)| identity.clone()));
        add(&mut things, place.unwrap_or_else(|| unknown.clone()), "leftovers", steps);
    }

    let common =
        entry.iter().filter(|(key, _)| !["deployed", "pending", "leftovers"].contains(&key.as_str()));
    let common: Map<String, Value> = common.map(|(key, value)| (key.clone(), value.clone())).collect();
    let whole = |(identity, parts): (String, Map<String, Value>)| {
        let mut thing = common.clone();
        thing.insert("identity".to_owned(), Value::String(identity));
        thing.entry("deployed").or_insert(Value::Null);
        thing.extend(parts);
        Value::Object(thing)
    };
    Ok(things.into_iter().map(whole).collect())
}

/// Puts a part into the thing of that identity, or makes one.
fn add(things: &mut Vec<(String, Map<String, Value>)>, identity: String, key: &str, part: Value) {
    let place = things.iter().position(|(other, _)| *other == identity).unwrap_or_else(|| {
        things.push((identity, Map::new()));
        things.len() - 1
    });
    let parts = &mut things[place].1;
    match (parts.get_mut(key), part) {
        (Some(Value::Array(steps)), Value::Array(more)) => steps.extend(more),
        (_, part) => {
            parts.insert(key.to_owned(), part);
        }
    }
}

/// The identity that removal code tells, where it tells one, and the removal in its new form.
fn removal(old: Option<&Value>) -> (Option<String>, Value) {
    let Some(code) = old.and_then(|old| old.get("code")).and_then(Value::as_str) else {
        return (None, old.cloned().unwrap_or_else(|| json!("unknown")));
    };
    let (identity, steps) = read(code).unwrap_or_else(|| (None, vec![Step::Code(code.to_owned())]));
    (identity, json!({ "steps": steps }))
}

/// Reads the code that the built-in kinds of format 1 wrote.
fn read(code: &str) -> Option<(Option<String>, Vec<Step>)> {
    let code = code.trim();
    if let Some(path) = file(code).or_else(|| odd_file(code)) {
        let steps = vec![remove("files.file", "path", &path, &format!("Remove {path}"))];
        return Some((Some(identity::normalise(&format!("path:{path}"))), steps));
    }
    let (container, networks) = containers(code)?;
    let mut steps =
        vec![remove("docker.container", "container", &container, &format!("{container}: remove container"))];
    for network in networks {
        let name = format!("{container}: remove network {network}");
        steps.push(remove("docker.network", "network", &network, &name));
    }
    Some((Some(format!("container:{container}")), steps))
}

/// `files.file(name="Remove /a", path="/a", present=False)`, and nothing else.
fn file(code: &str) -> Option<String> {
    let rest = code.strip_prefix("files.file(name=")?;
    let (name, rest) = unquote(rest)?;
    let (path, rest) = unquote(rest.strip_prefix(", path=")?)?;
    (rest == ", present=False)" && name == format!("Remove {path}")).then_some(path)
}

/// A path with a backslash or a newline in it was removed by `rm -f`.
fn odd_file(code: &str) -> Option<String> {
    let rest =
        code.strip_prefix("# pyinfra's own facts cannot read a path with a backslash or a newline in it.\n")?;
    let (check, rest) = unquote(rest.strip_prefix("if host.get_fact(Command, command=")?)?;
    let (name, rest) = unquote(rest.strip_prefix("):\n    server.shell(name=")?)?;
    let path = name.strip_prefix("Remove ")?.to_owned();
    let (command, rest) = unquote(rest.strip_prefix(", commands=[")?)?;
    let quoted = format!("'{}'", path.replace('\'', r"'\''"));
    let is_whole = rest == "])"
        && check == format!("test ! -e {quoted} || echo there")
        && command == format!("rm -f {quoted}");
    is_whole.then_some(path)
}

/// The container and the networks that the code of a container takes down.
fn containers(code: &str) -> Option<(String, Vec<String>)> {
    let engine = "# Without an engine that answers nobody can tell what is there; pyinfra would take it for nothing at all.\n";
    let rest = code.strip_prefix(engine)?.trim_start();
    let (_, rest) = unquote(rest.strip_prefix("trouble = host.get_fact(Command, command=")?)?;
    let rest = rest.strip_prefix(")\nif trouble:\n    raise RuntimeError(trouble)\n")?.trim_start();
    let (name, rest) = unquote(rest.strip_prefix("docker.container(\n    name=")?)?;
    let (container, rest) = unquote(rest.strip_prefix(",\n    container=")?)?;
    let mut rest = rest.strip_prefix(",\n    present=False,\n    start=False,\n)")?.trim_start();
    let mut networks = Vec::new();
    while !rest.is_empty() {
        let literal = rest.strip_prefix("found = (host.get_fact(DockerNetwork, object_id=")?;
        let (network, after) = unquote(literal)?;
        let literal = &literal[..literal.len() - after.len()];
        rest = rest.strip_prefix(&network_block(&container, literal))?.trim_start();
        networks.push(network);
    }
    (name == format!("{container}: remove container")).then_some((container, networks))
}

/// The code that takes one network down. `network` is a literal; a container's name needs no escapes.
fn network_block(container: &str, network: &str) -> String {
    let inner = &network[1..network.len() - 1];
    format!(
        r#"found = (host.get_fact(DockerNetwork, object_id={network}) or [{{}}])[0]
if (found.get("Labels") or {{}}).get("clockwork.managed"):
    docker.network(
        name="{container}: remove network {inner}",
        network={network},
        present=False,
        # Another container may still be attached to it; the last one takes it along.
        _if=lambda: [n["Containers"] for n in host.get_fact(DockerNetwork, object_id={network}) or []] == [{{}}],
    )"#
    )
}

/// A step that takes one thing down.
fn remove(function: &str, key: &str, value: &str, name: &str) -> Step {
    let text = |text: &str| Argument::Text(text.to_owned());
    Step::Operation(Operation {
        function: format!("clockwork.operations.{function}"),
        arguments: vec![
            ("name".to_owned(), text(name)),
            (key.to_owned(), text(value)),
            ("present".to_owned(), Argument::Bool(false)),
        ],
        state: Map::new(),
        effects: Effects::default(),
    })
}

/// Reads a literal in double quotes at the start of a text. Gives its value and the rest of the text.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((place, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[place + 2..])),
            '\\' => {
                let escaped = chars.next()?.1;
                let digits = match escaped {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                value.push(match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '"' | '\\' => escaped,
                    _ if digits > 0 => {
                        let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                        char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?
                    }
                    _ => return None,
                });
            }
            c => value.push(c),
        }
    }
    None
}
