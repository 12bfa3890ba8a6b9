//! The Python module `clockwork._core`: converts, detaches from the interpreter, calls the core,
//! maps the error.

mod cli;
mod deploy;
mod errors;
mod generation;
mod invocation;
mod load;
mod local_model;
mod pipeline;
mod progress;
mod resource;
mod seam;
mod stdio;
mod traceback;
mod user_code;
mod wait;

use pyo3::prelude::*;

/// What Python imports as `clockwork._core`.
#[pymodule]
mod _core {
    use std::path::PathBuf;

    use clockwork_core::cli::Verb;
    use clockwork_core::generate::Regenerate;
    use clockwork_core::settings::Overrides;
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;
    use pyo3::types::PyDict;
    use pythonize::depythonize;

    #[pymodule_export]
    use crate::resource::Resource;

    #[pymodule_export]
    use crate::seam::{Cancel, preload, run_script};

    use crate::invocation::Invocation;
    use crate::pipeline;
    use crate::progress::observer;
    use crate::{cli, errors};

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
    #[expect(clippy::too_many_arguments, reason = "each is an argument of a method of ClockworkCore")]
    fn run<'py>(
        py: Python<'py>,
        command: &str,
        source: Bound<'py, PyAny>,
        dry_run: bool,
        fail_fast: bool,
        regenerate: &Bound<'py, PyAny>,
        locked: bool,
        overrides: &Bound<'py, PyDict>,
        compiler: Option<Bound<'py, PyAny>>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(verb) = Verb::parse(command) else {
            return Err(PyValueError::new_err(format!("there is no command {command:?}")));
        };
        let overrides: Overrides = depythonize(overrides)?;
        let observer = observer(progress);
        let regenerate = match regenerate.extract::<bool>() {
            Ok(false) => Regenerate::None,
            Ok(true) => Regenerate::All,
            Err(_) => Regenerate::Names(regenerate.extract()?),
        };
        let invocation = Invocation {
            verb,
            source,
            dry_run,
            fail_fast,
            overrides,
            regenerate,
            locked,
            compiler,
            observer,
        };
        let report = pipeline::run(py, &invocation)?;
        let result = pipeline::to_python(py, &report)?;
        let Some(failure) = report.failure else { return Ok(result) };
        let result =
            py.import("clockwork.results")?.getattr("Result")?.call_method1("from_dict", (result,))?;
        Err(errors::exception_with(py, failure.class, &failure.message, Some(result)))
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
        pipeline::compile_to(py, resources, artifacts, inventory, &output_dir, with_deploy)
    }
}
