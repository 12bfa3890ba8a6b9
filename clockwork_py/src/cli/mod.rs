//! The command line: parses the arguments, runs the command, shows its result, and
//! returns the exit status.

mod approve;
mod state;
mod watch;
mod workflow_command;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use clockwork_core::cli::{Change, Cli, Command, Display, ModelCommand, Part, Run, Verb, completion};
use clockwork_core::event::{Observer, Silent};
use clockwork_core::graph::GraphFormat;
use clockwork_core::llm::Regenerate;
use clockwork_core::lockfile::{self, Lock};
use clockwork_core::outcome::Failure;
use clockwork_core::settings::{LogLevel, Overrides, Secret, Settings};
use clockwork_core::workflow::options::Options;
use clockwork_core::{VERSION, report, scaffold, workflow};
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde_json::json;

use self::approve::TerminalApprover;
use self::workflow_command::{WorkflowCommand, failure_of};
use crate::project::PySource;
use crate::{errors, load, local_model, options, run, stdio};

const DONE: u8 = 0;
const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;
const CHANGES_PENDING: u8 = 2;
const INTERRUPTED: u8 = 130;

/// Runs a command line, and returns the exit status.
pub fn main(py: Python<'_>, arguments: &[String]) -> PyResult<u8> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return Ok(u8::try_from(error.exit_code()).unwrap_or(WRONG_USAGE));
        }
    };
    let display = cli.display;
    report::apply_color(display.color);
    match cli.command {
        Command::Version => {
            Ok(say(display, &format!("clockwork {VERSION}\n"), || json!({ "version": VERSION })))
        }
        Command::Completion { shell } => Ok(say(display, &completion(shell), || json!(completion(shell)))),
        Command::Graph { place, format } => graph(py, display, &place.path, format),
        Command::Init { folder } => Ok(finish(display, "init", init(display, &folder))),
        Command::Model(ModelCommand::Pull) => pull(py, display),
        Command::Apply { run, part, change, prune, no_check } => {
            apply(py, display, run, Extent { part, change: Some(change), prune }, !no_check)
        }
        Command::Generate { run, show_prompts: true } => prompts(py, display, run),
        Command::Generate { run, .. } => {
            let command = WorkflowCommand::new(py, display)?;
            command
                .execute(py, &ParsedRun::new(Verb::Generate, run, Extent::default()), None)
                .map(|(code, _)| code)
        }
        Command::Show { name, place } => {
            Ok(finish(display, "show", show(display, &name, Path::new(&place.path))))
        }
        Command::Plan { run, part, prune, out, detailed_exitcode } => {
            let extent = Extent { part, change: None, prune };
            plan(py, display, run, extent, out.as_deref(), detailed_exitcode)
        }
        Command::Destroy { run, part, change } => {
            destroy(py, display, run, Extent { part, change: Some(change), prune: false })
        }
        Command::State(command) => state::run(py, display, command),
        Command::Watch(watch) => watch::run(py, display, watch),
        Command::Check { place, part } => {
            let command = WorkflowCommand::new(py, display)?;
            let extent = Extent { part, ..Extent::default() };
            command
                .execute(py, &ParsedRun::new(Verb::Check, Run::of(place), extent), None)
                .map(|(code, _)| code)
        }
    }
}

/// Prints a text, or a document with `--json`.
fn say(display: Display, text: &str, document: impl FnOnce() -> serde_json::Value) -> u8 {
    let text = if display.json { &format!("{:#}\n", document()) } else { text };
    if stdio::print(text) { DONE } else { FAILED }
}

