//! The one straight pipeline: load, generate, compile, deploy.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clockwork_core::cli::Verb;
use clockwork_core::compile;
use clockwork_core::event::Observer;
use clockwork_core::intent::Context;
use clockwork_core::outcome::{Action, Report};
use clockwork_core::redact;
use clockwork_core::resource::Address;
use clockwork_core::settings::Settings;
use clockwork_core::state::{State, Store};
use pyo3::prelude::*;
use pythonize::pythonize;

use crate::deploying::Deploying;
use crate::engine::Session;
use crate::invocation::Invocation;
use crate::load::Project;
use crate::wait::check_signals;
use crate::{check, compiling, engine, errors, generation, load, selection, waiting};

/// What `check` says where there is nothing to check.
const NO_ASSERTIONS: &str = "no resource has an assertion. Give one some: FileResource(…, assertions=[FileExists()]), \
     with FileExists and its like from clockwork.assertions, or a function of yours";

/// Runs the pipeline as far as the verb says.
///
/// What stopped it before there was anything to report is an error; what failed later stands in
/// the report, beside what had been done.
pub fn run(py: Python<'_>, invocation: &Invocation<'_>) -> PyResult<Report> {
    let started = Instant::now();
    let mut report = Report::new(invocation.verb.word(), invocation.looks());
    stages(py, invocation, &mut report)?;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

fn stages(py: Python<'_>, invocation: &Invocation<'_>, report: &mut Report) -> PyResult<()> {
    let verb = invocation.verb;
    let mut project = open(py, invocation, &mut report.notes)?;
    // The user's code in main.py does not ask for signals.
    check_signals(py)?;
    let settings = Settings::load(&project.folder, &std::env::current_dir()?, &invocation.overrides)
        .map_err(|error| errors::map(py, &error))?;
    report.folder = project.folder.display().to_string();
    let visits = match verb {
        Verb::Generate => false,
        Verb::Check => check::is_asked_for(py, &project)?,
        _ => true,
    };
    if visits {
        engine::preload(py)?;
    }
    let mut store = Store::new(&project.folder);
    // A part of a program may deploy beside others; a project is one run's at a time.
    if let Some(command) = invocation.writes().filter(|_| project.source.is_some()) {
        waiting::hold(py, command, invocation.lock_timeout, &invocation.observer, &mut store)?;
    }
    let state = match verb {
        Verb::Apply | Verb::Plan | Verb::Destroy => store.read().map_err(|error| errors::map(py, &error))?,
        Verb::Generate | Verb::Check => State::default(),
    };
    let known = selection::select(py, invocation, &mut project, state)?;

    if verb == Verb::Check {
        if visits {
            let inventory = inventory(invocation)?;
            let observer = Arc::clone(&invocation.observer);
            let options = options(invocation, &settings.output_dir, &inventory, observer);
            Session::within(py, &options, |session| check(py, invocation, &project, session, report))?;
        } else {
            report.notes.push(NO_ASSERTIONS.to_owned());
        }
        return Ok(());
    }

    let artifacts = if verb == Verb::Destroy {
        generation::pinned(py, &project)?
    } else {
        let (artifacts, reports, failure) =
            generation::generate(py, invocation, &mut project, &settings, &mut report.notes)?;
        report.artifacts = reports;
        report.failure = failure;
        artifacts
    };
    if report.failure.is_some() || (verb == Verb::Generate && invocation.dry_run) {
        return Ok(());
    }

    let with_deploy = verb != Verb::Destroy;
    let said = compiling::ask(py, &project, &artifacts, with_deploy)?;
    let only = invocation.only.as_deref();
    let deployment = compiling::compile(py, inventory(invocation)?, &said, with_deploy, only)?;
    let write = || compile::write_files(&settings.output_dir, &deployment);
    // What is there is of the last apply, and whole.
    if !invocation.unattended {
        write().map_err(|error| errors::map(py, &error))?;
    }
    if verb == Verb::Generate {
        return Ok(());
    }
    let secrets = redact::Known::new(said.iter().flat_map(|said| &said.secrets));
    let observer = Arc::new(redact::Discreet { to: Arc::clone(&invocation.observer), known: secrets });
    let options = options(invocation, &settings.output_dir, &deployment.inventory, observer);
    Session::within(py, &options, |session| {
        let deploying = Deploying {
            invocation,
            folder: &settings.output_dir,
            source: project.source.as_deref(),
            deployment: &deployment,
            said: &said,
            known: &known,
            store: &store,
            session,
        };
        if verb == Verb::Destroy {
            return deploying.destroy(py, report);
        }
        deploying.bring_up(py, report)?;
        if invocation.check && !report.dry_run {
            check(py, invocation, &project, session, report)?;
        }
        Ok(())
    })
}

/// The options of the one session of a run.
fn options<'a>(
    invocation: &Invocation<'_>,
    folder: &'a Path,
    inventory: &'a str,
    observer: Arc<dyn Observer>,
) -> engine::Options<'a> {
    engine::Options {
        inventory,
        folder,
        observer,
        cancel: engine::Cancel::default(),
        fail_fast: invocation.fail_fast,
        context: Context::default(),
    }
}

