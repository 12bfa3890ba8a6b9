//! The command line's edge: reads what was typed, runs it, shows what came of it, and says with
//! the exit status how it went.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use clockwork_core::cli::{Cli, Command, Display, ModelCommand, Run, Verb, completion};
use clockwork_core::event::{Observer, Silent};
use clockwork_core::generate::{Lock, Regenerate, lock};
use clockwork_core::graph::GraphFormat;
use clockwork_core::settings::{LogLevel, Overrides, Secret, Settings};
use clockwork_core::{VERSION, report, scaffold};
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde_json::json;

use crate::invocation::Invocation;
use crate::{errors, load, local_model, pipeline, stdio};

const DONE: u8 = 0;
const FAILED: u8 = 1;
const CHANGES_PENDING: u8 = 2;
const INTERRUPTED: u8 = 130;

/// Runs the command that was typed, and gives the exit status.
pub fn main(py: Python<'_>, arguments: &[String]) -> PyResult<u8> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return Ok(u8::try_from(error.exit_code()).unwrap_or(CHANGES_PENDING));
        }
    };
    let display = cli.display;
    report::apply_color(display.color);
    match cli.command {
        Command::Version => {
            Ok(say(display, &format!("clockwork {VERSION}\n"), || json!({ "version": VERSION })))
        }
        Command::Completion { shell } => Ok(say(display, &completion(shell), || json!(completion(shell)))),
        Command::Graph { path, format } => graph(py, display, &path, format),
        Command::Init { folder } => Ok(edge(init(display, &folder))),
        Command::Model(ModelCommand::Pull) => pull(py, display),
        Command::Apply(run) => execute(py, display, Verb::Apply, run, false),
        Command::Generate { run, show_prompts: true } => prompts(py, display, run),
        Command::Generate { run, .. } => execute(py, display, Verb::Generate, run, false),
        Command::Show { name, path } => Ok(edge(show(display, &name, Path::new(&path)))),
        Command::Plan { run, detailed_exitcode } => execute(py, display, Verb::Plan, run, detailed_exitcode),
        Command::Destroy(run) => execute(py, display, Verb::Destroy, run, false),
    }
}

/// Prints a text, or with `--json` a document. A reader that has gone away is no error.
fn say(display: Display, text: &str, document: impl FnOnce() -> serde_json::Value) -> u8 {
    let mut out = std::io::stdout().lock();
    let _ = if display.json { writeln!(out, "{:#}", document()) } else { out.write_all(text.as_bytes()) };
    let _ = out.flush();
    DONE
}

/// Shows an error of a command that does not run main.py.
fn edge(result: Result<u8>) -> u8 {
    result.unwrap_or_else(|error| {
        eprint!("{}", report::error(&format!("{error:#}")));
        FAILED
    })
}

fn init(display: Display, folder: &Path) -> Result<u8> {
    let (written, left) = scaffold::init(folder)
        .with_context(|| format!("no project can be started in {}", folder.display()))?;
    let mut text = String::new();
    for path in &written {
        let _ = writeln!(text, "wrote {}", path.display());
    }
    for path in &left {
        let _ = writeln!(text, "left {} as it is", path.display());
    }
    text.push_str(
        "Next: `clockwork plan --model local` shows what would be done, `clockwork apply` does it.\n",
    );
    Ok(say(display, &text, || json!({ "written": written, "left": left })))
}

fn pull(py: Python<'_>, display: Display) -> PyResult<u8> {
    let observer = report::observer(display, LogLevel::default());
    let pulled = local_model::pull(py, &observer);
    observer.finish();
    match pulled {
        Ok(path) => Ok(say(display, &format!("the local model is in {path}\n"), || json!({ "path": path }))),
        Err(error) => failed(py, display, "model pull", &error),
    }
}

fn execute(py: Python<'_>, display: Display, verb: Verb, run: Run, detailed_exitcode: bool) -> PyResult<u8> {
    let stdout = if display.json { Some(stdio::reserve_stdout(py)?) } else { None };
    let mut invocation = invocation(py, verb, run, Arc::new(Silent));
    let observer = report::observer(display, log_level(&invocation)?);
    invocation.observer = Arc::clone(&observer);
    stdio::stop_on_terminate(py)?;
    let result = pipeline::run(py, &invocation);
    observer.finish();
    stdio::flush(py)?;

    let report = match result {
        Ok(report) => report,
        Err(error) => {
            let code = failed(py, Display { json: false, ..display }, verb.word(), &error)?;
            if let Some(stdout) = stdout {
                let document = json!({ "command": verb.word(), "error": error_document(py, &error)? });
                stdout.write(py, &format!("{document:#}\n"))?;
            }
            return Ok(code);
        }
    };
    if let Some(stdout) = stdout {
        let mut document = serde_json::to_value(&report).unwrap_or_default();
        document["error"] = report
            .failure
            .as_ref()
            .map_or(json!(null), |failure| json!({ "kind": failure.class, "message": failure.message }));
        stdout.write(py, &format!("{document:#}\n"))?;
    } else {
        let _ = std::io::stdout().write_all(report::summary(&report, verb, display.verbose > 0).as_bytes());
    }
    if let Some(failure) = &report.failure {
        // The table has told already what failed on which host; the model's errors stand nowhere else.
        if display.json || failure.class != "DeployError" {
            eprint!("{}", report::error(&failure.message));
        }
        return Ok(FAILED);
    }
    let pending = detailed_exitcode && report.deploy.resources.iter().any(|r| r.action.is_change());
    Ok(if pending { CHANGES_PENDING } else { DONE })
}