/// Shows an error of a command that does not run main.py.
fn finish(display: Display, command: &str, result: Result<u8>) -> u8 {
    result.unwrap_or_else(|error| {
        // Our own errors name their cause in their message.
        let top = error.chain().take_while(|cause| !cause.is::<std::io::Error>());
        let message = top.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        if display.json {
            say(
                display,
                "",
                || json!({ "command": command, "error": Failure::new("ClockworkError", message.clone()) }),
            );
        }
        eprint!("{}", report::error(&message));
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
    if folder != Path::new(".") {
        let _ = writeln!(text, "Next: `cd {}`, where the following is typed.", folder.display());
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

/// The options of a command that limit it to a part of the project, or allow it to change something.
#[derive(Default)]
struct Extent {
    part: Part,
    change: Option<Change>,
    prune: bool,
}

impl Extent {
    fn asks(&self) -> bool {
        !self.change.is_some_and(|change| change.yes)
    }
}

fn apply(py: Python<'_>, display: Display, run: Run, extent: Extent, check: bool) -> PyResult<u8> {
    let command = WorkflowCommand::new(py, display)?;
    let asks = extent.asks();
    let prune = extent.prune;
    let approver = TerminalApprover::new(display, asks, prune);
    if prune && asks && !approver.has_terminal() && !run.dry_run {
        let error = "there is no terminal to ask on, so --prune needs --yes here";
        return command.refuse("apply", error, WRONG_USAGE);
    }
    let limited = prune || !extent.part.targets.is_empty();
    let mut typed = ParsedRun::new(Verb::Apply, run, extent);
    typed.options.check = check;
    let source = typed.path.as_str().into_pyobject(py)?.into_any();
    match options::saved_plan(&source, Verb::Apply) {
        Ok(None) => return command.execute(py, &typed, Some(&approver)).map(|(code, _)| code),
        Ok(Some(_)) if limited => {
            let error = "a plan says by itself what is pruned and what it is limited to: give --prune and --target \
                         to `clockwork plan`";
            return command.refuse("apply", error, WRONG_USAGE);
        }
        // A saved plan was reviewed when it was saved. It is run unchanged, or not at all.
        Ok(Some(saved)) => {
            typed.path = saved.source.to_string_lossy().into_owned();
            typed.options.run_saved(saved);
        }
        Err(error) => return command.refuse("apply", &error.value(py).str()?.to_string(), FAILED),
    }
    command.execute(py, &typed, None).map(|(code, _)| code)
}

fn destroy(py: Python<'_>, display: Display, run: Run, extent: Extent) -> PyResult<u8> {
    let command = WorkflowCommand::new(py, display)?;
    let approver = TerminalApprover::new(display, extent.asks(), false);
    command.execute(py, &ParsedRun::new(Verb::Destroy, run, extent), Some(&approver)).map(|(code, _)| code)
}

fn plan(
    py: Python<'_>,
    display: Display,
    run: Run,
    extent: Extent,
    out: Option<&Path>,
    detailed_exitcode: bool,
) -> PyResult<u8> {
    let command = WorkflowCommand::new(py, display)?;
    let mut typed = ParsedRun::new(Verb::Plan, run, extent);
    typed.options.out = out.map(Path::to_path_buf);
    let (code, report) = command.execute(py, &typed, None)?;
    let pending = report.is_some_and(|report| report.deploy.resources.iter().any(|r| r.action.is_change()));
    Ok(if code == DONE && detailed_exitcode && pending { CHANGES_PENDING } else { code })
}

/// A parsed command: a path, and the options of a run.
struct ParsedRun {
    path: String,
    options: Options,
}

impl ParsedRun {
    fn new(verb: Verb, run: Run, extent: Extent) -> Self {
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
        let yes = !extent.asks();
        let lock_timeout = extent.change.map_or(0.0, |change| change.lock_timeout);
        let options = Options {
            dry_run: run.dry_run,
            fail_fast: run.fail_fast,
            overrides,
            regenerate,
            locked: run.locked,
            targets: extent.part.targets,
            prune: extent.prune,
            yes,
            lock_timeout: Duration::from_secs_f64(lock_timeout),
            ..Options::new(verb)
        };
        Self { path: run.place.path, options }
    }

    /// The log level. Invalid settings are reported later, by the run.
    fn log_level(&self) -> PyResult<LogLevel> {
        let path = Path::new(&self.path);
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let settings = Settings::load(folder, &std::env::current_dir()?, &self.options.overrides);
        Ok(settings.map(|settings| settings.log_level).unwrap_or_default())
    }
}

/// Prints the messages that would be sent to the model.
fn prompts(py: Python<'_>, display: Display, run: Run) -> PyResult<u8> {
    let run = Run { dry_run: true, ..run };
    let typed = ParsedRun::new(Verb::Generate, run, Extent::default());
    if display.json {
        return WorkflowCommand::new(py, display)?.execute(py, &typed, None).map(|(code, _)| code);
    }
    let stdout = stdio::reserve_stdout(py)?;
    let silent: Arc<dyn Observer> = Arc::new(Silent);
    match run::run(py, &PySource::at(py, &typed.path)?, &typed.options, None, &silent) {
        Ok(report) => stdout.write(py, &report::prompts(&report)).map(|()| DONE),
        Err(error) => failed(py, display, "generate", &error),
    }
}

/// Prints the dependency graph. The output of main.py goes to standard error.
fn graph(py: Python<'_>, display: Display, path: &str, format: GraphFormat) -> PyResult<u8> {
    let stdout = stdio::reserve_stdout(py)?;
    let source = PyString::new(py, path).into_any();
    let graph = match load::load(&source) {
        Ok(project) => workflow::graph(&project.declared),
        Err(error) => {
            if display.json {
                let document = json!({ "command": "graph", "error": failure_of(py, &error)? });
                stdout.write(py, &format!("{document:#}\n"))?;
            }
            return failed(py, Display { json: false, ..display }, "graph", &error);
        }
    };
    let text = if display.json {
        let document = json!({ "resources": graph.nodes, "needs": graph.needs, "groups": graph.groups });
        format!("{document:#}\n")
    } else {
        graph.write(format)
    };
    stdout.write(py, &text).map(|()| DONE)
}

/// Prints the artifact of a resource in the lock file.
fn show(display: Display, name: &str, path: &Path) -> Result<u8> {
    if !path.exists() && path != Path::new("main.py") {
        anyhow::bail!("there is no {}: name a main.py, or the folder that holds it", path.display());
    }
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let lock = Lock::load(&folder.join(lockfile::FILE_NAME))?;
    let (address, entry) = lock.find(name)?;
    Ok(say(display, &report::artifact(address, entry), || report::artifact_document(address, entry)))
}

/// Shows an error that stopped a command, and returns the exit status.
fn failed(py: Python<'_>, display: Display, command: &str, error: &PyErr) -> PyResult<u8> {
    if display.json {
        let document = json!({ "command": command, "error": failure_of(py, error)? });
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
