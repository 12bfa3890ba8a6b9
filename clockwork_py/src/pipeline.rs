//! The one straight pipeline: load, generate, compile, deploy.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clockwork_core::cli::Verb;
use clockwork_core::compile::{self, Block, Deployment, Phase, Script};
use clockwork_core::outcome::{DeployOutcome, Failure, Report};
use clockwork_core::resource::{Address, Artifact};
use clockwork_core::settings::Settings;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::pythonize;

use crate::invocation::Invocation;
use crate::load::Project;
use crate::{deploy, errors, generation, load, resource, traceback, user_code};

/// Runs the pipeline as far as the verb says.
///
/// What stopped it before there was anything to report is an error; what failed later stands in
/// the report, beside what had been done.
pub fn run(py: Python<'_>, invocation: &Invocation<'_>) -> PyResult<Report> {
    let started = Instant::now();
    let report = stages(py, invocation)?;
    Ok(Report { seconds: started.elapsed().as_secs_f64(), ..report })
}

fn stages(py: Python<'_>, invocation: &Invocation<'_>) -> PyResult<Report> {
    let verb = invocation.verb;
    let project = load::load(&invocation.source)?;
    let settings = Settings::load(&project.folder, &std::env::current_dir()?, &invocation.overrides)
        .map_err(|error| errors::map(py, &error))?;
    if verb != Verb::Generate {
        deploy::preload(py)?;
    }
    let mut report = Report {
        command: verb.word(),
        dry_run: invocation.dry_run || verb == Verb::Plan,
        folder: project.folder.display().to_string(),
        deploy: DeployOutcome::default(),
        artifacts: Vec::new(),
        seconds: 0.0,
        notes: Vec::new(),
        failure: None,
    };

    let artifacts = if verb == Verb::Destroy {
        generation::pinned(py, &project)?
    } else {
        let (artifacts, reports, failure) = generation::generate(py, invocation, &project, &settings)?;
        report.artifacts = reports;
        report.failure = failure;
        artifacts
    };
    if report.failure.is_some() || (verb == Verb::Generate && invocation.dry_run) {
        return Ok(report);
    }

    let inventory = inventory(invocation)?;
    let deployment = compile(py, &project, &artifacts, inventory, verb != Verb::Destroy, &mut report.notes)?;
    compile::write_files(&settings.output_dir, &deployment).map_err(|error| errors::map(py, &error))?;
    let (file, script) = match (verb, &deployment.deploy) {
        (Verb::Generate, _) => return Ok(report),
        (Verb::Apply | Verb::Plan, Some(script)) => ("deploy.py", script),
        _ => ("destroy.py", &deployment.destroy),
    };
    report.deploy = deploy(py, invocation, &settings.output_dir, &deployment.inventory, file, script)?;
    report.failure = deploy_failure(&report.deploy, report.dry_run);
    Ok(report)
}

fn inventory(invocation: &Invocation<'_>) -> PyResult<String> {
    match &invocation.compiler {
        Some(compiler) => compiler.call_method0("_generate_inventory")?.extract(),
        None => Ok(compile::DEFAULT_INVENTORY.to_owned()),
    }
}

/// Gets the code of all resources and puts it together.
///
/// With no artifacts at hand only `destroy.py` can be written.
fn compile(
    py: Python<'_>,
    project: &Project,
    artifacts: &[(Address, Artifact)],
    inventory: String,
    with_deploy: bool,
    notes: &mut Vec<String>,
) -> PyResult<Deployment> {
    let by_name = PyDict::new(py);
    for (address, artifact) in artifacts {
        by_name.set_item(&address.name, pythonize(py, artifact)?)?;
    }
    user_code::surround(py, &project.folder, false, || {
        blocks(py, project, &by_name, Some(artifacts), inventory, with_deploy, notes)
    })
}

