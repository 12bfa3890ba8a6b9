//! What a run is about: the resources of main.py, what the state knows beside them, and what of all
//! that the user has named.

use clockwork_core::cli::Verb;
use clockwork_core::graph::Graph;
use clockwork_core::resource::Address;
use clockwork_core::state::{Entry, Rename, State};
use pyo3::prelude::*;

use crate::invocation::Invocation;
use crate::load::Project;
use crate::{errors, load, resource};

/// What the state has to do with a run.
pub struct Known {
    /// What is known, by the names that resources have now.
    pub state: State,
    /// The resources that say that they had another name.
    pub renames: Vec<Rename>,
    /// Those of them that the state knew by it until now.
    pub renamed: Vec<Address>,
    /// The addresses of what main.py no longer has, of what the run is about.
    pub gone: Vec<Address>,
}

impl Known {
    /// What is known of what main.py no longer has.
    pub fn gone(&self) -> impl Iterator<Item = &Entry> {
        self.state.entries().iter().filter(|entry| self.gone.contains(&entry.address))
    }
}

/// Limits a project to what the run is about, and finds what the state knows of it.
pub fn select(
    py: Python<'_>,
    invocation: &Invocation<'_>,
    project: &mut Project,
    mut state: State,
) -> PyResult<Known> {
    let renames = renames(py, project)?;
    let given = state.rename(&renames);
    let graph = load::graph(py, &project.all)?;
    let mut gone: Vec<Address> = Vec::new();
    for entry in state.gone(project.source.as_deref(), &graph.nodes) {
        if !gone.contains(&entry.address) {
            gone.push(entry.address.clone());
        }
    }
    if !invocation.targets.is_empty() {
        let count = graph.nodes.len();
        let graph = with_gone(graph.clone(), &gone, &state);
        // What is taken down takes along what cannot be without it.
        let needs = invocation.verb != Verb::Destroy;
        let places = graph.select(&invocation.targets, needs).map_err(|error| errors::map(py, &error))?;
        let (here, away): (Vec<usize>, Vec<usize>) = places.into_iter().partition(|place| *place < count);
        project.narrow(py, &here);
        gone = away.into_iter().map(|place| graph.nodes[place].clone()).collect();
    }
    if let Some(only) = &invocation.only {
        let is_meant = |place: &usize| only.iter().any(|(address, _)| *address == graph.nodes[*place]);
        let meant: Vec<usize> = (0..graph.nodes.len()).filter(is_meant).collect();
        project.narrow(py, &meant);
        gone.clear();
    }
    Ok(Known { state, renames, renamed: given, gone })
}

/// The resources that have another name now.
pub fn renames(py: Python<'_>, project: &Project) -> PyResult<Vec<Rename>> {
    let mut renames = Vec::new();
    for resource in &project.all {
        let resource = resource.bind(py);
        let new = resource::address(resource)?;
        let old: Option<String> = resource.getattr("renamed_from")?.extract()?;
        renames.extend(old.map(|name| Rename { old: Address { name, ..new.clone() }, new }));
    }
    // A resource that has the old name now is another one.
    let taken: Vec<Address> =
        project.all.iter().map(|resource| resource::address(resource.bind(py))).collect::<PyResult<_>>()?;
    renames.retain(|rename| !taken.contains(&rename.old));
    Ok(renames)
}

/// The graph of main.py's resources, with those that it no longer has behind them.
fn with_gone(mut graph: Graph, gone: &[Address], state: &State) -> Graph {
    graph.nodes.extend(gone.iter().cloned());
    for address in gone {
        let entry = state.of(address).next();
        let needs = entry.map(|entry| entry.needs.as_slice()).unwrap_or_default();
        let places = needs.iter().filter_map(|need| graph.nodes.iter().position(|node| node == need));
        let places = places.collect();
        graph.needs.push(places);
        graph.groups.push(entry.and_then(|entry| entry.group.clone()));
    }
    graph
}