/// Loads the project. What is to be taken down can be where main.py is gone or broken, as long as the
/// state knows of it. A plan does not hold where that is so.
fn open(py: Python<'_>, invocation: &Invocation<'_>, notes: &mut Vec<String>) -> PyResult<Project> {
    let can_do_without = invocation.verb == Verb::Destroy || invocation.saved.is_some();
    let error = match load::load(&invocation.source) {
        Err(error) if can_do_without && errors::is_ours(py, &error) => error,
        loaded => return loaded,
    };
    let Ok(path) = invocation.source.extract::<PathBuf>() else { return Err(error) };
    if invocation.saved.is_some() {
        let why = error.value(py).to_string();
        let message = format!("the plan does not hold any more, and nothing was done. Plan again.\n  {why}");
        return Err(errors::exception(py, "PlanMovedError", &message));
    }
    let (folder, source) = load::place(Path::new(&path));
    let state = Store::new(&folder).read().map_err(|error| errors::map(py, &error))?;
    if state.gone(Some(&source), &[]).is_empty() {
        return Err(error);
    }
    let why = error.value(py).to_string();
    let why = why.lines().next().unwrap_or_default();
    notes.push(format!("what is taken down is what the state knows, because {why}"));
    Ok(Project::bare(folder, source))
}

/// Tries the assertions: all of them or, where something was deployed, those of what is there now.
fn check(
    py: Python<'_>,
    invocation: &Invocation<'_>,
    project: &Project,
    session: &Session,
    report: &mut Report,
) -> PyResult<()> {
    let good: HashSet<(&Address, &str)> = report
        .deploy
        .resources
        .iter()
        .filter(|resource| resource.error.is_none() && resource.action != Action::Skipped)
        .map(|resource| (&resource.address, resource.host.as_str()))
        .collect();
    let wanted =
        |address: &Address, host: &str| invocation.verb == Verb::Check || good.contains(&(address, host));
    let (checks, away) = check::run(py, project, session, &wanted, &invocation.observer)?;
    report.checks = checks;
    report.deploy.host_errors.extend(away);
    report.failure = report.failure.take().or_else(|| check::failure(report));
    Ok(())
}

fn inventory(invocation: &Invocation<'_>) -> PyResult<String> {
    match &invocation.compiler {
        Some(compiler) => compiler.call_method0("_generate_inventory")?.extract(),
        None => Ok(compile::DEFAULT_INVENTORY.to_owned()),
    }
}

/// The report as Python's `Result`.
pub fn to_result<'py>(py: Python<'py>, report: &Report) -> PyResult<Bound<'py, PyAny>> {
    let result = py.import("clockwork.results")?.getattr("Result")?;
    result.call_method1("from_dict", (pythonize(py, report)?,))
}
