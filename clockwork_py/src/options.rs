//! What a Python program asks for, as the pipeline takes it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clockwork_core::cli::Verb;
use clockwork_core::event::Silent;
use clockwork_core::llm::Regenerate;
use clockwork_core::outcome::Report;
use clockwork_core::plan::SavedPlan;
use clockwork_core::settings::Overrides;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::depythonize;
use serde::Deserialize;

use crate::invocation::{Approval, Approver, Invocation};
use crate::{errors, pipeline};

/// The keyword arguments of a method of `ClockworkCore`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword argument")]
pub struct Options {
    dry_run: bool,
    fail_fast: bool,
    regenerate: Again,
    locked: bool,
    targets: Vec<String>,
    prune: bool,
    lock_timeout: f64,
    out: Option<PathBuf>,
    check: bool,
}

/// All, none, or some.
#[derive(Deserialize)]
#[serde(untagged)]
enum Again {
    Whether(bool),
    Names(Vec<String>),
}

impl Default for Again {
    fn default() -> Self {
        Self::Whether(false)
    }
}

impl Options {
    /// Makes an invocation of them.
    pub fn invocation(
        self,
        verb: Verb,
        source: Bound<'_, PyAny>,
        overrides: Overrides,
    ) -> PyResult<Invocation<'_>> {
        let lock_timeout = Duration::try_from_secs_f64(self.lock_timeout)
            .map_err(|_| PyValueError::new_err("lock_timeout is a number of seconds, from 0 on"))?;
        if let Some(out) = &self.out {
            if !SavedPlan::can_be(out) {
                return Err(PyValueError::new_err("out is the name of a file that ends in .json"));
            }
            if source.extract::<PathBuf>().is_err() {
                let message =
                    "a plan of a list of resources cannot be kept: put them into a file, and plan that";
                return Err(errors::exception(source.py(), "LoadError", message));
            }
        }
        Ok(Invocation {
            verb,
            source,
            dry_run: self.dry_run,
            fail_fast: self.fail_fast,
            regenerate: match self.regenerate {
                Again::Whether(false) => Regenerate::None,
                Again::Whether(true) => Regenerate::All,
                Again::Names(names) => Regenerate::Names(names),
            },
            locked: self.locked,
            targets: self.targets,
            prune: self.prune,
            lock_timeout,
            saved: None,
            out: self.out,
            adopts: None,
            unattended: false,
            only: None,
            check: self.check,
            approver: None,
            overrides,
            compiler: None,
            observer: Arc::new(Silent),
        })
    }
}

/// The settings among the arguments. One that cannot be used is named.
pub fn settings(overrides: &Bound<'_, PyDict>) -> PyResult<Overrides> {
    depythonize(overrides).or_else(|error| {
        for (name, value) in overrides {
            let one = PyDict::new(overrides.py());
            one.set_item(&name, &value)?;
            if let Err(error) = depythonize::<Overrides>(&one) {
                let message = format!("the setting {name} cannot be used: {error}");
                return Err(errors::exception(overrides.py(), "SettingsError", &message));
            }
        }
        Err(error.into())
    })
}

/// A callable that is shown the plan and says yes or no.
pub struct Callable<'py> {
    /// The callable.
    pub callable: Bound<'py, PyAny>,
    /// Whether what is gone is to be removed.
    pub prune: bool,
}

impl Approver for Callable<'_> {
    fn wants_gone(&self) -> bool {
        false
    }

    fn wants_diffs(&self) -> bool {
        true
    }

    fn approve(&self, py: Python<'_>, plan: &Report) -> PyResult<Approval> {
        let yes = self.callable.call1((pipeline::to_result(py, plan)?,))?.is_truthy()?;
        Ok(if yes { Approval::Go { prune: self.prune } } else { Approval::Stop })
    }
}
