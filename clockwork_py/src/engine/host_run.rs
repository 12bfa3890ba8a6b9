//! One host's part of a script, and what its threads record.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::prelude::*;

use super::cancel::Cancel;
use super::diff::Diff;
use super::intent::Announced;
use super::operation::Operation;

/// pyinfra logs warnings and errors from this level on.
const WARNING: u32 = 30;

/// The place of an operation: its section, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The section.
    pub section: usize,
    /// The place among the section's operations.
    pub index: usize,
}

/// One resource's part of a script on a host.
#[derive(Debug, Default)]
pub struct Section {
    /// The operations, in order of definition.
    pub operations: Vec<Operation>,
    /// The number of operations that each place in the code has defined.
    repeats: HashMap<String, u32>,
    /// Warnings and errors that belong to none of the operations.
    pub complaints: Vec<String>,
    /// The reason for which the code failed, if it did.
    pub error: Option<String>,
    /// True if the code or an operation has failed.
    pub failed: bool,
    /// True if it is not run, because of other failures.
    pub left_out: bool,
}

impl Section {
    /// Returns true if it has failed, or is left out because of others.
    pub fn is_out(&self) -> bool {
        self.failed || self.left_out
    }
}

/// The record of a script on a host.
#[derive(Debug, Default)]
pub struct Record {
    /// The sections of the script.
    pub sections: Vec<Section>,
    /// Warnings and errors that belong to no section.
    pub complaints: Vec<String>,
    /// The reason for which the host cannot be used.
    pub host_error: Option<String>,
    /// True if the host is left alone, because something has failed there before this script.
    pub stopped: bool,
    /// The operations that are to be run, in order.
    pub schedule: Vec<Place>,
    places: HashMap<String, Place>,
}

impl Record {
    /// The places of all operations, in order.
    pub fn places(&self) -> Vec<Place> {
        let sections = self.sections.iter().enumerate();
        sections
            .flat_map(|(section, found)| {
                (0..found.operations.len()).map(move |index| Place { section, index })
            })
            .collect()
    }

    /// The place of the operation with a key.
    pub fn place(&self, key: &str) -> Option<Place> {
        self.places.get(key).copied()
    }

    /// The operation at a place that the record itself has named.
    pub fn operation(&mut self, place: Place) -> &mut Operation {
        &mut self.sections[place.section].operations[place.index]
    }

    /// Drops operations that this host does not run.
    pub fn drop_operations(&mut self, keys: &[String]) {
        for section in &mut self.sections {
            section.operations.retain(|operation| !keys.contains(&operation.key));
        }
        self.places = self
            .places()
            .into_iter()
            .map(|place| (self.sections[place.section].operations[place.index].key.clone(), place))
            .collect();
    }

    /// Returns true if something has failed in any section.
    pub fn has_failed(&self) -> bool {
        self.sections.iter().any(|section| section.failed)
    }

    fn find(&mut self, key: &str) -> Option<&mut Operation> {
        let place = self.place(key)?;
        self.sections.get_mut(place.section)?.operations.get_mut(place.index)
    }
}

/// One host's part of a script.
#[pyclass(frozen, module = "clockwork._core")]
pub struct HostRun {
    file: String,
    cancel: Cancel,
    resources: Py<PyAny>,
    record: Mutex<Record>,
}

impl HostRun {
    /// A run of a script with so many sections. `resources` are the host's in the session.
    pub fn new(file: &str, sections: usize, cancel: &Cancel, resources: Py<PyAny>) -> Self {
        let sections = (0..sections).map(|_| Section::default()).collect();
        let record = Mutex::new(Record { sections, ..Record::default() });
        Self { file: file.to_owned(), cancel: cancel.clone(), resources, record }
    }

    /// The full path of the script.
    pub fn path(&self) -> &str {
        &self.file
    }

    /// The record. Never held while Python code runs.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl HostRun {
    /// Returns true if the session has been interrupted.
    #[getter]
    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// The full path of the script.
    #[getter]
    fn file(&self) -> &str {
        &self.file
    }

    /// The connections and caches of the host in the session.
    #[getter]
    fn resources(&self, py: Python<'_>) -> Py<PyAny> {
        self.resources.clone_ref(py)
    }

    /// Records an operation of a section, and gives it its order and its key.
    ///
    /// The same place in the user's code gives the same key on every host, so that an operation that
    /// only some hosts have does not shift those that follow.
    fn identify(
        &self,
        section: usize,
        name: &str,
        lines: Vec<usize>,
        idempotent: bool,
        conditional: bool,
        nested: bool,
    ) -> (Vec<usize>, String) {
        let mut order: Vec<usize> = std::iter::once(section).chain(lines).collect();
        let mut key = order.iter().map(usize::to_string).collect::<Vec<_>>().join(".");
        if nested {
            key.insert_str(0, "nested ");
        }
        let mut guard = self.record();
        let record = &mut *guard;
        // A script without sections has operations in its prelude alone, which belong to no resource.
        let Some(own) = record.sections.get_mut(section) else { return (order, key) };
        let repeat = own.repeats.entry(key.clone()).or_insert(0);
        *repeat += 1;
        order.push(*repeat as usize);
        key = format!("{key} #{repeat}");
        if !nested {
            let index = own.operations.len();
            own.operations.push(Operation {
                key: key.clone(),
                name: name.to_owned(),
                idempotent,
                conditional,
                diff: Diff::default(),
                planned_intent: None,
                intent: None,
                retried: false,
                complaints: Vec::new(),
                planned: false,
                end: None,
                began: Instant::now(),
                seconds: 0.0,
            });
            record.places.insert(key.clone(), Place { section, index });
        }
        (order, key)
    }

    /// Records an intent of an operation.
    fn record_intent(&self, operation: &str, intent: &Bound<'_, PyAny>) -> PyResult<()> {
        let announced = Announced::read(intent)?;
        if let Some(operation) = self.record().find(operation) {
            operation.announce(announced);
        }
        Ok(())
    }

    /// Records that an operation is tried again.
    fn record_retry(&self, operation: &str) {
        if let Some(operation) = self.record().find(operation) {
            operation.retried = true;
        }
    }

    /// Records a message that pyinfra logged: in an operation, or else in the code of a section.
    #[pyo3(signature = (section, operation, level, message, text))]
    fn record_message(
        &self,
        section: Option<usize>,
        operation: Option<&str>,
        level: u32,
        message: &str,
        text: &str,
    ) {
        let mut guard = self.record();
        let record = &mut *guard;
        let place = operation.and_then(|key| record.place(key));
        if level < WARNING {
            if let Some(place) = place {
                record.operation(place).diff.add(message, text);
            }
            return;
        }
        let complaints = match (place, section) {
            (Some(place), _) => &mut record.operation(place).complaints,
            (None, Some(section)) if section < record.sections.len() => {
                &mut record.sections[section].complaints
            }
            _ => &mut record.complaints,
        };
        complaints.push(text.to_owned());
    }
}
