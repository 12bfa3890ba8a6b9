//! The Python module `clockwork._core`: converts, detaches from the interpreter, calls the core,
//! maps the error.

mod check;
mod cli;
mod compiling;
mod deploying;
mod engine;
mod errors;
mod generation;
mod invocation;
mod load;
mod local_model;
mod network;
mod options;
mod pipeline;
mod progress;
mod question;
mod resource;
mod seam;
mod secrets;
mod selection;
mod sigint;
mod stdio;
mod traceback;
mod user_code;
mod wait;
mod waiting;
mod watching;

use pyo3::prelude::*;

/// What Python imports as `clockwork._core`.
#[pymodule]
mod _core {
    use std::path::PathBuf;

    use clockwork_core::cli::Verb;
    use clockwork_core::graph::{Graph, GraphFormat};
    use clockwork_core::resource::Address;
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;
    use pyo3::types::PyDict;
    use pythonize::depythonize;

    #[pymodule_export]
    use crate::resource::Resource;

    #[pymodule_export]
    use crate::seam::{Cancel, preload, run_script};

    #[pymodule_export]
    use crate::sigint::Sigint;

    #[pymodule_export]
    use crate::watching::Watcher;

    use crate::options::{Callable, Options, settings};
    use crate::progress::observer;
    use crate::{cli, compiling, errors, load, pipeline};

    /// Resources, for each the places of those that it needs, and for each the path of its group.
    type Parts = (Vec<Py<PyAny>>, Vec<Vec<usize>>, Vec<Option<String>>);

    #[pymodule_export]
    const VERSION: &str = clockwork_core::VERSION;

    #[pymodule_export]
    const DEFAULT_INVENTORY: &str = clockwork_core::compile::DEFAULT_INVENTORY;

    /// Runs the command line and gives the exit status.
    #[pyfunction]
    #[expect(clippy::needless_pass_by_value, reason = "an argument from Python is owned")]
    fn main(py: Python<'_>, arguments: Vec<String>) -> PyResult<u8> {
        cli::main(py, &arguments)
    }

    /// Runs the pipeline; see `clockwork.core.ClockworkCore`.
    #[pyfunction]
    #[expect(clippy::too_many_arguments, reason = "called from one place, in Python")]
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
        let options: Options = depythonize(options)?;
        let mut invocation = options.invocation(verb, source, settings(overrides)?)?;
        invocation.compiler = compiler;
        invocation.observer = observer(progress);
        let is_limited = invocation.prune || !invocation.targets.is_empty();
        if invocation.read_plan(py)? && is_limited {
            let message = "a plan says by itself what is pruned and what it is limited to: give prune and target to \
                           clockwork.plan";
            return Err(PyValueError::new_err(message));
        }
        if let Some(callable) = approve {
            invocation.approver = Some(Box::new(Callable { callable, prune: invocation.prune }));
        }
        let report = pipeline::run(py, &invocation)?;
        let Some(failure) = &report.failure else { return pipeline::to_result(py, &report) };
        let result = pipeline::to_result(py, &report)?;
        Err(errors::exception_with(py, &failure.class, &failure.message, Some(result)))
    }

    /// Loads a project and tells which resource needs which; see `clockwork.graph`.
    #[pyfunction]
    fn graph(py: Python<'_>, source: &Bound<'_, PyAny>) -> PyResult<Parts> {
        let project = load::load(source)?;
        let Graph { needs, groups, .. } = load::graph(py, &project.resources)?;
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

    /// Makes a path absolute, as the templates of built-in kinds do.
    #[pyfunction]
    #[pyo3(name = "_resolve")]
    #[expect(clippy::needless_pass_by_value, reason = "an argument from Python is owned")]
    fn resolve(path: &str, folder: PathBuf) -> PyResult<String> {
        clockwork_core::compile::kinds::resolve(path, &folder).map_err(PyValueError::new_err)
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
        compiling::compile_to(py, resources, artifacts, inventory, &output_dir, with_deploy)
    }
}
