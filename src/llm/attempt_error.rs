//! The error of one attempt to get an answer, and whether to ask again.

use std::time::Duration;

use super::endpoint::Endpoint;
use super::optional_parts::OptionalPart;
use crate::error::{Error, ModelErrorKind};
use crate::settings::Policy;

/// The reason why one attempt gave no answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AttemptError {
    /// The kind of failure.
    pub kind: ModelErrorKind,
    /// The message for the user: what went wrong, and what to do.
    pub message: String,
    /// The decision whether to ask again.
    pub retry: RetryDecision,
    /// The status that the server sent, if that was the failure.
    pub status: Option<u16>,
    /// True if a model may have been at work, so that the attempt may have to be paid for.
    pub may_be_billed: bool,
}

/// The decision whether to ask again after an error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum RetryDecision {
    /// Asking again would not help.
    Stop,
    /// The failure may pass. The server may have said how long that takes.
    Retry(Option<Duration>),
    /// The server rejects this part of the request, and may take a request without it.
    RetryWithout(OptionalPart),
}

impl AttemptError {
    pub fn new(kind: ModelErrorKind, retry: RetryDecision, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry, status: None, may_be_billed: false }
    }

    /// Marks the attempt as one that may have to be paid for.
    pub fn billed(self) -> Self {
        Self { may_be_billed: true, ..self }
    }

    /// Adds the number of attempts to the message.
    pub fn after(mut self, attempts: u32) -> Self {
        if attempts > 1 {
            self.message.push_str(&format!(" (Asked {attempts} times.)"));
        }
        self
    }

    /// Returns how long to wait after so many attempts before the next, with the error; the error alone
    /// means that there is no next attempt.
    pub fn wait(self, attempts: u32, policy: &Policy) -> Result<(Duration, Self), Self> {
        match self.retry {
            RetryDecision::Retry(Some(wait)) if attempts < policy.tries && wait > policy.longest_wait => {
                Err(self.too_long(wait))
            }
            // The delay is added to the time that the server names, so that not all requests come at once.
            RetryDecision::Retry(wait) if attempts < policy.tries => {
                Ok((wait.unwrap_or_default() + policy.delay(attempts), self))
            }
            _ => Err(self.after(attempts)),
        }
    }

    /// Adds the wait that the server asks for, and that is too long, to the message.
    fn too_long(mut self, wait: Duration) -> Self {
        let minutes = wait.as_secs().div_ceil(60);
        let after = if minutes < 120 {
            format!("{minutes} minutes")
        } else {
            format!("{} hours", minutes.div_ceil(60))
        };
        self.message.push_str(&format!(" It says to come back in {after}."));
        self
    }

    /// Tells whether the question may be the cause, such as a conversation that is too long for the model.
    pub fn may_lie_in_the_question(&self) -> bool {
        matches!(self.retry, RetryDecision::Stop | RetryDecision::RetryWithout(OptionalPart::Room))
            && matches!(self.kind, ModelErrorKind::Server | ModelErrorKind::Answer)
    }

    /// The server sent something that is no answer. Another attempt may give one.
    pub fn no_answer(endpoint: &Endpoint, what: &str) -> Self {
        let message =
            format!("the model server {} {what}. Try again, or try another model.", endpoint.host());
        Self::new(ModelErrorKind::Server, RetryDecision::Retry(None), message)
    }

    /// The server fell silent for too long.
    pub fn silent(endpoint: &Endpoint, limit: Duration) -> Self {
        Self::new(
            ModelErrorKind::Timeout,
            RetryDecision::Retry(None),
            format!(
                "the model server {} was silent for {} seconds. Try again, or give it more time with \
                 CLOCKWORK_TIMEOUT.",
                endpoint.host(),
                limit.as_secs_f64()
            ),
        )
        .billed()
    }
}

impl From<AttemptError> for Error {
    /// The error of a whole run, which belongs to no single resource.
    fn from(error: AttemptError) -> Self {
        Self::Model { address: None, kind: error.kind, message: error.message }
    }
}
