//! Converts operations of Python to operations of the core.

use clockwork_core::intent::SecretValues;
use clockwork_core::operation::{Argument, Deferred, Effects, Operation, Step};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use pythonize::depythonize;

/// Reads the operations of one resource, and collects the secrets in their arguments.
pub struct Reader<'a> {
    /// The name of the resource, which names its secrets.
    pub resource: &'a str,
    /// The secrets of all resources so far.
    pub secrets: &'a mut SecretValues,
}

/// The names of the classes in `clockwork.resources.operation` whose objects are deferred values.
const DEFERRED: [&str; 3] = ["Secret", "HostData", "Output"];

impl Reader<'_> {
    /// Reads the operations that `operations` or `destroy_operations` returned.
    pub fn steps(&mut self, operations: &Bound<'_, PyAny>) -> PyResult<Vec<Step>> {
        let class = operations.py().import("clockwork.resources.operation")?.getattr("Operation")?;
        let mut steps = Vec::new();
        for operation in operations.try_iter()? {
            let operation = operation?;
            if !operation.is_instance(&class)? {
                let kind = operation.get_type().name()?.to_string();
                return Err(PyTypeError::new_err(format!("it gave {kind}, where an Operation is wanted")));
            }
            steps.push(Step::Operation(self.operation(&operation)?));
        }
        Ok(steps)
    }

    fn operation(&mut self, operation: &Bound<'_, PyAny>) -> PyResult<Operation> {
        let function: String = operation.getattr("function")?.extract()?;
        check_function(&function)?;
        let mut arguments = Vec::new();
        for (name, value) in operation.getattr("arguments")?.cast_into::<PyDict>()? {
            let name: String = name.extract()?;
            let value = self.argument(&value, &name)?;
            arguments.push((name, value));
        }
        if !arguments.iter().any(|(name, _)| name == "name") {
            // Without a name, pyinfra would build one from the arguments, which may hold anything.
            let name = Argument::Text(format!("{}: {function}", self.resource));
            arguments.insert(0, ("name".to_owned(), name));
        }
        let state = depythonize(&operation.getattr("expected")?)?;
        let effects: Effects = depythonize(&operation.getattr("effects")?)?;
        Ok(Operation { function, arguments, state, effects })
    }

    fn argument(&mut self, value: &Bound<'_, PyAny>, path: &str) -> PyResult<Argument> {
        if value.is_none() {
            return Ok(Argument::Null);
        }
        if value.is_instance_of::<PyBool>() {
            return Ok(Argument::Bool(value.is_truthy()?));
        }
        if let Ok(text) = value.cast::<PyString>() {
            // A member of a string enumeration is converted to its value.
            let text =
                value.getattr_opt("value")?.map_or_else(|| Ok(text.to_string()), |value| value.extract())?;
            return Ok(Argument::Text(text));
        }
        if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
            let number = depythonize(value)
                .map_err(|_| PyValueError::new_err(format!("the argument {path} is too large a number")))?;
            return Ok(Argument::Number(number));
        }
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(Argument::Bytes(bytes.as_bytes().to_vec()));
        }
        if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            let items = value.try_iter()?.enumerate();
            let items = items.map(|(place, item)| self.argument(&item?, &format!("{path}.{place}")));
            return Ok(Argument::List(items.collect::<PyResult<_>>()?));
        }
        if let Ok(map) = value.cast::<PyDict>() {
            let mut items = Vec::new();
            for (key, item) in map {
                let key = key.str()?.to_string();
                let item = self.argument(&item, &format!("{path}.{key}"))?;
                items.push((key, item));
            }
            return Ok(Argument::Map(items));
        }
        self.object(value, path)
    }

    /// Reads an object: bytes, a file in memory, a path, a secret or a deferred value.
    fn object(&mut self, value: &Bound<'_, PyAny>, path: &str) -> PyResult<Argument> {
        let py = value.py();
        if let Some(reveal) = value.getattr_opt("get_secret_value")? {
            let secret = reveal.call0()?;
            let text = match secret.cast::<PyBytes>() {
                Ok(bytes) => String::from_utf8_lossy(bytes.as_bytes()).into_owned(),
                Err(_) => secret.str()?.to_string(),
            };
            return Ok(Argument::Deferred(Deferred::Secret(self.name_secret(path, text))));
        }
        let io = py.import("io")?;
        if value.is_instance(&io.getattr("StringIO")?)? {
            let text: String = value.call_method0("getvalue")?.extract()?;
            return Ok(Argument::TextFile(Box::new(Argument::Text(text))));
        }
        if value.is_instance(&io.getattr("BytesIO")?)? {
            let bytes: Vec<u8> = value.call_method0("getvalue")?.extract()?;
            return Ok(Argument::BytesFile(bytes));
        }
        let module = py.import("clockwork.resources.operation")?;
        for class in DEFERRED {
            if !value.is_instance(&module.getattr(class)?)? {
                continue;
            }
            let text = |name: &str| -> PyResult<String> { value.getattr(name)?.extract() };
            return Ok(Argument::Deferred(match class {
                "Secret" => Deferred::Secret(text("name")?),
                "HostData" => Deferred::HostData(text("key")?),
                _ => Deferred::Output(text("resource")?, text("key")?),
            }));
        }
        if value.is_instance(&py.import("pathlib")?.getattr("PurePath")?)? {
            return Ok(Argument::Text(value.str()?.to_string()));
        }
        let kind = value.get_type().name()?.to_string();
        Err(PyTypeError::new_err(format!(
            "the argument {path} is of the class {kind}: arguments are JSON values, bytes, StringIO, BytesIO, \
             SecretStr, Secret, HostData and Output"
        )))
    }

    /// The name of a secret without one of its own, built from its resource and field.
    fn name_secret(&mut self, path: &str, value: String) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let base: String = format!("{}_{path}", self.resource).chars().map(plain).collect();
        let mut name = base.clone();
        let mut number = 1;
        while self.secrets.0.get(&name).is_some_and(|known| *known != value) {
            number += 1;
            name = format!("{base}_{number}");
        }
        self.secrets.0.insert(name.clone(), value);
        name
    }
}

/// Refuses a function that compiled files cannot import.
fn check_function(function: &str) -> PyResult<()> {
    let parts: Vec<&str> = function.split('.').collect();
    let is_name = |part: &&str| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && chars.all(|c| c.is_alphanumeric() || c == '_')
    };
    if parts[0].starts_with("__") || function.contains("<locals>") {
        let name = parts.last().copied().unwrap_or_default();
        return Err(PyValueError::new_err(format!(
            "the operation {name} is defined in main.py, which compiled files cannot import: put it into a file beside \
             main.py, such as own_operations.py, and import it from there"
        )));
    }
    if parts.len() < 2 || !parts.iter().all(is_name) {
        return Err(PyValueError::new_err(format!(
            "{function:?} is no path of an operation: write 'files.directory', or the whole path of your own, such as \
             'own_operations.unit'"
        )));
    }
    Ok(())
}
