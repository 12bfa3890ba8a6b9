//! The local model, which needs no key: downloaded with pip, and run on this machine.

use std::sync::Arc;

use clockwork_core::event::{Event, Observer};
use clockwork_core::llm::Endpoint;
use clockwork_core::settings::Model;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use crate::wait::check_signals;

/// The name of the download, as the user sees it.
const WHAT: &str = "local model";

/// Downloads the local model if it is missing, and returns its path.
pub fn pull(py: Python<'_>, observer: &Arc<dyn Observer>) -> PyResult<String> {
    let observer = Arc::clone(observer);
    let progress = PyCFunction::new_closure(
        py,
        None,
        None,
        move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<()> {
            check_signals(args.py())?;
            let (bytes, total) = args.extract()?;
            observer.observe(&Event::Download { what: WHAT.to_owned(), bytes, total });
            Ok(())
        },
    )?;
    let path = py.import("clockwork.local_model")?.call_method1("pull", (progress,))?;
    path.str()?.extract()
}

/// Starts the local model that the settings name.
pub fn start(py: Python<'_>, model: &Model, observer: &Arc<dyn Observer>) -> PyResult<Endpoint> {
    let module = py.import("clockwork.local_model")?;
    // A missing runtime is reported before the download.
    module.call_method0("require_runtime")?;
    let own = if let Model::Local(Some(path)) = model { Some(path) } else { None };
    let path = own.map_or_else(|| pull(py, observer), |path| Ok(path.display().to_string()))?;
    let server = module.call_method1("LocalServer", (path,))?;
    let base_url: String = server.getattr("base_url")?.extract()?;
    let name: String = server.getattr("model")?.extract()?;
    Ok(if own.is_some() { Endpoint::local(&base_url, &name) } else { Endpoint::small(&base_url, &name) })
}
