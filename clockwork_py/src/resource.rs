//! The base class of Python's `Resource`, and the conversion of resources to the core's
//! types.

use std::path::{Path, PathBuf};

use clockwork_core::compile::{self, Hosts, Phase};
use clockwork_core::hash;
use clockwork_core::intent::SecretValues;
use clockwork_core::operation::Step;
use clockwork_core::redact::SHORTEST_SECRET;
use clockwork_core::resource::{Address, Artifact, CompiledResource};
use clockwork_core::state::{self, Removal};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pythonize::{depythonize, pythonize};
use serde_json::{Map, Value};

use crate::operation::Reader;
use crate::{errors, secrets, traceback};

/// The behaviour of all resources. Their fields are Pydantic's.
///
/// It has no constructor and no layout of its own, so that it can be combined with `BaseModel`. With a
/// `#[new]`, `copy.deepcopy` of a resource fails.
#[pyclass(subclass, frozen, module = "clockwork._core")]
pub struct Resource;

#[pymethods]
impl Resource {
    /// The pyinfra code that deploys this resource.
    ///
    /// Args:
    ///     artifacts: The artifacts, by the resources' names.
    fn to_pyinfra_operations(slf: &Bound<'_, Self>, artifacts: &Bound<'_, PyAny>) -> PyResult<String> {
        render(slf, Phase::Deploy, Some(artifacts))
    }

    /// The pyinfra code that destroys this resource.
    ///
    /// Args:
    ///     artifacts: The artifacts, by the resources' names. It may be missing.
    #[pyo3(signature = (artifacts=None))]
    fn to_pyinfra_destroy_operations(
        slf: &Bound<'_, Self>,
        artifacts: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<String> {
        render(slf, Phase::Destroy, artifacts)
    }
}

/// Renders the operations of a resource as pyinfra code.
fn render(slf: &Bound<'_, Resource>, phase: Phase, artifacts: Option<&Bound<'_, PyAny>>) -> PyResult<String> {
    let py = slf.py();
    let address = address(slf)?;
    let name: String = slf.getattr("name")?.extract()?;
    let artifact =
        artifacts.filter(|artifacts| !artifacts.is_none()).map(|artifacts| artifacts.get_item(&name));
    let completed = match artifact {
        Some(Ok(artifact)) => slf.call_method1("_completed", (artifact,))?,
        _ => slf.as_any().clone(),
    };
    if work_of(slf, phase)? == Form::None && !has_data(slf, phase)? {
        let message = format!(
            "{address} does not say what to do: give operations in {0}(self), or override {1}(self, artifacts) in {2} \
             and return pyinfra code",
            data_method(phase),
            method(phase),
            address.kind
        );
        return Err(errors::exception(py, "CompileError", &message));
    }
    let mut secrets = SecretValues::default();
    let steps = data(&completed, phase, &name, &mut secrets)?;
    Ok(compile::code_of(&steps))
}

/// The form of a kind's work for a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Operations.
    Data,
    /// pyinfra code.
    Code,
    /// The kind gives none.
    None,
}

/// The form of a resource's work: that of the most derived class that gives any.
pub fn work_of(resource: &Bound<'_, PyAny>, phase: Phase) -> PyResult<Form> {
    let py = resource.py();
    let base = py.import("clockwork.resources.base")?.getattr("Resource")?;
    for class in resource.get_type().mro() {
        if class.is(&base) {
            break;
        }
        let own = class.getattr("__dict__")?;
        if own.contains(method(phase))? {
            return Ok(Form::Code);
        }
        if own.contains(data_method(phase))? {
            return Ok(Form::Data);
        }
    }
    Ok(Form::None)
}

/// Returns true if any class of the resource gives operations, even if a subclass returns code instead.
fn has_data(resource: &Bound<'_, PyAny>, phase: Phase) -> PyResult<bool> {
    let base = resource.py().import("clockwork.resources.base")?.getattr("Resource")?;
    let own = resource.get_type().getattr(data_method(phase))?;
    Ok(!own.is(&base.getattr(data_method(phase))?))
}

