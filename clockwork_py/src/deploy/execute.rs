//! The second stage on a host: run its operations.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use clockwork_core::event::Event;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::gate::{Barrier, DONE, Gate};
use super::lane::End;
use super::session::{HostLane, Shared};
use super::{Mode, explain};

/// What the threads of this stage share.
pub struct Execution {
    /// What all stages share.
    pub shared: Arc<Shared>,
    /// Where hosts wait for one another.
    pub gate: Gate,
    /// The place of each operation in the order of all, where there are several hosts.
    pub places: HashMap<String, usize>,
    /// The operations before which all hosts meet, in order.
    pub barriers: Vec<Barrier>,
    /// Whether what the script changes is a removal.
    pub removes: bool,
}

impl Execution {
    /// Runs all operations of a host, but those that need one that failed.
    pub fn run(&self, py: Python<'_>, index: usize, host: &HostLane) {
        let schedule = host.lane.get().notes().schedule.clone();
        if !schedule.is_empty() {
            // Errors of operations are noted with them; what comes here ended the lane as a whole.
            let ended = self.shared.inside(py, host, |py| self.run_all(py, index, host, &schedule));
            if let Err(error) = ended {
                let text = self.shared.explain(py, &error, &[]);
                host.lane.get().notes().host_error = Some(text);
            }
        }
        self.gate.reach(index, DONE);
    }

    fn run_all(&self, py: Python<'_>, lane: usize, host: &HostLane, schedule: &[usize]) -> PyResult<()> {
        let runner = py.import("pyinfra.api.operations")?.getattr("run_host_op")?;
        let ops = self.shared.state.bind(py).getattr(intern!(py, "ops"))?.get_item(&host.host)?;
        let ops = ops.cast_into::<PyDict>()?;
        let mut barriers = self.barriers.iter().peekable();
        for &index in schedule {
            let place = self.place(host, index);
            let mut done = false;
            while let Some(barrier) = barriers.next_if(|barrier| barrier.place <= place) {
                let goes_on = self.gate.pass(py, lane, barrier, |py| {
                    // Only the lanes that have this very operation are called.
                    done = true;
                    self.run_one(py, host, index, &runner, &ops).is_ok()
                });
                if !goes_on {
                    return Ok(());
                }
            }
            if !done {
                self.run_one(py, host, index, &runner, &ops)?;
            }
        }
        Ok(())
    }

    fn place(&self, host: &HostLane, index: usize) -> usize {
        let notes = host.lane.get().notes();
        self.places.get(&notes.operations[index].key).copied().unwrap_or(0)
    }

    /// Runs one operation and notes how it ended, unless something that it needs has failed.
    fn run_one(
        &self,
        py: Python<'_>,
        host: &HostLane,
        index: usize,
        runner: &Bound<'_, PyAny>,
        ops: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let (key, name, section) = {
            let mut notes = host.lane.get().notes();
            let section = notes.operations[index].section;
            if self.shared.leaves_out(&mut notes, section) {
                return Ok(());
            }
            notes.executing = Some(index);
            // What the preparation has told is not worked out a second time.
            let wants_diff = notes.operations[index].diff.is_empty();
            notes.wants_diff = wants_diff;
            let operation = &mut notes.operations[index];
            operation.complaints.clear();
            (operation.key.clone(), operation.name.clone(), operation.section)
        };
        let resource = self.shared.resources[section].clone();
        self.shared.tell(
            py,
            &Event::OperationStart {
                host: host.name.clone(),
                resource: resource.clone(),
                operation: name.clone(),
            },
        );
        let began = Instant::now();
        let ran = runner.call1((&self.shared.state, &host.host, &key));
        let seconds = began.elapsed().as_secs_f64();
        let end = self.end(py, host, index, ran, ops.get_item(&key)?.as_ref())?;
        let failed = end.error.is_some();
        let action = {
            let mut notes = host.lane.get().notes();
            notes.executing = None;
            if failed {
                notes.failed.insert(section);
            }
            let operation = &mut notes.operations[index];
            operation.seconds = seconds;
            operation.end = Some(end);
            operation.action(Mode::Execute, true, self.removes)
        };
        let host = host.name.clone();
        self.shared
            .tell(py, &Event::OperationEnd { host, resource, operation: name, action, failed, seconds });
        Ok(())
    }

    /// How an operation ended, read when pyinfra is through with it.
    fn end(
        &self,
        py: Python<'_>,
        host: &HostLane,
        index: usize,
        ran: PyResult<Bound<'_, PyAny>>,
        data: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<End> {
        let complaints = std::mem::take(&mut host.lane.get().notes().operations[index].complaints);
        // Commands are counted as they start, so that the last of an operation that failed did not end.
        let (commands, succeeded) = match data {
            Some(data) => {
                let meta = data.getattr(intern!(py, "operation_meta"))?;
                let commands = meta.getattr(intern!(py, "_commands"))?;
                let count = if commands.is_none() { 0 } else { commands.len()? };
                (count, meta.getattr(intern!(py, "_success"))?.is_truthy()?)
            }
            None => (0, true),
        };
        Ok(match ran {
            // An error that the user wants ignored is none, and leaves the commands before it done.
            Ok(good) if good.is_truthy()? => End { changed: commands > usize::from(!succeeded), error: None },
            Ok(_) => End { changed: commands > 1, error: Some(explain::failure(&complaints, "")) },
            Err(error) if error.is_instance_of::<pyo3::exceptions::PyException>(py) => {
                End { changed: false, error: Some(self.shared.explain(py, &error, &complaints)) }
            }
            Err(error) => return Err(error),
        })
    }
}
