//! Runs main.py and collects the resources that it defines.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use clockwork_core::resource::{Address, DeclaredResource};
use clockwork_core::workflow;
use pyo3::exceptions::{PySyntaxError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFrozenSet, PyList, PyModule, PySet, PyTuple};

use crate::errors::OrRaise;
use crate::project::PyProject;
use crate::resource::{self, Resource};
use crate::wait::check_signals;
use crate::{errors, traceback, user_code};

/// The name of main.py's module. It is not `__main__`, so main.py knows that it is not the program.
const MODULE: &str = "__clockwork_main__";

/// The name of a project's file.
pub const MAIN: &str = "main.py";

/// Loads a path, or a list of resources.
pub fn load(source: &Bound<'_, PyAny>) -> PyResult<PyProject> {
    let py = source.py();
    let project = match source.extract::<PathBuf>() {
        Ok(path) => load_path(py, &path),
        Err(_) => load_list(source),
    }?;
    // Handle a Ctrl-C that arrived while main.py ran.
    check_signals(py)?;
    Ok(project)
}

fn load_list(source: &Bound<'_, PyAny>) -> PyResult<PyProject> {
    let py = source.py();
    let mut collector = Collector::new(py)?;
    let not_resources = |given: &Bound<'_, PyAny>| -> PyResult<PyErr> {
        let class = given.get_type().name()?.to_string();
        let message =
            format!("resources are wanted, and {class} is none: pass a path or a list of resources");
        Ok(errors::exception(py, "LoadError", &message))
    };
    let is_one = source.is_instance_of::<Resource>() || collector.is_group(source)?;
    if !(is_one && collector.collect(source)?) {
        let items = match source.try_iter() {
            Err(error) if error.is_instance_of::<PyTypeError>(py) => return Err(not_resources(source)?),
            items => items?,
        };
        for item in items {
            let item = item?;
            if !collector.collect(&item)? {
                return Err(not_resources(&item)?);
            }
        }
    }
    finish(py, collector, &std::env::current_dir()?, None)
}

/// The folder and the name of the file at a path, which need not exist.
pub fn place(path: &Path) -> (PathBuf, String) {
    let file = file_of(path);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    (folder, file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()))
}

fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(MAIN) } else { path.to_path_buf() }
}

fn load_path(py: Python<'_>, path: &Path) -> PyResult<PyProject> {
    let file = file_of(path);
    let Ok(file) = file.canonicalize() else {
        let message = format!(
            "there is no {}: run `clockwork init` to start a project here, or name a main.py or its folder",
            file.display()
        );
        return Err(errors::exception(py, "ProjectNotFoundError", &message));
    };
    let folder = file.parent().unwrap_or(Path::new("/")).to_path_buf();
    let shown = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let source = std::fs::read(&file).map_err(|error| {
        errors::exception(py, "LoadError", &format!("{} cannot be read: {error}", file.display()))
    })?;
    let Some(_guard) = Loading::begin(&file) else {
        let message = format!(
            "{shown} runs Clockwork on itself: put that below `if __name__ == \"__main__\":`, where it runs only when \
             the file is the program"
        );
        return Err(errors::exception(py, "LoadError", &message));
    };
    let constructed = PyList::empty(py);
    let module = run(py, &source, &file, &folder, &constructed)
        .map_err(|error| explain(py, error, &shown, &folder))?;
    let mut collector = Collector::new(py)?;
    for resource in constructed.iter() {
        collector.collect(&resource)?;
    }
    // Groups, and resources of other modules, count if main.py binds them to a name.
    for value in module.dict().values() {
        collector.collect(&value)?;
    }
    finish(py, collector, &folder, Some(shown))
}

/// A file that a thread is loading. Dropping it ends the loading.
struct Loading(ThreadId, PathBuf);

static LOADING: Mutex<Vec<(ThreadId, PathBuf)>> = Mutex::new(Vec::new());

impl Loading {
    /// Begins to load a file; `None` if this thread is loading it already.
    fn begin(file: &Path) -> Option<Self> {
        let loading = Self(thread::current().id(), file.to_path_buf());
        let mut all = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        if all.iter().any(|(thread, file)| *thread == loading.0 && *file == loading.1) {
            return None;
        }
        all.push((loading.0, loading.1.clone()));
        Some(loading)
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        let mut all = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(thread, file)| *thread != self.0 || *file != self.1);
    }
}

/// Executes the file as a module of its own.
///
/// All resources that are constructed meanwhile go into `constructed`.
fn run<'py>(
    py: Python<'py>,
    source: &[u8],
    file: &Path,
    folder: &Path,
    constructed: &Bound<'py, PyList>,
) -> PyResult<Bound<'py, PyModule>> {
    // Not optimised: without `assert` statements, checks would pass that fail.
    let as_written = (PyBytes::new(py, source), file, "exec", 0, true, 0);
    let code = py.import("builtins")?.call_method1("compile", as_written)?;
    py.import("linecache")?.call_method0("checkcache")?;
    let module = PyModule::new(py, MODULE)?;
    module.setattr("__file__", file.display().to_string())?;
    user_code::with_folder(py, folder, true, || {
        py.import("sys")?.getattr("modules")?.set_item(MODULE, &module)?;
        let collecting = py.import("clockwork.resources.base")?.getattr("collecting")?;
        let context = collecting.call1((constructed,))?;
        context.call_method0("__enter__")?;
        let done = py.import("builtins")?.call_method1("exec", (code, module.dict()));
        context.call_method1("__exit__", (py.None(), py.None(), py.None()))?;
        done
    })?;
    Ok(module)
}

