//! One resource's question, from its first try to an artifact or an error.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Spent};
use super::client::Client;
use super::exchange::Inquiry;
use super::question::Question;
use super::saved_texts::Saved;
use super::validate;
use crate::error::{Error, ModelErrorKind, Result};
use crate::event::{Event, Observer};
use crate::lockfile::Entry;
use crate::settings::Policy;

/// Why a question was not sent after the run was halted.
pub(super) const IN_VAIN: &str = "not asked for, because another request showed that it would be in vain";

/// All that the questions of one run have in common.
pub(super) struct Context<'a> {
    /// Each model in the order in which they are asked: the first, and its fall-backs.
    pub clients: Vec<Client<'a>>,
    /// The first of them that the server knows, as far as has been found out.
    pub first: AtomicUsize,
    pub policy: &'a Policy,
    pub check: &'a super::Check<'a>,
    pub observer: &'a dyn Observer,
    pub rules: validate::Rules,
    pub max_repairs: u32,
    pub budget: Budget,
    pub saved: Saved,
    /// Set once a failure shows that all further requests would fail too.
    pub halt: CancellationToken,
}

/// What became of one question.
pub(super) struct Answered {
    pub result: Result<Entry>,
    pub spent: Spent,
    pub repairs: u32,
    pub time: Duration,
}

/// Asks until there is an artifact, or asking again is of no use.
///
/// `None`: the run was halted before this question was sent.
pub(super) async fn ask(context: &Context<'_>, question: &Question) -> Option<Answered> {
    if context.halt.is_cancelled() {
        return None;
    }
    let begin = Instant::now();
    let resource = question.request.address.clone();
    context.observer.observe(&Event::GenerateStart { resource: resource.clone() });
    let mut spent = Spent::default();
    let mut repairs = 0;
    let result = each_model(context, question, &mut spent, &mut repairs).await;
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
    Some(Answered { result, spent, repairs, time })
}

/// Asks one model after the other, until one is there to answer.
async fn each_model(
    context: &Context<'_>,
    question: &Question,
    spent: &mut Spent,
    repairs: &mut u32,
) -> Result<Entry> {
    let mut messages = Vec::new();
    let first = context.first.load(Ordering::Relaxed);
    for (index, client) in context.clients.iter().enumerate().skip(first) {
        let fault = match Inquiry::new(context, question, client, spent, repairs).run().await? {
            Ok(entry) => return Ok(entry),
            Err(fault) => fault,
        };
        messages.push(fault.message);
        let next = context.clients.get(index + 1).filter(|_| fault.kind.is_of_one_model());
        let Some(next) = next.filter(|_| !context.halt.is_cancelled()) else {
            let address = Some(question.request.address.clone());
            return Err(Error::Model { address, kind: fault.kind, message: messages.join(" ") });
        };
        if fault.kind == ModelErrorKind::ModelNotFound {
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
    // There is always a last model, and it returns.
    Err(Error::Interrupted)
}
