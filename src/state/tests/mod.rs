//! The rights of a run over the state, and the knowledge that it must never lose.

mod migration;
mod names;
mod properties;
mod record;
mod store;

use std::fs;

use serde_json::{Map, Value, json};

use super::*;
use crate::operation::{Argument, Effects, Operation, Step};
use crate::outcome::{Action, ResourceOutcome};

fn address(name: &str) -> Address {
    Address { kind: "FileResource".into(), name: name.into() }
}

/// The step that removes a file.
fn remove(path: &str) -> Step {
    let text = |text: &str| Argument::Text(text.into());
    Step::Operation(Operation {
        function: "clockwork.operations.files.file".into(),
        arguments: vec![
            ("name".into(), text(&format!("Remove {path}"))),
            ("path".into(), text(path)),
            ("present".into(), Argument::Bool(false)),
        ],
        state: Map::new(),
        effects: Effects::default(),
    })
}

/// A file at a path.
fn file(name: &str, path: &str) -> CompiledResource {
    let mut file = with_steps(name, &format!("path:{path}"), vec![remove(path)]);
    file.fields = Map::from_iter([("path".to_owned(), json!(path))]);
    file
}

/// A thing that these steps take down.
fn with_steps(name: &str, identity: &str, steps: Vec<Step>) -> CompiledResource {
    let mut thing = CompiledResource::new(address(name), identity.to_owned());
    thing.source = Some("main.py".into());
    thing.fields_fingerprint = format!("fields of {name} at {identity}");
    thing.steps_fingerprint = crate::operation::fingerprint(&steps);
    thing.destroy = Some(steps.clone());
    thing.removal = Removal::Steps(steps);
    thing
}

/// A thing whose steps are code, one line each.
fn coded(name: &str, identity: &str, lines: &[&str]) -> CompiledResource {
    with_steps(name, identity, lines.iter().map(|line| Step::Code((*line).to_owned())).collect())
}

fn outcome(resource: &CompiledResource, action: Action) -> ResourceOutcome {
    let new = ResourceOutcome::new(resource.address.clone(), "@local", Vec::new(), None);
    ResourceOutcome { action, changed: action.is_change(), identity: resource.identity.clone(), ..new }
}

fn failed(resource: &CompiledResource) -> ResourceOutcome {
    ResourceOutcome { error: Some("no".into()), ..outcome(resource, Action::Create) }
}

/// The outcome of taking a thing down.
fn removal(resource: &CompiledResource, action: Action) -> ResourceOutcome {
    ResourceOutcome { removes: true, ..outcome(resource, action) }
}

/// A run from its announcement to its end.
fn run(state: &mut State, planned: Action, done: &ResourceOutcome, wanted: &[CompiledResource]) {
    let planned = ResourceOutcome { action: planned, error: None, ..done.clone() };
    let before = state.clone();
    begin(state, &[planned], wanted);
    record(state, &before, std::slice::from_ref(done), wanted);
}

/// A run that brings a resource up.
fn deploy(state: &mut State, resource: &CompiledResource) {
    run(state, Action::Create, &outcome(resource, Action::Create), std::slice::from_ref(resource));
}

/// The path that a step removes, or the whole of it where it is code.
fn words(step: &Step) -> String {
    match step {
        Step::Code(code) => code.clone(),
        Step::Operation(operation) => operation
            .arguments
            .iter()
            .filter(|(name, _)| name != "name")
            .find_map(|(_, value)| if let Argument::Text(text) = value { Some(text.clone()) } else { None })
            .unwrap_or_default(),
    }
}

/// The things that an entry is known to take down.
fn known(entry: &StateEntry) -> Vec<String> {
    match entry.removal() {
        Removal::Steps(steps) => steps.iter().map(words).collect(),
        other => vec![format!("{other:?}")],
    }
}

/// The identities of a resource's things, each with what its steps take down.
fn places(state: &State, name: &str) -> Vec<(String, Vec<String>)> {
    let address = address(name);
    state.of(&address).map(|entry| (entry.identity.clone(), known(entry))).collect()
}

/// All steps that an entry keeps, also those beside a removal that is not known.
fn kept(entry: &StateEntry) -> Vec<&Step> {
    let removals = entry.deployed.iter().map(|deployed| &deployed.removal);
    let removals = removals.chain(entry.pending.iter().map(|pending| &pending.removal));
    removals.filter_map(Removal::steps).flatten().chain(&entry.leftovers).collect()
}

fn new_store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    (folder, store)
}

/// A store whose file has that text.
fn written(text: &str) -> (tempfile::TempDir, Store) {
    let (folder, store) = new_store();
    fs::create_dir(folder.path().join(".clockwork")).unwrap();
    fs::write(&store.path, text).unwrap();
    (folder, store)
}
