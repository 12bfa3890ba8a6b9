//! Watching a project: a plan in each round, a repair of drift if that is asked for, and notifications to
//! a webhook.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clockwork_core::event::{Observer, Silent};
use clockwork_core::settings::{Overrides, Settings};
use clockwork_core::watch::{Notification, Round};
use clockwork_core::webhook::Webhook;
use clockwork_core::{runtime, workflow};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pythonize::pythonize;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::errors::OrRaise;
use crate::project::PySource;
use crate::wait::{check_signals, wait};
use crate::{load, run};

/// The longest sleep of Python between two checks for signals. A signal ends it at once, unless it comes in the
/// moment before it begins.
const STEP: Duration = Duration::from_millis(200);

/// The options of a watch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchOptions {
    /// The seconds from the beginning of a round to that of the next.
    pub interval: f64,
    /// True if drift is repaired.
    pub heal: bool,
    /// The URL of the webhook.
    pub webhook: Option<String>,
    /// The resources and groups that the watch is limited to.
    pub targets: Vec<String>,
}

/// A watched project, and its webhook.
pub struct Watch {
    source: PySource,
    workflow: workflow::watch::Watch,
    webhook: Option<Webhook>,
    interval: Duration,
    observer: Arc<dyn Observer>,
    began: Option<Instant>,
}

impl Watch {
    /// Checks the options of a watch. Nothing is planned yet.
    pub fn new(
        source: Bound<'_, PyAny>,
        options: WatchOptions,
        overrides: Overrides,
        compiler: Option<&Bound<'_, PyAny>>,
        observer: Arc<dyn Observer>,
    ) -> PyResult<Self> {
        let py = source.py();
        let interval = Some(options.interval).filter(|seconds| *seconds > 0.0);
        let interval = interval.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let interval =
            interval.ok_or_else(|| PyValueError::new_err("the interval is a number of seconds, above 0"))?;
        let working_folder = std::env::current_dir()?;
        // Absolute paths, because main.py may change the working folder.
        let (source, folder) = match source.extract::<PathBuf>() {
            Ok(path) => {
                let path = working_folder.join(path);
                let folder = load::place(&path).0;
                (PyString::new(py, &path.to_string_lossy()).into_any(), folder)
            }
            Err(_) => (source, working_folder.clone()),
        };
        let given = options.webhook.filter(|address| !address.trim().is_empty());
        let webhook = if given.is_some() {
            given
        } else {
            let settings = Settings::load(&folder, &working_folder, &overrides);
            let settings = settings.or_raise(py)?;
            settings.webhook.map(|address| address.reveal().to_owned())
        };
        let webhook = webhook.as_deref().map(Webhook::parse).transpose();
        Ok(Self {
            source: PySource::new(&source, compiler),
            workflow: workflow::watch::Watch::new(folder, overrides, options.heal, options.targets),
            webhook: webhook.or_raise(py)?,
            interval,
            observer,
            began: None,
        })
    }

    /// Runs one round. Failures are part of the round; an
    /// error is `KeyboardInterrupt` and its like, after everything has been stopped.
    pub fn round(&mut self, py: Python<'_>) -> PyResult<(Round, Vec<Notification>)> {
        self.began = Some(Instant::now());
        let workflow = &mut self.workflow;
        run::with_ports(&self.source, None, &self.observer, |ports| workflow.round(ports)).or_raise(py)
    }

    /// Sends notifications to the webhook, if there is one. A failure is reported on standard error.
    pub fn tell(&self, py: Python<'_>, round: &Round, notifications: &[Notification]) -> PyResult<()> {
        let Some(webhook) = &self.webhook else { return Ok(()) };
        let runtime = runtime::get().or_raise(py)?;
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
            if let Err(failure) = wait(py, || cancel.cancel(), work)? {
                // A server that is down must not delay the next round by the retries for each notification.
                webhook = webhook.without_retries();
                let line = format!("{} could not be told: {failure}\n", notification.kind.word());
                py.import("sys")?.getattr("stderr")?.call_method1("write", (line,))?;
            }
        }
        Ok(())
    }

    /// Sleeps until the next round is due, and calls `tick` with the time left. A round that took
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
            sleep.call1((left.min(STEP).as_secs_f64(),))?;
        }
    }
}

/// The watch behind `clockwork.watch`.
#[pyclass(frozen, module = "clockwork._core")]
pub struct Watcher(Mutex<Watch>);

#[pymethods]
impl Watcher {
    #[new]
    fn new(
        source: Bound<'_, PyAny>,
        options: &Bound<'_, PyAny>,
        overrides: &Bound<'_, PyDict>,
        compiler: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let (options, overrides) = (pythonize::depythonize(options)?, crate::options::settings(overrides)?);
        Ok(Self(Mutex::new(Watch::new(source, options, overrides, compiler, Arc::new(Silent))?)))
    }

    /// Runs one round, and returns it as a dictionary.
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
    /// Locks the watch. It fails while another thread runs a round, because the wait could take for ever.
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
