//! Waiting for another run on the same project.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use clockwork_core::Error;
use clockwork_core::event::{Event, Observer};
use clockwork_core::state::{Store, Wait};
use pyo3::prelude::*;

use crate::errors;
use crate::wait::check_signals;

/// Takes the project's lock for a command, or waits for it for `timeout`, and hears Ctrl-C meanwhile.
pub fn hold(
    py: Python<'_>,
    command: &str,
    timeout: Duration,
    observer: &Arc<dyn Observer>,
    store: &mut Store,
) -> PyResult<()> {
    let (held, interrupt) = py.detach(|| {
        let interrupt = RefCell::new(None);
        let mut told = false;
        let mut waiting = |holder: &str| {
            if !told {
                observer.observe(&Event::Waiting { holder: holder.to_owned() });
                told = true;
            }
            Python::attach(check_signals).map_err(|error| {
                interrupt.replace(Some(error));
                Error::Interrupted
            })
        };
        let held = store.hold(command, &mut Wait { timeout, waiting: &mut waiting });
        if told {
            observer.observe(&Event::Waited);
        }
        (held, interrupt.into_inner())
    });
    match interrupt {
        Some(error) => Err(error),
        None => held.map_err(|error| errors::map(py, &error)),
    }
}
