//! What happens while a command runs, told as it happens.

use serde::Serialize;

use crate::outcome::Action;
use crate::resource::Address;

/// One thing that happened.
///
/// Serialized, it is what a Python `progress` callable receives: a dictionary whose `event` names
/// the kind of event in snake case.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Another run is at work on the project, and is waited for.
    Waiting {
        /// Who it is.
        holder: String,
    },
    /// It has ended.
    Waited,
    /// The model is about to be asked for `total` artifacts; `pinned` more stand in the lock.
    GenerateBegin {
        /// How many artifacts are asked for.
        total: usize,
        /// How many need no request.
        pinned: usize,
        /// The model that is asked.
        model: String,
    },
    /// A request for one resource goes out.
    GenerateStart {
        /// The resource.
        resource: Address,
    },
    /// A piece of an answer came in.
    GenerateDelta {
        /// The resource.
        resource: Address,
        /// The piece.
        text: String,
    },
    /// A request failed in a way that may pass, and is made again after `seconds`.
    GenerateRetry {
        /// The resource.
        resource: Address,
        /// Which try comes next, from 2.
        attempt: u32,
        /// How long is waited before it.
        seconds: f64,
        /// What went wrong.
        reason: String,
    },
    /// An answer cannot be used, and goes back to the model with the complaint.
    GenerateRepair {
        /// The resource.
        resource: Address,
        /// Which repair it is, from 1.
        attempt: u32,
        /// What is wrong with the answer.
        complaint: String,
    },
    /// An artifact is there.
    GenerateEnd {
        /// The resource.
        resource: Address,
        /// How long it took.
        seconds: f64,
        /// The tokens of the answer, where the server tells.
        tokens: Option<u64>,
    },
    /// An artifact could not be had.
    GenerateError {
        /// The resource.
        resource: Address,
        /// What went wrong.
        error: String,
    },
    /// Bytes of the local model have arrived.
    Download {
        /// What is fetched.
        what: String,
        /// The bytes that are here.
        bytes: u64,
        /// The bytes in all.
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
        /// Why.
        error: String,
    },
    /// All operations are known: `total` of them over all hosts.
    DeployBegin {
        /// How many operations are going to be run.
        total: usize,
        /// How many hosts take part.
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
        /// What it did.
        action: Action,
        /// Whether it failed.
        failed: bool,
        /// How long it took.
        seconds: f64,
    },
    /// An assertion is about to be tried on a host.
    CheckStart {
        /// The host's name.
        host: String,
        /// The resource that it belongs to.
        resource: Address,
        /// What is checked.
        check: String,
    },
    /// An assertion holds on a host, or does not.
    CheckEnd {
        /// The host's name.
        host: String,
        /// The resource that it belongs to.
        resource: Address,
        /// What is checked.
        check: String,
        /// Whether it holds.
        ok: bool,
        /// Why it does not.
        error: Option<String>,
        /// How often it was tried.
        attempts: u32,
        /// How long that took.
        seconds: f64,
    },
}

/// Somebody who wants to know what happens.
///
/// Events come from several threads at once.
pub trait Observer: Send + Sync {
    /// Takes notice of one event. Must not block for long.
    fn observe(&self, event: &Event);

    /// Ends any live display, so that other text can follow.
    fn finish(&self) {}
}

/// An observer that takes no notice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _event: &Event) {}
}
