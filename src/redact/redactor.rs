//! Redaction of known secret values in events, outcomes and errors.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use serde_json::Value;

use super::PLACEHOLDER;
use crate::event::{Event, Observer};
use crate::intent::{Difference, Intent};
use crate::outcome::DeployOutcome;

/// The smallest length of a redacted value, in characters: shorter ones occur in any text by chance.
pub const SHORTEST_SECRET: usize = 4;

/// Replaces the secret values of one project by a placeholder.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Vec<String>);

impl Redactor {
    /// Each line of a multi-line secret is redacted by itself, because a diff shows lines with a prefix.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a String>) -> Self {
        let lines = secrets.into_iter().flat_map(|secret| secret.lines()).map(str::trim);
        let mut parts: Vec<String> =
            lines.filter(|line| line.chars().count() >= SHORTEST_SECRET).map(str::to_owned).collect();
        // The longest first, since a secret may contain another one.
        parts.sort_unstable_by_key(|part| Reverse(part.len()));
        parts.dedup();
        Self(parts)
    }

    fn redacted<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), PLACEHOLDER));
            }
        }
        text
    }

    fn redact(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.redacted(text) {
            *text = redacted;
        }
    }

    /// Redacts operation names, diffs, reasons and errors in an outcome.
    pub fn redact_outcome(&self, outcome: &mut DeployOutcome) {
        if self.0.is_empty() {
            return;
        }
        for resource in &mut outcome.resources {
            let texts = [&mut resource.error, &mut resource.diff, &mut resource.reason];
            texts.into_iter().flatten().for_each(|text| self.redact(text));
            for operation in &mut resource.operations {
                self.redact(&mut operation.name);
                let texts = [&mut operation.error, &mut operation.diff];
                texts.into_iter().flatten().for_each(|text| self.redact(text));
                if let Some(intent) = &mut operation.intent {
                    self.redact_intent(intent);
                }
            }
        }
        outcome.host_errors.iter_mut().for_each(|host| self.redact(&mut host.error));
    }

    fn redact_intent(&self, intent: &mut Intent) {
        let Intent { changes, replaces, overwrites, found, reason, .. } = intent;
        [replaces, overwrites, reason].into_iter().flatten().for_each(|text| self.redact(text));
        found.values_mut().for_each(|value| self.redact_value(value));
        for Difference { before, after, .. } in changes {
            self.redact_value(before);
            self.redact_value(after);
        }
    }

    fn redact_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.redact(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.redact_value(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Forwards events to another observer, with secrets redacted.
pub struct RedactingObserver {
    /// The receiver of the redacted events.
    pub inner: Arc<dyn Observer>,
    /// The redactor of the project's secrets.
    pub redactor: Redactor,
}

impl Observer for RedactingObserver {
    fn observe(&self, event: &Event) {
        let mut event = event.clone();
        match &mut event {
            Event::OperationStart { operation, .. } | Event::OperationEnd { operation, .. } => {
                self.redactor.redact(operation);
            }
            Event::HostError { error, .. } => self.redactor.redact(error),
            _ => {}
        }
        self.inner.observe(&event);
    }

    fn finish(&self) {
        self.inner.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_every_line_and_the_longest_first() {
        let redactor = Redactor::new(&[
            "hunter2".to_owned(),
            "hunter2-long".to_owned(),
            "one\n  two-two\nabc".to_owned(),
        ]);
        assert_eq!(redactor.redacted("hunter2-long, hunter2"), format!("{PLACEHOLDER}, {PLACEHOLDER}"));
        assert_eq!(
            redactor.redacted("+  two-two\n+abc"),
            format!("+  {PLACEHOLDER}\n+abc"),
            "abc is too short"
        );
    }
}
