//! Finds secrets in code, in any spelling of Python or a shell.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Returns true if Python code contains any of these secrets, in its text or in the value of a literal.
pub fn contains(py: Python<'_>, code: &str, secrets: &[String]) -> PyResult<bool> {
    if secrets.is_empty() {
        return Ok(false);
    }
    let mut texts = literals(py, code)?;
    texts.push(code.to_owned());
    for secret in secrets {
        let spellings = spellings(py, secret)?;
        if spellings.iter().any(|spelling| texts.iter().any(|text| text.contains(spelling))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The values of all string and bytes literals in Python code.
fn literals(py: Python<'_>, code: &str) -> PyResult<Vec<String>> {
    let ast = py.import("ast")?;
    let constant = ast.getattr("Constant")?;
    let mut texts = Vec::new();
    for node in ast.call_method1("walk", (ast.call_method1("parse", (code,))?,))?.try_iter()? {
        let node = node?;
        if !node.is_instance(&constant)? {
            continue;
        }
        let value = node.getattr("value")?;
        if let Ok(text) = value.cast::<PyString>() {
            texts.push(text.to_string_lossy().into_owned());
        } else if let Ok(bytes) = value.cast::<PyBytes>() {
            texts.push(String::from_utf8_lossy(bytes.as_bytes()).into_owned());
        }
    }
    Ok(texts)
}

/// The spellings of a secret: plain, as in a literal of Python or JSON, and between a shell's quotes.
fn spellings(py: Python<'_>, secret: &str) -> PyResult<Vec<String>> {
    let mut spellings = vec![secret.to_owned()];
    for (module, function) in [("builtins", "repr"), ("builtins", "ascii"), ("json", "dumps")] {
        let quoted: String = py.import(module)?.call_method1(function, (secret,))?.extract()?;
        spellings.push(quoted[1..quoted.len() - 1].to_owned());
    }
    for quote in [r"'\''", r#"'"'"'"#] {
        spellings.push(secret.replace('\'', quote));
    }
    spellings.dedup();
    Ok(spellings)
}
