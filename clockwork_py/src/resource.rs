//! The base class that Rust gives to Python's `Resource`, and the way from such an object to what
//! the core works with.

use std::path::{Path, PathBuf};

use clockwork_core::compile::{Phase, kinds};
use clockwork_core::redact::SHORTEST_SECRET;
use clockwork_core::resource::{Address, Artifact};
use clockwork_core::state;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pythonize::{depythonize, pythonize};
use serde_json::{Map, Value};

use crate::{errors, traceback};

/// The behaviour of all resources. Their fields are Pydantic's.
///
/// It has no constructor and no layout of its own, so that it mixes with `BaseModel`; with a
/// `#[new]`, `copy.deepcopy` of a resource fails.
#[pyclass(subclass, frozen, module = "clockwork._core")]
pub struct Resource;

#[pymethods]
impl Resource {
    /// Whether the model has to write something for this resource.
    fn needs_artifact_generation(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let field: Option<String> = slf.getattr("__artifact_field__")?.extract()?;
        field.map_or(Ok(false), |field| Ok(slf.getattr(field)?.is_none()))
    }

    /// The pyinfra code that brings this resource up.
    ///
    /// Args:
    ///     artifacts: What the model wrote, by the resources' names.
    fn to_pyinfra_operations(slf: &Bound<'_, Self>, artifacts: &Bound<'_, PyAny>) -> PyResult<String> {
        render(slf, Phase::Deploy, Some(artifacts))
    }

    /// The pyinfra code that takes this resource down.
    ///
    /// Args:
    ///     artifacts: What the model wrote, by the resources' names; may be missing.
    #[pyo3(signature = (artifacts=None))]
    fn to_pyinfra_destroy_operations(
        slf: &Bound<'_, Self>,
        artifacts: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<String> {
        render(slf, Phase::Destroy, artifacts)
    }
}

fn render(slf: &Bound<'_, Resource>, phase: Phase, artifacts: Option<&Bound<'_, PyAny>>) -> PyResult<String> {
    let py = slf.py();
    let address = address(slf)?;
    let template: Option<String> = slf.getattr("__template__")?.extract()?;
    let Some(template) = template else {
        let method = method(phase);
        let message = format!(
            "{address} does not say what to do: override {method}(self, artifacts) in {} and return pyinfra code",
            address.kind
        );
        return Err(errors::exception(py, "CompileError", &message));
    };
    let mut fields: Map<String, Value> = depythonize(&slf.call_method0("_plain_fields")?)?;
    let artifact =
        artifacts.filter(|artifacts| !artifacts.is_none()).map(|artifacts| artifacts.get_item(&address.name));
    if let Some(Ok(artifact)) = artifact {
        complete(slf, &mut fields, &artifact)?;
    }
    if phase == Phase::Deploy && slf.call_method0("needs_artifact_generation")?.is_truthy()? {
        let missing =
            missing_fields(slf)?.into_iter().find(|field| fields.get(field).is_some_and(Value::is_null));
        if let Some(field) = missing {
            let message =
                format!("{address} has no {field} yet: let the model write it first, or give it yourself");
            return Err(errors::exception(py, "CompileError", &message));
        }
    }
    kinds::render(&template, phase, &address, &fields, &folder(slf)?).map_err(|error| errors::map(py, &error))
}

/// What the state keeps of a resource, and what it must not keep.
pub struct Kept {
    /// Its fields, completed by the model, without secrets.
    pub fields: Map<String, Value>,
    /// Its secrets, as far as they may stand in the code that takes it down.
    pub secrets: Vec<String>,
    /// What it declares to be secret, and nothing may tell.
    pub declared: Vec<String>,
}

/// What the state is to know of a resource.
pub fn kept(resource: &Bound<'_, PyAny>, artifact: Option<&Artifact>) -> PyResult<Kept> {
    let mut fields: Map<String, Value> = depythonize(&resource.call_method0("_kept_fields")?)?;
    let declared: Vec<String> = resource.call_method0("_secrets")?.extract()?;
    let mut secrets = declared.clone();
    // The code of a built-in kind names its fields, and none that is secret.
    if overrides(resource, Phase::Destroy)? {
        secrets.extend(state::hidden(&fields));
    } else {
        secrets.clear();
    }
    let name = resource.getattr("name")?.str()?.to_string();
    secrets.retain(|secret| secret.chars().count() >= SHORTEST_SECRET && *secret != name);
    let has_field = !resource.getattr("__artifact_field__")?.is_none();
    // What a kind of the user's own does with a text is its own business.
    if let Some(artifact) = artifact.filter(|artifact| has_field || matches!(artifact, Artifact::Object(_))) {
        complete(resource, &mut fields, &pythonize(resource.py(), artifact)?)?;
    }
    Ok(Kept { fields: state::shown(&fields), secrets, declared })
}

/// Puts what the model wrote into the fields that the user left out, and into no others.
fn complete(
    slf: &Bound<'_, PyAny>,
    fields: &mut Map<String, Value>,
    artifact: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let suggested: Map<String, Value> =
        match slf.getattr("__artifact_field__")?.extract::<Option<String>>()? {
            Some(field) => Map::from_iter([(field, depythonize(artifact)?)]),
            None => depythonize(artifact)?,
        };
    let set_by_user = slf.getattr("model_fields_set")?;
    // An older lock may hold more than was ever asked for.
    let wanted = missing_fields(slf)?;
    for (field, value) in suggested.into_iter().filter(|(field, _)| wanted.contains(field)) {
        let is_free = !set_by_user.contains(&field)?;
        if let Some(slot) = fields.get_mut(&field).filter(|slot| slot.is_null() || is_free) {
            *slot = value;
        }
    }
    Ok(())
}

/// The fields that the model can fill.
fn missing_fields(slf: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if let Some(field) = slf.getattr("__artifact_field__")?.extract::<Option<String>>()? {
        return Ok(vec![field]);
    }
    let model = slf.call_method0("answer_model")?;
    if model.is_none() {
        return Ok(Vec::new());
    }
    model.getattr("model_fields")?.try_iter()?.map(|field| field?.extract()).collect()
}

/// The name of the method that a phase calls.
fn method(phase: Phase) -> &'static str {
    match phase {
        Phase::Deploy => "to_pyinfra_operations",
        Phase::Destroy => "to_pyinfra_destroy_operations",
    }
}

