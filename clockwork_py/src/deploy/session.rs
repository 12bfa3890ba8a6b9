//! One run: its hosts, its stages, and giving back what it held.

use std::sync::Arc;

use clockwork_core::compile::Hosts;
use clockwork_core::event::{Event, Observer};
use clockwork_core::resource::Address;
use pyo3::intern;
use pyo3::prelude::*;

use super::lane::{Lane, Notes};
use super::prepare::Preparation;
use super::threads::{Task, fan_out};
use super::{Cancel, Job, Mode, explain, report};
use crate::{errors, traceback};

/// A host of the inventory, and its lane.
pub struct HostLane {
    /// The host's name in the inventory.
    pub name: String,
    /// pyinfra's `Host`.
    pub host: Py<PyAny>,
    /// What is known of it.
    pub lane: Py<Lane>,
}

/// What the threads of a run share.
pub struct Shared {
    /// The package `clockwork._pyinfra`.
    pub module: Py<PyAny>,
    /// pyinfra's `State`.
    pub state: Py<PyAny>,
    /// The full path of the script.
    pub file: String,
    /// The resources, by section.
    pub resources: Vec<Address>,
    /// The sections that each needs.
    pub needs: Vec<Vec<usize>>,
    /// The hosts that each is for.
    pub on: Vec<Hosts>,
    /// Whether a host stops at its first failure.
    pub fail_fast: bool,
    /// Who wants to know.
    pub observer: Arc<dyn Observer>,
}

/// A run.
pub struct Session {
    /// What the script is run for.
    pub mode: Mode,
    /// Whether what it changes is a removal.
    pub removes: bool,
    /// The hosts, in the order of the inventory.
    pub hosts: Arc<Vec<HostLane>>,
    /// What its threads share.
    pub shared: Arc<Shared>,
    /// Stops it.
    pub cancel: Cancel,
    names: Vec<String>,
    pub(super) preparation: Arc<Preparation>,
}

impl Shared {
    /// Whether a section is not to be run on a host: it has failed, or what it needs has, or is
    /// left out itself. Sections are asked for in their order, so that this is known of all it needs.
    pub fn leaves_out(&self, notes: &mut Notes, section: usize) -> bool {
        if notes.is_out(section) {
            return true;
        }
        let stopped = notes.stopped || (self.fail_fast && !notes.failed.is_empty());
        let out = stopped || self.needs[section].iter().any(|need| notes.is_out(*need));
        if out {
            notes.left_out.insert(section);
        }
        out
    }

    /// Tells the observer, without keeping the interpreter from others meanwhile.
    pub fn tell(&self, py: Python<'_>, event: &Event) {
        py.detach(|| self.observer.observe(event));
    }

    /// Makes the current thread the lane of a host, runs `work`, and makes it an ordinary one again.
    pub fn inside<T>(
        &self,
        py: Python<'_>,
        host: &HostLane,
        work: impl FnOnce(Python<'_>) -> PyResult<T>,
    ) -> PyResult<T> {
        let module = self.module.bind(py);
        let state = self.state.bind(py);
        let inventory = state.getattr(intern!(py, "inventory"))?;
        module.call_method1(intern!(py, "enter"), (&host.lane, state, inventory, &host.host))?;
        let done = work(py);
        let left = module.call_method0(intern!(py, "leave"));
        done.and_then(|value| left.map(|_| value))
    }

    /// Says what an exception out of the user's code or an operation means.
    pub fn explain(&self, py: Python<'_>, error: &PyErr, complaints: &[String]) -> String {
        let described = self
            .module
            .bind(py)
            .call_method1(intern!(py, "describe"), (error.clone_ref(py).into_value(py), &self.file))
            .and_then(|text| text.extract::<String>());
        explain::failure(complaints, &described.unwrap_or_else(|_| error.to_string()))
    }
}

impl Session {
    /// Reads the inventory and makes everything that a run needs.
    pub fn open(py: Python<'_>, job: &Job<'_>) -> PyResult<Self> {
        Self::opened(py, job).map_err(|error| inventory_error(py, error))
    }

