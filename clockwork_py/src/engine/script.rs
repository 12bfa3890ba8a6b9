//! A script that is run on the hosts of a session.

use std::path::Path;
use std::sync::Arc;

use clockwork_core::compile::{self, Hosts};
use clockwork_core::event::Event;
use clockwork_core::operation::Effects;
use clockwork_core::resource::Address;
use pyo3::prelude::*;

use super::driver::Driver;
use super::execute::Decisions;
use super::host::Host;
use super::host_run::{HostRun, Record};

/// A script to run.
#[derive(Clone, Copy)]
pub struct ScriptRun<'a> {
    /// The name of its file in the session's folder.
    pub file: &'a str,
    /// The script.
    pub script: &'a compile::Script,
    /// True if it takes resources down, so that every change is a removal.
    pub removes: bool,
    /// Hosts that are left alone, because something has failed there already.
    pub stopped: &'a [String],
    /// True if the whole diffs of what is new are shown before it is executed. A plan shows them in any case.
    pub diffs: bool,
    /// The contexts of operations that are planned in another one than the session's.
    pub contexts: &'a Decisions,
}

/// A script, as its threads share it.
pub struct Script {
    /// The session's driver.
    pub driver: Arc<Driver>,
    /// The hosts, in the order of the inventory.
    pub hosts: Vec<ScriptHost>,
    /// The full path of its file.
    pub file: String,
    /// True if every change is a removal.
    pub removes: bool,
    /// The sections.
    pub sections: Vec<Section>,
}

/// A host, and its part of the script.
pub struct ScriptHost {
    /// The host.
    pub host: Arc<Host>,
    /// Its part of the script.
    pub run: Py<HostRun>,
}

/// A resource's part of the script.
pub struct Section {
    /// The resource.
    pub address: Address,
    /// The sections that have to succeed before.
    pub needs: Vec<usize>,
    /// The hosts that it is for.
    pub hosts: Hosts,
    /// The declared effects of its operations, in order.
    pub effects: Vec<Effects>,
}

impl Script {
    /// The script of a run, on these hosts.
    pub fn new(driver: &Arc<Driver>, hosts: Vec<ScriptHost>, folder: &Path, run: &ScriptRun<'_>) -> Self {
        let sections = run.script.sections.iter().map(|section| Section {
            address: section.address.clone(),
            needs: section.needs.clone(),
            hosts: section.hosts.clone(),
            effects: section.effects.clone(),
        });
        Self {
            driver: Arc::clone(driver),
            hosts,
            file: folder.join(run.file).to_string_lossy().into_owned(),
            removes: run.removes,
            sections: sections.collect(),
        }
    }

    /// Returns true if the script has something for a host. A script without sections has its prelude for all.
    pub fn concerns(&self, host: &str) -> bool {
        self.sections.is_empty() || self.sections.iter().any(|section| section.hosts.has(host))
    }

    /// Returns true if a section is not run on a host: it has failed, or one that it needs has, or is left out
    /// itself. Sections are asked for in their order, so that this is known of all that it needs.
    pub fn leaves_out(&self, record: &mut Record, section: usize) -> bool {
        if record.sections[section].is_out() {
            return true;
        }
        let stopped = record.stopped || (self.driver.fail_fast && record.has_failed());
        let out = stopped || self.sections[section].needs.iter().any(|need| record.sections[*need].is_out());
        record.sections[section].left_out = out;
        out
    }
}

impl ScriptHost {
    /// Runs `work` with the current thread attached to the host.
    pub fn attached<T>(
        &self,
        py: Python<'_>,
        driver: &Driver,
        work: impl FnOnce(Python<'_>) -> PyResult<T>,
    ) -> PyResult<T> {
        driver.attached(py, &self.host.object, &self.run, work)
    }

    /// Records why the host cannot be used any more, and sends the event.
    pub fn give_up(&self, py: Python<'_>, driver: &Driver, error: String) {
        driver.notify(py, &Event::HostError { host: self.host.name.clone(), error: error.clone() });
        self.run.get().record().host_error = Some(error);
    }
}
