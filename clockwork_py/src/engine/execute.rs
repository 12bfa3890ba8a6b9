//! The second stage on a host: run its operations.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use clockwork_core::event::Event;
use clockwork_core::intent::Context;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::barriers::{Barriers, DONE};
use super::cancel::Cancel;
use super::driver::is_fatal;
use super::failure;
use super::host_run::Place;
use super::intent::python_contexts;
use super::operation::{End, Stage};
use super::schedule::Order;
use super::script::{Script, ScriptHost};

/// The contexts of operations for which something was decided, by host and by section of the script.
pub type Decisions = HashMap<(String, usize), Context>;

/// The execution of a script, as its threads share it.
pub struct Execution {
    script: Arc<Script>,
    order: Order,
    barriers: Barriers,
    contexts: HashMap<(String, usize), Py<PyAny>>,
}

impl Execution {
    /// The execution of a script that has been scheduled.
    pub fn new(
        py: Python<'_>,
        script: &Arc<Script>,
        order: Order,
        decisions: &Decisions,
        cancel: &Cancel,
    ) -> PyResult<Self> {
        let starts = script.hosts.iter().map(|host| {
            let is_done = host.run.get().record().schedule.is_empty();
            if is_done { DONE } else { 0 }
        });
        let barriers = Barriers::new(starts.collect(), cancel.clone());
        let contexts = python_contexts(script.driver.module.bind(py), decisions)?;
        Ok(Self { script: Arc::clone(script), order, barriers, contexts })
    }

    /// Runs all operations of a host, except those that depend on a failed one.
    pub fn run(&self, py: Python<'_>, index: usize, host: &ScriptHost) {
        let schedule = host.run.get().record().schedule.clone();
        let driver = &self.script.driver;
        if !schedule.is_empty() {
            // Errors of operations are recorded with them. An error here has ended the whole host run.
            let ended = host.attached(py, driver, |py| self.run_all(py, index, host, &schedule));
            if let Err(error) = ended {
                let text = driver.explain(py, &error, &self.script.file, &[]);
                host.run.get().record().host_error = Some(text);
            }
        }
        self.barriers.reach(index, DONE);
    }

    fn run_all(&self, py: Python<'_>, index: usize, host: &ScriptHost, schedule: &[Place]) -> PyResult<()> {
        let operations = self.script.driver.operations(py, &host.host.object)?;
        let operations = operations.cast::<PyDict>()?;
        let mut barriers = self.order.barriers.iter().peekable();
        for &place in schedule {
            let number = self.number(host, place);
            let mut done = false;
            while let Some(barrier) = barriers.next_if(|barrier| barrier.place <= number) {
                let goes_on = self.barriers.pass(py, index, barrier, |py| {
                    // Only the hosts that have this operation take part.
                    done = true;
                    self.run_one(py, host, place, operations).is_ok()
                });
                if !goes_on {
                    return Ok(());
                }
            }
            if !done {
                self.run_one(py, host, place, operations)?;
            }
        }
        Ok(())
    }

    /// The place of an operation in the order of all.
    fn number(&self, host: &ScriptHost, place: Place) -> usize {
        let mut record = host.run.get().record();
        self.order.places.get(&record.operation(place).key).copied().unwrap_or(0)
    }

    /// Runs one operation and records how it ended, unless something that it needs has failed.
    fn run_one(
        &self,
        py: Python<'_>,
        host: &ScriptHost,
        place: Place,
        operations: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let section = place.section;
        let driver = &self.script.driver;
        let (key, operation, wants_diff) = {
            let mut record = host.run.get().record();
            if self.script.leaves_out(&mut record, section) {
                return Ok(());
            }
            let operation = record.operation(place);
            operation.begin();
            // A diff that the preparation has logged is not computed a second time.
            (operation.key.clone(), operation.name.clone(), operation.diff.text().is_none())
        };
        let name = host.host.name.clone();
        let resource = self.script.sections[section].address.clone();
        driver.notify(
            py,
            &Event::OperationStart {
                host: name.clone(),
                resource: resource.clone(),
                operation: operation.clone(),
            },
        );
        let context = self.contexts.get(&(name.clone(), section)).unwrap_or(&driver.context);
        let began = Instant::now();
        let arguments = (section, &key, context, wants_diff);
        let ran = driver.module.bind(py).call_method1(intern!(py, "run_operation"), arguments);
        let seconds = began.elapsed().as_secs_f64();
        let end = self.end(py, host, place, ran, operations.get_item(&key)?.as_ref())?;
        let failed = end.error.is_some();
        let action = {
            let mut record = host.run.get().record();
            record.sections[section].failed |= failed;
            let operation = record.operation(place);
            operation.seconds = seconds;
            operation.end = Some(end);
            let effects = self.script.sections[section].effects.get(place.index);
            operation.action(Stage::Executed, true, self.script.removes, effects)
        };
        driver.notify(py, &Event::OperationEnd { host: name, resource, operation, action, failed, seconds });
        Ok(())
    }

    /// Reads the result of an operation that pyinfra has finished.
    fn end(
        &self,
        py: Python<'_>,
        host: &ScriptHost,
        place: Place,
        ran: PyResult<Bound<'_, PyAny>>,
        data: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<End> {
        let driver = &self.script.driver;
        let complaints = std::mem::take(&mut host.run.get().record().operation(place).complaints);
        // Commands are counted as they start, so the last one of a failed operation is incomplete.
        let (commands, succeeded): (usize, bool) = match data {
            Some(data) => {
                driver.module.bind(py).call_method1(intern!(py, "count_commands"), (data,))?.extract()?
            }
            None => (0, true),
        };
        Ok(match ran {
            // An ignored error is no failure, and the commands before it have taken effect.
            Ok(good) if good.is_truthy()? => End { changed: commands > usize::from(!succeeded), error: None },
            Ok(_) => End { changed: commands > 1, error: Some(failure::message(&complaints, "")) },
            Err(error) if !is_fatal(py, &error) => {
                let text = driver.explain(py, &error, &self.script.file, &complaints);
                End { changed: false, error: Some(text) }
            }
            Err(error) => return Err(error),
        })
    }
}
