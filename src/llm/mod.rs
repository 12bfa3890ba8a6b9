//! A model fills in what the user left out.
//!
//! [`prepare`] tells the artifacts that the lock has from the questions that have to be asked, and words
//! these; [`generate`] asks them, checks the answers, has unusable ones repaired, and pins the artifacts.

mod answer;
mod attempt_error;
mod budget;
mod client;
mod conversation;
mod endpoint;
mod error_body;
mod error_status;
mod event_stream;
mod exchange;
mod fallback;
mod fingerprint;
mod format;
mod generation;
mod image_reference;
mod official_images;
mod optional_parts;
mod prepared;
mod price;
mod price_list;
mod prompt;
mod question;
mod request_body;
mod retry_after;
mod run_context;
mod saved_texts;
mod schema;
mod validate;

use std::sync::atomic::AtomicUsize;

use futures_util::{FutureExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;

pub use endpoint::Endpoint;
pub use generation::Generation;
pub use prepared::{Pinned, Prepared, Regenerate, prepare};
pub use prompt::Prompt;
pub use question::Question;
pub use run_context::Check;

use crate::error::{Error, Result};
use crate::event::{Event, Observer};
use crate::lockfile::Lock;
use crate::outcome::ArtifactOutcome;
use crate::settings::Settings;
use budget::Budget;
use client::Client;
use run_context::RunContext;
use saved_texts::SavedTexts;

/// Asks all questions, as many at once as the settings say, and pins each artifact as soon as it is there.
///
/// A question that fails does not lose the others. The whole fails without a key that is needed, if the lock
/// cannot be written, and when it is cancelled.
pub async fn generate(
    prepared: Prepared,
    endpoint: &Endpoint,
    settings: &Settings,
    lock: &mut Lock,
    check: &Check<'_>,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Generation> {
    if prepared.missing.is_empty() {
        return Ok(prepared.into_generation());
    }
    endpoint.check_key()?;
    lock.check_writable()?;
    let mut models = endpoint.each_model();
    let client = Client::new(endpoint, &settings.policy)?;
    if budget::max_cost(settings, endpoint).is_some() {
        tokio::select! {
            () = cancel.cancelled() => return Err(Error::Interrupted),
            result = price_list::set_prices(&mut models, &client, &settings.policy) => result?,
        }
    }
    observer.observe(&Event::GenerateBegin {
        total: prepared.missing.len(),
        pinned: prepared.pinned.len(),
        model: endpoint.label.clone(),
    });
    let context = &RunContext {
        clients: models.iter().map(|model| client.with(model)).collect(),
        first: AtomicUsize::new(0),
        policy: &settings.policy,
        check,
        observer,
        rules: validate::Rules {
            local: endpoint.local,
            allow_unverified_images: settings.allow_unverified_images,
        },
        max_repairs: settings.max_repairs,
        budget: Budget::new(settings, endpoint),
        saved: SavedTexts::beside(lock.path()),
        // The caller's token ends the run also where a check of the user's raised an error.
        halt: cancel.child_token(),
    };
    let Prepared { pinned, missing, order, .. } = prepared;
    let mut generation = Generation::of_pinned(pinned);
    // The stream allocates room for so many, so a huge setting must not get through.
    let at_once = settings.concurrency.clamp(1, missing.len().max(1));
    // Answers that are ready at the same moment are written to the lock together.
    let mut answers = futures_util::stream::iter(missing)
        .map(|question| async move {
            let answered = fallback::ask(context, &question).await;
            let artifact = answered.as_ref().and_then(|answered| answered.result.as_ref().ok());
            let outcome = ArtifactOutcome {
                stale: question.stale,
                unverified: artifact
                    .is_some_and(|entry| official_images::unverified(&question.request, &entry.content)),
                ..ArtifactOutcome::new(question.request.address.clone())
            };
            (question, outcome, answered)
        })
        .buffer_unordered(at_once)
        .ready_chunks(at_once);
    loop {
        let (ready, cancelled) = tokio::select! {
            biased;
            // Answers that are there already are still pinned. The others are dropped with their connections.
            () = cancel.cancelled() => (answers.next().now_or_never().flatten(), true),
            ready = answers.next() => (ready, false),
        };
        let ended = ready.is_none();
        for (question, outcome, answered) in ready.into_iter().flatten() {
            generation.take(question, outcome, answered, lock);
        }
        lock.save()?;
        if cancelled {
            return Err(Error::Interrupted);
        }
        if ended {
            break;
        }
    }
    drop(answers);
    generation.sort(&order);
    Ok(generation)
}

#[cfg(test)]
mod tests;
