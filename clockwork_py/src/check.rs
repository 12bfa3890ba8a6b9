//! The check stage: tries the assertions of resources on their hosts.
//!
//! `clockwork._checks` tries one assertion once. This file decides when, on which hosts and how often.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clockwork_core::event::{Event, Observer};
use clockwork_core::outcome::{CheckOutcome, HostError};
use clockwork_core::resource::Address;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;

use crate::engine::{Cancel, Session};
use crate::network::{Network, seconds};
use crate::project::PyProject;
use crate::{errors, resource, traceback, user_code};

/// The longest sleep between two checks for an interrupt.
const STEP: Duration = Duration::from_millis(50);

/// An assertion of a resource, ready to be tried on any host.
struct Check {
    address: Address,
    description: String,
    /// One try.
    attempt: Py<PyAny>,
    /// The number of further tries; None tries again for as long as `patience` lasts.
    retries: Option<u32>,
    patience: Duration,
    interval: Duration,
    /// True if it calls a function of the user's.
    calls: bool,
    /// The folder whose files are the user's, in tracebacks.
    folder: PathBuf,
}

/// The end of a try.
enum Try {
    Held,
    Failed {
        reason: String,
        /// True if another try would end the same way.
        last: bool,
    },
}

/// The stage, as its threads share it.
struct Shared {
    checks: Vec<Check>,
    observer: Arc<dyn Observer>,
    cancel: Cancel,
    network: Py<Network>,
    /// The outcomes, each with the indexes of its assertion and its host.
    outcomes: Mutex<Vec<(usize, usize, CheckOutcome)>>,
}

/// Tries the assertions of the `wanted` resources on the hosts: hosts in parallel, and on a
/// host one after the other.
///
/// A failed assertion and an unreachable host are outcomes and not errors. Hosts
/// without assertions are not connected to.
pub fn run(
    py: Python<'_>,
    project: &PyProject,
    places: &[usize],
    session: &Session,
    wanted: &dyn Fn(&Address, &str) -> bool,
    observer: &Arc<dyn Observer>,
) -> PyResult<(Vec<CheckOutcome>, Vec<HostError>)> {
    let checks = collect(py, project, places)?;
    if checks.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let shared = Arc::new(Shared {
        checks,
        observer: Arc::clone(observer),
        cancel: session.cancel().clone(),
        network: Py::new(py, Network(session.cancel().clone()))?,
        outcomes: Mutex::default(),
    });
    let chosen = |host: &str| -> Vec<usize> {
        (0..shared.checks.len()).filter(|&place| wanted(&shared.checks[place].address, host)).collect()
    };
    let threads = Arc::clone(&shared);
    let work = || {
        session.visit(py, &chosen, move |py, place, host, runner, todo| {
            for &check in todo {
                match threads.check(py, &threads.checks[check], host, runner)? {
                    Some(outcome) => threads.outcomes().push((check, place, outcome)),
                    None => break,
                }
            }
            Ok(())
        })
    };
    // Functions of the user's may import modules from the folder of main.py.
    let away = if shared.checks.iter().any(|check| check.calls) {
        user_code::with_folder(py, &project.folder, false, work)?
    } else {
        work()?
    };
    let mut outcomes = std::mem::take(&mut *shared.outcomes());
    outcomes.sort_by_key(|(check, host, _)| (*check, *host));
    Ok((outcomes.into_iter().map(|(_, _, outcome)| outcome).collect(), away))
}

