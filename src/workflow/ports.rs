//! The ports of the workflow: what it needs of a project, of an engine, of a person and of the process. The binding
//! implements them; tests have fakes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::approval::Question;
use crate::compile::Script;
use crate::error::Result;
use crate::event::Observer;
use crate::intent::SecretValues;
use crate::llm::Endpoint;
use crate::outcome::{CheckOutcome, DeployOutcome, HostError, Report};
use crate::resource::{Address, Artifact, CompiledResource, DeclaredResource, Request};
use crate::settings::Model;

/// The place where a project comes from.
pub trait Source {
    /// Runs main.py, or takes a list of resources as it is. With `asks`, resources are also asked what they want of a
    /// model.
    fn load(&self, asks: bool) -> Result<Box<dyn Project + '_>>;

    /// The folder and the name of the file that is meant, whether or not there is one. None for a list.
    fn place(&self) -> Option<(PathBuf, String)>;

    /// The text of the inventory, which does not depend on main.py.
    fn inventory(&self) -> Result<String>;
}

/// A project as main.py defines it.
pub trait Project: Sync {
    /// The folder of main.py; the working folder where resources were passed as a list.
    fn folder(&self) -> &Path;

    /// The name of the file that defines the resources; none where they were passed as a list.
    fn source(&self) -> Option<&str>;

    /// All resources, each after what it needs.
    fn resources(&self) -> &[DeclaredResource];

    /// The questions that these resources ask a model, for those that ask any. They were read with the project, and are
    /// given once.
    fn requests(&self, places: &[usize]) -> Result<Vec<Request>>;

    /// Checks an answer the way its resource wants it: gives what to pin, or what is wrong with it.
    ///
    /// Called from other threads than the one that runs the workflow.
    fn check_answer(&self, address: &Address, artifact: &Artifact) -> Result<Result<Artifact, String>>;

    /// Asks resources for their work, completed by the artifacts. Each comes with its fields that differ from their
    /// defaults, secrets included. Without `with_deploy`, only the work that takes them down is asked for.
    fn compile(
        &self,
        places: &[usize],
        artifacts: &[(Address, Artifact)],
        with_deploy: bool,
    ) -> Result<Vec<(CompiledResource, Map<String, Value>)>>;

    /// The text of the inventory, as its source has it.
    fn inventory(&self) -> Result<String>;

    /// The module of `pyinfra.facts` that defines a fact.
    fn fact_module(&self, name: &str) -> Option<String>;

    /// True if any of these resources has an assertion.
    fn has_assertions(&self, places: &[usize]) -> Result<bool>;

    /// The project itself, for an engine that knows it.
    fn as_any(&self) -> &dyn std::any::Any;
}

/// An engine that deploys.
pub trait Engine {
    /// Begins to get ready, where that takes time.
    fn preload(&self) -> Result<()>;

    /// Opens a session on the hosts of an inventory. Each host is connected to at most once, when it is needed.
    fn open<'a>(
        &'a self,
        options: &SessionOptions<'_>,
        project: &'a dyn Project,
    ) -> Result<Box<dyn Session + 'a>>;
}

/// The settings of a session.
pub struct SessionOptions<'a> {
    /// The text of an inventory file.
    pub inventory: &'a str,
    /// The folder that holds the compiled files.
    pub folder: &'a Path,
    /// True if a host stops at its first failure.
    pub fail_fast: bool,
    /// The lineage of the project's state, for labels.
    pub lineage: &'a str,
    /// The values of secrets that compiled code names.
    pub secrets: &'a SecretValues,
    /// Told of what happens.
    pub observer: Arc<dyn Observer>,
}

/// One session on the hosts.
pub trait Session {
    /// The names of the hosts of the inventory.
    fn hosts(&self) -> Vec<String>;

