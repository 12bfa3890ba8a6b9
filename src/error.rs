//! Everything that can go wrong in the core, with a message for the user: what was being done to
//! which resource, what went wrong, and what to do next.

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
        /// Why, and what to do.
        reason: String,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}. Check that its folder exists, that you may write there, and that the disk is not full.", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The model did not give what it was asked for.
    #[error("{}{message}", of(address.as_ref()))]
    Model {
        /// The resource that it was asked for, where it was for one.
        address: Option<Address>,
        /// What kind of failure it is.
        kind: ModelErrorKind,
        /// What went wrong, and what to do.
        message: String,
    },
    /// `clockwork.lock` cannot be used.
    #[error("{} {reason}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The lock lacks something, and no model was to be asked.
    #[error("{} is not complete, and no model is asked: {}. Run `clockwork generate`, review the lock, and commit it.", path.display(), lacks(missing, stale))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The resources that it has nothing for.
        missing: Vec<Address>,
        /// The resources that it has an answer to an older question for.
        stale: Vec<Address>,
    },
    /// `.clockwork/state.json` cannot be used.
    #[error("{} {reason}.", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Another run is at work on the same project.
    #[error(
        "{holder} is at work on this project. Wait for it: `apply` and `destroy` do so by themselves with \
         `--lock-timeout 300`, for up to 300 seconds"
    )]
    Held {
        /// Who it is.
        holder: String,
    },
    /// Resources need one another, in a round that ends where it began.
    #[error("there is no order in which to deploy these: {}. Take one of the dependencies away.", .0.join(" → "))]
    Cycle(Vec<String>),
    /// A name is that of no resource and no group, or of several groups.
    #[error("'{}' {reason}", name.escape_debug())]
    Target {
        /// The name, as it was typed.
        name: String,
        /// What it is not, and what to do.
        reason: String,
    },
    /// Two resources want the same thing on a host.
    #[error("{message}")]
    Conflict {
        /// The two, what they both want, and what to do.
        message: String,
    },
    /// The command cannot be carried out on what is there; the class is that of the exception in Python.
    #[error("{message}")]
    Refused {
        /// The name of the exception in Python.
        class: &'static str,
        /// What was to be done, why it is not, and what to do.
        message: String,
    },
    /// An error of the project's own code or of a port, which comes through as it is.
    #[error("{message}")]
    Foreign {
        /// What it says.
        message: String,
        /// The name of its class.
        class: String,
        /// Its origin.
        origin: Origin,
        /// The error.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The user interrupted the run.
    #[error("interrupted")]
    Interrupted,
}

/// The origin of an error that comes through the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Clockwork: it says by itself what to do.
    Ours,
    /// The user's code, or a library.
    Other,
    /// An interrupt or the like, which ends everything.
    Interrupt,
}

/// What went wrong between Clockwork and a model. Each has its own exception in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelErrorKind {
    /// Something has to be generated, and there is no API key.
    MissingKey,
    /// The server rejects the key, or the key may not do this.
    Authentication,
    /// The account at the server has no credits left.
    Credits,
    /// The server does not know the model.
    ModelNotFound,
    /// The server wants fewer requests.
    RateLimit,
    /// The server cannot be reached.
    Connection,
    /// The server takes too long.
    Timeout,
    /// The server failed, or sent something that is no answer.
    Server,
    /// The answer is empty, cut off, refused, or not of the shape that was asked for.
    Answer,
    /// The local model cannot be fetched or started.
    Local,
    /// What the run may use is used up, or too little for what is to be asked.
    Budget,
}

impl Error {
    /// Whether it ends everything, as Ctrl-C does.
    pub fn is_interrupt(&self) -> bool {
        matches!(self, Self::Interrupted | Self::Foreign { origin: Origin::Interrupt, .. })
    }

    /// The name of its exception in Python.
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

    /// Whether another model of the same server may well answer.
    pub fn is_of_one_model(self) -> bool {
        matches!(self, Self::ModelNotFound | Self::RateLimit | Self::Server | Self::Timeout)
    }

    /// Whether every other request of the run would fail in the same way.
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
