//! The Python module `clockwork._core`: converts, detaches from the interpreter, calls the core,
//! maps the error.

mod check;
mod cli;
mod engine;
mod errors;
mod load;
mod local_model;
mod network;
mod operation;
mod options;
mod progress;
mod project;
mod question;
mod resource;
mod run;
mod script_runner;
mod secrets;
mod session;
mod sigint;
mod stdio;
mod traceback;
mod user_code;
mod wait;
mod watching;

use pyo3::prelude::*;

/// The Python module `clockwork._core`.
#[pymodule]
mod _core {
    use std::path::PathBuf;

    use clockwork_core::cli::Verb;
    use clockwork_core::graph::{Graph, GraphFormat};
    use clockwork_core::resource::Address;
    use clockwork_core::workflow::{self, ports::Approver};
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;
    use pyo3::types::{PyDict, PyString};
    use pythonize::depythonize;

    #[pymodule_export]
    use crate::resource::Resource;

    #[pymodule_export]
    use crate::script_runner::{Cancel, preload, run_script};

    #[pymodule_export]
    use crate::sigint::Sigint;

    #[pymodule_export]
    use crate::watching::Watcher;

    use crate::errors::OrRaise;
    use crate::options::{self, CallableApprover, Keywords, settings};
    use crate::progress::observer;
    use crate::project::PySource;
    use crate::{cli, errors, load};

    /// Resources, and for each the indexes of those that it needs and the path of its group.
    type Parts = (Vec<Py<PyAny>>, Vec<Vec<usize>>, Vec<Option<String>>);

    #[pymodule_export]
    const VERSION: &str = clockwork_core::VERSION;

    #[pymodule_export]
    const DEFAULT_INVENTORY: &str = clockwork_core::compile::DEFAULT_INVENTORY;

    /// Runs the command line, and returns the exit status.
    #[pyfunction]
    #[expect(clippy::needless_pass_by_value, reason = "an argument from Python is owned")]
    fn main(py: Python<'_>, arguments: Vec<String>) -> PyResult<u8> {
        cli::main(py, &arguments)
    }

    /// Runs the workflow; see `clockwork.core.ClockworkCore`.
    #[pyfunction]
    #[expect(clippy::too_many_arguments, reason = "called from one place, in Python")]
    #[expect(clippy::needless_pass_by_value, reason = "an argument from Python is owned")]
    fn run<'py>(
        py: Python<'py>,
        command: &str,
        source: Bound<'py, PyAny>,
        options: &Bound<'py, PyDict>,
        overrides: &Bound<'py, PyDict>,
        compiler: Option<Bound<'py, PyAny>>,
        progress: Option<Py<PyAny>>,
        approve: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(verb) = Verb::parse(command) else {
            return Err(PyValueError::new_err(format!("there is no command {command:?}")));
        };
        let keywords: Keywords = depythonize(options)?;
        let (saved, source) = match options::saved_plan(&source, verb)? {
            Some(saved) => {
                let main = PyString::new(py, &saved.source.to_string_lossy()).into_any();
                (Some(saved), main)
            }
            None => (None, source),
        };
        let mut options = keywords.options(verb, &source, settings(overrides)?)?;
        if let Some(saved) = saved {
            if options.prune || !options.targets.is_empty() {
                let message = "a plan says by itself what is pruned and what it is limited to: give prune and target \
                               to clockwork.plan";
                return Err(PyValueError::new_err(message));
            }
            options.run_saved(saved);
        }
        let approver = approve.map(|callable| CallableApprover { callable, prune: options.prune });
        let approver = approver.as_ref().map(|approver| approver as &dyn Approver);
        let source = PySource::new(&source, compiler.as_ref());
        let report = crate::run::run(py, &source, &options, approver, &observer(progress))?;
        let Some(failure) = &report.failure else { return crate::run::to_result(py, &report) };
        let result = crate::run::to_result(py, &report)?;
        Err(errors::exception_with(py, &failure.class, &failure.message, Some(result)))
    }

    /// Loads a project, and returns its dependency graph; see `clockwork.graph`.
    #[pyfunction]
    fn graph(source: &Bound<'_, PyAny>) -> PyResult<Parts> {
        let project = load::load(source)?;
        let Graph { needs, groups, .. } = workflow::graph(&project.declared);
        Ok((project.resources, needs, groups))
    }

    /// Writes a graph, its resources given by kind and name, as `mermaid`, `dot` or `svg`.
    #[pyfunction]
    fn draw(
        resources: Vec<(String, String)>,
        needs: Vec<Vec<usize>>,
        groups: Vec<Option<String>>,
        format: &str,
    ) -> PyResult<String> {
        let count = resources.len();
        if needs.len() != count || groups.len() != count || needs.iter().flatten().any(|need| *need >= count)
        {
            return Err(PyValueError::new_err("needs and groups do not fit the resources"));
        }
        let format = match format {
            "mermaid" => GraphFormat::Mermaid,
            "dot" => GraphFormat::Dot,
            "svg" => GraphFormat::Svg,
            _ => return Err(PyValueError::new_err(format!("there is no format {format:?}"))),
        };
        let nodes = resources.into_iter().map(|(kind, name)| Address { kind, name }).collect();
        Ok(Graph { nodes, needs, groups }.write(format))
    }

    /// Makes a path absolute.
    #[pyfunction]
    #[pyo3(name = "_resolve")]
    #[expect(clippy::needless_pass_by_value, reason = "an argument from Python is owned")]
    fn resolve(path: &str, folder: PathBuf) -> PyResult<String> {
        clockwork_core::compile::path::resolve(path, &folder).map_err(PyValueError::new_err)
    }

    /// Compiles resources with their artifacts and writes the files.
    #[pyfunction]
    #[expect(clippy::needless_pass_by_value, reason = "an argument from Python is owned")]
    fn compile(
        py: Python<'_>,
        resources: &Bound<'_, PyAny>,
        artifacts: &Bound<'_, PyDict>,
        inventory: String,
        output_dir: PathBuf,
        with_deploy: bool,
    ) -> PyResult<()> {
        let project = load::load(resources)?;
        let mut by_address = Vec::new();
        for declared in &project.declared {
            let bare = declared.address.name.rsplit('/').next().unwrap_or_default();
            let whole = format!("{}/{bare}", declared.address.kind);
            let given = artifacts.get_item(whole)?;
            if let Some(artifact) = given.map_or_else(|| artifacts.get_item(bare), |own| Ok(Some(own)))? {
                by_address.push((declared.address.clone(), depythonize(&artifact)?));
            }
        }
        workflow::compile_to(&project, &by_address, inventory, &output_dir, with_deploy).or_raise(py)
    }
}