/// The operations of a completed resource.
fn data(
    completed: &Bound<'_, PyAny>,
    phase: Phase,
    name: &str,
    secrets: &mut SecretValues,
) -> PyResult<Vec<Step>> {
    if phase == Phase::Deploy {
        let open: Vec<String> = completed.call_method0("_open_fields")?.extract()?;
        let wanted = completed.call_method0("needs_artifact_generation")?.is_truthy()?;
        for field in open.iter().filter(|_| wanted) {
            if completed.getattr(field)?.is_none() {
                let message = format!(
                    "{} has no {field} yet: let the model write it first, or give it yourself",
                    address(completed)?
                );
                return Err(errors::exception(completed.py(), "CompileError", &message));
            }
        }
    }
    let operations = completed.call_method0(data_method(phase))?;
    Reader { resource: name, secrets }.steps(&operations)
}

/// Compiles a resource: its steps, its identity, and the values for the state. Returns it with the fields that differ
/// from their defaults, secrets included.
pub fn compile(
    resource: &Bound<'_, PyAny>,
    artifact: Option<&Artifact>,
    artifacts: &Bound<'_, PyDict>,
    with_deploy: bool,
    folder: &Path,
    secrets: &mut SecretValues,
) -> PyResult<(CompiledResource, Map<String, Value>)> {
    let py = resource.py();
    let address = address(resource)?;
    let name: String = resource.getattr("name")?.extract()?;
    let call = |on: &Bound<'_, PyAny>, method: &str| -> PyResult<Py<PyAny>> {
        on.call_method0(method)
            .map(Bound::unbind)
            .map_err(|error| explain(py, error, &address, method, folder))
    };
    let completed = match artifact {
        Some(artifact) => resource.call_method1("_completed", (pythonize(py, artifact)?,))?,
        None => resource.clone(),
    };
    let mut steps = |phase: Phase| -> PyResult<Option<Vec<Step>>> {
        match work_of(resource, phase)? {
            Form::Code => {
                let code = code(resource, phase, artifacts, folder)?;
                // Code from `super()` names the secrets of the operations that it was rendered from.
                if code.contains("secret(") && has_data(resource, phase)? {
                    data(&completed, phase, &name, secrets)?;
                }
                Ok(Some(vec![Step::Code(code)]))
            }
            Form::Data => data(&completed, phase, &name, secrets)
                .map(Some)
                .map_err(|error| explain(py, error, &address, data_method(phase), folder)),
            Form::None if phase == Phase::Destroy => Ok(None),
            Form::None => Ok(Some(vec![Step::Code(code(resource, phase, artifacts, folder)?)])),
        }
    };
    let deploy = if with_deploy { steps(Phase::Deploy)?.unwrap_or_default() } else { Vec::new() };
    let destroy = steps(Phase::Destroy)?;
    let text = |object: Py<PyAny>| -> PyResult<Vec<String>> {
        object.bind(py).try_iter()?.map(|item| item?.extract()).collect()
    };
    let identity: String = call(&completed, "identity")?.extract(py)?;
    let fields: Map<String, Value> = depythonize(&completed.call_method0("_kept_fields")?)?;
    let values: Map<String, Value> = depythonize(&completed.call_method0("_changed_fields")?)?;
    let declared: Vec<String> = resource.call_method0("_secrets")?.extract()?;
    let mut hidden: Vec<String> = declared.clone();
    if work_of(resource, Phase::Destroy)? == Form::Code {
        // Code can hold a secret in any spelling. Values that only look like secrets are hidden in it too.
        hidden.extend(state::hidden(&fields));
    }
    hidden.retain(|secret| secret.chars().count() >= SHORTEST_SECRET && *secret != name);
    let on: Option<Vec<String>> = resource.call_method0("_on_hosts")?.extract()?;
    let own_code = match deploy.as_slice() {
        [Step::Code(code)] => Some(hash::sha256(code.as_bytes())),
        _ => None,
    };
    let mut compiled = CompiledResource::new(address.clone(), identity);
    compiled.claims = text(call(&completed, "claims")?)?;
    compiled.uses = text(call(&completed, "uses")?)?;
    compiled.group = group(resource)?;
    compiled.protect = resource.getattr("protect")?.is_truthy()?;
    compiled.hosts = on.map_or(Hosts::All, Hosts::Only);
    compiled.removal = removal(py, destroy.as_deref(), &hidden)?;
    compiled.deploy = deploy;
    compiled.destroy = destroy;
    compiled.fields = state::shown(&fields);
    compiled.given = values.keys().cloned().collect();
    compiled.code_fingerprint = own_code;
    compiled.text_field = resource.call_method0("_text_field")?.extract()?;
    compiled.executes = resource.call_method0("_executes")?.extract()?;
    compiled.secrets = declared;
    compiled.defined_at = defined_at(resource)?;
    Ok((compiled, values))
}

