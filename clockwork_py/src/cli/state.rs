//! `clockwork state`: shows and edits the state.

use std::path::Path;
use std::time::Duration;

use clockwork_core::cli::{Display, KnownAs, Place, StateCommand, Verb};
use clockwork_core::resource::Address;
use clockwork_core::state::{self, Store, Wait};
use clockwork_core::{report, workflow};
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde_json::json;

use super::{DONE, Extent, FAILED, ParsedRun, WorkflowCommand, failed, failure_of, say};
use crate::errors::OrRaise;
use crate::{errors, load, stdio};

pub fn run(py: Python<'_>, display: Display, command: StateCommand) -> PyResult<u8> {
    let done = match command {
        StateCommand::List { place } => list(py, display, &place.path),
        StateCommand::Show { known } => show(py, display, &known),
        StateCommand::Forget { known } => forget(py, display, &known),
        StateCommand::Adopt { name, place } => return adopt(py, display, name, place),
    };
    done.or_else(|error| failed(py, display, "state", &error))
}

/// Opens the store of a project. Returns it with the name of the project's file and the state. The file may be
/// missing if the state knows it; any other missing path is an error.
fn open(py: Python<'_>, path: &str) -> PyResult<(Store, String, state::State)> {
    let (folder, source) = load::place(Path::new(path));
    let store = Store::new(&folder);
    let state = store.read().or_raise(py)?;
    let is_known = source == load::MAIN
        || state.entries().iter().any(|entry| entry.source.as_deref() == Some(source.as_str()));
    let can_be_gone = folder.is_dir() && is_known;
    if !Path::new(path).exists() && !can_be_gone {
        load::load(&PyString::new(py, path).into_any())?;
    }
    Ok((store, source, state))
}

fn list(py: Python<'_>, display: Display, path: &str) -> PyResult<u8> {
    let stdout = if display.json { Some(stdio::reserve_stdout(py)?) } else { None };
    let listed = state_and_orphans(py, path);
    stdio::flush(py)?;
    let Some(stdout) = stdout else {
        let (state, orphans) = listed?;
        return Ok(say(display, &report::listing(state.entries(), &orphans), || json!(null)));
    };
    let (code, document) = match listed {
        Ok((state, orphans)) => (DONE, json!({ "resources": state.entries(), "gone": orphans })),
        Err(error) => {
            let code = failed(py, Display { json: false, ..display }, "state", &error)?;
            (code, json!({ "command": "state", "error": failure_of(py, &error)? }))
        }
    };
    stdout.write(py, &format!("{document:#}\n"))?;
    Ok(code)
}

/// Reads the state and the addresses of the orphans.
fn state_and_orphans(py: Python<'_>, path: &str) -> PyResult<(state::State, Vec<Address>)> {
    let (_, source, state) = open(py, path)?;
    // The state is shown even if main.py fails.
    let orphans = match load::load(&PyString::new(py, path).into_any()) {
        Ok(project) => {
            let declared: Vec<Address> =
                project.declared.iter().map(|declared| declared.address.clone()).collect();
            // A renamed resource is no orphan.
            let mut renamed = state.clone();
            renamed.rename(&workflow::renames(&project.declared));
            let mut orphans: Vec<Address> = Vec::new();
            for entry in renamed.orphans(Some(&source), &declared) {
                if !orphans.contains(&entry.address) {
                    orphans.push(entry.address.clone());
                }
            }
            orphans
        }
        Err(error) if errors::is_ours(py, &error) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok((state, orphans))
}

fn show(py: Python<'_>, display: Display, known: &KnownAs) -> PyResult<u8> {
    let (_, _, state) = open(py, &known.place.path)?;
    let entries = find(py, &state, known)?;
    Ok(say(display, &report::entries(&entries), || json!(entries)))
}

fn find<'a>(
    py: Python<'_>,
    state: &'a state::State,
    known: &KnownAs,
) -> PyResult<Vec<&'a state::StateEntry>> {
    let found = state.find(&known.name, known.host.as_deref());
    found.map_err(|message| errors::exception(py, "StateError", &message))
}

fn forget(py: Python<'_>, display: Display, known: &KnownAs) -> PyResult<u8> {
    let (mut store, _, state) = open(py, &known.place.path)?;
    find(py, &state, known)?;
    let waiting = &mut |_: &str| Ok(());
    let held = store.hold("state forget", &mut Wait { timeout: Duration::ZERO, waiting });
    held.or_raise(py)?;
    // The state may have changed before the lock was taken.
    let state = store.read().or_raise(py)?;
    let entries: Vec<(Address, String)> =
        find(py, &state, known)?.iter().map(|entry| (entry.address.clone(), entry.host.clone())).collect();
    let forgotten = py.detach(|| {
        store.update(|state| {
            for (address, host) in &entries {
                state::forget(state, address, Some(host));
            }
        })
    });
    forgotten.or_raise(py)?;
    let lines = entries
        .iter()
        .map(|(address, host)| format!("forgot {address} on {host}; it stays as it is there\n"));
    let document = || {
        let forgotten = entries.iter().map(|(address, host)| json!({ "resource": address, "host": host }));
        json!({ "forgotten": forgotten.collect::<Vec<_>>() })
    };
    Ok(say(display, &lines.collect::<String>(), document))
}

/// Enters a resource into the state. The workflow plans it first.
fn adopt(py: Python<'_>, display: Display, name: String, place: Place) -> PyResult<u8> {
    let command = WorkflowCommand::new(py, display)?;
    let run = clockwork_core::cli::Run::of(place);
    let mut extent = Extent::default();
    extent.part.targets.push(name.clone());
    let mut typed = ParsedRun::new(Verb::Plan, run, extent);
    typed.options.adopts = Some(name);
    command.execute(py, &typed, None).map(|(code, _)| if code == DONE { DONE } else { FAILED })
}
