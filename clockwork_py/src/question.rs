//! The request of a resource to the model, and the check of the answer.

use std::path::Path;

use clockwork_core::resource::{Address, Artifact, ArtifactSize, ContextFile, ProjectResource, Request};
use pyo3::exceptions::{PyAssertionError, PyValueError};
use pyo3::prelude::*;
use pythonize::depythonize;
use serde_json::{Map, Value};

use crate::resource::{self, address, explain};
use crate::{errors, traceback};

/// The size limit of a context file, in bytes. Few models can read more at once.
const LARGEST_CONTEXT: usize = 256_000;

/// The request of a resource; `None` if it needs no artifact.
///
/// `project` are all resources of the project, by kind, name and purpose.
pub fn request(
    resource: &Bound<'_, PyAny>,
    project: &[ProjectResource],
    folder: &Path,
) -> PyResult<Option<Request>> {
    let py = resource.py();
    let address = address(resource)?;
    let call = |method: &str| {
        resource.call_method0(method).map_err(|error| explain(py, error, &address, method, folder))
    };
    if !call("needs_artifact_generation")?.is_truthy()? {
        return Ok(None);
    }
    let text_field: Option<String> = resource.call_method0("_text_field")?.extract()?;
    let instructions: Option<String> = resource.get_type().getattr("instructions")?.extract()?;
    let size = match resource.getattr_opt("size")? {
        Some(size) => depythonize(&size).unwrap_or_default(),
        None => ArtifactSize::default(),
    };
    let model = call("answer_model")?;
    let schema: Option<Value> =
        if model.is_none() { None } else { Some(depythonize(&model.call_method0("model_json_schema")?)?) };
    let connected = connected(resource, folder)?;
    let others = project.iter().filter(|other| other.kind != address.kind || other.name != address.name);
    let others = others.map(|other| {
        connected.iter().find(|c| c.kind == other.kind && c.name == other.name).unwrap_or(other).clone()
    });
    // If another resource has the former name now, it is not this one.
    let is_free =
        |name: &String| !project.iter().any(|other| other.kind == address.kind && other.name == *name);
    let placement: Vec<String> =
        resource.getattr("placement")?.try_iter()?.map(|name| name?.extract()).collect::<PyResult<_>>()?;
    let renamed_from: Option<String> = resource.getattr("renamed_from")?.extract()?;
    Ok(Some(Request {
        renamed_from: renamed_from.filter(is_free),
        text: text_field.is_some() && schema.is_none(),
        instructions: instructions.filter(|text| !text.trim().is_empty()),
        description: resource.getattr("description")?.extract()?,
        size,
        fields: given(resource, folder)?,
        placement,
        schema,
        context: context(resource, &address)?,
        project: others.collect(),
        address,
    }))
}

/// The resource as other questions of the project show it.
pub fn in_project(resource: &Bound<'_, PyAny>) -> PyResult<ProjectResource> {
    let Address { kind, name } = address(resource)?;
    let description: Option<String> = resource.getattr("description")?.extract()?;
    Ok(ProjectResource { kind, name, description, connected: false, fields: Map::new() })
}

/// The connected resources, with their fields.
fn connected(resource: &Bound<'_, PyAny>, folder: &Path) -> PyResult<Vec<ProjectResource>> {
    let others = resource.getattr("_origin")?.getattr("connected")?;
    others
        .try_iter()?
        .map(|other| {
            let other = other?;
            Ok(ProjectResource { connected: true, fields: given(&other, folder)?, ..in_project(&other)? })
        })
        .collect()
}

/// The fields that the user set.
fn given(resource: &Bound<'_, PyAny>, folder: &Path) -> PyResult<Map<String, Value>> {
    let fields = resource.call_method0("_given_fields");
    let explained = |error| Ok(explain(resource.py(), error, &address(resource)?, "fields", folder));
    let fields = fields.and_then(|fields| Ok(depythonize(&fields)?));
    fields.map_err(|error| explained(error).unwrap_or_else(|error: PyErr| error))
}

/// Reads the files that the user gives the model to read.
fn context(resource: &Bound<'_, PyAny>, address: &Address) -> PyResult<Vec<ContextFile>> {
    let paths: Vec<String> = resource.getattr("context")?.extract()?;
    let folder = resource::folder(resource)?;
    paths
        .into_iter()
        .map(|path| {
            let file = folder.join(&path);
            let failed = |reason: String| {
                let message = format!("{address} gives the model {} to read, {reason}", file.display());
                errors::exception(resource.py(), "InvalidResourceError", &message)
            };
            let bytes =
                std::fs::read(&file).map_err(|error| failed(format!("which cannot be read: {error}")))?;
            if bytes.len() > LARGEST_CONTEXT {
                return Err(failed(format!(
                    "which is larger than {} kB: give it a part of it",
                    LARGEST_CONTEXT / 1000
                )));
            }
            let text = String::from_utf8(bytes).map_err(|_| failed("which is no UTF-8 text".to_owned()))?;
            Ok(ContextFile { path, text })
        })
        .collect()
}

/// Checks an answer with the resource's own check. Returns the artifact to pin, or the complaint.
///
/// An exception other than `ValueError` and `AssertionError` is a mistake in the user's check, which no model can
/// repair. It is an error.
pub fn check_artifact(
    resource: &Bound<'_, PyAny>,
    artifact: &Bound<'_, PyAny>,
    folder: &Path,
) -> PyResult<Result<Artifact, String>> {
    let py = resource.py();
    match resource.call_method1("_check_artifact", (artifact,)) {
        Ok(checked) => Ok(Ok(depythonize(&checked)?)),
        Err(error) if traceback::is_validation_error(py, &error) => {
            Ok(Err(traceback::validation_messages(py, &error)?.join("; ")))
        }
        Err(error)
            if error.is_instance_of::<PyValueError>(py) || error.is_instance_of::<PyAssertionError>(py) =>
        {
            Ok(Err(error.value(py).str()?.to_string()))
        }
        Err(error) => Err(explain(py, error, &address(resource)?, "check of the model's answer", folder)),
    }
}
