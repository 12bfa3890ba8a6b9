//! A model fills in what the user left out; what it wrote is pinned in the lock.
//!
//! [`prepare`] tells what the lock already has from what has to be asked for, and words the
//! questions; [`generate`] asks them, checks the answers, and has mended what cannot be used.

mod answer;
mod attempt_error;
mod budget;
mod client;
mod conversation;
mod endpoint;
mod error_body;
mod event_stream;
mod exchange;
mod fallback;
mod fingerprint;
mod format;
mod generation;
mod official_images;
mod prepared;
mod price;
mod prompt;
mod question;
mod retry_after;
mod saved_texts;
mod schema;
mod validate;

use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use futures_util::{FutureExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;

pub use endpoint::Endpoint;
pub use generation::{Generation, Totals};
pub use prepared::{Pinned, Prepared, Regenerate, prepare};
pub use prompt::Prompt;
pub use question::Question;

use crate::error::{Error, Result};
use crate::event::{Event, Observer};
use crate::lockfile::Lock;
use crate::outcome::ArtifactOutcome;
use crate::resource::{Address, Artifact};
use crate::settings::Settings;
use budget::Budget;
use client::Client;
use fallback::Context;
use saved_texts::Saved;

/// A resource's own check of what the model wrote for it: what to pin, or what is wrong with it.
///
/// Called for one resource after the other: all questions are asked by one task.
pub type Check<'a> = dyn Fn(&Address, &Artifact) -> std::result::Result<Artifact, String> + Sync + 'a;

/// Asks for all that is missing, as many at once as the settings say, and pins each artifact as
/// soon as it is there.
///
/// One that fails does not lose the others. Fails as a whole without a key that is needed, where
/// the lock cannot be written, and when it is cancelled.
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
    let begin = Instant::now();
    endpoint.check_key()?;
    lock.check_writable()?;
    let mut models = endpoint.each_model();
    let client = Client::new(endpoint, &settings.policy)?;
    if budget::max_cost(settings, endpoint).is_some() {
        tokio::select! {
            () = cancel.cancelled() => return Err(Error::Interrupted),
            found = price::find_out(&mut models, &client, &settings.policy) => found?,
        }
    }
    observer.observe(&Event::GenerateBegin {
        total: prepared.missing.len(),
        pinned: prepared.pinned.len(),
        model: endpoint.label.clone(),
    });
    let context = &Context {
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
        saved: Saved::beside(lock.path()),
        // A check that goes wrong by itself ends the run.
        halt: cancel.child_token(),
    };
    let Prepared { pinned, missing, order, .. } = prepared;
    let mut generation = Generation::of_pinned(pinned);
    // Room is made for so many, whether or not there are as many.
    let at_once = settings.concurrency.clamp(1, missing.len().max(1));
    // What is ready at the same moment is written to the lock in one go.
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
            // What is there already is still pinned; the rest is dropped, connections and all.
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
    generation.seconds = begin.elapsed().as_secs_f64();
    Ok(generation)
}

#[cfg(test)]
mod tests;