    fn opened(py: Python<'_>, job: &Job<'_>) -> PyResult<Self> {
        let module = py.import("clockwork._pyinfra")?;
        module.call_method0("install")?;
        let path = |name: &str| job.folder.join(name).to_string_lossy().into_owned();
        let file = path(job.file);
        let new_lane =
            || Bound::new(py, Lane::new(&file, &job.cancel, module.call_method0("Belongings")?.unbind()));

        // Connectors may run commands to find out which hosts there are.
        module.call_method1("enter", (new_lane()?, py.None(), py.None(), py.None()))?;
        let opened = module
            .call_method1("load_inventory", (job.inventory, path("inventory.py")))
            .and_then(|inventory| Ok((module.call_method1("open_state", (&inventory, &file))?, inventory)));
        module.call_method0("leave")?;
        let (state, inventory) = opened?;

        let mut hosts = Vec::new();
        for host in inventory.try_iter()? {
            let host = host?;
            let lane = new_lane()?;
            module.call_method1("watch_facts", (&lane, &host))?;
            let name: String = host.getattr("name")?.extract()?;
            lane.get().notes().stopped = job.stopped.contains(&name);
            hosts.push(HostLane { name, host: host.unbind(), lane: lane.unbind() });
        }
        if hosts.is_empty() {
            let message = "the inventory names no host, so there is nowhere to deploy to. It has to hold a list of \
                           names, such as hosts = [\"web1.example.org\"]";
            return Err(errors::exception(py, "CompileError", message));
        }
        let shared = Arc::new(Shared {
            module: module.into_any().unbind(),
            state: state.unbind(),
            file,
            resources: job.script.sections.iter().map(|section| section.address.clone()).collect(),
            needs: job.script.sections.iter().map(|section| section.needs.clone()).collect(),
            on: job.script.sections.iter().map(|section| section.hosts.clone()).collect(),
            fail_fast: job.fail_fast,
            observer: Arc::clone(&job.observer),
        });
        let preparation = Arc::new(Preparation::new(py, job, &shared));
        Ok(Self {
            mode: job.mode,
            removes: job.removes,
            names: hosts.iter().map(|host| host.name.clone()).collect(),
            hosts: Arc::new(hosts),
            shared,
            cancel: job.cancel.clone(),
            preparation,
        })
    }

    /// Goes through the stages, and says how far that was.
    pub fn run(&self, py: Python<'_>, job: &Job<'_>) -> PyResult<Mode> {
        let preparation = Arc::clone(&self.preparation);
        self.on_all(py, move |py, _, host| preparation.run(py, host))?;
        self.run_once_on_one(py)?;
        self.schedule(py)?;
        let total: usize = self.hosts.iter().map(|host| host.lane.get().notes().schedule.len()).sum();
        let hosts = self.hosts.iter().filter(|host| host.lane.get().notes().host_error.is_none()).count();
        self.shared.tell(py, &Event::DeployBegin { total, hosts });
        if self.mode == Mode::Plan {
            return Ok(Mode::Plan);
        }
        if let Some(decide) = job.decide
            && !decide(py, &report::outcome(job.script, self, Mode::Plan))?
        {
            return Ok(Mode::Plan);
        }
        if total > 0 {
            let execution = self.execution(py)?;
            self.on_all(py, move |py, index, host| execution.run(py, index, host))?;
        }
        Ok(Mode::Execute)
    }

    /// Disconnects, and closes what pyinfra leaves open. An error is an interrupt meanwhile.
    pub fn close(&self, py: Python<'_>) -> PyResult<()> {
        let mut closed = Ok(());
        if !self.cancel.is_cancelled() {
            let shared = Arc::clone(&self.shared);
            // A host that cannot be disconnected in an orderly way is cut off below.
            closed = self.on_all(py, move |py, _, host| {
                let connected =
                    host.host.bind(py).getattr("connected").is_ok_and(|c| c.is_truthy().unwrap_or(false));
                if connected {
                    let _ = shared.inside(py, host, |py| host.host.call_method0(py, "disconnect"));
                }
            });
        }
        self.hang_up(py);
        closed
    }

    fn hang_up(&self, py: Python<'_>) {
        for host in self.hosts.iter() {
            if let Ok(belongings) = host.lane.bind(py).getattr("belongings") {
                let _ = self.shared.module.bind(py).call_method1("hang_up", (belongings,));
            }
        }
    }

    /// Runs something for all hosts at once, each on a thread of its own.
    pub(super) fn on_all(
        &self,
        py: Python<'_>,
        work: impl Fn(Python<'_>, usize, &HostLane) + Send + Sync + 'static,
    ) -> PyResult<()> {
        let hosts = Arc::clone(&self.hosts);
        let task: Task = Arc::new(move |py, index| {
            if let Some(host) = hosts.get(index) {
                work(py, index, host);
            }
        });
        fan_out(py, &self.names, &self.cancel, &task, |py| self.hang_up(py))
    }
}

/// Nothing is run yet but the inventory: what is wrong is wrong with that, or with pyinfra itself.
fn inventory_error(py: Python<'_>, error: PyErr) -> PyErr {
    if errors::is_interrupt(py, &error) || errors::is_ours(py, &error) {
        return error;
    }
    let told = traceback::exception_lines(py, &error).unwrap_or_default().join("\n");
    let modules = py.import("sys").and_then(|sys| sys.getattr("modules"));
    if modules.and_then(|modules| modules.contains("clockwork._pyinfra")).is_ok_and(|is_there| !is_there) {
        // An import that waited for another's of the same says only that there is nothing; a new one says why.
        let error = py.import("clockwork._pyinfra").err().unwrap_or(error);
        let told = traceback::exception_lines(py, &error).unwrap_or_default().join("\n");
        let message = format!("pyinfra, which deploys, cannot be imported: mend or reinstall it\n{told}");
        return errors::exception(py, "ClockworkError", &message);
    }
    errors::exception(py, "CompileError", &format!("the inventory cannot be used\n{told}"))
}
