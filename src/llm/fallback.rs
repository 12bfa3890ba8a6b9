//! Asks one resource's question: the first model, and the next where one cannot answer.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::budget::Spent;
use super::exchange::Exchange;
use super::question::Question;
use super::run_context::RunContext;
use crate::error::{Error, ModelErrorKind, Result};
use crate::event::Event;
use crate::lockfile::Entry;

/// The reason for a question that was not sent after the run was halted.
pub(super) const IN_VAIN: &str = "not asked for, because another request showed that it would be in vain";

/// The result of one question, and what it took.
pub(super) struct Outcome {
    pub result: Result<Entry>,
    pub spent: Spent,
    pub repairs: u32,
    pub time: Duration,
}

/// Asks until there is an artifact, or until asking again is of no use.
///
/// `None` means that the run was halted before this question was sent.
pub(super) async fn ask(context: &RunContext<'_>, question: &Question) -> Option<Outcome> {
    if context.halt.is_cancelled() {
        return None;
    }
    let begin = Instant::now();
    let resource = question.request.address.clone();
    context.observer.observe(&Event::GenerateStart { resource: resource.clone() });
    let mut spent = Spent::default();
    let mut repairs = 0;
    let result = ask_each_model(context, question, &mut spent, &mut repairs).await;
    let time = begin.elapsed();
    if matches!(result, Err(Error::Interrupted)) && context.halt.is_cancelled() {
        let error = format!("{resource}: {IN_VAIN}");
        context.observer.observe(&Event::GenerateError { resource, error });
        return None;
    }
    match &result {
        Ok(_) => {
            context.saved.forget_failed(&resource);
            let tokens = spent.tokens_out;
            let seconds = time.as_secs_f64();
            context.observer.observe(&Event::GenerateEnd { resource, seconds, tokens });
        }
        Err(error) => {
            if matches!(error, Error::Model { kind, .. } if kind.concerns_all()) {
                context.halt.cancel();
            }
            context.observer.observe(&Event::GenerateError { resource, error: error.to_string() });
        }
    }
    Some(Outcome { result, spent, repairs, time })
}

/// Asks one model after the other, until one answers.
async fn ask_each_model(
    context: &RunContext<'_>,
    question: &Question,
    spent: &mut Spent,
    repairs: &mut u32,
) -> Result<Entry> {
    let mut messages = Vec::new();
    let first = context.first.load(Ordering::Relaxed);
    for (index, client) in context.clients.iter().enumerate().skip(first) {
        let error = match Exchange::new(context, question, client, spent, repairs).run().await? {
            Ok(entry) => return Ok(entry),
            Err(error) => error,
        };
        messages.push(error.message);
        let next = context.clients.get(index + 1).filter(|_| error.kind.is_of_one_model());
        let Some(next) = next.filter(|_| !context.halt.is_cancelled()) else {
            let address = Some(question.request.address.clone());
            return Err(Error::Model { address, kind: error.kind, message: messages.join(" ") });
        };
        if error.kind == ModelErrorKind::ModelNotFound {
            context.first.fetch_max(index + 1, Ordering::Relaxed);
        }
        context.observer.observe(&Event::GenerateRetry {
            resource: question.request.address.clone(),
            attempt: 1,
            seconds: 0.0,
            reason: format!(
                "{} Asking '{}' instead",
                messages.last().map_or("", String::as_str),
                next.endpoint().label
            ),
        });
    }
    // The loop returns at the last model, so this is never reached.
    Err(Error::Interrupted)
}
