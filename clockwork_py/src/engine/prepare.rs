//! The first stage on a host: connect, and let the user's code define its operations.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::driver::is_fatal;
use super::intent::python_contexts;
use super::script::{Script, ScriptHost, ScriptRun};

/// A part of the script, or why it does not compile.
type Code = Result<Py<PyAny>, String>;

/// The script, compiled once for all hosts.
pub struct Preparation {
    script: Arc<Script>,
    /// True if whole diffs are shown.
    shows_diffs: bool,
    prelude: Code,
    sections: Vec<Code>,
    contexts: HashMap<(String, usize), Py<PyAny>>,
}

impl Preparation {
    /// Compiles the script's parts, so that their lines are those of its file.
    ///
    /// An error is a context that Python cannot have.
    pub fn new(
        py: Python<'_>,
        run: &ScriptRun<'_>,
        script: &Arc<Script>,
        shows_diffs: bool,
    ) -> PyResult<Self> {
        let driver = &script.driver;
        let compile = |text: &str, line: usize| -> Code {
            let code = driver.module.bind(py).call_method1("compile_code", (text, &script.file, line));
            code.map(Bound::unbind).map_err(|error| driver.explain(py, &error, &script.file, &[]))
        };
        let prelude = compile(&run.script.prelude, 1);
        let sections =
            run.script.sections.iter().map(|section| compile(&section.code, section.line)).collect();
        let contexts = python_contexts(driver.module.bind(py), run.contexts)?;
        Ok(Self { script: Arc::clone(script), shows_diffs, prelude, sections, contexts })
    }

    /// The context in which a section is planned.
    fn context(&self, host: &ScriptHost, section: usize) -> &Py<PyAny> {
        let own = self.contexts.get(&(host.host.name.clone(), section));
        own.unwrap_or(&self.script.driver.context)
    }

    /// Connects to a host and prepares it. Failures stand in its record.
    pub fn run(&self, py: Python<'_>, host: &ScriptHost) {
        let driver = &self.script.driver;
        // A host without a section need not be reachable.
        if !self.script.concerns(&host.host.name) {
            return;
        }
        let prepared = host.attached(py, driver, |py| {
            if let Err(reason) = host.host.connect(py, driver)? {
                host.run.get().record().host_error = Some(reason);
                return Ok(());
            }
            // A connection that succeeded on a retry does not explain a later failure.
            host.run.get().record().complaints.clear();
            self.define(py, host)?;
            self.read_plans(py, host)
        });
        if let Err(error) = prepared {
            if is_fatal(py, &error) {
                return; // an interrupt, which the session knows of
            }
            let complaints = host.run.get().record().complaints.clone();
            let text = driver.explain(py, &error, &self.script.file, &complaints);
            host.give_up(py, driver, text);
        }
    }

    /// Runs the script's sections one after the other, except those that depend on a failed one.
    fn define(&self, py: Python<'_>, host: &ScriptHost) -> PyResult<()> {
        let driver = &self.script.driver;
        let module = driver.module.bind(py);
        let prelude = PyDict::new(py);
        prelude.set_item("__file__", &self.script.file)?;
        let ran = self.prelude.as_ref().map_err(Clone::clone).and_then(|code| {
            let ran = module.call_method1(intern!(py, "run_prelude"), (code, &prelude, &driver.context));
            ran.map_err(|error| {
                let complaints = std::mem::take(&mut host.run.get().record().complaints);
                driver.explain(py, &error, &self.script.file, &complaints)
            })
        });
        if let Err(text) = ran {
            host.give_up(py, driver, text);
            return Ok(());
        }
        for (section, code) in self.sections.iter().enumerate() {
            let is_for_it = self.script.sections[section].hosts.has(&host.host.name);
            if !is_for_it || self.script.leaves_out(&mut host.run.get().record(), section) {
                continue;
            }
            if let Err(text) = self.run_section(py, host, section, code, &prelude) {
                let mut record = host.run.get().record();
                record.sections[section].failed = true;
                record.sections[section].error = Some(text);
            }
        }
        Ok(())
    }

    fn run_section(
        &self,
        py: Python<'_>,
        host: &ScriptHost,
        section: usize,
        code: &Code,
        prelude: &Bound<'_, PyDict>,
    ) -> Result<(), String> {
        let driver = &self.script.driver;
        let code = code.as_ref().map_err(Clone::clone)?;
        let arguments = (section, code, prelude, self.context(host, section));
        let ran = driver.module.bind(py).call_method1(intern!(py, "run_section"), arguments);
        ran.map(drop).map_err(|error| {
            let complaints = {
                let mut record = host.run.get().record();
                let own = &mut record.sections[section];
                let mut complaints = std::mem::take(&mut own.complaints);
                if let Some(last) = own.operations.last_mut() {
                    complaints.append(&mut last.complaints);
                }
                complaints
            };
            driver.explain(py, &error, &self.script.file, &complaints)
        })
    }

    /// Records which operations would change something, and reads the rest of their diffs where these are shown.
    fn read_plans(&self, py: Python<'_>, host: &ScriptHost) -> PyResult<()> {
        let driver = &self.script.driver;
        let operations = driver.operations(py, &host.host.object)?;
        let operations = operations.cast::<PyDict>()?;
        let places = host.run.get().record().places();
        for (number, &place) in places.iter().enumerate() {
            let key = host.run.get().record().operation(place).key.clone();
            let Some(data) = operations.get_item(&key)? else { continue };
            let meta = data.getattr(intern!(py, "operation_meta"))?;
            let planned = meta.getattr(intern!(py, "_maybe_is_change"))?.is_truthy()?;
            let is_unread = {
                let mut record = host.run.get().record();
                let next = places.get(number + 1).map(|&next| record.operation(next).began);
                let operation = record.operation(place);
                operation.planned = planned;
                operation.complaints.clear();
                operation.seconds =
                    next.map_or_else(|| operation.began.elapsed(), |n| n - operation.began).as_secs_f64();
                let is_told = operation.intent.is_some() || operation.diff.text().is_some();
                planned && operation.idempotent && !is_told
            };
            // pyinfra stops an operation at its first command: a file in a folder that is yet to be made has
            // logged no diff.
            if is_unread && self.shows_diffs {
                let arguments = (place.section, &key, data, self.context(host, place.section));
                let read = driver.module.bind(py).call_method1(intern!(py, "read_diff"), arguments);
                if let Err(error) = read
                    && is_fatal(py, &error)
                {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
