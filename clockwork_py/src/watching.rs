//! Watching: a plan in each round, a repair of what has drifted where that is asked for, and news of
//! it to whoever wants them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clockwork_core::cli::Verb;
use clockwork_core::event::{Observer, Silent};
use clockwork_core::outcome::{Failure, Report};
use clockwork_core::settings::{Overrides, Settings};
use clockwork_core::watch::{Notification, NotificationLog, Place, Round};
use clockwork_core::webhook::Webhook;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pythonize::pythonize;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::invocation::{Approval, Approver, Invocation};
use crate::options::{self, Options};
use crate::wait::{check_signals, runtime, wait};
use crate::{errors, load, pipeline};

/// How long Python sleeps in one piece. A signal wakes it at once, but for one that comes in the
/// moment before it falls asleep.
const NAP: Duration = Duration::from_millis(200);

/// What to watch, and what to do about it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Seconds from the beginning of a round to that of the next.
    pub interval: f64,
    /// Whether to repair what has drifted.
    pub heal: bool,
    /// Where to tell what happened.
    pub webhook: Option<String>,
    /// The resources and groups that it is limited to.
    pub targets: Vec<String>,
}

/// Something that is watched.
pub struct Watch {
    source: Py<PyAny>,
    folder: PathBuf,
    overrides: Overrides,
    compiler: Option<Py<PyAny>>,
    heal: bool,
    targets: Vec<String>,
    webhook: Option<Webhook>,
    interval: Duration,
    observer: Arc<dyn Observer>,
    notification_log: NotificationLog,
    number: u64,
    began: Option<Instant>,
}

impl Watch {
    /// Makes sure that it can be watched as is wished. Nothing is looked at yet.
    pub fn new(
        source: Bound<'_, PyAny>,
        wish: Wish,
        overrides: Overrides,
        compiler: Option<Py<PyAny>>,
        observer: Arc<dyn Observer>,
    ) -> PyResult<Self> {
        let py = source.py();
        let core = |error| errors::map(py, &error);
        let interval = Some(wish.interval).filter(|seconds| *seconds > 0.0);
        let interval = interval.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let interval =
            interval.ok_or_else(|| PyValueError::new_err("the interval is a number of seconds, above 0"))?;
        let working_folder = std::env::current_dir()?;
        // What main.py does to the working folder is no reason to look elsewhere in the next round.
        let (source, folder) = match source.extract::<PathBuf>() {
            Ok(path) => {
                let path = working_folder.join(path);
                let folder = load::place(&path).0;
                (PyString::new(py, &path.to_string_lossy()).into_any(), folder)
            }
            Err(_) => (source, working_folder.clone()),
        };
        let given = wish.webhook.filter(|address| !address.trim().is_empty());
        let webhook = if given.is_some() {
            given
        } else {
            let settings = Settings::load(&folder, &working_folder, &overrides).map_err(core)?;
            settings.webhook.map(|address| address.reveal().to_owned())
        };
        Ok(Self {
            source: source.unbind(),
            folder,
            overrides,
            compiler,
            heal: wish.heal,
            targets: wish.targets,
            webhook: webhook.as_deref().map(Webhook::parse).transpose().map_err(core)?,
            interval,
            observer,
            notification_log: NotificationLog::default(),
            number: 0,
            began: None,
        })
    }

    /// Looks once, and repairs where that is asked for. Whatever goes wrong stands in the round; an
    /// error is `KeyboardInterrupt` and its like, after everything has been stopped.
    pub fn round(&mut self, py: Python<'_>) -> PyResult<(Round, Vec<Notification>)> {
        let began = Instant::now();
        self.began = Some(began);
        self.number += 1;
        let mut round = Round::new(self.number, self.folder.display().to_string());
        match self.run(py, Verb::Plan, None) {
            Ok(report) => {
                round.add_plan(report);
                self.repair(py, &mut round)?;
            }
            Err(error) => round.error = Some(problem(py, &error).ok_or(error)?),
        }
        self.observer.finish();
        round.seconds = began.elapsed().as_secs_f64();
        let notifications = self.notification_log.notifications(&round);
        Ok((round, notifications))
    }

    fn repair(&self, py: Python<'_>, round: &mut Round) -> PyResult<()> {
        let places = if self.heal { round.repairable() } else { Vec::new() };
        if places.is_empty() {
            return Ok(());
        }
        match self.run(py, Verb::Apply, Some(places.clone())) {
            Ok(report) if report.dry_run => {
                let why = "what is to be repaired has changed meanwhile: the next round looks again";
                round.notes.push(why.to_owned());
            }
            Ok(report) => round.add_repair(report),
            Err(error) => {
                let problem = problem(py, &error).ok_or(error)?;
                if problem.class == "StateLockedError" {
                    let why = format!("nothing is repaired in this round: {}", problem.message);
                    round.notes.push(why);
                } else {
                    round.add_failed_repair(&places, &problem.message);
                }
            }
        }
        Ok(())
    }

