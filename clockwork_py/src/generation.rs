//! The generate stage from Python's side: resources become questions, and answers are checked the
//! way the resources want it.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use clockwork_core::cli::Verb;
use clockwork_core::llm::{self, Endpoint, Generation, Prepared};
use clockwork_core::lockfile::{self, Lock};
use clockwork_core::outcome::{ArtifactOutcome, ArtifactReport, Failure};
use clockwork_core::resource::{Address, Artifact};
use clockwork_core::settings::Settings;
use pyo3::prelude::*;
use pythonize::pythonize;
use tokio_util::sync::CancellationToken;

use crate::invocation::Invocation;
use crate::load::Project;
use crate::wait::{runtime, wait};
use crate::{errors, local_model, question, resource, user_code};

/// The artifacts that the lock knows, for code that takes resources down. A lock that cannot be
/// read is as good as none: taking down needs neither lock nor model.
pub fn pinned(py: Python<'_>, project: &Project) -> PyResult<Vec<(Address, Artifact)>> {
    let Ok(lock) = Lock::load(&project.folder.join(lockfile::FILE_NAME)) else { return Ok(Vec::new()) };
    let mut artifacts = Vec::new();
    for resource in &project.resources {
        let address = resource::address(resource.bind(py))?;
        if let Some(entry) = lock.get(&address) {
            artifacts.push((address, entry.content.clone()));
        }
    }
    Ok(artifacts)
}

/// What the stage makes.
type Generated = (Vec<(Address, Artifact)>, Vec<ArtifactReport>, Option<Failure>);

/// Gets all artifacts, from the lock or from the model: what the next stage needs, what is
/// reported, and what failed.
pub fn generate(
    py: Python<'_>,
    invocation: &Invocation<'_>,
    project: &mut Project,
    settings: &Settings,
    notes: &mut Vec<String>,
) -> PyResult<Generated> {
    let mut requests = Vec::new();
    let mut resources: HashMap<Address, Py<PyAny>> = HashMap::new();
    user_code::surround(py, &project.folder, false, || {
        let all: Vec<_> = project
            .all
            .iter()
            .map(|resource| question::in_project(resource.bind(py)))
            .collect::<PyResult<_>>()?;
        for resource in &project.resources {
            if let Some(request) = question::request(resource.bind(py), &all, &project.folder)? {
                resources.insert(request.address.clone(), resource.clone_ref(py));
                requests.push(request);
            }
        }
        Ok(())
    })?;
    if requests.is_empty() {
        return Ok((Vec::new(), Vec::new(), None));
    }
    let core = |error| errors::map(py, &error);
    let mut lock = Lock::load(&project.folder.join(lockfile::FILE_NAME)).map_err(core)?;
    let mut prepared = llm::prepare(requests, &lock, &invocation.regenerate).map_err(core)?;
    let lacking = if invocation.unattended { leave_out(py, project, &mut prepared)? } else { Vec::new() };
    if invocation.locked {
        prepared.ensure_complete().map_err(core)?;
    }
    if !invocation.unattended {
        notes.extend(prepared.notes());
    }
    let wanted = prepared.wanted();
    if invocation.dry_run && invocation.verb == Verb::Generate {
        return Ok((Vec::new(), looked_up(prepared, settings), None));
    }
    if !invocation.unattended {
        prepared.take_over(&mut lock).map_err(core)?;
    }

    let generation = if prepared.missing.is_empty() {
        prepared.into_generation()
    } else {
        let resources = Resources { by_address: resources, folder: &project.folder };
        ask(py, invocation, settings, prepared, &resources, &mut lock)?
    };

    let failure = generation.error().map(|error| Failure::new(errors::class(&error), error.to_string()));
    let Generation { artifacts, outcomes, replaced, .. } = generation;
    let before: HashMap<&Address, &Artifact> =
        replaced.iter().map(|(address, content)| (address, content)).collect();
    let contents: HashMap<&Address, &Artifact> =
        artifacts.iter().map(|(address, content)| (address, content)).collect();
    let reports = outcomes.into_iter().map(|outcome| {
        let content = contents.get(&outcome.address).copied().cloned();
        let before = before.get(&outcome.address).copied();
        ArtifactReport { content, ..ArtifactReport::new(outcome) }.against(before)
    });
    let reports = lacking.into_iter().chain(reports).collect();
    let tidies = matches!(invocation.verb, Verb::Apply | Verb::Generate) && !invocation.unattended;
    if failure.is_none() && project.is_whole_main() && tidies {
        drop_unwanted(py, project, wanted, &mut lock)?;
    }
    Ok((artifacts, reports, failure))
}

