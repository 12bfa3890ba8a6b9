//! One question to one model: the tries, the repairs, and what it all came to.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{Timestamp, Unit};

use super::answer::Answer;
use super::attempt_error::{Fault, Next, Part};
use super::budget::{Bound, RAISE, Spent};
use super::client::Client;
use super::conversation::{self, Talk};
use super::endpoint::Endpoint;
use super::fallback::Context;
use super::prompt::Prompt;
use super::question::Question;
use super::validate;
use crate::error::{Error, ModelErrorKind, Result};
use crate::event::Event;
use crate::lockfile::{Entry, digest};
use crate::resource::Artifact;

/// One question to one model.
pub(super) struct Inquiry<'a, 'b> {
    context: &'a Context<'b>,
    question: &'a Question,
    client: &'a Client<'b>,
    talk: Talk,
    /// How the budget bounds the last answer.
    bound: Option<Bound>,
    /// How many requests have gone out.
    sent: u32,
    spent: &'a mut Spent,
    repairs: &'a mut u32,
}

impl<'a, 'b> Inquiry<'a, 'b> {
    pub fn new(
        context: &'a Context<'b>,
        question: &'a Question,
        client: &'a Client<'b>,
        spent: &'a mut Spent,
        repairs: &'a mut u32,
    ) -> Self {
        Self { context, question, client, talk: Talk::default(), bound: None, sent: 0, spent, repairs }
    }

    /// Asks, and gives what cannot be used back to the model.
    pub async fn run(&mut self) -> Result<Result<Entry, Fault>> {
        // Its context may be too small for a talk: then each repair is a question of its own.
        let mut forgetful = self.endpoint().local;
        let mut complaint = String::new();
        // What is there of an answer that was cut off.
        let mut begun = String::new();
        // The last answer, whatever is wrong with it.
        let mut last = String::new();
        loop {
            let answer = match self.persist().await? {
                Ok(answer) => answer,
                Err(fault)
                    if self.talk.is_begun() && begun.is_empty() && !forgetful && fault.is_of_question() =>
                {
                    forgetful = true;
                    self.talk.begin_anew(&complaint);
                    continue;
                }
                Err(mut fault) => {
                    // It is paid for, and may be nearly right.
                    if let Some(path) = self.keep(&last) {
                        fault.message.push_str(&format!(" The last answer is kept in {}.", path.display()));
                    }
                    return Ok(Err(fault));
                }
            };
            let text = validate::without_reasoning(&answer.text);
            let text = if begun.is_empty() { text.to_owned() } else { conversation::join(&begun, text) };
            last.clone_from(&text);
            if answer.is_cut() {
                if let Some(fault) = self.used_up(&answer, &text) {
                    return Ok(Err(fault));
                }
                let more = conversation::more_room(self.endpoint());
                if self.talk.room >= more.unwrap_or(1) {
                    return Ok(Err(self.cut_off(&text)));
                }
                self.talk.room += 1;
                // Half a JSON object is not gone on with: its grammar begins at the beginning.
                if more.is_none() && self.question.request.schema.is_none() && !text.trim().is_empty() {
                    self.talk.go_on(&text);
                    begun = text;
                }
                self.tell_retry(Duration::ZERO, "the answer was cut off, and gets more room");
                continue;
            }
            begun.clear();
            complaint = match self.check(&text) {
                Ok(artifact) => return Ok(Ok(self.entry(artifact, answer))),
                Err(complaint) => self.endpoint().quote(&complaint),
            };
            if *self.repairs >= self.context.max_repairs || self.context.halt.is_cancelled() {
                return Ok(Err(self.unusable(&text, &complaint)));
            }
            *self.repairs += 1;
            if forgetful {
                self.talk.begin_anew(&complaint);
            } else {
                self.talk.complain(text.trim(), &complaint);
            }
            self.context.observer.observe(&Event::GenerateRepair {
                resource: self.question.request.address.clone(),
                attempt: *self.repairs,
                complaint: complaint.clone(),
            });
        }
    }