/// What was typed, as the pipeline takes it.
fn invocation(py: Python<'_>, verb: Verb, run: Run, observer: Arc<dyn Observer>) -> Invocation<'_> {
    let overrides = Overrides {
        model: run.model,
        api_key: run.api_key.map(Secret::from),
        base_url: run.base_url,
        concurrency: run.concurrency,
        output_dir: None,
        max_repairs: run.max_repairs,
        max_tokens_total: run.max_tokens_total,
        max_cost: run.max_cost,
        allow_unverified_images: run.allow_unverified_images.then_some(true),
    };
    let regenerate = match run.regenerate {
        None => Regenerate::None,
        Some(names) if names.is_empty() => Regenerate::All,
        Some(names) => Regenerate::Names(names),
    };
    Invocation {
        verb,
        source: PyString::new(py, &run.path).into_any(),
        dry_run: run.dry_run,
        fail_fast: run.fail_fast,
        regenerate,
        locked: run.locked,
        overrides,
        compiler: None,
        observer,
    }
}

/// How much is to be logged. Settings that cannot be used are told of when they are needed.
fn log_level(invocation: &Invocation<'_>) -> PyResult<LogLevel> {
    let path: PathBuf = invocation.source.extract()?;
    let folder = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
    let settings = Settings::load(folder, &std::env::current_dir()?, &invocation.overrides);
    Ok(settings.map(|settings| settings.log_level).unwrap_or_default())
}

/// Prints what would be sent to the model.
fn prompts(py: Python<'_>, display: Display, run: Run) -> PyResult<u8> {
    let run = Run { dry_run: true, ..run };
    if display.json {
        return execute(py, display, Verb::Generate, run, false);
    }
    match pipeline::run(py, &invocation(py, Verb::Generate, run, Arc::new(Silent))) {
        Ok(report) => Ok(say(display, &report::prompts(&report), || json!(null))),
        Err(error) => failed(py, display, "generate", &error),
    }
}

/// Prints which resource needs which.
fn graph(py: Python<'_>, display: Display, path: &str, format: GraphFormat) -> PyResult<u8> {
    let stdout = if display.json { Some(stdio::reserve_stdout(py)?) } else { None };
    let source = PyString::new(py, path).into_any();
    let graph = match load::load(&source).and_then(|project| load::graph(py, &project.resources)) {
        Ok(graph) => graph,
        Err(error) => return failed(py, Display { json: false, ..display }, "graph", &error),
    };
    stdio::flush(py)?;
    let Some(stdout) = stdout else { return Ok(say(display, &graph.write(format), || json!(null))) };
    let document = json!({ "resources": graph.nodes, "needs": graph.needs });
    stdout.write(py, &format!("{document:#}\n"))?;
    Ok(DONE)
}

/// Prints what the lock holds for a resource.
fn show(display: Display, name: &str, path: &Path) -> Result<u8> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let lock = Lock::load(&folder.join(lock::FILE_NAME))?;
    let (address, entry) = lock.find(name)?;
    Ok(say(display, &report::artifact(address, entry), || report::artifact_document(address, entry)))
}

fn error_document(py: Python<'_>, error: &PyErr) -> PyResult<serde_json::Value> {
    let kind = error.get_type(py).name()?.to_string();
    Ok(json!({ "kind": kind, "message": error.value(py).str()?.to_string() }))
}

/// Shows an error that stopped a command, and gives its exit status.
fn failed(py: Python<'_>, display: Display, command: &str, error: &PyErr) -> PyResult<u8> {
    if display.json {
        let document = json!({ "command": command, "error": error_document(py, error)? });
        let _ = writeln!(std::io::stdout(), "{document:#}");
    }
    if errors::is_interrupt(py, error) {
        eprint!("{}", report::error("interrupted"));
        return Ok(INTERRUPTED);
    }
    if errors::is_ours(py, error) {
        eprint!("{}", report::error(&error.value(py).str()?.to_string()));
    } else {
        eprint!("{}", report::error("something that Clockwork did not expect; please report it"));
        error.print(py);
    }
    Ok(FAILED)
}
