//! The compile stage from Python's side: resources say their code, and what the state is to keep.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clockwork_core::compile::{self, Block, Deployment, Hosts, Phase};
use clockwork_core::plan::{Takedown, takedowns};
use clockwork_core::resource::{Address, Artifact};
use clockwork_core::state::{Entry, Removal, Wanted};
use clockwork_core::watch::Place;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::pythonize;

use crate::load::Project;
use crate::{errors, load, resource, secrets, user_code};

/// What a resource says for the compile stage.
pub struct Said {
    /// What main.py wants of it; its fingerprint is empty where it was only asked how it is taken down.
    pub wanted: Wanted,
    /// The code that brings it up, where it was asked for.
    up: Option<String>,
    /// The code that takes it down.
    pub down: Option<String>,
    /// The field that a text of the model's fills.
    pub text_field: Option<String>,
    /// What it declares to be secret.
    pub secrets: Vec<String>,
}

/// Asks the project's chosen resources for their code. With no artifacts at hand only the code that
/// takes them down can be had.
pub fn ask(
    py: Python<'_>,
    project: &Project,
    artifacts: &[(Address, Artifact)],
    with_deploy: bool,
) -> PyResult<Vec<Said>> {
    let by_name = PyDict::new(py);
    for (address, artifact) in artifacts {
        by_name.set_item(&address.name, pythonize(py, artifact)?)?;
    }
    user_code::surround(py, &project.folder, false, || {
        said(py, project, &by_name, Some(artifacts), with_deploy)
    })
}

fn said(
    py: Python<'_>,
    project: &Project,
    by_name: &Bound<'_, PyDict>,
    artifacts: Option<&[(Address, Artifact)]>,
    with_deploy: bool,
) -> PyResult<Vec<Said>> {
    // The state is to know also of needs that this run leaves alone.
    let graph = load::graph(py, &project.all)?;
    let places: HashMap<&Address, usize> =
        graph.nodes.iter().enumerate().map(|(place, node)| (node, place)).collect();
    let mut all = Vec::with_capacity(project.resources.len());
    let mut taken: HashMap<String, Address> = HashMap::new();
    for resource in &project.resources {
        let resource = resource.bind(py);
        let address = resource::address(resource)?;
        // Resources of two kinds may share a name: each finds its own artifact under it, or none.
        let own = artifacts.and_then(|all| all.iter().find(|(of, _)| *of == address));
        let by_name = &by_name.copy()?;
        if let Some((_, artifact)) = own {
            by_name.set_item(&address.name, pythonize(py, artifact)?)?;
        } else if artifacts.is_some() && by_name.contains(&address.name)? {
            by_name.del_item(&address.name)?;
        }
        let up = if with_deploy {
            resource::code(resource, Phase::Deploy, by_name, &project.folder)?
        } else {
            None
        };
        let down = resource::code(resource, Phase::Destroy, by_name, &project.folder)?;
        let needs = places.get(&address).map(|place| &graph.needs[*place]).into_iter().flatten();
        let needs = needs.map(|need| graph.nodes[*need].clone()).collect();
        let kept = resource::kept(resource, own.map(|(_, artifact)| artifact))?;
        let wanted = Wanted {
            address,
            source: project.source.clone(),
            group: resource::group(resource)?,
            protect: resource.getattr("protect")?.is_truthy()?,
            needs,
            fingerprint: up
                .as_deref()
                .map(|code| compile::kinds::hex_digest(code.as_bytes()))
                .unwrap_or_default(),
            fields: kept.fields,
            removal: removal(py, down.as_deref(), &kept.secrets)?,
            has_place: resource.getattr("__has_place__")?.is_truthy()?,
        };
        // What is taken down with the same words stands at the same place: each would undo the other.
        let code = down.as_ref().filter(|_| wanted.has_place);
        if let (Some(code), false) = (code, resource::overrides(resource, Phase::Destroy)?)
            && let Some(other) = taken.insert(code.clone(), wanted.address.clone())
        {
            let message =
                format!("{other} and {} are at the same place: give one of them another", wanted.address);
            return Err(errors::exception(py, "DuplicateResourceError", &message));
        }
        let text_field = resource.getattr("__artifact_field__")?.extract()?;
        all.push(Said { wanted, up, down, text_field, secrets: kept.declared });
    }
    Ok(all)
}

/// What the state keeps of the code that takes a resource down.
fn removal(py: Python<'_>, code: Option<&str>, hidden: &[String]) -> PyResult<Removal> {
    let Some(code) = code else { return Ok(Removal::Unknown) };
    let removal =
        if secrets::stand_in(py, code, hidden)? { Removal::Secret } else { Removal::Code(code.to_owned()) };
    Ok(removal)
}

/// Puts the code together: `deploy.py` where it was asked for, and `destroy.py`. `only` says which code
/// is for which hosts, where not all of it is for all.
pub fn compile(
    py: Python<'_>,
    inventory: String,
    said: &[Said],
    with_deploy: bool,
    only: Option<&[Place]>,
) -> PyResult<Deployment> {
    let up = said.iter().filter_map(|said| {
        let code = said.up.clone()?;
        let Wanted { address, needs, .. } = said.wanted.clone();
        let its = |only: &[Place]| {
            only.iter().filter(|(of, _)| *of == address).map(|(_, host)| host.clone()).collect()
        };
        let hosts = only.map_or(Hosts::All, |only| Hosts::Only(its(only)));
        Some(Block { address, code, needs, hosts })
    });
    let up = with_deploy.then(|| up.collect());
    let down: Vec<Takedown<'_>> = said.iter().map(|said| takedown(said, Vec::new())).collect();
    let down = takedowns(&down, &mut Vec::new()).map_err(|error| errors::map(py, &error))?;
    Ok(Deployment::new(inventory, up, down))
}

/// How a resource of main.py is taken down.
pub fn takedown<'a>(said: &Said, known: Vec<&'a Entry>) -> Takedown<'a> {
    let Wanted { address, needs, .. } = said.wanted.clone();
    Takedown { address, needs, says: said.down.clone(), known }
}

/// Compiles resources that somebody passes together with their artifacts, and writes the files.
pub fn compile_to(
    py: Python<'_>,
    resources: &Bound<'_, PyAny>,
    artifacts: &Bound<'_, PyDict>,
    inventory: String,
    folder: &Path,
    with_deploy: bool,
) -> PyResult<()> {
    let project = load::load(resources)?;
    let said = said(py, &project, &artifacts.copy()?, None, with_deploy)?;
    let deployment = compile(py, inventory, &said, with_deploy, None)?;
    let folder: PathBuf = project.folder.join(folder);
    compile::write_files(&folder, &deployment).map_err(|error| errors::map(py, &error))
}
