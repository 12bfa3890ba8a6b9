//! The generate stage: resources ask a model for what was left out, and the lock pins the answers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::Ports;
use super::options::Options;
use super::ports::Project;
use super::scope::Scope;
use crate::cli::Verb;
use crate::error::{Error, Result};
use crate::llm::{self, Endpoint, Generation, Prepared};
use crate::lockfile::{self, Lock};
use crate::outcome::{ArtifactOutcome, ArtifactReport, Failure, Report};
use crate::resource::{Address, Artifact};
use crate::settings::Settings;

/// The model's answers, by resource.
pub(super) type Artifacts = Vec<(Address, Artifact)>;

/// The artifacts that the lock knows, for steps that take resources down. A lock that cannot be read is as good as
/// none: taking down needs neither lock nor model.
pub(super) fn pinned(project: &dyn Project, scope: &Scope) -> Artifacts {
    let Ok(lock) = Lock::load(&project.folder().join(lockfile::FILE_NAME)) else { return Vec::new() };
    let addresses = scope.places.iter().map(|place| &project.resources()[*place].address);
    addresses.filter_map(|address| Some((address.clone(), lock.get(address)?.content.clone()))).collect()
}

/// Gets all artifacts, from the lock or from the model. What happened, and what failed, stands in the report.
pub(super) fn generate(
    ports: &Ports<'_>,
    options: &Options,
    project: &dyn Project,
    settings: &Settings,
    scope: &mut Scope,
    report: &mut Report,
) -> Result<Artifacts> {
    let requests = project.requests(&scope.places)?;
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let mut lock = Lock::load(&project.folder().join(lockfile::FILE_NAME))?;
    let mut prepared = llm::prepare(requests, &lock, &options.regenerate)?;
    let lacking = if options.unattended { leave_out(project, scope, &mut prepared) } else { Vec::new() };
    if options.locked {
        prepared.ensure_complete()?;
    }
    if !options.unattended {
        report.notes.extend(prepared.notes());
    }
    let mut wanted = prepared.wanted();
    if options.dry_run && options.verb == Verb::Generate {
        report.artifacts = looked_up(prepared, settings);
        return Ok(Vec::new());
    }
    if !options.unattended {
        prepared.take_over(&mut lock)?;
    }
    let generation = if prepared.missing.is_empty() {
        prepared.into_generation()
    } else {
        ask(ports, project, settings, prepared, &mut lock)?
    };
    report.failure = generation.error().map(|error| Failure::of(&error));
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
    report.artifacts = lacking.into_iter().chain(reports).collect();
    let tidies = matches!(options.verb, Verb::Apply | Verb::Generate) && !options.unattended;
    if report.failure.is_none() && scope.is_whole_main && tidies {
        // Entries of resources that main.py no longer has go.
        wanted.extend(project.resources().iter().map(|resource| (resource.address.clone(), None)));
        lock.retain(&wanted, None);
        lock.save()?;
    }
    Ok(artifacts)
}

/// Asks the model, and hears Ctrl-C meanwhile.
fn ask(
    ports: &Ports<'_>,
    project: &dyn Project,
    settings: &Settings,
    prepared: Prepared,
    lock: &mut Lock,
) -> Result<Generation> {
    let endpoint = match Endpoint::remote(settings) {
        Some(endpoint) => endpoint,
        None => ports.process.local_model(&settings.model, &ports.observer)?,
    };
    let cancel = CancellationToken::new();
    let broken: Mutex<Option<Error>> = Mutex::new(None);
    let check = |address: &Address, artifact: &Artifact| {
        project.check_answer(address, artifact).unwrap_or_else(|error| {
            let message = error.to_string();
            broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            // A model that is told of it would try in vain, at the user's cost.
            cancel.cancel();
            Err(message)
        })
    };
    let runtime = crate::runtime::get()?;
    let observer = &*ports.observer;
    let mut done = None;
    let work = || {
        done = Some(
            runtime.block_on(llm::generate(prepared, &endpoint, settings, lock, &check, observer, &cancel)),
        );
    };
    ports.process.wait_for(&|| cancel.cancel(), Box::new(work))?;
    match broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => done.unwrap_or(Err(Error::Interrupted)),
    }
}

/// Limits a run to what the lock has all for, and reports what that leaves out.
fn leave_out(project: &dyn Project, scope: &mut Scope, prepared: &mut Prepared) -> Vec<ArtifactReport> {
    let lacking: Vec<ArtifactReport> = std::mem::take(&mut prepared.missing)
        .into_iter()
        .map(|ask| {
            let error = Some("clockwork.lock has nothing for it: run `clockwork generate`".to_owned());
            let outcome = ArtifactOutcome::new(ask.request.address);
            ArtifactReport::new(ArtifactOutcome { stale: ask.stale, error, ..outcome })
        })
        .collect();
    let is_lacking = |address: &Address| lacking.iter().any(|report| report.outcome.address == *address);
    scope.places.retain(|place| !is_lacking(&project.resources()[*place].address));
    lacking
}

/// The answers that the lock has, and the questions that would be asked, without asking.
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
