//! What one host's threads know and note down while they work.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::prelude::*;

use super::Cancel;
use super::report::Diff;

/// One operation of the script on one host.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the operation")]
pub struct Operation {
    /// What pyinfra calls its hash.
    pub key: String,
    /// The index of the section that it belongs to.
    pub section: usize,
    /// Its name.
    pub name: String,
    /// Whether running it twice does nothing the second time.
    pub idempotent: bool,
    /// Whether it is run only if something holds then.
    pub conditional: bool,
    /// Whether it is asked to make something absent.
    pub absent: bool,
    /// Whether it takes away what is there to make it anew.
    pub replaces: bool,
    /// Whether the first thing that it asked for was not there.
    pub missing: Option<bool>,
    /// What it would change in files.
    pub diff: Diff,
    /// What pyinfra told when it went wrong.
    pub complaints: Vec<String>,
    /// Whether it would change something.
    pub planned: bool,
    /// How it ended, if it was reached.
    pub end: Option<End>,
    /// When it was defined.
    pub began: Instant,
    /// How long it took.
    pub seconds: f64,
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub struct End {
    /// Whether it changed something.
    pub changed: bool,
    /// Why it failed, where it did.
    pub error: Option<String>,
}

/// What is noted down.
#[derive(Default)]
pub struct Notes {
    /// The section whose code runs.
    pub section: usize,
    /// The operation that is being executed.
    pub executing: Option<usize>,
    /// Whether diffs are computed.
    pub wants_diff: bool,
    /// The operations, in order of definition.
    pub operations: Vec<Operation>,
    /// Where each stands.
    pub index: HashMap<String, usize>,
    /// How often each place in the code has defined an operation.
    repeats: HashMap<String, u32>,
    /// What went wrong outside of any operation.
    pub complaints: Vec<String>,
    /// Why the host cannot be used.
    pub host_error: Option<String>,
    /// Whether the host is left alone, because something has failed there before this run.
    pub stopped: bool,
    /// The sections that have failed.
    pub failed: HashSet<usize>,
    /// Why the code of a section failed, where it was the code itself.
    pub errors: HashMap<usize, String>,
    /// The sections that are not run because of others' failures.
    pub left_out: HashSet<usize>,
    /// The operations that are to be run.
    pub schedule: Vec<usize>,
}

impl Notes {
    /// Whether a section has failed, or is left out because of others.
    pub fn is_out(&self, section: usize) -> bool {
        self.failed.contains(&section) || self.left_out.contains(&section)
    }
}

/// A lane: one host's part of a run.
#[pyclass(frozen, module = "clockwork._core")]
pub struct Lane {
    file: String,
    cancel: Cancel,
    belongings: Py<PyAny>,
    notes: Mutex<Notes>,
}

impl Lane {
    /// A lane that has not started.
    pub fn new(file: &str, cancel: &Cancel, belongings: Py<PyAny>) -> Self {
        let notes = Mutex::new(Notes { wants_diff: true, ..Notes::default() });
        Self { file: file.to_owned(), cancel: cancel.clone(), belongings, notes }
    }

    /// What has been noted down. Never held while Python code runs.
    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    /// The operation that something belongs to.
    fn operation(&mut self, key: Option<&str>) -> Option<&mut Operation> {
        let index = self.executing.or_else(|| self.index.get(key?).copied())?;
        self.operations.get_mut(index)
    }
}

#[pymethods]
impl Lane {
    /// Whether the run has been interrupted.
    #[getter]
    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Whether diffs are to be computed now.
    #[getter]
    fn wants_diff(&self) -> bool {
        self.notes().wants_diff
    }

    /// The full path of the script.
    #[getter]
    fn file(&self) -> &str {
        &self.file
    }

    /// What the lane holds.
    #[getter]
    fn belongings(&self, py: Python<'_>) -> Py<PyAny> {
        self.belongings.clone_ref(py)
    }

    /// Takes note of an operation, and gives it its order and its key.
    ///
    /// The same place in the user's code gives the same key on every host, so that an operation that
    /// only some hosts have does not shift those that follow.
    #[expect(clippy::fn_params_excessive_bools, reason = "each is a fact of its own about the operation")]
    #[expect(clippy::too_many_arguments, reason = "called from one place, in Python")]
    fn identify(
        &self,
        name: &str,
        lines: Vec<usize>,
        idempotent: bool,
        conditional: bool,
        absent: bool,
        replaces: bool,
        nested: bool,
    ) -> (Vec<usize>, String) {
        let mut notes = self.notes();
        let executing = notes.executing.and_then(|index| notes.operations.get(index));
        let section = executing.map_or(notes.section, |operation| operation.section);
        let place = std::iter::once(section).chain(lines);
        let mut order: Vec<usize> = place.collect();
        let mut key = order.iter().map(usize::to_string).collect::<Vec<_>>().join(".");
        if nested {
            key.insert_str(0, "nested ");
        }
        let repeat = notes.repeats.entry(key.clone()).or_insert(0);
        *repeat += 1;
        order.push(*repeat as usize);
        key = format!("{key} #{repeat}");
        if !nested {
            let index = notes.operations.len();
            notes.index.insert(key.clone(), index);
            notes.operations.push(Operation {
                key: key.clone(),
                section,
                name: name.to_owned(),
                idempotent,
                conditional,
                absent,
                replaces,
                missing: None,
                diff: Diff::default(),
                complaints: Vec::new(),
                planned: false,
                end: None,
                began: Instant::now(),
                seconds: 0.0,
            });
        }
        (order, key)
    }

    /// Takes note of what an operation found on the host. What it asks for first is its subject.
    fn saw_fact(&self, operation: &str, empty: bool) {
        if let Some(operation) = self.notes().operation(Some(operation)) {
            operation.missing.get_or_insert(empty);
        }
    }

    /// Takes note of what pyinfra tells.
    fn log(&self, operation: Option<&str>, level: u32, message: &str, text: &str) {
        const WARNING: u32 = 30;
        let mut notes = self.notes();
        if level >= WARNING {
            match notes.operation(operation) {
                Some(operation) => operation.complaints.push(text.to_owned()),
                None => notes.complaints.push(text.to_owned()),
            }
        } else if notes.wants_diff
            && let Some(operation) = notes.operation(operation)
        {
            operation.diff.hear(message, text);
        }
    }
}
