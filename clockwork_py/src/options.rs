//! Converts the arguments of a Python program to the options of the workflow.

use std::path::PathBuf;
use std::time::Duration;

use clockwork_core::cli::Verb;
use clockwork_core::error::Result;
use clockwork_core::llm::Regenerate;
use clockwork_core::outcome::Report;
use clockwork_core::plan::SavedPlan;
use clockwork_core::settings::Overrides;
use clockwork_core::workflow::approval::Question;
use clockwork_core::workflow::options::Options;
use clockwork_core::workflow::ports::{Approval, Approver};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::depythonize;
use serde::Deserialize;

use crate::errors::OrRaise;
use crate::{errors, run};

/// The keyword arguments of a method of `ClockworkCore`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword argument")]
pub struct Keywords {
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

impl Keywords {
    /// The options of a run of the workflow.
    pub fn options(self, verb: Verb, source: &Bound<'_, PyAny>, overrides: Overrides) -> PyResult<Options> {
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
        Ok(Options {
            dry_run: self.dry_run,
            fail_fast: self.fail_fast,
            overrides,
            regenerate: match self.regenerate {
                Again::Whether(false) => Regenerate::None,
                Again::Whether(true) => Regenerate::All,
                Again::Names(names) => Regenerate::Names(names),
            },
            locked: self.locked,
            targets: self.targets,
            prune: self.prune,
            lock_timeout,
            out: self.out,
            check: self.check,
            ..Options::new(verb)
        })
    }
}

/// Reads the saved plan if the source of an apply is one.
pub fn saved_plan(source: &Bound<'_, PyAny>, verb: Verb) -> PyResult<Option<SavedPlan>> {
    let path = source.extract::<PathBuf>().ok();
    let is_plan = |path: &PathBuf| SavedPlan::can_be(path) && !path.is_dir();
    let Some(path) = path.filter(|path| verb == Verb::Apply && is_plan(path)) else { return Ok(None) };
    SavedPlan::read(&path).map(Some).or_raise(source.py())
}

/// Reads the settings among the arguments. The error names the invalid one.
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

/// An approver that calls a function with the plan. The function returns true or false.
pub struct CallableApprover<'py> {
    /// The callable.
    pub callable: Bound<'py, PyAny>,
    /// True if orphans are removed.
    pub prune: bool,
}

impl Approver for CallableApprover<'_> {
    fn can_ask(&self) -> bool {
        true
    }

    fn shows_orphans(&self) -> bool {
        false
    }

    fn shows_diffs(&self) -> bool {
        true
    }

    fn approve(&self, plan: &Report, _: &Question) -> Result<Approval> {
        let yes = errors::attached(|py| {
            let answer = self.callable.call1((run::to_result(py, plan)?,))?;
            answer.is_truthy()
        })?;
        Ok(if yes { Approval::Go { prune: self.prune } } else { Approval::Stop })
    }
}
