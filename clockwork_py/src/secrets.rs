//! Whether code holds a secret, in whatever way Python or a shell writes it.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Whether any of these secrets stands in a piece of Python code: in its text, or in what its literals mean.
pub fn stand_in(py: Python<'_>, code: &str, secrets: &[String]) -> PyResult<bool> {
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

/// The values of all texts in a piece of code, whichever quotes and escapes they are written with.
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

/// A secret as it is, and as it stands in a literal inside of a text, and between a shell's quotes.
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
