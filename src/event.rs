//! The events of a run, and the observers that receive them.

use serde::Serialize;

use crate::outcome::Action;
use crate::resource::Address;

/// One event of a run.
///
/// Serialized, it is the dictionary that a Python `progress` callable receives; its `event` names the
/// kind of event in snake case.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The run waits for another run that holds the project's lock.
    Waiting {
        /// The holder of the lock.
        holder: String,
    },
    /// The other run has released the lock.
    Waited,
    /// Generation begins: `total` artifacts are requested from the model, `pinned` more are in the lock.
    GenerateBegin {
        /// The number of artifacts to generate.
        total: usize,
        /// The number of artifacts that the lock has.
        pinned: usize,
        /// The model's name.
        model: String,
    },
    /// A request for one resource is sent.
    GenerateStart {
        /// The resource.
        resource: Address,
    },
    /// A part of an answer has arrived.
    GenerateDelta {
        /// The resource.
        resource: Address,
        /// The new text.
        text: String,
    },
    /// A request failed with a transient error, and is retried after `seconds`.
    GenerateRetry {
        /// The resource.
        resource: Address,
        /// The number of the next try, from 2.
        attempt: u32,
        /// The delay before the next try.
        seconds: f64,
        /// The error.
        reason: String,
    },
    /// An answer failed a check, and goes back to the model with a complaint.
    GenerateRepair {
        /// The resource.
        resource: Address,
        /// The number of the repair, from 1.
        attempt: u32,
        /// The reason why the answer failed.
        complaint: String,
    },
    /// An artifact is complete.
    GenerateEnd {
        /// The resource.
        resource: Address,
        /// The duration.
        seconds: f64,
        /// The tokens of the answer, if the server reports them.
        tokens: Option<u64>,
    },
    /// An artifact could not be generated.
    GenerateError {
        /// The resource.
        resource: Address,
        /// The error.
        error: String,
    },
    /// Bytes of the local model have arrived.
    Download {
        /// The name of the download.
        what: String,
        /// The bytes received so far.
        bytes: u64,
        /// The total number of bytes.
        total: u64,
    },
    /// A host is connected.
    HostConnected {
        /// The host's name in the inventory.
        host: String,
    },
    /// A host cannot be used.
    HostError {
        /// The host's name in the inventory.
        host: String,
        /// The reason.
        error: String,
    },
    /// Deployment begins: all operations on all hosts are known.
    DeployBegin {
        /// The number of operations to run.
        total: usize,
        /// The number of hosts.
        hosts: usize,
    },
    /// An operation starts on a host.
    OperationStart {
        /// The host's name.
        host: String,
        /// The resource that the operation belongs to.
        resource: Address,
        /// The operation's name.
        operation: String,
    },
    /// An operation ended on a host.
    OperationEnd {
        /// The host's name.
        host: String,
        /// The resource that the operation belongs to.
        resource: Address,
        /// The operation's name.
        operation: String,
        /// The effect of the operation.
        action: Action,
        /// True if it failed.
        failed: bool,
        /// The duration.
        seconds: f64,
    },
    /// The check of an assertion on a host begins.
    CheckStart {
        /// The host's name.
        host: String,
        /// The resource that the assertion belongs to.
        resource: Address,
        /// The assertion, in words.
        check: String,
    },
    /// The check of an assertion on a host has ended.
    CheckEnd {
        /// The host's name.
        host: String,
        /// The resource that the assertion belongs to.
        resource: Address,
        /// The assertion, in words.
        check: String,
        /// True if the assertion holds.
        ok: bool,
        /// The reason why it does not hold.
        error: Option<String>,
        /// The number of tries.
        attempts: u32,
        /// The duration of all tries.
        seconds: f64,
    },
}

/// A receiver of events.
///
/// Several threads send events at the same time.
pub trait Observer: Send + Sync {
    /// Receives one event. Must not block for long.
    fn observe(&self, event: &Event);

    /// Ends a live display, so that other text can follow.
    fn finish(&self) {}
}

/// An observer that ignores all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _event: &Event) {}
}