/// The resources that the model writes for, which check what it writes.
struct Resources<'a> {
    by_address: HashMap<Address, Py<PyAny>>,
    /// The folder of main.py.
    folder: &'a Path,
}

/// Asks the model, and hears Ctrl-C meanwhile.
fn ask(
    py: Python<'_>,
    invocation: &Invocation<'_>,
    settings: &Settings,
    prepared: Prepared,
    resources: &Resources<'_>,
    lock: &mut Lock,
) -> PyResult<Generation> {
    let endpoint = match Endpoint::remote(settings) {
        Some(endpoint) => endpoint,
        None => local_model::start(py, &settings.model, &invocation.observer)?,
    };
    let cancel = CancellationToken::new();
    // What is called inside of main.py must not wait for what main.py holds.
    let is_inside = user_code::is_held(py)?;
    let broken = Mutex::new(None);
    let check = |address: &Address, artifact: &Artifact| {
        Python::attach(|py| resources.check(py, address, artifact, is_inside)).unwrap_or_else(|error| {
            let message = error.to_string();
            broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            // A model that is told of it would try in vain, at the user's cost.
            cancel.cancel();
            Err(message)
        })
    };
    let (runtime, observer) = (runtime()?, &*invocation.observer);
    let work =
        || runtime.block_on(llm::generate(prepared, &endpoint, settings, lock, &check, observer, &cancel));
    let generation = wait(py, || cancel.cancel(), work)?;
    match broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => generation.map_err(|error| errors::map(py, &error)),
    }
}

impl Resources<'_> {
    /// Checks an artifact the way its resource wants it. Called from the threads that wait for answers.
    fn check(
        &self,
        py: Python<'_>,
        address: &Address,
        artifact: &Artifact,
        is_inside: bool,
    ) -> PyResult<Result<Artifact, String>> {
        let Some(resource) = self.by_address.get(address) else { return Ok(Ok(artifact.clone())) };
        let artifact = pythonize(py, artifact)?;
        let check = || question::check_artifact(resource.bind(py), &artifact, self.folder);
        if is_inside { check() } else { user_code::surround(py, self.folder, false, check) }
    }
}

/// Limits a run to what the lock has all for, and says what that leaves out.
fn leave_out(
    py: Python<'_>,
    project: &mut Project,
    prepared: &mut Prepared,
) -> PyResult<Vec<ArtifactReport>> {
    let lacking: Vec<ArtifactReport> = std::mem::take(&mut prepared.missing)
        .into_iter()
        .map(|ask| {
            let error = Some("clockwork.lock has nothing for it: run `clockwork generate`".to_owned());
            let outcome = ArtifactOutcome::new(ask.request.address);
            ArtifactReport::new(ArtifactOutcome { stale: ask.stale, error, ..outcome })
        })
        .collect();
    let mut kept = Vec::with_capacity(project.resources.len());
    for resource in &project.resources {
        let address = resource::address(resource.bind(py))?;
        if lacking.iter().all(|report| report.outcome.address != address) {
            kept.push(resource.clone_ref(py));
        }
    }
    project.resources = kept;
    Ok(lacking)
}

/// Drops the entries that nobody wants. `wanted` has the questions; resources that ask nothing are added.
fn drop_unwanted(
    py: Python<'_>,
    project: &Project,
    mut wanted: HashSet<(Address, Option<String>)>,
    lock: &mut Lock,
) -> PyResult<()> {
    for resource in &project.resources {
        wanted.insert((resource::address(resource.bind(py))?, None));
    }
    lock.retain(&wanted, None);
    lock.save().map_err(|error| errors::map(py, &error))
}

/// What the lock has and what would be asked for, without asking.
fn looked_up(prepared: Prepared, settings: &Settings) -> Vec<ArtifactReport> {
    let endpoint = Endpoint::remote(settings).unwrap_or_else(|| Endpoint::small("", "local"));
    let missing: Vec<ArtifactReport> = prepared
        .missing
        .iter()
        .map(|ask| {
            let model = Some(settings.model.to_string());
            let address = ask.request.address.clone();
            let outcome = ArtifactOutcome { model, stale: ask.stale, ..ArtifactOutcome::new(address) };
            ArtifactReport { request: Some(ask.messages(&endpoint)), ..ArtifactReport::new(outcome) }
        })
        .collect();
    let Generation { artifacts, outcomes, .. } = prepared.into_generation();
    let pinned = outcomes.into_iter().zip(artifacts).map(|(outcome, (_, content))| ArtifactReport {
        content: Some(content),
        ..ArtifactReport::new(outcome)
    });
    pinned.chain(missing).collect()
}
