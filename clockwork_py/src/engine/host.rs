//! A host of a session, and the connection to it.

use std::sync::{Mutex, PoisonError};

use clockwork_core::event::Event;
use pyo3::intern;
use pyo3::prelude::*;

use super::driver::{Driver, is_fatal};

/// A host of the inventory.
pub struct Host {
    /// The host's name in the inventory.
    pub name: String,
    /// pyinfra's `Host`.
    pub object: Py<PyAny>,
    /// The connections and caches of the host.
    pub resources: Py<PyAny>,
    connection: Mutex<Connection>,
}

/// The connection to a host.
#[derive(Debug, Clone)]
enum Connection {
    /// Nothing has needed it yet.
    Unopened,
    /// It is open.
    Open,
    /// The host cannot be reached, for this reason.
    Failed(String),
}

impl Host {
    /// A host that nothing has connected to yet.
    pub fn new(name: String, object: Py<PyAny>, resources: Py<PyAny>) -> Self {
        Self { name, object, resources, connection: Mutex::new(Connection::Unopened) }
    }

    /// Connects, unless an earlier call has. Returns why the host cannot be reached, where it cannot.
    ///
    /// The thread has to be attached to the host. An error is an interrupt.
    pub fn connect(&self, py: Python<'_>, driver: &Driver) -> PyResult<Result<(), String>> {
        let before = self.connection();
        if let Connection::Failed(reason) = before {
            return Ok(Err(reason));
        }
        let module = driver.module.bind(py);
        let reason = match module.call_method1(intern!(py, "connect"), (&self.object, &self.resources)) {
            Ok(_) => {
                if matches!(before, Connection::Unopened) {
                    driver.notify(py, &Event::HostConnected { host: self.name.clone() });
                }
                self.set(Connection::Open);
                driver.state.bind(py).call_method1(intern!(py, "activate_host"), (&self.object,))?;
                return Ok(Ok(()));
            }
            Err(error) if is_fatal(py, &error) => return Err(error),
            Err(error) => module
                .call_method1(
                    intern!(py, "describe_connection"),
                    (&self.object, error.clone_ref(py).into_value(py)),
                )
                .and_then(|text| text.extract::<String>())
                .unwrap_or_else(|_| error.to_string()),
        };
        driver.notify(py, &Event::HostError { host: self.name.clone(), error: reason.clone() });
        self.set(Connection::Failed(reason.clone()));
        Ok(Err(reason))
    }

    /// Returns true if there is a connection to close.
    pub fn is_connected(&self) -> bool {
        matches!(self.connection(), Connection::Open)
    }

    /// Closes the connections abruptly, which wakes the threads that wait for an answer.
    pub fn disconnect(&self, py: Python<'_>, driver: &Driver) {
        let _ = driver.module.bind(py).call_method1(intern!(py, "disconnect"), (&self.resources,));
    }

    fn connection(&self) -> Connection {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, connection: Connection) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}
