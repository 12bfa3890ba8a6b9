//! The parts of a request that not every server takes, and what has been learned about a server.

use std::sync::atomic::{AtomicBool, Ordering};

/// A part of a request that not every server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OptionalPart {
    /// `response_format`. Without it, the schema stands in the prompt.
    ResponseFormat,
    /// `stream_options`. Without it, the count of tokens stays unknown.
    StreamOptions,
    /// `max_tokens`, which some servers call `max_completion_tokens`.
    MaxTokens,
    /// Room for a long answer. Without it, only as much is asked for as the answer needs.
    Room,
}

impl OptionalPart {
    const COUNT: usize = 4;
}

/// The parts of a request that a server is known not to take.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RejectedParts([bool; OptionalPart::COUNT]);

impl RejectedParts {
    /// Tells whether the server rejects a part.
    pub fn has(self, part: OptionalPart) -> bool {
        self.0[part as usize]
    }

    /// Adds a part, and tells whether it is new.
    pub fn add(&mut self, part: OptionalPart) -> bool {
        !std::mem::replace(&mut self.0[part as usize], true)
    }
}

/// The rejected parts that all questions to one model of a server share, so that only the first question
/// has to learn of them.
#[derive(Debug, Default)]
pub(super) struct SharedRejections([AtomicBool; OptionalPart::COUNT]);

impl SharedRejections {
    /// Notes a part that the server does not take, whatever the question.
    pub fn note(&self, part: OptionalPart) {
        if matches!(part, OptionalPart::StreamOptions | OptionalPart::MaxTokens) {
            self.0[part as usize].store(true, Ordering::Relaxed);
        }
    }

    /// Adds the shared parts to those of one question.
    pub fn add_to(&self, rejected: &mut RejectedParts) {
        for (shared, own) in self.0.iter().zip(&mut rejected.0) {
            *own |= shared.load(Ordering::Relaxed);
        }
    }
}
