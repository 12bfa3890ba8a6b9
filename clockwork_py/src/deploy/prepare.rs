//! The first stage on a host: connect, and let the user's code define its operations.

use std::sync::Arc;

use clockwork_core::event::Event;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::session::{HostLane, Shared};
use super::{Job, Mode};

/// A part of the script, or why it does not compile.
type Code = Result<Py<PyAny>, String>;

/// The script, compiled once for all hosts.
pub struct Preparation {
    shared: Arc<Shared>,
    /// Whether somebody is going to be shown what would be done, to the last line.
    is_shown: bool,
    prelude: Code,
    sections: Vec<Code>,
}

impl Preparation {
    /// Compiles the script's parts, so that their lines are those of its file.
    pub fn new(py: Python<'_>, job: &Job<'_>, shared: &Arc<Shared>) -> Self {
        let compile = |text: &str, line: usize| -> Code {
            let code = shared.module.bind(py).call_method1("compile_code", (text, &shared.file, line));
            code.map(Bound::unbind).map_err(|error| shared.explain(py, &error, &[]))
        };
        let prelude = compile(&job.script.prelude, 1);
        let sections = job.script.sections.iter().map(|s| compile(&s.code, s.line)).collect();
        let is_shown = job.mode == Mode::Plan || job.diffs;
        Self { shared: Arc::clone(shared), is_shown, prelude, sections }
    }

    /// Connects to a host and prepares it. What goes wrong is noted in its lane.
    pub fn run(&self, py: Python<'_>, host: &HostLane) {
        // Where the script has nothing for a host, that host need not even be there.
        let on = &self.shared.on;
        if !on.is_empty() && !on.iter().any(|hosts| hosts.has(&host.name)) {
            return;
        }
        let prepared = self.shared.inside(py, host, |py| {
            if let Err(error) = self.connect(py, host) {
                if !error.is_instance_of::<pyo3::exceptions::PyException>(py) {
                    return Err(error);
                }
                let text = self
                    .shared
                    .module
                    .call_method1(py, "describe_connection", (&host.host, error.clone_ref(py).into_value(py)))
                    .and_then(|text| text.extract::<String>(py));
                self.give_up(py, host, text.unwrap_or_else(|_| error.to_string()));
                return Ok(());
            }
            self.shared.tell(py, &Event::HostConnected { host: host.name.clone() });
            self.define(py, host)?;
            self.note_plans(py, host)
        });
        if let Err(error) = prepared {
            if !error.is_instance_of::<pyo3::exceptions::PyException>(py) {
                return; // an interrupt, which the driver knows of
            }
            let text = self.shared.explain(py, &error, &host.lane.get().notes().complaints);
            self.give_up(py, host, text);
        }
    }

    fn give_up(&self, py: Python<'_>, host: &HostLane, error: String) {
        self.shared.tell(py, &Event::HostError { host: host.name.clone(), error: error.clone() });
        host.lane.get().notes().host_error = Some(error);
    }

    fn connect(&self, py: Python<'_>, host: &HostLane) -> PyResult<()> {
        let options = PyDict::new(py);
        options.set_item("show_errors", false)?;
        options.set_item("raise_exceptions", true)?;
        host.host.bind(py).call_method(intern!(py, "connect"), (), Some(&options))?;
        self.shared.state.bind(py).call_method1(intern!(py, "activate_host"), (&host.host,))?;
        Ok(())
    }

    /// Runs the script's parts one after the other, but those that need one that failed.
    fn define(&self, py: Python<'_>, host: &HostLane) -> PyResult<()> {
        let namespace = PyDict::new(py);
        namespace.set_item("__file__", &self.shared.file)?;
        if let Err(text) = self.exec(py, host, &self.prelude, &namespace) {
            self.give_up(py, host, text);
            return Ok(());
        }
        for (section, code) in self.sections.iter().enumerate() {
            let is_for_it = self.shared.on[section].has(&host.name);
            if !is_for_it || self.shared.leaves_out(&mut host.lane.get().notes(), section) {
                continue;
            }
            host.lane.get().notes().section = section;
            if let Err(text) = self.exec(py, host, code, &namespace) {
                let mut notes = host.lane.get().notes();
                notes.failed.insert(section);
                notes.errors.insert(section, text);
            }
        }
        Ok(())
    }

    fn exec(
        &self,
        py: Python<'_>,
        host: &HostLane,
        code: &Code,
        namespace: &Bound<'_, PyDict>,
    ) -> Result<(), String> {
        let code = code.as_ref().map_err(Clone::clone)?;
        self.shared.module.bind(py).call_method1(intern!(py, "run_code"), (code, namespace)).map_err(
            |error| {
                let mut notes = host.lane.get().notes();
                let mut complaints = std::mem::take(&mut notes.complaints);
                let section = notes.section;
                // What another resource's operation has told has nothing to do with this.
                let last = notes.operations.last_mut().filter(|operation| operation.section == section);
                if let Some(operation) = last {
                    complaints.append(&mut operation.complaints);
                }
                drop(notes);
                self.shared.explain(py, &error, &complaints)
            },
        )?;
        host.lane.get().notes().complaints.clear();
        Ok(())
    }

    /// Notes which operations would change something, and where that is shown hears the rest of their diffs.
    fn note_plans(&self, py: Python<'_>, host: &HostLane) -> PyResult<()> {
        let ops = self.shared.state.bind(py).getattr(intern!(py, "ops"))?.get_item(&host.host)?;
        let ops = ops.cast::<PyDict>()?;
        let count = host.lane.get().notes().operations.len();
        for index in 0..count {
            let key = host.lane.get().notes().operations[index].key.clone();
            let Some(data) = ops.get_item(&key)? else { continue };
            let meta = data.getattr(intern!(py, "operation_meta"))?;
            let planned = meta.getattr(intern!(py, "_maybe_is_change"))?.is_truthy()?;
            let unheard = {
                let mut notes = host.lane.get().notes();
                let next = notes.operations.get(index + 1).map(|next| next.began);
                let operation = &mut notes.operations[index];
                operation.planned = planned;
                operation.complaints.clear();
                operation.seconds =
                    next.map_or_else(|| operation.began.elapsed(), |n| n - operation.began).as_secs_f64();
                planned && operation.idempotent && operation.diff.is_empty()
            };
            // pyinfra stops an operation at its first command, so that a file in a folder that is yet to
            // be made has not been told of.
            if unheard && self.is_shown {
                host.lane.get().notes().executing = Some(index);
                let drained = self.shared.module.bind(py).call_method1(intern!(py, "drain"), (data,));
                host.lane.get().notes().executing = None;
                if let Err(error) = drained
                    && !error.is_instance_of::<pyo3::exceptions::PyException>(py)
                {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
