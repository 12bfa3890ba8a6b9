//! The process's standard streams and signals. Only the command line changes them: a library leaves
//! them to its program.

use std::io::{ErrorKind, Write as _};

use clockwork_core::report;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Writes a text to standard output, and returns true on success. A closed pipe is no
/// error; a full disk is one.
pub fn print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprint!("{}", report::error(&format!("standard output cannot be written: {error}")));
            false
        }
        _ => true,
    }
}

/// The standard output, reserved for documents.
pub struct Stdout(i32);

/// Redirects all further output on standard output, also of child processes, to standard error.
///
/// A main.py and the programs that it starts may print, but standard output must have only documents.
pub fn reserve_stdout(py: Python<'_>) -> PyResult<Stdout> {
    flush(py)?;
    let os = py.import("os")?;
    let kept = os.call_method1("dup", (1,))?.extract()?;
    os.call_method1("dup2", (2, 1))?;
    Ok(Stdout(kept))
}

impl Stdout {
    /// Writes one document of several, on a line of its own.
    pub fn line(&self, py: Python<'_>, document: &str) -> PyResult<()> {
        self.put(py, &format!("{document}\n"), false)
    }

    /// Writes the document.
    pub fn write(self, py: Python<'_>, document: &str) -> PyResult<()> {
        self.put(py, document, true)
    }

    fn put(&self, py: Python<'_>, text: &str, is_last: bool) -> PyResult<()> {
        let options = PyDict::new(py);
        options.set_item("encoding", "utf-8")?;
        options.set_item("closefd", is_last)?;
        let file = py.import("os")?.call_method("fdopen", (self.0, "w"), Some(&options))?;
        ignore_broken_pipe(py, file.call_method1("write", (text,)).and_then(|_| file.call_method0("close")))
    }
}

/// Ignores a closed pipe.
fn ignore_broken_pipe(py: Python<'_>, written: PyResult<Bound<'_, PyAny>>) -> PyResult<()> {
    written.map(|_| ()).or_else(|error| {
        if error.is_instance_of::<pyo3::exceptions::PyBrokenPipeError>(py) { Ok(()) } else { Err(error) }
    })
}

/// Flushes Python's standard output, so that the output of main.py comes before ours.
pub fn flush(py: Python<'_>) -> PyResult<()> {
    let stdout = py.import("sys")?.getattr("stdout")?;
    if !stdout.is_none() {
        stdout.call_method0("flush")?;
    }
    Ok(())
}

/// Makes SIGTERM act like Ctrl-C, so that no process is left behind.
pub fn stop_on_terminate(py: Python<'_>) -> PyResult<()> {
    let signal = py.import("signal")?;
    signal.call_method1("signal", (signal.getattr("SIGTERM")?, signal.getattr("default_int_handler")?))?;
    Ok(())
}
