//! The result of the generate stage, and what it took.

use std::collections::HashMap;

use super::fallback::{IN_VAIN, Outcome};
use super::prepared::{Pinned, Prepared};
use super::question::Question;
use super::saved_texts::SavedTexts;
use crate::error::{Error, ModelErrorKind};
use crate::lockfile::Lock;
use crate::outcome::ArtifactOutcome;
use crate::resource::{Address, Artifact};

/// The result of the generate stage.
#[derive(Debug, Default)]
pub struct Generation {
    /// All artifacts, pinned and new, in the order of the requests.
    pub artifacts: Vec<(Address, Artifact)>,
    /// The outcome of each resource, also of those whose artifact is missing, in the same order.
    pub outcomes: Vec<ArtifactOutcome>,
    /// The artifacts of the lock that new ones replaced, in the same order.
    pub replaced: Vec<(Address, Artifact)>,
    /// The resources whose request failed, with the error. A resource that was not asked for, because another
    /// failure showed that it would be in vain, is only among `outcomes`.
    pub errors: Vec<(Address, Error)>,
}

impl Prepared {
    /// The artifacts that are there without asking: all of them if nothing is missing. No
    /// [`Endpoint`](super::Endpoint), no key and no local model is needed for that.
    pub fn into_generation(self) -> Generation {
        let mut generation = Generation::of_pinned(self.pinned);
        generation.sort(&self.order);
        generation
    }
}

impl Generation {
    pub(super) fn of_pinned(pinned: Vec<Pinned>) -> Self {
        let mut generation = Self::default();
        for pinned in pinned {
            generation.outcomes.push(ArtifactOutcome {
                pinned: true,
                model: Some(pinned.model),
                provider: pinned.provider,
                edited: pinned.edited,
                stale: pinned.stale,
                unverified: pinned.unverified,
                ..ArtifactOutcome::new(pinned.address.clone())
            });
            generation.artifacts.push((pinned.address, pinned.artifact));
        }
        generation
    }

    /// Adds the result of one question. An artifact is also pinned in the lock, in memory.
    pub(super) fn take(
        &mut self,
        question: Question,
        mut outcome: ArtifactOutcome,
        result: Option<Outcome>,
        lock: &mut Lock,
    ) {
        let address = question.request.address;
        let Some(Outcome { result, spent, repairs, time }) = result else {
            outcome.error = Some(IN_VAIN.to_owned());
            self.outcomes.push(outcome);
            return;
        };
        outcome.seconds = time.as_secs_f64();
        outcome.repairs = repairs;
        outcome.tokens_in = spent.tokens_in;
        outcome.tokens_out = spent.tokens_out;
        outcome.cost = spent.cost;
        match result {
            Err(error) => {
                outcome.error = Some(error.to_string());
                self.errors.push((address, error));
            }
            Ok(entry) => {
                outcome.model = Some(entry.model.clone());
                outcome.provider.clone_from(&entry.provider);
                if let Some(old) = question.replaces {
                    if old.edited() {
                        outcome.backup = SavedTexts::beside(lock.path()).replaced(&address, &old.content);
                    }
                    lock.remove(&address, old.fingerprint.as_deref());
                    self.replaced.push((address.clone(), old.content));
                }
                self.artifacts.push((address.clone(), entry.content.clone()));
                lock.insert(address, entry);
            }
        }
        self.outcomes.push(outcome);
    }

    pub(super) fn sort(&mut self, order: &HashMap<Address, usize>) {
        let place = |address: &Address| order.get(address).copied();
        self.artifacts.sort_by_key(|(address, _)| place(address));
        self.replaced.sort_by_key(|(address, _)| place(address));
        self.outcomes.sort_by_key(|outcome| place(&outcome.address));
        self.errors.sort_by_key(|(address, _)| place(address));
    }

    /// One error for all that failed: the only one itself, or one that tells of them all and has the kind of
    /// the first. `None` if nothing failed.
    pub fn error(&self) -> Option<Error> {
        let model = |error: &Error| match error {
            Error::Model { kind, message, .. } => (*kind, message.clone()),
            other => (ModelErrorKind::Server, other.to_string()),
        };
        let failed = self.outcomes.iter().filter(|outcome| outcome.error.is_some()).count();
        // The error that stopped the other questions says more than one that concerns a single question.
        let stopper = self.errors.iter().find(|(_, error)| model(error).0.concerns_all());
        let (address, first) = stopper.or(self.errors.first())?;
        let (kind, message) = model(first);
        if failed == 1 {
            return Some(Error::Model { address: Some(address.clone()), kind, message });
        }
        let mut lines =
            vec![format!("{failed} of {} artifacts could not be generated.", self.outcomes.len())];
        if stopper.is_some() {
            lines.push(format!("{address}: {message}"));
        } else {
            // The errors of a limit differ in little but the names, so one of them is enough.
            let is_budget = |error: &Error| model(error).0 == ModelErrorKind::Budget;
            let refused = self.errors.iter().filter(|(_, error)| is_budget(error)).count();
            let mut told = false;
            for (_, error) in &self.errors {
                let budget = is_budget(error);
                match (budget && told, budget && refused > 1) {
                    (true, _) => {}
                    (false, true) => lines.push(format!("{error} The limit stopped {} more.", refused - 1)),
                    (false, false) => lines.push(error.to_string()),
                }
                told |= budget;
            }
        }
        if !self.artifacts.is_empty() {
            lines.push("The others are in the lock, and are not asked for again.".to_owned());
        }
        Some(Error::Model { address: None, kind, message: lines.join("\n") })
    }
}
