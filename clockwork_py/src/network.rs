//! Connections from this machine for assertions, called from Python. Ctrl-C ends them at once.

use std::future::Future;
use std::time::Duration;

use clockwork_core::probe::{self, Fault};
use clockwork_core::runtime;
use pyo3::exceptions::{PyConnectionError, PyKeyboardInterrupt, PyTimeoutError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::engine::Cancel;
use crate::errors::OrRaise;

/// The time between two checks for an interrupt.
const STEP: Duration = Duration::from_millis(50);

/// Connects to ports and URLs, until the run is stopped.
#[pyclass(frozen, module = "clockwork._core")]
pub struct Network(pub Cancel);

/// The HTTP status, the location of a redirect, the charset and the body.
type Answer<'py> = (u16, Option<String>, Option<String>, Bound<'py, PyBytes>);

#[pymethods]
impl Network {
    /// Connects to a TCP port, and disconnects.
    fn connect(&self, py: Python<'_>, host: &str, port: u16, timeout: f64) -> PyResult<()> {
        self.wait(py, probe::connect(host, port, seconds(timeout)))
    }

    /// Fetches a URL.
    fn fetch<'py>(
        &self,
        py: Python<'py>,
        url: &str,
        timeout: f64,
        limit: usize,
        wants_body: bool,
    ) -> PyResult<Answer<'py>> {
        let size = if wants_body { limit } else { 0 };
        let answer = self.wait(py, probe::fetch(url, seconds(timeout), size))?;
        Ok((answer.status, answer.location, answer.charset, PyBytes::new(py, &answer.body)))
    }
}

impl Network {
    fn wait<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Future<Output = Result<T, Fault>> + Send,
    ) -> PyResult<T> {
        let runtime = runtime::get().or_raise(py)?;
        let stopped = async {
            while !self.0.is_cancelled() {
                tokio::time::sleep(STEP).await;
            }
        };
        let done = py.detach(|| {
            runtime.block_on(async {
                tokio::select! {
                    done = work => Some(done),
                    () = stopped => None,
                }
            })
        });
        match done {
            Some(Ok(value)) => Ok(value),
            Some(Err(fault @ Fault::Slow(_))) => Err(PyTimeoutError::new_err(fault.to_string())),
            Some(Err(fault)) => Err(PyConnectionError::new_err(fault.to_string())),
            None => Err(PyKeyboardInterrupt::new_err(())),
        }
    }
}

/// Converts seconds to a duration of at most a day.
pub fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number.min(86_400.0)).unwrap_or_default()
}
