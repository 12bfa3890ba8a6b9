//! `clockwork watch`: runs rounds until it is interrupted.

use std::path::Path;

use clockwork_core::cli::{self, Display, Verb};
use clockwork_core::report::{self, Countdown};
use clockwork_core::settings::Overrides;
use clockwork_core::watch::Round;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::{DONE, Extent, FAILED, ParsedRun, Run, WRONG_USAGE, WorkflowCommand, failed};
use crate::watching::{Watch, WatchOptions};
use crate::{load, stdio};

pub fn run(py: Python<'_>, display: Display, typed: cli::Watch) -> PyResult<u8> {
    let command = WorkflowCommand::new(py, display)?;
    let planned = ParsedRun::new(Verb::Plan, Run::of(typed.place.clone()), Extent::default());
    let observer = report::watch_observer(display, planned.log_level()?);
    let source = PyString::new(py, &typed.place.path).into_any();
    let options = WatchOptions {
        interval: typed.interval,
        heal: typed.heal,
        webhook: typed.webhook,
        targets: typed.part.targets,
    };
    let (folder, file) = load::place(Path::new(&typed.place.path));
    // A missing main.py is an error at the start. In later rounds it may be missing for a while.
    let exists = if folder.join(file).exists() { Ok(()) } else { load::load(&source).map(drop) };
    let watch = match exists.and_then(|()| Watch::new(source, options, Overrides::default(), None, observer))
    {
        Ok(watch) => watch,
        // Standard output has only rounds.
        Err(error) => {
            eprint!("{}", report::error(&error.value(py).str()?.to_string()));
            return Ok(WRONG_USAGE);
        }
    };
    stdio::stop_on_terminate(py)?;
    let countdown = Countdown::new();
    let ended = rounds(py, &command, watch, typed.rounds, &countdown);
    countdown.clear();
    match ended {
        Ok(last) => Ok(if last.is_well() { DONE } else { FAILED }),
        // The rounds have been printed already.
        Err(error) => failed(py, Display { json: false, ..display }, "watch", &error),
    }
}

/// Runs the wanted number of rounds, or without end. Returns the last one.
fn rounds(
    py: Python<'_>,
    command: &WorkflowCommand,
    mut watch: Watch,
    wanted: Option<u64>,
    countdown: &Countdown,
) -> PyResult<Round> {
    loop {
        let (round, news) = watch.round(py)?;
        stdio::flush(py)?;
        if let Some(stdout) = &command.stdout {
            stdout.line(py, &serde_json::to_string(&round).unwrap_or_default())?;
        } else {
            // A failed write does not end the watch.
            stdio::print(&report::round(&round, &news, command.display.verbose > 0));
        }
        watch.tell(py, &round, &news)?;
        if wanted.is_some_and(|wanted| round.number >= wanted) {
            return Ok(round);
        }
        watch.wait(py, |left| countdown.show(left))?;
        countdown.clear();
    }
}
