//! The exchange with one model about one question: attempts, repairs, and the result.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{Timestamp, Unit};

use super::answer::Answer;
use super::attempt_error::{AttemptError, RetryDecision};
use super::budget::{Bound, RAISE, Spent};
use super::client::Client;
use super::conversation::{self, Conversation};
use super::endpoint::Endpoint;
use super::optional_parts::OptionalPart;
use super::prompt::Prompt;
use super::question::Question;
use super::run_context::RunContext;
use super::{request_body, validate};
use crate::error::{Error, ModelErrorKind, Result};
use crate::event::Event;
use crate::lockfile::{Entry, digest};
use crate::resource::Artifact;

/// The exchange with one model about one question.
pub(super) struct Exchange<'a, 'b> {
    context: &'a RunContext<'b>,
    question: &'a Question,
    client: &'a Client<'b>,
    conversation: Conversation,
    /// The bound that the budget set for the last answer.
    bound: Option<Bound>,
    /// The number of requests that were sent.
    sent: u32,
    spent: &'a mut Spent,
    repairs: &'a mut u32,
}

impl<'a, 'b> Exchange<'a, 'b> {
    pub fn new(
        context: &'a RunContext<'b>,
        question: &'a Question,
        client: &'a Client<'b>,
        spent: &'a mut Spent,
        repairs: &'a mut u32,
    ) -> Self {
        Self {
            context,
            question,
            client,
            conversation: Conversation::default(),
            bound: None,
            sent: 0,
            spent,
            repairs,
        }
    }

    /// Asks the question, and gives an unusable answer back to the model.
    pub async fn run(&mut self) -> Result<Result<Entry, AttemptError>> {
        // The context of a small model may not hold a conversation. Each repair is a new question then.
        let mut starts_anew = self.endpoint().local;
        let mut complaint = String::new();
        // The first part of an answer that was cut off.
        let mut beginning = String::new();
        let mut last_answer = String::new();
        loop {
            let answer = match self.request_with_retries().await? {
                Ok(answer) => answer,
                Err(error)
                    if self.conversation.is_begun()
                        && beginning.is_empty()
                        && !starts_anew
                        && error.may_lie_in_the_question() =>
                {
                    starts_anew = true;
                    self.conversation.begin_anew(&complaint);
                    continue;
                }
                Err(mut error) => {
                    // The last answer is paid for, and may be nearly right.
                    if let Some(path) = self.keep(&last_answer) {
                        error.message.push_str(&format!(" The last answer is kept in {}.", path.display()));
                    }
                    return Ok(Err(error));
                }
            };
            let text = validate::without_reasoning(&answer.text);
            let text =
                if beginning.is_empty() { text.to_owned() } else { conversation::join(&beginning, text) };
            last_answer.clone_from(&text);
            if answer.is_cut() {
                if let Some(error) = self.budget_used_up(&answer, &text) {
                    return Ok(Err(error));
                }
                let most_doublings = request_body::most_doublings(self.endpoint());
                if self.conversation.doublings >= most_doublings.unwrap_or(1) {
                    return Ok(Err(self.cut_off(&text)));
                }
                self.conversation.doublings += 1;
                // Half a JSON object cannot be continued: a grammar begins at its beginning.
                if most_doublings.is_none()
                    && self.question.request.schema.is_none()
                    && !text.trim().is_empty()
                {
                    self.conversation.go_on(&text);
                    beginning = text;
                }
                self.tell_retry(Duration::ZERO, "the answer was cut off, and gets more room");
                continue;
            }
            beginning.clear();
            complaint = match self.check(&text) {
                Ok(artifact) => return Ok(Ok(self.entry(artifact, answer))),
                Err(complaint) => self.endpoint().quote(&complaint),
            };
            if *self.repairs >= self.context.max_repairs || self.context.halt.is_cancelled() {
                return Ok(Err(self.unusable(&text, &complaint)));
            }
            *self.repairs += 1;
            if starts_anew {
                self.conversation.begin_anew(&complaint);
            } else {
                self.conversation.complain(text.trim(), &complaint);
            }
            self.context.observer.observe(&Event::GenerateRepair {
                resource: self.question.request.address.clone(),
                attempt: *self.repairs,
                complaint: complaint.clone(),
            });
        }
    }