    /// Finds out what a script would do. Nothing is changed.
    fn plan(&mut self, run: &ScriptRun<'_>) -> Result<DeployOutcome>;

    /// Executes a script. Where it was the last one that was planned, it goes on from there.
    fn execute(&mut self, run: &ScriptRun<'_>, permissions: &Permissions) -> Result<DeployOutcome>;

    /// Tries the assertions of resources on those hosts that are `wanted`.
    fn check(
        &mut self,
        places: &[usize],
        wanted: &dyn Fn(&Address, &str) -> bool,
    ) -> Result<(Vec<CheckOutcome>, Vec<HostError>)>;

    /// Disconnects.
    fn close(self: Box<Self>) -> Result<()>;
}

/// A script, and how it is run.
#[derive(Clone, Copy)]
pub struct ScriptRun<'a> {
    /// The name of the script's file in the session's folder.
    pub file: &'a str,
    /// The script.
    pub script: &'a Script,
    /// True if it takes things down.
    pub removes: bool,
    /// The hosts that are left alone, because something has failed there already.
    pub stopped: &'a [String],
    /// True if the diffs of what is new are wanted too.
    pub diffs: bool,
    /// The permissions under which it is planned, where they bear on the plan.
    pub permissions: Option<&'a Permissions>,
}

/// The decisions about single sections of a script: by host and place of the section.
pub type Permissions = HashMap<(String, usize), Permission>;

/// A decision about a resource's operations on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// True if a copy of what is overwritten or removed is kept.
    pub keep_copy: bool,
    /// True if what is not the project's own may be overwritten, replaced or removed.
    pub take_over: bool,
    /// The part of a removal that is done.
    pub aside: Option<Aside>,
    /// True if the session puts back what it has set aside, if this fails.
    pub puts_back: bool,
    /// The identity of the thing that it makes room for.
    pub room_for: Option<String>,
}

/// The parts of a removal that can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// The thing is set aside.
    SetAside,
    /// The new thing in its place goes.
    Clear,
    /// The thing that was set aside comes back.
    PutBack,
    /// The thing that was set aside goes.
    Drop,
}

impl Aside {
    /// The word for it that operations are told.
    pub fn word(self) -> &'static str {
        match self {
            Self::SetAside => "set_aside",
            Self::Clear => "clear",
            Self::PutBack => "put_back",
            Self::Drop => "drop",
        }
    }
}

impl Default for Permission {
    fn default() -> Self {
        Self { keep_copy: false, take_over: true, aside: None, puts_back: false, room_for: None }
    }
}

/// Somebody who is shown what is going to be done before any of it is.
pub trait Approver {
    /// True if there is somebody to ask. Nothing dangerous is done if nobody is.
    fn can_ask(&self) -> bool;

    /// True if orphans are shown as well, to be removed where the answer says so.
    fn shows_orphans(&self) -> bool {
        self.can_ask()
    }

    /// True if the diffs of what is new are shown: they cost time, where there is much of it.
    fn shows_diffs(&self) -> bool {
        false
    }

    /// Shows a plan, and asks whether it is to be done.
    fn approve(&self, plan: &Report, question: &Question) -> Result<Approval>;
}

/// An answer to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// All that main.py asks for is done, and with `prune` orphans go.
    Go {
        /// True if orphans go.
        prune: bool,
    },
    /// Nothing is done.
    Stop,
}

/// The process that the workflow runs in.
pub trait Process {
    /// Fails where the user has interrupted the run.
    fn check_interrupt(&self) -> Result<()>;

    /// Sleeps, and fails where the user interrupts it.
    fn sleep(&self, span: Duration) -> Result<()>;

    /// Does work in another thread and waits for it. On an interrupt, `cancel` is called and the work is waited for.
    fn wait_for(&self, cancel: &dyn Fn(), work: Box<dyn FnOnce() + Send + '_>) -> Result<()>;

    /// Starts the local model.
    fn local_model(&self, model: &Model, observer: &Arc<dyn Observer>) -> Result<Endpoint>;
}
