//! Visits hosts without a script: connects, does something in each host's lane, disconnects.

use std::path::Path;
use std::sync::Arc;

use clockwork_core::compile::{Phase, Script};
use clockwork_core::event::{Event, Observer};
use clockwork_core::outcome::HostError;
use pyo3::intern;
use pyo3::prelude::*;

use super::session::Session;
use super::{Cancel, Job, Mode};

/// Where to go, and who wants to know.
pub struct Visit<'a> {
    /// The text of an inventory file.
    pub inventory: &'a str,
    /// The folder that holds `inventory.py`.
    pub folder: &'a Path,
    /// Who wants to know.
    pub observer: &'a Arc<dyn Observer>,
    /// Stops it from another thread.
    pub cancel: &'a Cancel,
}

/// Visits those hosts of the inventory for which `chosen` names something to do, all at once.
///
/// `work` is called in the host's lane with the host's place in the inventory, its name, what it
/// looks like to a check, and what there is to do. Hosts that cannot be used are returned. Errors
/// are an inventory that raises, and `KeyboardInterrupt`, after everything has been stopped.
pub fn visit<T: Send + Sync + 'static>(
    py: Python<'_>,
    visit: &Visit<'_>,
    chosen: &dyn Fn(&str) -> Vec<T>,
    work: impl Fn(Python<'_>, usize, &str, &Bound<'_, PyAny>, &[T]) -> PyResult<()> + Send + Sync + 'static,
) -> PyResult<Vec<HostError>> {
    let script = Script::assemble(Phase::Deploy, Vec::new());
    let job = Job {
        inventory: visit.inventory,
        folder: visit.folder,
        file: "check.py",
        script: &script,
        mode: Mode::Execute,
        removes: false,
        fail_fast: false,
        stopped: &[],
        observer: Arc::clone(visit.observer),
        cancel: visit.cancel.clone(),
        decide: None,
        diffs: false,
    };
    let session = Session::open(py, &job)?;
    let todo: Vec<Vec<T>> = session.hosts.iter().map(|host| chosen(&host.name)).collect();
    let (preparation, shared) = (Arc::clone(&session.preparation), Arc::clone(&session.shared));
    let done = session.on_all(py, move |py, place, host| {
        let Some(todo) = todo.get(place).filter(|todo| !todo.is_empty()) else { return };
        preparation.run(py, host);
        if host.lane.get().notes().host_error.is_some() {
            return;
        }
        let ended = shared.inside(py, host, |py| {
            let lookout = shared.module.bind(py).call_method1(intern!(py, "Lookout"), (&host.host,))?;
            work(py, place, &host.name, &lookout, todo)
        });
        if let Err(error) = ended
            && error.is_instance_of::<pyo3::exceptions::PyException>(py)
        {
            let error = shared.explain(py, &error, &[]);
            shared.tell(py, &Event::HostError { host: host.name.clone(), error: error.clone() });
            host.lane.get().notes().host_error = Some(error);
        }
    });
    let closed = session.close(py);
    done?;
    closed?;
    let away = session.hosts.iter().filter_map(|host| {
        let error = host.lane.get().notes().host_error.clone()?;
        Some(HostError { host: host.name.clone(), error })
    });
    Ok(away.collect())
}
