//! A session: the hosts of a run, on which scripts and checks are run one after the other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clockwork_core::event::{Event, Observer};
use clockwork_core::intent::Context;
use clockwork_core::outcome::{DeployOutcome, HostError};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::intern;
use pyo3::prelude::*;

use super::cancel::Cancel;
use super::driver::{Driver, is_fatal};
use super::execute::{Decisions, Execution};
use super::host::Host;
use super::host_run::HostRun;
use super::intent::python_context;
use super::operation::Stage;
use super::outcome::outcome;
use super::prepare::Preparation;
use super::schedule;
use super::script::{Script, ScriptHost, ScriptRun};
use super::threads::{Task, fan_out};
use crate::{errors, traceback};

/// The options of a session.
pub struct Options<'a> {
    /// The text of an inventory file.
    pub inventory: &'a str,
    /// The folder that holds `inventory.py` and the scripts' files.
    pub folder: &'a Path,
    /// Receives the events.
    pub observer: Arc<dyn Observer>,
    /// Stops the session from another thread.
    pub cancel: Cancel,
    /// True if a host stops at its first failure; else what does not need the failed one goes on.
    pub fail_fast: bool,
    /// The context of operations in plans, and where nothing else is decided.
    pub context: Context,
}

/// A script that is prepared on all hosts, and can be executed as long as nothing else was.
pub struct Prepared {
    script: Arc<Script>,
    total: usize,
}

/// The hosts of a run. Each is connected to once, when something first needs it.
pub struct Session {
    driver: Arc<Driver>,
    hosts: Vec<Arc<Host>>,
    names: Vec<String>,
    folder: PathBuf,
    cancel: Cancel,
    is_closed: AtomicBool,
}

impl Session {
    /// Opens a session for `work`, and closes it even if `work` fails.
    ///
    /// Errors are an inventory that raises, those of `work`, and `KeyboardInterrupt`.
    pub fn within<T>(
        py: Python<'_>,
        options: &Options<'_>,
        work: impl FnOnce(&Self) -> PyResult<T>,
    ) -> PyResult<T> {
        let session = Self::open(py, options)?;
        let done = work(&session);
        let closed = session.close(py);
        let done = done?;
        closed?;
        Ok(done)
    }

    /// Reads the inventory. Connects to nothing yet.
    pub fn open(py: Python<'_>, options: &Options<'_>) -> PyResult<Self> {
        Self::opened(py, options).map_err(|error| inventory_error(py, error))
    }

    fn opened(py: Python<'_>, options: &Options<'_>) -> PyResult<Self> {
        let module = py.import("clockwork._pyinfra")?;
        module.call_method0("install")?;
        let file = options.folder.join("inventory.py").to_string_lossy().into_owned();
        let new_resources = || module.call_method0("HostResources").map(Bound::unbind);

        // Connectors may run commands to list the hosts.
        let run = Py::new(py, HostRun::new(&file, 0, &options.cancel, new_resources()?))?;
        module.call_method1("attach", (run, py.None(), py.None(), py.None()))?;
        let opened = module
            .call_method1("load_inventory", (options.inventory, &file))
            .and_then(|inventory| Ok((module.call_method1("open_state", (&inventory,))?, inventory)));
        module.call_method0("detach")?;
        let (state, inventory) = opened?;

        let mut hosts = Vec::new();
        for host in inventory.try_iter()? {
            let host = host?;
            let name: String = host.getattr("name")?.extract()?;
            hosts.push(Arc::new(Host::new(name, host.unbind(), new_resources()?)));
        }
        if hosts.is_empty() {
            let message = "the inventory names no host, so there is nowhere to deploy to. It has to hold a list of \
                           names, such as hosts = [\"web1.example.org\"]";
            return Err(errors::exception(py, "CompileError", message));
        }
        let context = python_context(&module, &options.context)?;
        let driver = Arc::new(Driver {
            module: module.into_any().unbind(),
            state: state.unbind(),
            context,
            observer: Arc::clone(&options.observer),
            fail_fast: options.fail_fast,
        });
        Ok(Self {
            driver,
            names: hosts.iter().map(|host| host.name.clone()).collect(),
            hosts,
            folder: options.folder.to_owned(),
            cancel: options.cancel.clone(),
            is_closed: AtomicBool::new(false),
        })
    }