/// Finds resources in values, each once.
struct Collector<'py> {
    group: Bound<'py, PyAny>,
    found: Vec<Py<PyAny>>,
    groups: Vec<Bound<'py, PyAny>>,
    seen: HashSet<usize>,
}

impl<'py> Collector<'py> {
    fn new(py: Python<'py>) -> PyResult<Self> {
        let group = py.import("clockwork.resources.group")?.getattr("Group")?;
        Ok(Self { group, found: Vec::new(), groups: Vec::new(), seen: HashSet::new() })
    }

    fn is_group(&self, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        match value.is_instance(&self.group) {
            // A proxy for an object that does not exist yet, such as Flask's `request`.
            Err(error) if !errors::is_interrupt(value.py(), &error) => Ok(false),
            answer => answer,
        }
    }

    /// Collects a resource, or those in a group, list, tuple, set or dictionary. Returns false for any other value.
    fn collect(&mut self, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        let is_resource = value.is_instance_of::<Resource>();
        let is_group = self.is_group(value)?;
        let is_collection = value.is_instance_of::<PyList>()
            || value.is_instance_of::<PyTuple>()
            || value.is_instance_of::<PySet>()
            || value.is_instance_of::<PyFrozenSet>();
        let dict = value.cast::<PyDict>().ok();
        if !(is_resource || is_group || is_collection || dict.is_some()) {
            return Ok(false);
        }
        if !self.seen.insert(value.as_ptr() as usize) {
            return Ok(true);
        }
        if is_resource {
            if value.getattr("_origin")?.getattr("discarded")?.is_truthy()? {
                return Ok(true);
            }
            self.found.push(value.clone().unbind());
            // Dependencies are deployed too, even if no name is bound to them.
            for need in resource::needs(value)? {
                self.collect(&need)?;
            }
        } else if is_group {
            self.groups.push(value.clone());
            for part in ["members", "depends_on"] {
                for value in value.getattr(part)?.try_iter()? {
                    self.collect(&value?)?;
                }
            }
        } else if let Some(dict) = dict {
            for value in dict.values() {
                self.collect(&value)?;
            }
        } else {
            for value in value.try_iter()? {
                self.collect(&value?)?;
            }
        }
        Ok(true)
    }
}

/// Puts the resources in order, and checks that there are any and that none is declared twice.
///
/// `source` is the name of the file that defines them.
fn finish(
    py: Python<'_>,
    collector: Collector<'_>,
    folder: &Path,
    source: Option<String>,
) -> PyResult<PyProject> {
    let shown = source.as_deref().unwrap_or("the list");
    let mut resources = collector.found;
    // The order is that of construction: a set has no order, and a list may name
    // its members in another one.
    resources.sort_by_key(|resource| {
        let origin = resource.bind(py).getattr("_origin");
        origin.and_then(|origin| origin.getattr("order")?.extract::<Vec<u64>>()).unwrap_or(vec![u64::MAX])
    });
    if resources.is_empty() {
        let message = format!(
            "{shown} defines no resources: bind one to a name, such as\n  \
             hello = FileResource(name=\"hello.txt\", content=\"Hello\")"
        );
        return Err(errors::exception(py, "NoResourcesError", &message));
    }
    for resource in &resources {
        resource::set_folder(resource.bind(py), folder)?;
    }
    check_groups(py, &collector.groups, &resources, shown)?;
    let declared = declare(py, &resources)?;
    check_addresses(py, &declared, &resources, shown)?;
    let order = workflow::order(&declared).or_raise(py)?;
    let mut places = vec![0; order.len()];
    order.iter().enumerate().for_each(|(new, old)| places[*old] = new);
    let declared = order.iter().map(|&place| {
        let declared = &declared[place];
        let needs = declared.needs.iter().map(|need| places[*need]).collect();
        DeclaredResource { needs, ..declared.clone() }
    });
    Ok(PyProject {
        folder: folder.to_path_buf(),
        source,
        declared: declared.collect(),
        resources: order.iter().map(|&place| resources[place].clone_ref(py)).collect(),
        compiler: None,
        requests: Mutex::default(),
        is_inside: false,
    })
}

