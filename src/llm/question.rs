//! One question that a model has to be asked.

use super::prompt::Prompt;
use crate::lockfile::Entry;
use crate::resource::Request;

/// A question that has to be asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The request of the resource.
    pub request: Request,
    /// The hash of all that bears on the answer.
    pub fingerprint: String,
    /// The question as it is sent.
    pub prompt: Prompt,
    /// True if the lock has an answer to an older form of the question.
    pub stale: bool,
    /// The entry of the lock that the answer takes the place of.
    pub replaces: Option<Entry>,
}
