//! Describes exceptions of the user's code by the frames in the user's files.

use std::path::Path;

use clockwork_core::suggestion::closest;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::user_code::is_own;

/// The frames of an exception in the user's files, and the exception.
///
/// `project` is the folder whose files are the user's.
pub fn user_frames(py: Python<'_>, error: &PyErr, project: &Path) -> PyResult<String> {
    let mut lines = frames(py, error, project, true)?;
    lines.extend(exception_lines(py, error)?);
    Ok(lines.join("\n"))
}

/// The frames of an error that are in the user's files, the innermost last, with or without the
/// lines of the source.
pub fn frames(py: Python<'_>, error: &PyErr, project: &Path, with_source: bool) -> PyResult<Vec<String>> {
    let mut lines = Vec::new();
    let mut next = error.traceback(py).map(Bound::into_any);
    while let Some(frame) = next {
        let code = frame.getattr("tb_frame")?.getattr("f_code")?;
        let filename: String = code.getattr("co_filename")?.extract()?;
        let file = Path::new(&filename);
        if is_own(file, project) {
            let shown = file.strip_prefix(project).unwrap_or(file).display();
            let line: usize = frame.getattr("tb_lineno")?.extract()?;
            let function: String = code.getattr("co_name")?.extract()?;
            lines.push(format!("  {shown}, line {line}, in {function}"));
            let source: String =
                py.import("linecache")?.call_method1("getline", (&filename, line))?.extract()?;
            if with_source && !source.trim().is_empty() {
                lines.push(format!("    {}", source.trim()));
            }
        }
        next = frame.getattr("tb_next").ok().filter(|next| !next.is_none());
    }
    Ok(lines)
}

/// The last lines of a traceback: the exception, and for a syntax error its line.
pub fn exception_lines(py: Python<'_>, error: &PyErr) -> PyResult<Vec<String>> {
    let lines: Vec<String> = py
        .import("traceback")?
        .call_method1("format_exception_only", (error.get_type(py), error.value(py)))?
        .extract()?;
    Ok(lines.iter().flat_map(|line| line.trim_end().lines().map(str::to_owned)).collect())
}

/// Returns true for Pydantic's `ValidationError`.
pub fn is_validation_error(py: Python<'_>, error: &PyErr) -> bool {
    let class = py.import("pydantic").and_then(|pydantic| pydantic.getattr("ValidationError"));
    class.is_ok_and(|class| error.matches(py, class).unwrap_or(false))
}

/// The messages of a `ValidationError`, one a field. Values are left out, because they can be secrets.
pub fn validation_messages(py: Python<'_>, error: &PyErr) -> PyResult<Vec<String>> {
    let known = field_names(py, error).unwrap_or_default();
    let errors = error.value(py).call_method0("errors")?.cast_into::<PyList>()?;
    errors
        .iter()
        .map(|error| {
            let place: Vec<String> = error
                .get_item("loc")?
                .try_iter()?
                .map(|part| Ok(part?.str()?.to_string()))
                .collect::<PyResult<_>>()?;
            let place = place.join(".");
            let kind: String = error.get_item("type")?.extract()?;
            let message: String = error.get_item("msg")?.extract()?;
            Ok(match kind.as_str() {
                "extra_forbidden" => {
                    format!("{place}: there is no such field{}", suggestion(&place, &known))
                }
                "missing" => format!("{place}: it is missing"),
                _ if place.is_empty() => message.trim_start_matches("Value error, ").to_owned(),
                _ => format!("{place}: {}", message.trim_start_matches("Value error, ")),
            })
        })
        .collect()
}

/// A suggestion for the name of a field that does not exist.
fn suggestion(typed: &str, known: &[String]) -> String {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    match closest(typed, &names) {
        Some(close) => format!("; did you mean {close}?"),
        None if known.is_empty() => String::new(),
        None => format!("; the fields are {}", known.join(", ")),
    }
}

/// The innermost frame of a validation error: that of Pydantic's constructor.
fn constructor_locals<'py>(py: Python<'py>, error: &PyErr) -> Option<Bound<'py, PyAny>> {
    let mut last = error.traceback(py)?.into_any();
    while let Some(next) = last.getattr("tb_next").ok().filter(|next| !next.is_none()) {
        last = next;
    }
    last.getattr("tb_frame").ok()?.getattr("f_locals").ok()
}

/// The fields of the model that did not validate, if the traceback has them.
fn field_names(py: Python<'_>, error: &PyErr) -> Option<Vec<String>> {
    let model = constructor_locals(py, error)?.get_item("self").ok()?.get_type();
    model.getattr("model_fields").ok()?.try_iter().ok()?.map(|field| field.ok()?.extract().ok()).collect()
}

/// The `name=` of the model that did not validate, if the traceback has it.
pub fn name_of_invalid(py: Python<'_>, error: &PyErr) -> Option<String> {
    constructor_locals(py, error)?.get_item("data").ok()?.get_item("name").ok()?.extract().ok()
}