/// The part of the destroy steps that the state may keep.
fn removal(py: Python<'_>, destroy: Option<&[Step]>, hidden: &[String]) -> PyResult<Removal> {
    let Some(steps) = destroy else { return Ok(Removal::Unknown) };
    for step in steps {
        let holds = match step {
            Step::Code(code) => secrets::contains(py, code, hidden)?,
            Step::Operation(operation) => {
                let text = serde_json::to_string(operation).unwrap_or_default();
                hidden.iter().any(|secret| text.contains(secret.as_str()))
            }
        };
        if holds {
            return Ok(Removal::Secret);
        }
    }
    Ok(Removal::Steps(steps.to_vec()))
}

/// The name of the method that returns pyinfra code for a phase.
fn method(phase: Phase) -> &'static str {
    match phase {
        Phase::Deploy => "to_pyinfra_operations",
        Phase::Destroy => "to_pyinfra_destroy_operations",
    }
}

/// The name of the method that gives operations for a phase.
fn data_method(phase: Phase) -> &'static str {
    match phase {
        Phase::Deploy => "operations",
        Phase::Destroy => "destroy_operations",
    }
}

/// The place where a resource is defined, such as `main.py, line 3`.
pub fn defined_at(resource: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    resource.getattr("_origin")?.getattr("defined_at")?.extract()
}

/// The address of a resource.
pub fn address(resource: &Bound<'_, PyAny>) -> PyResult<Address> {
    let kind = resource.get_type().name()?.to_string();
    Ok(Address { kind, name: resource.call_method0("_qualified_name")?.extract()? })
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

/// All dependencies of a resource, its own and those of its groups.
pub fn needs<'py>(resource: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    resource.call_method0("_needs")?.try_iter()?.collect()
}

/// The folder against which a resource's relative paths are resolved.
pub fn folder(resource: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    let folder: Option<PathBuf> = resource.getattr("_origin")?.getattr("folder")?.extract()?;
    folder.map_or_else(|| std::env::current_dir().map_err(Into::into), Ok)
}

/// Sets the folder of the main.py that defines a resource.
pub fn set_folder(resource: &Bound<'_, PyAny>, folder: &Path) -> PyResult<()> {
    resource
        .getattr("_origin")?
        .setattr("folder", resource.py().import("pathlib")?.call_method1("Path", (folder,))?)
}

/// Converts an exception of the user's code to a `CompileError` that names the resource and the method.
///
/// Errors of Clockwork's own and interrupts are returned unchanged.
pub fn explain(py: Python<'_>, error: PyErr, address: &Address, method: &str, project: &Path) -> PyErr {
    if errors::is_ours(py, &error) || errors::is_interrupt(py, &error) {
        return error;
    }
    match traceback::user_frames(py, &error, project) {
        Ok(user) => {
            let message = format!("{address} cannot be compiled: its {method} raised an error\n{user}");
            let explained = errors::exception(py, "CompileError", &message);
            explained.set_cause(py, Some(error));
            explained
        }
        Err(error) => error,
    }
}

/// Calls a resource's method for the code of a phase, and checks that the code is Python.
fn code(
    resource: &Bound<'_, PyAny>,
    phase: Phase,
    artifacts: &Bound<'_, PyDict>,
    project: &Path,
) -> PyResult<String> {
    let py = resource.py();
    let address = address(resource)?;
    let failed = |reason: &str| {
        errors::exception(py, "CompileError", &format!("{address} cannot be compiled: {reason}"))
    };
    let code = resource
        .call_method1(method(phase), (artifacts,))
        .map_err(|error| explain(py, error, &address, method(phase), project))?;
    let Ok(code) = code.cast::<PyString>() else {
        let class = code.get_type().name()?.to_string();
        return Err(failed(&format!(
            "its {} returned {class}, where pyinfra code as a str is wanted",
            method(phase)
        )));
    };
    as_module(py, code.to_str()?).map_err(|error| {
        let reason = error.value(py).to_string();
        failed(&format!("what its {} returned is not Python: {reason}", method(phase)))
    })
}

/// Removes the common indentation of code that was written inside a method, as in the
/// documentation's examples. Code that parses unchanged is returned unchanged.
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
