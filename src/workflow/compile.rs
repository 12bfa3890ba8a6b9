//! The compile stage: resources give their work, which is checked for conflicts, ordered, and written as scripts.

use std::collections::HashMap;
use std::path::Path;

use super::generate::Artifacts;
use super::options::Options;
use super::ports::Project;
use super::scope::Scope;
use crate::compile::{self, Compiler, Deployment, Hosts, Phase, Work};
use crate::error::Result;
use crate::graph::Graph;
use crate::identity::normalise;
use crate::plan::conflicts::{self, ProjectFiles};
use crate::plan::{Target, align, removals};
use crate::resource::{Address, CompiledResource};

/// Asks the resources of a run for their work, and puts them in order.
pub(super) fn resources(
    options: &Options,
    project: &dyn Project,
    scope: &mut Scope,
    artifacts: &Artifacts,
    inventory: &str,
    notes: &mut Vec<String>,
) -> Result<Vec<CompiledResource>> {
    let with_deploy = options.verb != crate::cli::Verb::Destroy;
    let mut all = compiled(project, &scope.places, artifacts, with_deploy, &scope.state.key)?;
    if let Some(only) = &options.only {
        for resource in &mut all {
            let its = only.iter().filter(|(of, _)| *of == resource.address).map(|(_, host)| host.clone());
            resource.hosts = Hosts::Only(its.collect());
        }
    }
    if with_deploy {
        let files = project.source().map(|source| ProjectFiles { folder: project.folder(), source });
        conflicts::check(&all, files.as_ref(), is_local(inventory))?;
    }
    let told = conflicts::order_by_uses(&mut all);
    if with_deploy && options.only_looks() {
        notes.extend(told);
    }
    all = ordered(all)?;
    align(&mut scope.state, &all);
    Ok(all)
}

/// Asks resources for their work, and completes what the core adds to it.
fn compiled(
    project: &dyn Project,
    places: &[usize],
    artifacts: &Artifacts,
    with_deploy: bool,
    key: &str,
) -> Result<Vec<CompiledResource>> {
    let mut all = Vec::with_capacity(places.len());
    for (mut resource, values) in project.compile(places, artifacts, with_deploy)? {
        resource.identity = normalise(&resource.identity);
        for claim in resource.claims.iter_mut().chain(&mut resource.uses) {
            *claim = normalise(claim);
        }
        resource.seal(key, &values);
        all.push(resource);
    }
    Ok(all)
}

/// True if an inventory names this machine and no other host.
fn is_local(inventory: &str) -> bool {
    inventory == compile::DEFAULT_INVENTORY
}

/// Puts each resource behind those that it needs, and otherwise keeps their order.
fn ordered(all: Vec<CompiledResource>) -> Result<Vec<CompiledResource>> {
    let places: HashMap<&Address, usize> =
        all.iter().enumerate().map(|(place, resource)| (&resource.address, place)).collect();
    let needs = all
        .iter()
        .map(|resource| resource.needs.iter().filter_map(|need| places.get(need).copied()).collect())
        .collect();
    let nodes = all.iter().map(|resource| resource.address.clone()).collect();
    let order = Graph { nodes, needs, ..Graph::default() }.order()?;
    let mut all: Vec<Option<CompiledResource>> = all.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|place| all[place].take()).collect())
}

/// Writes the scripts of a project.
pub(super) fn deployment(
    project: &dyn Project,
    all: &[CompiledResource],
    inventory: String,
    with_deploy: bool,
) -> Result<Deployment> {
    let up = |resource: &CompiledResource| Work {
        address: resource.address.clone(),
        identity: resource.identity.clone(),
        steps: resource.deploy.clone(),
        needs: resource.needs.clone(),
        hosts: resource.hosts.clone(),
    };
    let down: Vec<Target<'_>> = all.iter().map(|resource| target(resource, Vec::new())).collect();
    let down = removals(&down, &mut Vec::new())?;
    Ok(Deployment {
        inventory,
        deploy: with_deploy.then(|| script(project, Phase::Deploy, &all.iter().map(up).collect::<Vec<_>>())),
        destroy: script(project, Phase::Destroy, &down),
    })
}

/// Compiles work to a script.
pub(super) fn script(project: &dyn Project, phase: Phase, work: &[Work]) -> compile::Script {
    let facts = |name: &str| project.fact_module(name);
    Compiler { project: project.folder(), facts: &facts }.script(phase, work)
}

/// The removal of a resource of main.py.
pub(super) fn target<'a>(
    resource: &'a CompiledResource,
    entries: Vec<&'a crate::state::StateEntry>,
) -> Target<'a> {
    let (address, needs) = (resource.address.clone(), resource.needs.clone());
    Target { address, needs, declared: Some(resource), entries }
}

/// Compiles resources that somebody passes together with their artifacts, and writes the files.
pub fn compile_to(
    project: &dyn Project,
    artifacts: &Artifacts,
    inventory: String,
    folder: &Path,
    with_deploy: bool,
) -> Result<()> {
    let places: Vec<usize> = (0..project.resources().len()).collect();
    let mut all = compiled(project, &places, artifacts, with_deploy, "")?;
    if with_deploy {
        conflicts::check(&all, None, is_local(&inventory))?;
    }
    conflicts::order_by_uses(&mut all);
    let all = ordered(all)?;
    let deployment = deployment(project, &all, inventory, with_deploy)?;
    compile::write_files(&project.folder().join(folder), &deployment)
}