fn blocks(
    py: Python<'_>,
    project: &Project,
    by_name: &Bound<'_, PyDict>,
    artifacts: Option<&[(Address, Artifact)]>,
    inventory: String,
    with_deploy: bool,
    notes: &mut Vec<String>,
) -> PyResult<Deployment> {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let graph = load::graph(py, &project.resources)?;
    let named = |places: Vec<usize>| places.into_iter().map(|place| graph.nodes[place].clone()).collect();
    for (place, resource) in project.resources.iter().enumerate() {
        let resource = resource.bind(py);
        let address = resource::address(resource)?;
        // Resources of two kinds may share a name: each finds its own artifact under it.
        let own = artifacts.and_then(|all| all.iter().find(|(of, _)| *of == address));
        if let Some((_, artifact)) = own {
            by_name.set_item(&address.name, pythonize(py, artifact)?)?;
        }
        if with_deploy {
            let block = resource::block(resource, Phase::Deploy, by_name, &project.folder)?;
            up.extend(block.map(|block| Block { needs: named(graph.needs[place].clone()), ..block }));
        }
        match resource::block(resource, Phase::Destroy, by_name, &project.folder)? {
            // What needs it has to be gone first.
            Some(block) => down.push(Block { needs: named(graph.needed_by(place)), ..block }),
            None if !with_deploy => notes.push(format!(
                "{address} does not say how it is taken down, and stays: override to_pyinfra_destroy_operations in {}",
                address.kind
            )),
            None => {}
        }
    }
    Ok(Deployment::new(inventory, with_deploy.then_some(up), down))
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
    let artifacts = artifacts.copy()?;
    let deployment = blocks(py, &project, &artifacts, None, inventory, with_deploy, &mut Vec::new())?;
    let folder: PathBuf = project.folder.join(folder);
    compile::write_files(&folder, &deployment).map_err(|error| errors::map(py, &error))
}

fn deploy(
    py: Python<'_>,
    invocation: &Invocation<'_>,
    folder: &Path,
    inventory: &str,
    file: &str,
    script: &Script,
) -> PyResult<DeployOutcome> {
    let looks = invocation.dry_run || invocation.verb == Verb::Plan;
    let job = deploy::Job {
        inventory,
        folder,
        file,
        script,
        mode: if looks { deploy::Mode::Plan } else { deploy::Mode::Execute },
        removes: invocation.verb == Verb::Destroy,
        fail_fast: invocation.fail_fast,
        observer: Arc::clone(&invocation.observer),
        cancel: deploy::Cancel::default(),
    };
    deploy::run(py, &job).map_err(|error| {
        if errors::is_interrupt(py, &error) || errors::is_ours(py, &error) {
            return error;
        }
        // What a resource's code raises stands in the outcome; this is the inventory's.
        let told = traceback::exception_lines(py, &error).unwrap_or_default().join("\n");
        errors::exception(py, "CompileError", &format!("the inventory cannot be used\n{told}"))
    })
}

/// Says what failed, briefly: the report has it all.
fn deploy_failure(outcome: &DeployOutcome, looked: bool) -> Option<Failure> {
    if !outcome.failed() {
        return None;
    }
    let verb = if looked { "planned" } else { "deployed" };
    let hosts = outcome.host_errors.iter().map(|host| format!("{}: {}", host.host, host.error));
    let resources = outcome.resources.iter().filter_map(|resource| {
        resource.error.as_ref().map(|error| format!("{} on {}: {error}", resource.address, resource.host))
    });
    let failures: Vec<String> = hosts.chain(resources).collect();
    let message = match &failures[..] {
        [failure] => format!("not everything could be {verb}: {failure}"),
        failures => format!("{} things could not be {verb}\n  {}", failures.len(), failures.join("\n  ")),
    };
    Some(Failure { class: "DeployError", message })
}

/// The report as what Python makes a `Result` of.
pub fn to_python<'py>(py: Python<'py>, report: &Report) -> PyResult<Bound<'py, PyAny>> {
    pythonize(py, report).map_err(Into::into)
}
