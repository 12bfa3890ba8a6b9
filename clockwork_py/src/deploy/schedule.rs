//! Between preparing and executing: which operations each host runs, and where hosts meet.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::execute::Execution;
use super::gate::{Barrier, DONE, Gate};
use super::lane::End;
use super::session::Session;

impl Session {
    /// Keeps operations that run once on the first host that has them; hosts prepare at the same time,
    /// so that several may have taken one for theirs.
    pub(super) fn run_once_on_one(&self, py: Python<'_>) -> PyResult<()> {
        let mut seen: HashMap<String, bool> = HashMap::new();
        let all = self.shared.state.bind(py).getattr(intern!(py, "ops"))?;
        for host in self.hosts.iter() {
            let ops = all.get_item(&host.host)?;
            let ops = ops.cast::<PyDict>()?;
            let keys: Vec<String> =
                host.lane.get().notes().operations.iter().map(|o| o.key.clone()).collect();
            let mut dropped = Vec::new();
            for key in keys {
                let there = ops.contains(&key)?;
                let first = !seen.contains_key(&key);
                let once = if first {
                    there && self.argument(py, &key, "_run_once")?.is_truthy()?
                } else {
                    seen[&key]
                };
                if there {
                    seen.insert(key.clone(), once);
                }
                if !there || (once && !first) {
                    if there {
                        ops.del_item(&key)?;
                    }
                    dropped.push(key);
                }
            }
            if !dropped.is_empty() {
                let mut notes = host.lane.get().notes();
                notes.operations.retain(|operation| !dropped.contains(&operation.key));
                notes.index = notes.operations.iter().enumerate().map(|(i, o)| (o.key.clone(), i)).collect();
            }
        }
        Ok(())
    }

    fn argument<'py>(&self, py: Python<'py>, key: &str, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let meta = self.shared.state.bind(py).getattr(intern!(py, "op_meta"))?.get_item(key)?;
        meta.getattr(intern!(py, "global_arguments"))?.get_item(name)
    }

    /// Decides which operations each host has to run, and marks the others as done.
    ///
    /// Only what cannot have been changed by an operation of this run is left out: a host that has
    /// nothing to change at all, and each host's first operations up to the first change.
    pub(super) fn schedule(&self, py: Python<'_>) -> PyResult<()> {
        let all = self.shared.state.bind(py).getattr(intern!(py, "ops"))?;
        for host in self.hosts.iter() {
            let ops = all.get_item(&host.host)?;
            let mut settled = Vec::new();
            {
                let mut notes = host.lane.get().notes();
                if notes.host_error.is_some() {
                    continue;
                }
                let failed = notes.failed.clone();
                let mut schedule = Vec::new();
                for (index, operation) in notes.operations.iter_mut().enumerate() {
                    if failed.contains(&operation.section) {
                        continue;
                    }
                    let open = operation.planned || operation.conditional || !operation.idempotent;
                    if open || !schedule.is_empty() {
                        schedule.push(index);
                    } else {
                        operation.end = Some(End { changed: false, error: None });
                        settled.push(operation.key.clone());
                    }
                }
                notes.schedule = schedule;
            }
            for key in settled {
                self.shared.module.bind(py).call_method1(intern!(py, "settle"), (ops.get_item(key)?,))?;
            }
        }
        Ok(())
    }

    /// What the threads need to execute.
    pub(super) fn execution(&self, py: Python<'_>) -> PyResult<Execution> {
        let state = self.shared.state.bind(py);
        state.setattr(intern!(py, "is_executing"), true)?;
        let executing = state.getattr(intern!(py, "current_stage"))?.get_type().getattr("Execute")?;
        state.call_method1(intern!(py, "set_stage"), (executing,))?;
        let mut places = HashMap::new();
        let mut barriers = Vec::new();
        if self.hosts.len() > 1 {
            let order = state.call_method0(intern!(py, "get_op_order"))?;
            let parallel = state.getattr("config")?.getattr("PARALLEL")?;
            for (place, key) in order.cast::<PyList>()?.iter().enumerate() {
                let key: String = key.extract()?;
                let size = if self.argument(py, &key, "_serial")?.is_truthy()? {
                    Some(1)
                } else if self.argument(py, &key, "_run_once")?.is_truthy()? {
                    Some(self.hosts.len())
                } else {
                    let wanted = self.argument(py, &key, "_parallel")?;
                    if wanted.eq(&parallel)? || !wanted.is_truthy()? { None } else { Some(wanted.extract()?) }
                };
                if let Some(size) = size {
                    let members: Vec<usize> = (0..self.hosts.len()).filter(|&i| self.runs(i, &key)).collect();
                    let batches = members.chunks(size).map(<[usize]>::to_vec).collect();
                    barriers.push(Barrier { place, batches });
                }
                places.insert(key, place);
            }
        }
        let done = self.hosts.iter().map(|h| if h.lane.get().notes().schedule.is_empty() { DONE } else { 0 });
        let gate = Gate::new(done.collect(), self.cancel.clone());
        Ok(Execution { shared: Arc::clone(&self.shared), gate, places, barriers, removes: self.removes })
    }

    /// Whether a host is going to run an operation.
    fn runs(&self, host: usize, key: &str) -> bool {
        let notes = self.hosts[host].lane.get().notes();
        notes.index.get(key).is_some_and(|index| notes.schedule.contains(index))
    }
}