    /// The names of the hosts, in the order of the inventory.
    pub fn hosts(&self) -> &[String] {
        &self.names
    }

    /// Stops the session from another thread.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Plans a script: determines its changes, and makes none.
    ///
    /// A failed operation and an unreachable host are part of the outcome. An error is
    /// `KeyboardInterrupt`, after everything has been stopped.
    pub fn plan(&self, py: Python<'_>, run: &ScriptRun<'_>) -> PyResult<(Prepared, DeployOutcome)> {
        let (script, total) = self.prepare(py, run, run.diffs)?;
        let planned = outcome(run.script, &script, Stage::Planned);
        Ok((Prepared { script, total }, planned))
    }

    /// Executes a planned script in the contexts that were decided on. Errors are those of [`Session::plan`].
    pub fn execute(
        &self,
        py: Python<'_>,
        run: &ScriptRun<'_>,
        prepared: Prepared,
        decisions: &Decisions,
    ) -> PyResult<DeployOutcome> {
        let Prepared { script, total } = prepared;
        if total > 0 {
            let order = schedule::order(py, &script)?;
            let execution = Execution::new(py, &script, order, decisions, &self.cancel)?;
            let shared = Arc::clone(&script);
            self.on_all(py, move |py, index| execution.run(py, index, &shared.hosts[index]))?;
        }
        Ok(outcome(run.script, &script, Stage::Executed))
    }

    /// Prepares a script, and says how many operations are to be run.
    fn prepare(
        &self,
        py: Python<'_>,
        run: &ScriptRun<'_>,
        shows_diffs: bool,
    ) -> PyResult<(Arc<Script>, usize)> {
        let hosts = self.begin(py, run.file, run.script.sections.len())?;
        for host in &hosts {
            host.run.get().record().stopped = run.stopped.contains(&host.host.name);
        }
        let script = Arc::new(Script::new(&self.driver, hosts, &self.folder, run));
        let preparation = Preparation::new(py, run, &script, shows_diffs)?;
        let shared = Arc::clone(&script);
        self.on_all(py, move |py, index| preparation.run(py, &shared.hosts[index]))?;
        schedule::run_once_on_one(py, &script)?;
        schedule::schedule(py, &script)?;
        let (mut total, mut count) = (0, 0);
        for host in &script.hosts {
            let record = host.run.get().record();
            total += record.schedule.len();
            count += usize::from(record.host_error.is_none());
        }
        self.driver.notify(py, &Event::DeployBegin { total, hosts: count });
        Ok((script, total))
    }

    /// Begins a script with so many sections, and drops what an earlier script left behind.
    fn begin(&self, py: Python<'_>, file: &str, sections: usize) -> PyResult<Vec<ScriptHost>> {
        if self.cancel.is_cancelled() {
            return Err(PyKeyboardInterrupt::new_err(()));
        }
        let path = self.folder.join(file).to_string_lossy().into_owned();
        self.driver.state.call_method1(py, intern!(py, "begin"), (&path,))?;
        let begin_host = |host: &Arc<Host>| {
            host.resources.call_method0(py, intern!(py, "begin_script"))?;
            let run = HostRun::new(&path, sections, &self.cancel, host.resources.clone_ref(py));
            Ok(ScriptHost { host: Arc::clone(host), run: Py::new(py, run)? })
        };
        self.hosts.iter().map(begin_host).collect()
    }