/// Converts resources for the core. Their dependencies are among them.
fn declare(py: Python<'_>, resources: &[Py<PyAny>]) -> PyResult<Vec<DeclaredResource>> {
    let places: HashMap<usize, usize> =
        resources.iter().enumerate().map(|(place, resource)| (resource.as_ptr() as usize, place)).collect();
    let mut all = Vec::with_capacity(resources.len());
    for resource in resources {
        let resource = resource.bind(py);
        let mut needs = Vec::new();
        for need in resource::needs(resource)? {
            let place = places.get(&(need.as_ptr() as usize)).copied();
            needs.extend(place.filter(|place| !needs.contains(place)));
        }
        all.push(DeclaredResource {
            address: resource::address(resource)?,
            renamed_from: resource.getattr("renamed_from")?.extract()?,
            group: resource::group(resource)?,
            needs,
            defined_at: resource::defined_at(resource)?,
        });
    }
    Ok(all)
}

/// Checks that no two resources of a host have the same address.
fn check_addresses(
    py: Python<'_>,
    declared: &[DeclaredResource],
    resources: &[Py<PyAny>],
    shown: &str,
) -> PyResult<()> {
    let mut seen: HashMap<&Address, Vec<usize>> = HashMap::new();
    let on = |place: usize| -> PyResult<Option<Vec<String>>> {
        resources[place].bind(py).call_method0("_on_hosts")?.extract()
    };
    for (place, resource) in declared.iter().enumerate() {
        let others = seen.entry(&resource.address).or_default();
        for &other in others.iter() {
            let meet = match (on(other)?, on(place)?) {
                (Some(one), Some(two)) => one.iter().any(|host| two.contains(host)),
                _ => true,
            };
            if !meet {
                continue;
            }
            let at = |place: usize| {
                declared[place].defined_at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default()
            };
            let message = format!(
                "{shown} defines {} twice{}{}: give one of them another name, or put them on different hosts with on=",
                resource.address,
                at(other),
                at(place).replacen(" (", " and (", 1)
            );
            return Err(errors::exception(py, "DuplicateResourceError", &message));
        }
        others.push(place);
    }
    Ok(())
}

/// Checks that no two groups have the same name, and that no resource is in two groups.
fn check_groups<'py>(
    py: Python<'py>,
    found: &[Bound<'py, PyAny>],
    resources: &[Py<PyAny>],
    shown: &str,
) -> PyResult<()> {
    // A group counts even if only its resources are bound to names.
    let mut all: Vec<Bound<'py, PyAny>> = found.to_vec();
    for resource in resources {
        all.extend(resource::groups(resource.bind(py))?);
    }
    let mut paths = HashMap::new();
    for group in &all {
        let path: String = group.getattr("path")?.extract()?;
        let message = format!(
            "{shown} defines the group '{}' twice: give one of them another name",
            path.escape_debug()
        );
        if !paths.entry(path).or_insert(group).is(group) {
            return Err(errors::exception(py, "DuplicateResourceError", &message));
        }
    }
    for group in found {
        for resource in group.getattr("resources")?.try_iter()? {
            let resource = resource?;
            if resource::groups(&resource)?.iter().any(|around| around.is(group)) {
                continue;
            }
            let message = format!(
                "{} is in the group '{}', and nothing is in two: make the group '{}' without it",
                resource::address(&resource)?,
                resource::group(&resource)?.unwrap_or_default().escape_debug(),
                group.getattr("path")?.extract::<String>()?.escape_debug()
            );
            return Err(errors::exception(py, "InvalidResourceError", &message));
        }
    }
    Ok(())
}

/// Converts an exception of main.py to a `LoadError` that shows the user's own frames.
fn explain(py: Python<'_>, error: PyErr, shown: &str, folder: &Path) -> PyErr {
    if errors::is_interrupt(py, &error) {
        return error;
    }
    let explained = || -> PyResult<PyErr> {
        if traceback::is_validation_error(py, &error) {
            let class: String = error.value(py).getattr("title")?.extract()?;
            let name = traceback::name_of_invalid(py, &error);
            let resource =
                name.map_or_else(|| class.clone(), |name| format!("{class} '{}'", name.escape_debug()));
            // Source lines are left out, because they could show secret values.
            let place = traceback::frames(py, &error, folder, false)?;
            let messages = traceback::validation_messages(py, &error)?.join("\n  ");
            let message = format!("{resource} is not valid\n  {messages}\n{}", place.join("\n"));
            return Ok(errors::exception(py, "InvalidResourceError", message.trim_end()));
        }
        if error.get_type(py).name()? == "InvalidResourceError" && errors::is_ours(py, &error) {
            // The error of a group has a complete message.
            let place = traceback::frames(py, &error, folder, true)?;
            let message = format!("{}\n{}", error.value(py).str()?, place.join("\n"));
            return Ok(errors::exception(py, "InvalidResourceError", message.trim_end()));
        }
        let syntax = error.is_instance_of::<PySyntaxError>(py) && error.traceback(py).is_none();
        let message = if syntax {
            format!("{shown} does not parse\n{}", traceback::exception_lines(py, &error)?.join("\n"))
        } else {
            format!("{shown} stopped with an error\n{}", traceback::user_frames(py, &error, folder)?)
        };
        Ok(errors::exception(py, "LoadError", &message))
    };
    match explained() {
        Ok(explained) => {
            explained.set_cause(py, Some(error));
            explained
        }
        Err(error) => error,
    }
}