    /// Sends the next request until there is an answer, or until asking again is of no use.
    async fn request_with_retries(&mut self) -> Result<Result<Answer, AttemptError>> {
        let mut attempts = 1;
        loop {
            let error = match self.request().await? {
                Ok(answer) => return Ok(Ok(answer)),
                Err(error) => error,
            };
            let (wait, error) = match error.retry {
                // A request without a rejected part is no further attempt. It happens once for each part.
                RetryDecision::RetryWithout(part) if self.leave_out(part) => continue,
                _ if self.context.halt.is_cancelled() => return Ok(Err(error.after(attempts))),
                _ => match error.wait(attempts, self.context.policy) {
                    Ok(again) => again,
                    Err(error) => return Ok(Err(error)),
                },
            };
            attempts += 1;
            self.tell_retry(wait, &error.message);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.context.halt.cancelled() => return Ok(Err(error.after(attempts - 1))),
            }
        }
    }

    /// Leaves a part that the server rejects out of all further requests. Returns `false` if that changes
    /// nothing.
    fn leave_out(&mut self, part: OptionalPart) -> bool {
        // If no budget bounds the answer, the question alone is too long.
        if part == OptionalPart::Room && self.bound.is_none() {
            return false;
        }
        self.client.rejections.note(part);
        self.conversation.rejected.add(part)
    }

    /// Sends one request, if the budget has room for it.
    async fn request(&mut self) -> Result<Result<Answer, AttemptError>> {
        let with_schema;
        let prompt = if self.conversation.rejected.has(OptionalPart::ResponseFormat) {
            with_schema = Prompt::new(&self.question.request, true)?;
            &with_schema
        } else {
            &self.question.prompt
        };
        self.client.rejections.add_to(&mut self.conversation.rejected);
        let mut body = request_body::body(self.endpoint(), self.question, prompt, &self.conversation);
        let need = request_body::need(self.endpoint(), self.question, &body, &self.conversation);
        let reservation = match self.context.budget.reserve(need).await {
            Ok(reservation) => reservation,
            Err(reason) => {
                let asked = if self.sent == 0 { "not asked for" } else { "not asked for again" };
                let message = format!("{asked}, because {reason}. What is there is in the lock.");
                return Ok(Err(AttemptError::new(ModelErrorKind::Budget, RetryDecision::Stop, message)));
            }
        };
        // The run may have been halted while the budget had no room.
        if self.context.halt.is_cancelled() {
            return if self.sent == 0 && *self.spent == Spent::default() {
                Err(Error::Interrupted)
            } else {
                let message = "not asked for again, because another request showed that it would be in vain.";
                Ok(Err(AttemptError::new(ModelErrorKind::Budget, RetryDecision::Stop, message)))
            };
        }
        self.bound.clone_from(&reservation.bound);
        if let Some(bound) = &self.bound {
            request_body::bound(self.endpoint(), &mut body, bound.most, &self.conversation);
        }
        self.sent += 1;
        let resource = &self.question.request.address;
        let observer = self.context.observer;
        let mut on_text = |text| observer.observe(&Event::GenerateDelta { resource: resource.clone(), text });
        let mut answer = Answer::default();
        let result = self.client.ask(&body, &mut answer, &mut on_text).await;
        let spent = answer.spent();
        self.spent.add(spent);
        let is_told = spent != Spent::default();
        match &result {
            Ok(()) => reservation.settle(spent),
            Err(_) if is_told && answer.is_finished() => reservation.settle(spent),
            // A count that comes before the end of an answer is not all that it goes on to use.
            Err(error) if is_told || error.may_be_billed => reservation.lose(spent),
            Err(_) => {}
        }
        Ok(result.map(|()| answer))
    }

    fn check(&self, text: &str) -> std::result::Result<Artifact, String> {
        let artifact = validate::artifact(&self.question.request, text, self.context.rules)?;
        (self.context.check)(&self.question.request.address, &artifact)
    }

    fn entry(&self, artifact: Artifact, answer: Answer) -> Entry {
        let now = Timestamp::now().round(Unit::Second).unwrap_or_else(|_| Timestamp::now());
        Entry {
            fingerprint: Some(self.question.fingerprint.clone()),
            sha256: digest(&artifact),
            content: artifact,
            model: self.model(&answer),
            provider: answer.provider,
            generated_at: now.to_string(),
            // Repairs are counted too.
            tokens_in: self.spent.tokens_in,
            tokens_out: self.spent.tokens_out,
            cost: self.spent.cost,
            stacks: Vec::new(),
            unknown: toml::Table::new(),
        }
    }

    fn endpoint(&self) -> &Endpoint {
        self.client.endpoint()
    }

    /// The name of the model that wrote an answer.
    fn model(&self, answer: &Answer) -> String {
        // OpenRouter tells which model it chose. Other servers may tell a path of their own.
        let told = answer.model.clone().filter(|_| self.endpoint().is_openrouter());
        told.unwrap_or_else(|| self.endpoint().label.clone())
    }

    fn tell_retry(&self, wait: Duration, reason: &str) {
        self.context.observer.observe(&Event::GenerateRetry {
            resource: self.question.request.address.clone(),
            attempt: self.sent + 1,
            seconds: wait.as_secs_f64(),
            reason: reason.to_owned(),
        });
    }

    /// The error for an answer that the budget cut off; `None` if the server cut it off by itself.
    fn budget_used_up(&self, answer: &Answer, text: &str) -> Option<AttemptError> {
        let Bound { most, limit } = self.bound.as_ref()?;
        let limit = limit.as_ref().filter(|_| answer.tokens_out.is_none_or(|tokens| tokens >= *most))?;
        let message = format!(
            "what the run may use is used up: the answer was cut off after the {most} tokens that the {limit} left \
             for it{}. {RAISE}. What is there is in the lock.",
            self.kept(text)
        );
        Some(AttemptError::new(ModelErrorKind::Budget, RetryDecision::Stop, message))
    }

    fn cut_off(&self, text: &str) -> AttemptError {
        let message = format!(
            "the answer of the model '{}' was cut off at the longest length that it may have, also when it was asked \
             for more{}. Ask for a smaller size, or try another model.",
            self.endpoint().label,
            self.kept(text)
        );
        AttemptError::new(ModelErrorKind::Answer, RetryDecision::Stop, message)
    }

    fn unusable(&self, text: &str, complaint: &str) -> AttemptError {
        let repaired = match *self.repairs {
            0 => String::new(),
            1 => " (also after one repair)".to_owned(),
            repairs => format!(" (also after {repairs} repairs)"),
        };
        let message = format!(
            "the answer of the model '{}' cannot be used{repaired}: {complaint}{}. Try again, say more in the \
             description, or try another model.",
            self.endpoint().label,
            self.kept(text)
        );
        AttemptError::new(ModelErrorKind::Answer, RetryDecision::Stop, message)
    }

    /// Keeps an unusable answer, and words the path for a message.
    fn kept(&self, text: &str) -> String {
        self.keep(text).map(|path| format!("; it is kept in {}", path.display())).unwrap_or_default()
    }

    /// Keeps an unusable answer, and returns its path.
    fn keep(&self, text: &str) -> Option<PathBuf> {
        if text.trim().is_empty() {
            return None;
        }
        self.context.saved.failed(&self.question.request.address, text)
    }
}