/// Returns true if any resource has an assertion.
pub fn is_asked_for(py: Python<'_>, project: &PyProject, places: &[usize]) -> PyResult<bool> {
    for &place in places {
        if project.resources[place].bind(py).getattr(intern!(py, "assertions"))?.is_truthy()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Prepares the assertions of all resources, in order.
fn collect(py: Python<'_>, project: &PyProject, places: &[usize]) -> PyResult<Vec<Check>> {
    let mut checks = Vec::new();
    if !is_asked_for(py, project, places)? {
        return Ok(checks);
    }
    let module = py.import("clockwork._checks")?;
    for &place in places {
        let resource = project.resources[place].bind(py);
        let address = resource::address(resource)?;
        let folder = project.folder.display().to_string();
        let prepared = module.call_method1("prepare", (resource, folder)).map_err(|error| {
            if !error.is_instance_of::<PyException>(py) {
                return error;
            }
            let reason = if traceback::is_validation_error(py, &error) {
                traceback::validation_messages(py, &error).unwrap_or_default().join("; ")
            } else {
                error.value(py).to_string()
            };
            errors::exception(py, "InvalidResourceError", &format!("{address} cannot be checked: {reason}"))
        })?;
        for prepared in prepared.try_iter()? {
            let prepared = prepared?;
            let folder: Option<PathBuf> = prepared.getattr("folder")?.extract()?;
            checks.push(Check {
                address: address.clone(),
                description: prepared.getattr("description")?.extract()?,
                attempt: prepared.getattr("attempt")?.unbind(),
                retries: prepared.getattr("retries")?.extract()?,
                patience: seconds(prepared.getattr("patience")?.extract()?),
                interval: seconds(prepared.getattr("interval")?.extract()?),
                calls: folder.is_some(),
                // Paths below main.py's folder are relative to it.
                folder: folder
                    .filter(|folder| !folder.starts_with(&project.folder))
                    .unwrap_or_else(|| project.folder.clone()),
            });
        }
    }
    Ok(checks)
}

impl Shared {
    fn outcomes(&self) -> std::sync::MutexGuard<'_, Vec<(usize, usize, CheckOutcome)>> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries an assertion on a host until it holds, or no further try is due. Returns `None`
    /// if the run is stopped.
    fn check(
        &self,
        py: Python<'_>,
        check: &Check,
        host: &str,
        runner: &Bound<'_, PyAny>,
    ) -> PyResult<Option<CheckOutcome>> {
        let (address, assertion) = (check.address.clone(), check.description.clone());
        self.tell(
            py,
            &Event::CheckStart { host: host.to_owned(), resource: address.clone(), check: assertion.clone() },
        );
        let began = Instant::now();
        let mut attempts = 0;
        let error = loop {
            attempts += 1;
            let (reason, last) = match self.attempt(py, check, runner)? {
                Try::Held => break None,
                Try::Failed { reason, last } => (reason, last),
            };
            let over = match check.retries {
                Some(retries) => attempts > retries,
                None => last || began.elapsed() + check.interval > check.patience,
            };
            if over {
                break Some(reason);
            }
            if !self.wait(py, check.interval) {
                return Ok(None);
            }
        };
        if self.cancel.is_cancelled() {
            return Ok(None);
        }
        let seconds = began.elapsed().as_secs_f64();
        let ok = error.is_none();
        self.tell(
            py,
            &Event::CheckEnd {
                host: host.to_owned(),
                resource: address.clone(),
                check: assertion.clone(),
                ok,
                error: error.clone(),
                attempts,
                seconds,
            },
        );
        Ok(Some(CheckOutcome { address, host: host.to_owned(), assertion, ok, error, attempts, seconds }))
    }

    fn attempt(&self, py: Python<'_>, check: &Check, runner: &Bound<'_, PyAny>) -> PyResult<Try> {
        let failed = |reason: String, last| Ok(Try::Failed { reason, last });
        match check.attempt.bind(py).call1((runner, &self.network)) {
            Ok(answer) if answer.is_none() => Ok(Try::Held),
            Ok(failure) => {
                failed(failure.getattr("reason")?.extract()?, failure.getattr("final")?.is_truthy()?)
            }
            Err(error) if self.cancel.is_cancelled() => Err(error),
            Err(error) => failed(traceback::user_frames(py, &error, &check.folder)?, false),
        }
    }

    /// Waits before another try. Returns false if the run is stopped.
    fn wait(&self, py: Python<'_>, span: Duration) -> bool {
        py.detach(|| {
            let end = Instant::now() + span;
            while !self.cancel.is_cancelled() {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return true;
                }
                thread::sleep(left.min(STEP));
            }
            false
        })
    }

    fn tell(&self, py: Python<'_>, event: &Event) {
        py.detach(|| self.observer.observe(event));
    }
}
