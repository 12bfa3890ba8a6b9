//! Reads an `Intent` of `clockwork.operations`, and makes a `Context` of it.

use std::collections::HashMap;

use clockwork_core::intent::{Context, Difference, Intent, IntentAction};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::{depythonize, pythonize};
use serde_json::Value;

use super::execute::Decisions;

/// An intent with its diff.
#[derive(Debug, Clone)]
pub struct Announced {
    /// The intent.
    pub intent: Intent,
    /// The unified diff of a text.
    pub diff: Option<String>,
}

impl Announced {
    /// Reads a Python `Intent`. Errors name the member that cannot be read.
    pub fn read(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let action: String = object.getattr("action")?.extract()?;
        let action = match action.as_str() {
            "create" => IntentAction::Create,
            "change" => IntentAction::Change,
            "remove" => IntentAction::Remove,
            other => {
                let message = format!(
                    "the action of an Intent is 'create', 'change' or 'remove', not '{}'",
                    other.escape_debug()
                );
                return Err(PyValueError::new_err(message));
            }
        };
        let mut changes = Vec::new();
        for change in object.getattr("changes")?.try_iter()? {
            let (field, before, after): (String, Bound<'_, PyAny>, Bound<'_, PyAny>) = change?.extract()?;
            let (before, after) = (value(&before, &field)?, value(&after, &field)?);
            changes.push(Difference { field, before, after });
        }
        let mut found = serde_json::Map::new();
        for (key, sign) in object.getattr("found")?.cast::<PyDict>()? {
            let key: String = key.extract()?;
            found.insert(key.clone(), value(&sign, &key)?);
        }
        let intent = Intent {
            action,
            changes,
            replaces: object.getattr("replaces")?.extract()?,
            overwrites: object.getattr("overwrites")?.extract()?,
            found,
            reason: object.getattr("reason")?.extract()?,
        };
        Ok(Self { intent, diff: object.getattr("diff")?.extract()? })
    }

    /// Adds another intent of the same operation.
    pub fn extend(&mut self, other: Self) {
        self.intent.extend(other.intent);
        if let Some(diff) = other.diff {
            self.diff.get_or_insert_default().push_str(&diff);
        }
    }
}

fn value(object: &Bound<'_, PyAny>, field: &str) -> PyResult<Value> {
    depythonize(object).map_err(|error| {
        PyTypeError::new_err(format!("'{}' of an Intent is no JSON value: {error}", field.escape_debug()))
    })
}

/// Makes the Python `Context` of each decision.
pub fn python_contexts(
    module: &Bound<'_, PyAny>,
    decisions: &Decisions,
) -> PyResult<HashMap<(String, usize), Py<PyAny>>> {
    decisions.iter().map(|(key, context)| Ok((key.clone(), python_context(module, context)?))).collect()
}

/// Makes the Python `Context`.
pub fn python_context(module: &Bound<'_, PyAny>, context: &Context) -> PyResult<Py<PyAny>> {
    let fields = pythonize(module.py(), context)?;
    Ok(module.getattr("Context")?.call((), Some(fields.cast::<PyDict>()?))?.unbind())
}