    /// Sends what is to be said next, until there is an answer or asking again is of no use.
    async fn persist(&mut self) -> Result<Result<Answer, Fault>> {
        let mut attempt = 1;
        loop {
            let fault = match self.once().await? {
                Ok(answer) => return Ok(Ok(answer)),
                Err(fault) => fault,
            };
            let (wait, fault) = match fault.next {
                // Doing without costs no try, and can happen once for each part.
                Next::Without(part) if self.can_do_without(part) => continue,
                _ if self.context.halt.is_cancelled() => return Ok(Err(fault.after(attempt))),
                _ => match fault.wait(attempt, self.context.policy) {
                    Ok(again) => again,
                    Err(fault) => return Ok(Err(fault)),
                },
            };
            attempt += 1;
            self.tell_retry(wait, &fault.message);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.context.halt.cancelled() => return Ok(Err(fault.after(attempt - 1))),
            }
        }
    }

    /// Whether a part that the server does not take can be left out, which it then is.
    fn can_do_without(&mut self, part: Part) -> bool {
        // Where no budget bounds the answer, it is the question alone that is too long.
        if part == Part::Room && self.bound.is_none() {
            return false;
        }
        self.client.findings.note(part);
        self.talk.without.add(part)
    }

    /// One request, where the budget has room for it.
    async fn once(&mut self) -> Result<Result<Answer, Fault>> {
        let repeated;
        let prompt = if self.talk.without.has(Part::ResponseFormat) {
            repeated = Prompt::new(&self.question.request, true)?;
            &repeated
        } else {
            &self.question.prompt
        };
        self.client.findings.add_to(&mut self.talk.without);
        let mut body = conversation::body(self.endpoint(), self.question, prompt, &self.talk);
        let need = conversation::need(self.endpoint(), self.question, &body, &self.talk);
        let reservation = match self.context.budget.reserve(need).await {
            Ok(reservation) => reservation,
            Err(reason) => {
                let asked = if self.sent == 0 { "not asked for" } else { "not asked for again" };
                let message = format!("{asked}, because {reason}. What is there is in the lock.");
                return Ok(Err(Fault::new(ModelErrorKind::Budget, Next::Stop, message)));
            }
        };
        // It may have been long until there was room for it.
        if self.context.halt.is_cancelled() {
            return if self.sent == 0 && *self.spent == Spent::default() {
                Err(Error::Interrupted)
            } else {
                let message = "not asked for again, because another request showed that it would be in vain.";
                Ok(Err(Fault::new(ModelErrorKind::Budget, Next::Stop, message)))
            };
        }
        self.bound.clone_from(&reservation.bound);
        if let Some(bound) = &self.bound {
            conversation::bound(self.endpoint(), &mut body, bound.most, &self.talk);
        }
        self.sent += 1;
        let resource = &self.question.request.address;
        let observer = self.context.observer;
        let mut told = |text| observer.observe(&Event::GenerateDelta { resource: resource.clone(), text });
        let mut answer = Answer::default();
        let result = self.client.ask(&body, &mut answer, &mut told).await;
        let spent = answer.spent();
        self.spent.add(spent);
        let told = spent != Spent::default();
        match &result {
            Ok(()) => reservation.settle(spent),
            Err(_) if told && answer.is_finished() => reservation.settle(spent),
            // What a server tells on the way is not all that it goes on to use.
            Err(fault) if told || fault.at_work => reservation.lose(spent),
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
            // What it took to get there, repairs and all.
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

    /// The model that wrote an answer.
    fn model(&self, answer: &Answer) -> String {
        // OpenRouter tells which one it chose; what others tell may be a path of theirs.
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

    /// The fault, where it was the budget that cut an answer off, and not the server by itself.
    fn used_up(&self, answer: &Answer, text: &str) -> Option<Fault> {
        let Bound { most, limit } = self.bound.as_ref()?;
        let limit = limit.as_ref().filter(|_| answer.tokens_out.is_none_or(|tokens| tokens >= *most))?;
        let message = format!(
            "what the run may use is used up: the answer was cut off after the {most} tokens that the {limit} left \
             for it{}. {RAISE}. What is there is in the lock.",
            self.kept(text)
        );
        Some(Fault::new(ModelErrorKind::Budget, Next::Stop, message))
    }

    fn cut_off(&self, text: &str) -> Fault {
        let message = format!(
            "the answer of the model '{}' was cut off at the longest length that it may have, also when it was asked \
             for more{}. Ask for a smaller size, or try another model.",
            self.endpoint().label,
            self.kept(text)
        );
        Fault::new(ModelErrorKind::Answer, Next::Stop, message)
    }

    fn unusable(&self, text: &str, complaint: &str) -> Fault {
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
        Fault::new(ModelErrorKind::Answer, Next::Stop, message)
    }

    /// Keeps an answer that cannot be used, and says where.
    fn kept(&self, text: &str) -> String {
        self.keep(text).map(|path| format!("; it is kept in {}", path.display())).unwrap_or_default()
    }

    fn keep(&self, text: &str) -> Option<PathBuf> {
        if text.trim().is_empty() {
            return None;
        }
        self.context.saved.failed(&self.question.request.address, text)
    }
}