/// What a resource is called.
pub fn address(resource: &Bound<'_, PyAny>) -> PyResult<Address> {
    let kind = resource.get_type().name()?.to_string();
    Ok(Address { kind, name: resource.getattr("name")?.str()?.to_string() })
}

/// The path of the group that a resource is in, such as `webapp/storage`.
pub fn group(resource: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let group = resource.getattr("_origin")?.getattr("group")?;
    if group.is_none() { Ok(None) } else { group.getattr("path")?.extract().map(Some) }
}

/// The groups that a resource is in, the innermost first.
pub fn groups<'py>(resource: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let group = resource.getattr("_origin")?.getattr("group")?;
    if group.is_none() { Ok(Vec::new()) } else { group.call_method0("and_around")?.try_iter()?.collect() }
}

/// All that a resource needs, by itself or through its groups.
pub fn needs<'py>(resource: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    resource.call_method0("_needs")?.try_iter()?.collect()
}

/// The folder against which a resource's relative paths are resolved.
pub fn folder(resource: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    let folder: Option<PathBuf> = resource.getattr("_origin")?.getattr("folder")?.extract()?;
    folder.map_or_else(|| std::env::current_dir().map_err(Into::into), Ok)
}

/// Tells a resource the folder of the main.py that it is defined in.
pub fn set_folder(resource: &Bound<'_, PyAny>, folder: &Path) -> PyResult<()> {
    resource
        .getattr("_origin")?
        .setattr("folder", resource.py().import("pathlib")?.call_method1("Path", (folder,))?)
}

/// Tells an error of the user's own code in the user's terms.
///
/// `method` is what was called. Errors that say by themselves what to do stay as they are.
pub fn blame(py: Python<'_>, error: PyErr, address: &Address, method: &str, project: &Path) -> PyErr {
    if errors::is_ours(py, &error) || errors::is_interrupt(py, &error) {
        return error;
    }
    match traceback::user_frames(py, &error, project) {
        Ok(user) => {
            let message = format!("{address} cannot be compiled: its {method} raised an error\n{user}");
            let blamed = errors::exception(py, "CompileError", &message);
            blamed.set_cause(py, Some(error));
            blamed
        }
        Err(error) => error,
    }
}

/// Gets a resource's code for one phase, and makes sure that it is Python.
///
/// `None` where the resource does not say how it is taken down.
pub fn code(
    resource: &Bound<'_, PyAny>,
    phase: Phase,
    artifacts: &Bound<'_, PyDict>,
    project: &Path,
) -> PyResult<Option<String>> {
    let py = resource.py();
    let address = address(resource)?;
    if phase == Phase::Destroy && !says_how_to_destroy(resource)? {
        return Ok(None);
    }
    let failed = |reason: &str| {
        errors::exception(py, "CompileError", &format!("{address} cannot be compiled: {reason}"))
    };
    let code = resource
        .call_method1(method(phase), (artifacts,))
        .map_err(|error| blame(py, error, &address, method(phase), project))?;
    let Ok(code) = code.cast::<PyString>() else {
        let class = code.get_type().name()?.to_string();
        return Err(failed(&format!(
            "its {} returned {class}, where pyinfra code as a str is wanted",
            method(phase)
        )));
    };
    let code = as_module(py, code.to_str()?).map_err(|error| {
        let reason = error.value(py).to_string();
        failed(&format!("what its {} returned is not Python: {reason}", method(phase)))
    })?;
    Ok(Some(code))
}

/// Whether a resource says how it is taken down: a built-in kind does, and an override does.
fn says_how_to_destroy(resource: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(!resource.getattr("__template__")?.is_none() || overrides(resource, Phase::Destroy)?)
}

/// Whether the code of a phase is the user's own, and not a template's.
pub fn overrides(resource: &Bound<'_, PyAny>, phase: Phase) -> PyResult<bool> {
    let method = method(phase);
    let inherited = resource.py().get_type::<Resource>().getattr(method)?;
    Ok(!resource.get_type().getattr(method)?.is(&inherited))
}

/// Takes off the margin that code has where it was written inside a method, as in the
/// documentation's examples; code that parses as it is stays as it is.
fn as_module(py: Python<'_>, code: &str) -> PyResult<String> {
    match parse(py, code) {
        Err(error) if error.get_type(py).name().is_ok_and(|name| name == "IndentationError") => {
            let flush: String = py.import("textwrap")?.call_method1("dedent", (code,))?.extract()?;
            parse(py, &flush)?;
            Ok(flush)
        }
        Err(error) => Err(error),
        Ok(()) => Ok(code.to_owned()),
    }
}

fn parse(py: Python<'_>, code: &str) -> PyResult<()> {
    py.import("builtins")?.call_method1("compile", (code, "<resource>", "exec"))?;
    Ok(())
}
