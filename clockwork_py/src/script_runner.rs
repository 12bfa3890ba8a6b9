//! Runs a script of any code on any inventory, for tests of the engine: `_core._run_script`.

use std::path::PathBuf;

use clockwork_core::compile::{Hosts, Script, Section};
use clockwork_core::intent::Context;
use clockwork_core::outcome::DeployOutcome;
use clockwork_core::resource::Address;
use pyo3::prelude::*;
use pythonize::pythonize;

use crate::engine::{self, Decisions, Options, ScriptRun, Session};
use crate::progress::observer;

/// Stops a run from another thread.
#[pyclass(frozen, name = "_Cancel", module = "clockwork._core")]
#[derive(Default)]
pub struct Cancel(engine::Cancel);

#[pymethods]
impl Cancel {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Stops the run.
    fn cancel(&self) {
        self.0.cancel();
    }
}

/// Runs sections of code, each a kind, a name and the code, as one script.
///
/// `decisions` are the contexts of operations: a host, the index of a section, `keep_copy` and `take_over`.
#[pyfunction(name = "_run_script")]
#[pyo3(signature = (inventory, folder, sections, *, prelude = "", file = "deploy.py", plan = false, removes = false, fail_fast = false, needs = None, listener = None, cancel = None, project = None, decisions = None))]
#[expect(clippy::too_many_arguments, reason = "each is a keyword of one test function")]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 hands over what it converted")]
pub fn run_script<'py>(
    py: Python<'py>,
    inventory: &str,
    folder: PathBuf,
    sections: Vec<(String, String, String)>,
    prelude: &str,
    file: &str,
    plan: bool,
    removes: bool,
    fail_fast: bool,
    needs: Option<Vec<Vec<usize>>>,
    listener: Option<Py<PyAny>>,
    cancel: Option<&Bound<'py, Cancel>>,
    project: Option<String>,
    decisions: Option<Vec<(String, usize, bool, bool)>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut text = prelude.to_owned();
    let mut needs = needs.unwrap_or_default().into_iter();
    let sections = sections
        .into_iter()
        .map(|(kind, name, code)| {
            text.push_str("\n\n#\n");
            let line = text.lines().count() + 1;
            text.push_str(&code);
            let needs = needs.next().unwrap_or_default();
            let (address, identity) = (Address { kind, name }, String::new());
            Section { address, identity, line, code, needs, hosts: Hosts::All, effects: Vec::new() }
        })
        .collect();
    let context = Context { project, ..Context::default() };
    let decided: Decisions = decisions
        .unwrap_or_default()
        .into_iter()
        .map(|(host, section, keep_copy, take_over)| {
            ((host, section), Context { keep_copy, take_over, ..context.clone() })
        })
        .collect();
    let options = Options {
        inventory,
        folder: &folder,
        observer: observer(listener),
        cancel: cancel.map(|cancel| cancel.get().0.clone()).unwrap_or_default(),
        fail_fast,
        context,
    };
    let script = Script { text, prelude: prelude.to_owned(), sections, uses_own_modules: false };
    let contexts = Decisions::new();
    let run = ScriptRun { file, script: &script, removes, stopped: &[], diffs: plan, contexts: &contexts };
    let outcome = Session::within(py, &options, |session| {
        let (prepared, planned) = session.plan(py, &run)?;
        if plan { Ok(planned) } else { session.execute(py, &run, prepared, &decided) }
    })?;
    with_intents(py, &outcome)
}

/// Converts the outcome to a dictionary, with the intents, which no document has.
fn with_intents<'py>(py: Python<'py>, outcome: &DeployOutcome) -> PyResult<Bound<'py, PyAny>> {
    let document = pythonize(py, outcome)?;
    for (resource, found) in outcome.resources.iter().zip(document.get_item("resources")?.try_iter()?) {
        for (operation, found) in resource.operations.iter().zip(found?.get_item("operations")?.try_iter()?) {
            found?.set_item("intent", pythonize(py, &operation.intent)?)?;
        }
    }
    Ok(document)
}

/// Starts to import pyinfra in the background.
#[pyfunction(name = "_preload")]
pub fn preload(py: Python<'_>) -> PyResult<()> {
    engine::preload(py)
}
