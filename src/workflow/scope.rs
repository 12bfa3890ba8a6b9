//! The scope of a run: the resources that it is about, what the state knows of them, and orphans.

use std::path::Path;

use super::Ports;
use super::options::Options;
use super::ports::Project;
use crate::cli::Verb;
use crate::error::{Error, Origin, Result};
use crate::graph::Graph;
use crate::resource::{Address, DeclaredResource};
use crate::state::{Rename, State, StateEntry, Store};

/// The file that a project's folder holds.
const MAIN: &str = "main.py";

/// The resources that a run is about, and the state.
pub(super) struct Scope {
    /// The places of the resources that the run is about.
    pub places: Vec<usize>,
    /// The state, by the names that resources have now.
    pub state: State,
    /// The resources that say that they had another name.
    pub renames: Vec<Rename>,
    /// The addresses that main.py no longer has, of what the run is about.
    pub orphans: Vec<Address>,
    /// True if the run is about all that the folder's main.py defines.
    pub is_whole_main: bool,
}

impl Scope {
    /// The entries of orphans.
    pub(super) fn orphaned(&self) -> impl Iterator<Item = &StateEntry> {
        self.state.entries().iter().filter(|entry| self.orphans.contains(&entry.address))
    }
}

/// A project of which only the state is left.
struct Remains {
    folder: std::path::PathBuf,
    source: String,
    inventory: String,
}

impl Project for Remains {
    fn folder(&self) -> &Path {
        &self.folder
    }

    fn source(&self) -> Option<&str> {
        Some(&self.source)
    }

    fn resources(&self) -> &[DeclaredResource] {
        &[]
    }

    fn requests(&self, _: &[usize]) -> Result<Vec<crate::resource::Request>> {
        Ok(Vec::new())
    }

    fn check_answer(
        &self,
        _: &Address,
        artifact: &crate::resource::Artifact,
    ) -> Result<Result<crate::resource::Artifact, String>> {
        Ok(Ok(artifact.clone()))
    }

    fn compile(
        &self,
        _: &[usize],
        _: &[(Address, crate::resource::Artifact)],
        _: bool,
    ) -> Result<Vec<(crate::resource::CompiledResource, serde_json::Map<String, serde_json::Value>)>> {
        Ok(Vec::new())
    }

    fn inventory(&self) -> Result<String> {
        Ok(self.inventory.clone())
    }

    fn fact_module(&self, _: &str) -> Option<String> {
        None
    }

    fn has_assertions(&self, _: &[usize]) -> Result<bool> {
        Ok(false)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Loads the project. What is to be taken down can be where main.py is gone or broken, as long as the state
/// knows of it. A plan does not hold where that is so.
pub(super) fn open<'a>(
    ports: &Ports<'a>,
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Box<dyn Project + 'a>> {
    let can_do_without = options.verb == Verb::Destroy || options.saved.is_some();
    let asks = matches!(options.verb, Verb::Apply | Verb::Plan | Verb::Generate);
    let error = match ports.source.load(asks) {
        Err(error) if can_do_without && is_ours(&error) => error,
        loaded => return loaded,
    };
    let Some((folder, source)) = ports.source.place() else { return Err(error) };
    let why = error.to_string();
    if options.saved.is_some() {
        let message = format!("the plan does not hold any more, and nothing was done. Plan again.\n  {why}");
        return Err(Error::Refused { class: "PlanMovedError", message });
    }
    let state = Store::new(&folder).read()?;
    if state.orphans(Some(&source), &[]).is_empty() {
        return Err(error);
    }
    let why = why.lines().next().unwrap_or_default();
    notes.push(format!("what is taken down is what the state knows, because {why}"));
    Ok(Box::new(Remains { folder, source, inventory: ports.source.inventory()? }))
}

/// True if an error says what is wrong with the project, and is no accident of its code.
fn is_ours(error: &Error) -> bool {
    match error {
        Error::Foreign { origin, .. } => *origin == Origin::Ours,
        error => !error.is_interrupt(),
    }
}

/// Reads the state, where the verb has to do with it.
pub(super) fn read(store: &Store, options: &Options) -> Result<State> {
    match options.verb {
        Verb::Apply | Verb::Plan | Verb::Destroy => store.read(),
        Verb::Generate | Verb::Check => Ok(State::default()),
    }
}

/// Limits a run to what it is about, and finds what the state knows of it.
pub(super) fn select(options: &Options, project: &dyn Project, mut state: State) -> Result<Scope> {
    let resources = project.resources();
    let renames = renames(resources);
    state.rename(&renames);
    let graph = graph(resources);
    let count = graph.nodes.len();
    let mut places: Vec<usize> = (0..count).collect();
    let mut orphans: Vec<Address> = Vec::new();
    for entry in state.orphans(project.source(), &graph.nodes) {
        if !orphans.contains(&entry.address) {
            orphans.push(entry.address.clone());
        }
    }
    if !options.targets.is_empty() {
        let graph = with_orphans(graph.clone(), &orphans, &state);
        // A thing that is taken down takes along all that cannot be without it.
        let needs = options.verb != Verb::Destroy;
        let chosen = graph.select(&options.targets, needs)?;
        let (here, away): (Vec<usize>, Vec<usize>) = chosen.into_iter().partition(|place| *place < count);
        places = here;
        orphans = away.into_iter().map(|place| graph.nodes[place].clone()).collect();
    }
    if let Some(only) = &options.only {
        places.retain(|place| only.iter().any(|(address, _)| *address == graph.nodes[*place]));
        orphans.clear();
    }
    let is_whole_main = project.source() == Some(MAIN) && places.len() == count;
    Ok(Scope { places, state, renames, orphans, is_whole_main })
}

/// The graph of a project's resources.
pub(crate) fn graph(resources: &[DeclaredResource]) -> Graph {
    Graph {
        nodes: resources.iter().map(|resource| resource.address.clone()).collect(),
        needs: resources.iter().map(|resource| resource.needs.clone()).collect(),
        groups: resources.iter().map(|resource| resource.group.clone()).collect(),
    }
}

/// The resources that have another name now.
pub(crate) fn renames(resources: &[DeclaredResource]) -> Vec<Rename> {
    let is_taken = |address: &Address| resources.iter().any(|resource| resource.address == *address);
    let renamed = resources.iter().filter_map(|DeclaredResource { address, renamed_from, .. }| {
        let old = Address { name: renamed_from.clone()?, ..address.clone() };
        Some(Rename { old, new: address.clone() })
    });
    // A resource that has the old name now is another one.
    renamed.filter(|rename| !is_taken(&rename.old)).collect()
}

/// The graph with orphans behind the resources of main.py.
fn with_orphans(mut graph: Graph, orphans: &[Address], state: &State) -> Graph {
    graph.nodes.extend(orphans.iter().cloned());
    for address in orphans {
        let entry = state.of(address).next();
        let needs = entry.map(|entry| entry.needs.as_slice()).unwrap_or_default();
        let places = needs.iter().filter_map(|need| graph.nodes.iter().position(|node| node == need));
        let places = places.collect();
        graph.needs.push(places);
        graph.groups.push(entry.and_then(|entry| entry.group.clone()));
    }
    graph
}
