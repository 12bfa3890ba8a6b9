//! Between preparing and executing: the operations that each host runs, and where hosts meet.

use std::collections::HashMap;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::barriers::Barrier;
use super::operation::End;
use super::script::Script;

/// The order of all operations, where there are several hosts.
#[derive(Default)]
pub struct Order {
    /// The place of each operation.
    pub places: HashMap<String, usize>,
    /// The operations before which all hosts meet, in order.
    pub barriers: Vec<Barrier>,
}

/// Keeps operations that run once on the first host that has them; hosts prepare at the same time, so that
/// several may have kept one.
pub fn run_once_on_one(py: Python<'_>, script: &Script) -> PyResult<()> {
    let mut seen: HashMap<String, bool> = HashMap::new();
    for host in &script.hosts {
        let operations = script.driver.operations(py, &host.host.object)?;
        let operations = operations.cast::<PyDict>()?;
        let keys: Vec<String> = {
            let mut record = host.run.get().record();
            record.places().into_iter().map(|place| record.operation(place).key.clone()).collect()
        };
        let mut dropped = Vec::new();
        for key in keys {
            let there = operations.contains(&key)?;
            let first = !seen.contains_key(&key);
            let once = if first {
                there && argument(py, script, &key, "_run_once")?.is_truthy()?
            } else {
                seen[&key]
            };
            if there {
                seen.insert(key.clone(), once);
            }
            if !there || (once && !first) {
                if there {
                    operations.del_item(&key)?;
                }
                dropped.push(key);
            }
        }
        if !dropped.is_empty() {
            host.run.get().record().drop_operations(&dropped);
        }
    }
    Ok(())
}

/// Decides which operations each host has to run, and marks the others as done.
///
/// An operation is left out only if no operation of this run can have affected it: on a host that has nothing to
/// change at all, and each host's first operations up to the first change.
pub fn schedule(py: Python<'_>, script: &Script) -> PyResult<()> {
    for host in &script.hosts {
        let mut settled = Vec::new();
        {
            let mut record = host.run.get().record();
            if record.host_error.is_some() {
                continue;
            }
            let mut schedule = Vec::new();
            for place in record.places() {
                if record.sections[place.section].failed {
                    continue;
                }
                let operation = record.operation(place);
                let open = operation.planned || operation.conditional || !operation.idempotent;
                if open || !schedule.is_empty() {
                    schedule.push(place);
                } else {
                    operation.end = Some(End { changed: false, error: None });
                    settled.push(operation.key.clone());
                }
            }
            record.schedule = schedule;
        }
        let operations = script.driver.operations(py, &host.host.object)?;
        for key in settled {
            let data = operations.get_item(key)?;
            script.driver.module.bind(py).call_method1(intern!(py, "settle"), (data,))?;
        }
    }
    Ok(())
}

/// Begins the stage of execution, and finds out where hosts meet in it.
pub fn order(py: Python<'_>, script: &Script) -> PyResult<Order> {
    let state = script.driver.state.bind(py);
    state.setattr(intern!(py, "is_executing"), true)?;
    let executing = state.getattr(intern!(py, "current_stage"))?.get_type().getattr("Execute")?;
    state.call_method1(intern!(py, "set_stage"), (executing,))?;
    let count = script.hosts.len();
    let mut found = Order::default();
    if count < 2 {
        return Ok(found);
    }
    let order = state.call_method0(intern!(py, "get_op_order"))?;
    let parallel = state.getattr("config")?.getattr("PARALLEL")?;
    for (place, key) in order.cast::<PyList>()?.iter().enumerate() {
        let key: String = key.extract()?;
        let size = if argument(py, script, &key, "_serial")?.is_truthy()? {
            Some(1)
        } else if argument(py, script, &key, "_run_once")?.is_truthy()? {
            Some(count)
        } else {
            let wanted = argument(py, script, &key, "_parallel")?;
            if wanted.eq(&parallel)? || !wanted.is_truthy()? { None } else { Some(wanted.extract()?) }
        };
        if let Some(size) = size {
            let members: Vec<usize> = (0..count).filter(|&host| runs(script, host, &key)).collect();
            let batches = members.chunks(size).map(<[usize]>::to_vec).collect();
            found.barriers.push(Barrier { place, batches });
        }
        found.places.insert(key, place);
    }
    Ok(found)
}

fn argument<'py>(py: Python<'py>, script: &Script, key: &str, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let meta = script.driver.state.bind(py).getattr(intern!(py, "op_meta"))?.get_item(key)?;
    meta.getattr(intern!(py, "global_arguments"))?.get_item(name)
}

/// Returns true if a host is going to run an operation.
fn runs(script: &Script, host: usize, key: &str) -> bool {
    let record = script.hosts[host].run.get().record();
    record.place(key).is_some_and(|place| record.schedule.contains(&place))
}