    /// Does the work that `chosen` names for each host, on all hosts in parallel.
    ///
    /// `work` is called in a thread that is attached to the host, with the host's place in the inventory, its
    /// name, a `CheckRunner` for it, and what there is to do. Returns the hosts that cannot be used. An error
    /// is `KeyboardInterrupt`, after everything has been stopped.
    pub fn visit<T: Send + Sync + 'static>(
        &self,
        py: Python<'_>,
        chosen: &dyn Fn(&str) -> Vec<T>,
        work: impl Fn(Python<'_>, usize, &str, &Bound<'_, PyAny>, &[T]) -> PyResult<()> + Send + Sync + 'static,
    ) -> PyResult<Vec<HostError>> {
        let todo: Vec<Vec<T>> = self.hosts().iter().map(|name| chosen(name)).collect();
        let hosts = Arc::new(self.begin(py, "check.py", 0)?);
        let (driver, shared) = (Arc::clone(&self.driver), Arc::clone(&hosts));
        self.on_all(py, move |py, index| {
            let (host, todo) = (&shared[index], &todo[index]);
            if todo.is_empty() {
                return;
            }
            let ended = host.attached(py, &driver, |py| {
                if let Err(reason) = host.host.connect(py, &driver)? {
                    host.run.get().record().host_error = Some(reason);
                    return Ok(());
                }
                let runner =
                    driver.module.bind(py).call_method1(intern!(py, "CheckRunner"), (&host.host.object,))?;
                work(py, index, &host.host.name, &runner, todo)
            });
            if let Err(error) = ended
                && !is_fatal(py, &error)
            {
                let text = driver.explain(py, &error, host.run.get().path(), &[]);
                host.give_up(py, &driver, text);
            }
        })?;
        let errors = hosts.iter().filter_map(|host| {
            let error = host.run.get().record().host_error.clone()?;
            Some(HostError { host: host.host.name.clone(), error })
        });
        Ok(errors.collect())
    }

    /// Disconnects, and closes what pyinfra leaves open. An error is an interrupt meanwhile.
    pub fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let mut closed = Ok(());
        if !self.cancel.is_cancelled() && self.hosts.iter().any(|host| host.is_connected()) {
            closed = self.disconnect_in_order(py);
        }
        self.disconnect(py);
        closed
    }

    /// Lets each connector end its connection. A host on which that fails is cut off afterwards.
    fn disconnect_in_order(&self, py: Python<'_>) -> PyResult<()> {
        let hosts = self.begin(py, "", 0)?;
        let driver = Arc::clone(&self.driver);
        self.on_all(py, move |py, index| {
            let host = &hosts[index];
            if host.host.is_connected() {
                let _ = host.attached(py, &driver, |py| host.host.object.call_method0(py, "disconnect"));
            }
        })
    }

    /// Cuts all hosts off.
    fn disconnect(&self, py: Python<'_>) {
        for host in &self.hosts {
            host.disconnect(py, &self.driver);
        }
    }

    /// Runs a task for all hosts in parallel, each on a thread of its own.
    fn on_all(
        &self,
        py: Python<'_>,
        work: impl Fn(Python<'_>, usize) + Send + Sync + 'static,
    ) -> PyResult<()> {
        let task: Task = Arc::new(work);
        fan_out(py, &self.names, &self.cancel, &task, |py| self.disconnect(py))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !*self.is_closed.get_mut() {
            Python::attach(|py| self.disconnect(py));
        }
    }
}

/// Explains an error of opening a session. Only the inventory has run, so the fault is there, or in pyinfra.
fn inventory_error(py: Python<'_>, error: PyErr) -> PyErr {
    if errors::is_interrupt(py, &error) || errors::is_ours(py, &error) {
        return error;
    }
    let reason = traceback::exception_lines(py, &error).unwrap_or_default().join("\n");
    let modules = py.import("sys").and_then(|sys| sys.getattr("modules"));
    if modules.and_then(|modules| modules.contains("clockwork._pyinfra")).is_ok_and(|is_there| !is_there) {
        // An import that waited for a failed one of another thread does not name the cause; a new import does.
        let error = py.import("clockwork._pyinfra").err().unwrap_or(error);
        let reason = traceback::exception_lines(py, &error).unwrap_or_default().join("\n");
        let message = format!("pyinfra, which deploys, cannot be imported: mend or reinstall it\n{reason}");
        return errors::exception(py, "ClockworkError", &message);
    }
    errors::exception(py, "CompileError", &format!("the inventory cannot be used\n{reason}"))
}
