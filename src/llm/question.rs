//! One question that a model has to be asked.

use serde_json::Value;

use super::conversation::{self, Talk};
use super::endpoint::Endpoint;
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
    /// Whether the lock has an answer to an older form of the question.
    pub stale: bool,
    /// The entry of the lock that the answer takes the place of.
    pub replaces: Option<Entry>,
}

impl Question {
    /// The body of the first request for it, to the first model.
    ///
    /// It is sent exactly so, except that a budget adds `max_tokens`, and on OpenRouter `max_price` and
    /// `require_parameters`. The key is no part of it.
    pub fn messages(&self, endpoint: &Endpoint) -> Value {
        let models = endpoint.each_model();
        conversation::body(models.first().unwrap_or(endpoint), self, &self.prompt, &Talk::default())
    }
}