    /// Runs the pipeline: a plan of everything, or an apply of what is to be repaired.
    fn run(&self, py: Python<'_>, verb: Verb, only: Option<Vec<Place>>) -> PyResult<Report> {
        let repairs = only.is_some();
        let options = Options::default();
        let source = self.source.bind(py).clone();
        let invocation = options.invocation(verb, source, self.overrides.clone())?;
        let invocation = Invocation {
            unattended: true,
            // Of what is to be repaired nothing else comes along.
            targets: if repairs { Vec::new() } else { self.targets.clone() },
            check: repairs,
            approver: only.is_some().then(|| Box::new(Surgeon) as Box<dyn Approver>),
            only,
            compiler: self.compiler.as_ref().map(|compiler| compiler.bind(py).clone()),
            observer: Arc::clone(&self.observer),
            ..invocation
        };
        pipeline::run(py, &invocation)
    }

    /// Tells the webhook, if there is one. Where that fails, standard error says so.
    pub fn tell(&self, py: Python<'_>, round: &Round, notifications: &[Notification]) -> PyResult<()> {
        let Some(webhook) = &self.webhook else { return Ok(()) };
        let runtime = runtime()?;
        let mut webhook = webhook.clone();
        for notification in notifications {
            let document = notification.document(round);
            let cancel = CancellationToken::new();
            let work = || {
                runtime.block_on(async {
                    tokio::select! {
                        sent = webhook.send(&document) => sent,
                        () = cancel.cancelled() => Ok(()),
                    }
                })
            };
            if let Err(unsaid) = wait(py, || cancel.cancel(), work)? {
                // The next round is not to wait for each of a server that is down.
                webhook = webhook.without_retries();
                let line = format!("{} could not be told: {unsaid}\n", notification.kind.word());
                py.import("sys")?.getattr("stderr")?.call_method1("write", (line,))?;
            }
        }
        Ok(())
    }

    /// Sleeps until the next round is due, calling `tick` with how long that is. A round that took
    /// longer than the interval is followed by the next one at once.
    pub fn wait(&self, py: Python<'_>, tick: impl Fn(Duration)) -> PyResult<()> {
        let Some(due) = self.began.and_then(|began| began.checked_add(self.interval)) else { return Ok(()) };
        let sleep = py.import("time")?.getattr("sleep")?;
        loop {
            check_signals(py)?;
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            tick(left);
            sleep.call1((left.min(NAP).as_secs_f64(),))?;
        }
    }
}

/// Says yes to a repair that repairs and does nothing else.
struct Surgeon;

impl Approver for Surgeon {
    fn wants_gone(&self) -> bool {
        false
    }

    fn approve(&self, _py: Python<'_>, plan: &Report) -> PyResult<Approval> {
        let repairs = plan.deploy.resources.iter().all(|resource| {
            let kept = resource.standing.protected && resource.replaces;
            !resource.action.is_change() || (resource.standing.settled && !kept)
        });
        Ok(if repairs { Approval::Go { prune: false } } else { Approval::Stop })
    }
}

/// What is wrong with a round, unless it is to end the watch.
fn problem(py: Python<'_>, error: &PyErr) -> Option<Failure> {
    if !error.is_instance_of::<PyException>(py) {
        return None;
    }
    let kind = error.get_type(py).name().map_or_else(|_| "Exception".to_owned(), |name| name.to_string());
    let message = error.value(py).to_string();
    let message = if errors::is_ours(py, error) { message } else { format!("{kind}: {message}") };
    Some(Failure::new(kind, message))
}

/// What `clockwork.watch` is made of.
#[pyclass(frozen, module = "clockwork._core")]
pub struct Watcher(Mutex<Watch>);

#[pymethods]
impl Watcher {
    #[new]
    fn new(
        source: Bound<'_, PyAny>,
        wish: &Bound<'_, PyAny>,
        overrides: &Bound<'_, PyDict>,
        compiler: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let (wish, overrides) = (pythonize::depythonize(wish)?, options::settings(overrides)?);
        Ok(Self(Mutex::new(Watch::new(source, wish, overrides, compiler, Arc::new(Silent))?)))
    }

    /// Looks once, and gives the round as a dictionary.
    fn round<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut watch = self.watch()?;
        let (round, news) = watch.round(py)?;
        watch.tell(py, &round, &news)?;
        Ok(pythonize(py, &round)?)
    }

    /// Sleeps until the next round is due.
    fn wait(&self, py: Python<'_>) -> PyResult<()> {
        self.watch()?.wait(py, |_| {})
    }
}

impl Watcher {
    /// Rounds do not overlap; to wait for one that another thread is at could take for ever.
    fn watch(&self) -> PyResult<std::sync::MutexGuard<'_, Watch>> {
        use std::sync::TryLockError;
        match self.0.try_lock() {
            Ok(watch) => Ok(watch),
            Err(TryLockError::Poisoned(poisoned)) => Ok(PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) => {
                Err(PyValueError::new_err("this watch is used by another thread already"))
            }
        }
    }
}
