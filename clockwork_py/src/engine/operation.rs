//! One operation of a script on one host, from its definition to its end.

use std::time::Instant;

use clockwork_core::operation::Effects;
use clockwork_core::outcome::{Action, OperationOutcome};

use super::diff::Diff;
use super::intent::Announced;

/// The stage that a script has come to on its hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is prepared: its changes are known.
    Planned,
    /// It has been executed.
    Executed,
}

/// An operation.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the operation")]
pub struct Operation {
    /// pyinfra's hash of it.
    pub key: String,
    /// Its name.
    pub name: String,
    /// True if running it twice does nothing the second time.
    pub idempotent: bool,
    /// True if it has an `_if`.
    pub conditional: bool,
    /// The diff that pyinfra logged.
    pub diff: Diff,
    /// The intent when it was prepared.
    pub planned_intent: Option<Announced>,
    /// The intent of the stage that goes on.
    pub intent: Option<Announced>,
    /// True if it is tried again: a further intent is for the rest of the work alone.
    pub retried: bool,
    /// Warnings and errors that pyinfra logged.
    pub complaints: Vec<String>,
    /// True if it would change something.
    pub planned: bool,
    /// Its end, if it was reached.
    pub end: Option<End>,
    /// When it was defined.
    pub began: Instant,
    /// The seconds that it took.
    pub seconds: f64,
}

/// The end of an operation.
#[derive(Debug, Clone)]
pub struct End {
    /// True if it changed something.
    pub changed: bool,
    /// The reason for its failure, if it failed.
    pub error: Option<String>,
}

impl Operation {
    /// Drops the intents of the preparation, because the execution yields them again.
    pub fn begin(&mut self) {
        self.planned_intent = self.intent.take().or(self.planned_intent.take());
        self.retried = false;
        self.complaints.clear();
    }

    /// Adds an intent.
    pub fn announce(&mut self, announced: Announced) {
        match &mut self.intent {
            _ if self.retried => {}
            Some(intent) => intent.extend(announced),
            None => self.intent = Some(announced),
        }
    }

    fn announced(&self) -> Option<&Announced> {
        self.intent.as_ref().or(self.planned_intent.as_ref())
    }

    /// The action where the operation changes something.
    fn change(&self, removes: bool, effects: Option<&Effects>) -> Action {
        if removes {
            Action::Remove
        } else if let Some(announced) = self.announced() {
            announced.intent.action.into()
        } else if let Some(effects) = effects.filter(|effects| !effects.is_empty()) {
            match (effects.replaces.is_empty(), effects.creates.is_empty(), effects.removes.is_empty()) {
                (true, false, true) => Action::Create,
                (true, true, false) => Action::Remove,
                _ => Action::Change,
            }
        } else {
            Action::Change
        }
    }

    /// The action of the operation. A plan does not get to all operations.
    pub fn action(&self, stage: Stage, reached: bool, removes: bool, effects: Option<&Effects>) -> Action {
        match (stage, &self.end) {
            (Stage::Executed, None) => Action::Skipped,
            (Stage::Planned, _) if !reached => Action::Skipped,
            (Stage::Planned, _) if !self.planned => Action::Unchanged,
            (Stage::Planned, _) if self.conditional => Action::Conditional,
            (Stage::Executed, Some(end)) if !end.changed && end.error.is_none() => Action::Unchanged,
            // It has run, and its effect is unknown.
            _ if !self.idempotent && !removes => Action::Conditional,
            _ => self.change(removes, effects),
        }
    }

    /// The outcome of the operation. `effects` are those that its kind declares, for one that announces no intent.
    pub fn outcome(
        &self,
        stage: Stage,
        reached: bool,
        removes: bool,
        effects: Option<&Effects>,
    ) -> OperationOutcome {
        let action = self.action(stage, reached, removes, effects);
        let declared = effects.is_some_and(|effects| !effects.replaces.is_empty()) && action.is_change();
        let changed = match (stage, &self.end) {
            (Stage::Executed, Some(end)) => end.changed,
            _ => action.is_change(),
        };
        let announced = self.announced().filter(|_| action.is_change());
        let diff = match announced {
            Some(announced) => announced.diff.clone(),
            None => self.diff.text().filter(|_| action.is_change()).map(str::to_owned),
        };
        OperationOutcome {
            name: self.name.clone(),
            action,
            changed,
            error: self.end.as_ref().and_then(|end| end.error.clone()),
            seconds: self.seconds,
            diff,
            replaces: declared || announced.is_some_and(|announced| announced.intent.replaces.is_some()),
            intent: announced.map(|announced| announced.intent.clone()),
        }
    }
}
