//! The deploy stage by itself, for tests: `_core._run_script`, with any inventory and any code.

use std::path::PathBuf;

use clockwork_core::compile::{Hosts, Script, Section};
use clockwork_core::resource::Address;
use pyo3::prelude::*;

use crate::deploy;
use crate::progress::observer;

/// Stops a run from another thread.
#[pyclass(frozen, name = "_Cancel", module = "clockwork._core")]
#[derive(Default)]
pub struct Cancel(deploy::Cancel);

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
#[pyfunction(name = "_run_script")]
#[pyo3(signature = (inventory, folder, sections, *, prelude = "", file = "deploy.py", plan = false, removes = false, fail_fast = false, needs = None, listener = None, cancel = None))]
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
            Section { address: Address { kind, name }, line, code, needs, hosts: Hosts::All }
        })
        .collect();
    let outcome = deploy::run(
        py,
        &deploy::Job {
            inventory,
            folder: &folder,
            file,
            script: &Script { text, prelude: prelude.to_owned(), sections },
            mode: if plan { deploy::Mode::Plan } else { deploy::Mode::Execute },
            removes,
            fail_fast,
            stopped: &[],
            observer: observer(listener),
            cancel: cancel.map(|cancel| cancel.get().0.clone()).unwrap_or_default(),
            decide: None,
            diffs: false,
        },
    )?;
    Ok(pythonize::pythonize(py, &outcome)?)
}

/// Starts to import pyinfra in the background.
#[pyfunction(name = "_preload")]
pub fn preload(py: Python<'_>) -> PyResult<()> {
    deploy::preload(py)
}
