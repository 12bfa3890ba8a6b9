//! `clockwork state`: what is known of what was deployed.

use std::path::Path;

use clockwork_core::cli::{Display, KnownAs, StateCommand, Verb};
use clockwork_core::report;
use clockwork_core::resource::Address;
use clockwork_core::state::{self, Store};
use pyo3::prelude::*;
use serde_json::json;

use super::{DONE, Extent, FAILED, Started, failed, invocation, say};
use crate::{errors, load, resource};

pub fn run(py: Python<'_>, display: Display, command: StateCommand) -> PyResult<u8> {
    let done = match command {
        StateCommand::List { path } => list(py, display, &path),
        StateCommand::Show { known } => show(py, display, &known),
        StateCommand::Forget { known } => forget(py, display, &known),
        StateCommand::Adopt { name, path } => return adopt(py, display, name, path),
    };
    done.or_else(|error| failed(py, display, "state", &error))
}

fn store(path: &str) -> Store {
    Store::new(&load::place(Path::new(path)).0)
}

fn read(py: Python<'_>, store: &Store) -> PyResult<state::State> {
    store.read().map_err(|error| errors::map(py, &error))
}

fn list(py: Python<'_>, display: Display, path: &str) -> PyResult<u8> {
    let (folder, source) = load::place(Path::new(path));
    let state = read(py, &Store::new(&folder))?;
    // What is known is worth showing also where main.py cannot be run.
    let gone: Vec<Address> = match load::load(&pyo3::types::PyString::new(py, path).into_any()) {
        Ok(project) => {
            let there = project.all.iter().map(|resource| resource::address(resource.bind(py)));
            let there: Vec<Address> = there.collect::<PyResult<_>>()?;
            state.gone(Some(&source), &there).iter().map(|entry| entry.address.clone()).collect()
        }
        Err(error) if errors::is_ours(py, &error) => Vec::new(),
        Err(error) => return Err(error),
    };
    let document = || json!({ "resources": state.entries(), "gone": gone });
    Ok(say(display, &report::listing(state.entries(), &gone), document))
}

fn show(py: Python<'_>, display: Display, known: &KnownAs) -> PyResult<u8> {
    let state = read(py, &store(&known.path))?;
    let entries = find(py, &state, known)?;
    Ok(say(display, &report::entries(&entries), || json!(entries)))
}

fn find<'a>(py: Python<'_>, state: &'a state::State, known: &KnownAs) -> PyResult<Vec<&'a state::Entry>> {
    let found = state.find(&known.name, known.host.as_deref());
    found.map_err(|message| errors::exception(py, "StateError", &message))
}

fn forget(py: Python<'_>, display: Display, known: &KnownAs) -> PyResult<u8> {
    let store = store(&known.path);
    let state = read(py, &store)?;
    let entries: Vec<(Address, String)> =
        find(py, &state, known)?.iter().map(|entry| (entry.address.clone(), entry.host.clone())).collect();
    let forgotten = py.detach(|| {
        store.update(|state| {
            for (address, host) in &entries {
                state::forget(state, address, Some(host));
            }
        })
    });
    forgotten.map_err(|error| errors::map(py, &error))?;
    let lines = entries
        .iter()
        .map(|(address, host)| format!("forgot {address} on {host}; it stays as it is there\n"));
    let document = || {
        let forgotten = entries.iter().map(|(address, host)| json!({ "resource": address, "host": host }));
        json!({ "forgotten": forgotten.collect::<Vec<_>>() })
    };
    Ok(say(display, &lines.collect::<String>(), document))
}

/// Adopting is planning, and then writing down that it is there.
fn adopt(py: Python<'_>, display: Display, name: String, path: String) -> PyResult<u8> {
    let started = Started::new(py, display)?;
    let run = clockwork_core::cli::Run::of(path);
    let mut extent = Extent::default();
    extent.part.targets.push(name.clone());
    let mut invocation = invocation(py, Verb::Plan, run, extent);
    invocation.adopts = Some(name);
    started.execute(py, invocation).map(|(code, _)| if code == DONE { DONE } else { FAILED })
}
