//! The errors of the core. Each has a message for the user: the resource, the failure, and what to do
//! next.

use std::path::PathBuf;

use crate::resource::Address;

/// The result of a function of the core.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the core. Each has its own exception in Python.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has a value that cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The code of a resource cannot be written.
    #[error("{address} cannot be compiled: {reason}")]
    Compile {
        /// The resource.
        address: Address,
        /// The reason, and what to do.
        reason: String,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}. Check that its folder exists, that you may write there, and that the disk is not full.", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason, and what to do.
        reason: String,
    },
    /// The model did not give what it was asked for.
    #[error("{}{message}", of(address.as_ref()))]
    Model {
        /// The resource, if the request was for one.
        address: Option<Address>,
        /// The kind of failure.
        kind: ModelErrorKind,
        /// The failure, and what to do.
        message: String,
    },
    /// `clockwork.lock` cannot be used.
    #[error("{} {reason}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The reason, and what to do.
        reason: String,
    },
    /// The lock file lacks an artifact, and no model may be asked.
    #[error("{} is not complete, and no model is asked: {}. Run `clockwork generate`, review the lock, and commit it.", path.display(), lacks(missing, stale))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The resources without an artifact.
        missing: Vec<Address>,
        /// The resources whose artifact answers an older question.
        stale: Vec<Address>,
    },
    /// `.clockwork/state.json` cannot be used.
    #[error("{} {reason}.", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// The reason, and what to do.
        reason: String,
    },
    /// Another run is at work on the same project.
    #[error(
        "{holder} is at work on this project. Wait for it: `apply` and `destroy` do so by themselves with \
         `--lock-timeout 300`, for up to 300 seconds"
    )]
    Held {
        /// The other run: its process and host.
        holder: String,
    },
    /// A dependency cycle.
    #[error("there is no order in which to deploy these: {}. Take one of the dependencies away.", .0.join(" → "))]
    Cycle(Vec<String>),
    /// A name is that of no resource and no group, or of several groups.
    #[error("'{}' {reason}", name.escape_debug())]
    Target {
        /// The name, as it was typed.
        name: String,
        /// The problem with the name, and what to do.
        reason: String,
    },
    /// Two resources have the same identity or claim on a host.
    #[error("{message}")]
    Conflict {
        /// The two resources, the identity or claim, and what to do.
        message: String,
    },
    /// The command cannot be carried out.
    #[error("{message}")]
    Refused {
        /// The name of the exception in Python.
        class: &'static str,
        /// The action, the reason, and what to do.
        message: String,
    },
    /// An error of the project's own code or of a port, passed on unchanged.
    #[error("{message}")]
    Foreign {
        /// The message.
        message: String,
        /// The name of the exception's class.
        class: String,
        /// The origin.
        origin: Origin,
        /// The error.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The user interrupted the run.
    #[error("interrupted")]
    Interrupted,
}

/// The origin of an error that the core passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Clockwork. The message says what to do.
    Ours,
    /// The user's code or a library.
    Other,
    /// An interrupt or the like, which ends everything.
    Interrupt,
}

/// The kinds of failure of a request to a model. Each has its own exception in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelErrorKind {
    /// There is no API key.
    MissingKey,
    /// The server rejects the key, or the key may not do this.
    Authentication,
    /// The account at the server has no credits left.
    Credits,
    /// The server does not know the model.
    ModelNotFound,
    /// The server has limited the rate of requests.
    RateLimit,
    /// The server cannot be reached.
    Connection,
    /// The server did not answer in time.
    Timeout,
    /// The server failed, or its response is no answer.
    Server,
    /// The answer is empty, cut off, refused, or not of the shape that was asked for.
    Answer,
    /// The local model cannot be fetched or started.
    Local,
    /// The budget is used up, or too small for the next question.
    Budget,
}

impl Error {
    /// Returns true for an interrupt and its like, which end the program.
    pub fn is_interrupt(&self) -> bool {
        matches!(self, Self::Interrupted | Self::Foreign { origin: Origin::Interrupt, .. })
    }

    /// The name of the exception in Python.
    pub fn class(&self) -> &str {
        match self {
            Self::Settings(_) => "SettingsError",
            Self::Compile { .. } => "CompileError",
            Self::Write { .. } => "WriteError",
            Self::Model { kind, .. } => kind.class(),
            Self::Cycle(_) => "DependencyCycleError",
            Self::Target { .. } => "TargetError",
            Self::Lock { .. } => "LockError",
            Self::Locked { .. } => "LockedError",
            Self::State { .. } => "StateError",
            Self::Held { .. } => "StateLockedError",
            Self::Conflict { .. } => "DuplicateResourceError",
            Self::Refused { class, .. } => class,
            Self::Foreign { class, .. } => class,
            Self::Read { .. } | Self::Interrupted => "ClockworkError",
        }
    }
}

impl ModelErrorKind {
    /// The name of the exception in Python.
    pub fn class(self) -> &'static str {
        match self {
            Self::MissingKey => "MissingKeyError",
            Self::Authentication => "AuthenticationError",
            Self::Credits => "CreditsError",
            Self::ModelNotFound => "ModelNotFoundError",
            Self::RateLimit => "RateLimitError",
            Self::Connection => "ModelConnectionError",
            Self::Timeout => "ModelTimeoutError",
            Self::Server => "ModelServerError",
            Self::Answer => "AnswerError",
            Self::Local => "LocalModelError",
            Self::Budget => "BudgetError",
        }
    }

    /// Returns true if another model of the same server may answer.
    pub fn is_of_one_model(self) -> bool {
        matches!(self, Self::ModelNotFound | Self::RateLimit | Self::Server | Self::Timeout)
    }

    /// Returns true if all other requests of the run would fail in the same way.
    pub fn concerns_all(self) -> bool {
        matches!(self, Self::MissingKey | Self::Authentication | Self::Credits | Self::ModelNotFound)
    }
}

fn lacks(missing: &[Address], stale: &[Address]) -> String {
    let list =
        |addresses: &[Address]| addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("missing {}", list(missing)));
    }
    if !stale.is_empty() {
        parts.push(format!("out of date {}", list(stale)));
    }
    parts.join("; ")
}

fn of(address: Option<&Address>) -> String {
    address.map(|address| format!("{address}: ")).unwrap_or_default()
}
