//! Secrets that are known by their values: what a run tells of itself is told without them.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use serde_json::Value;

use super::PLACEHOLDER;
use crate::event::{Event, Observer};
use crate::intent::{Difference, Intent};
use crate::outcome::DeployOutcome;

/// What is shorter than this stands in any text by chance, in characters.
pub const SHORTEST_SECRET: usize = 4;

/// The values of the secrets of one project.
#[derive(Debug, Clone, Default)]
pub struct Known(Vec<String>);

impl Known {
    /// Of a secret of several lines each line counts, for a diff tells it line by line.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a String>) -> Self {
        let lines = secrets.into_iter().flat_map(|secret| secret.lines()).map(str::trim);
        let mut parts: Vec<String> =
            lines.filter(|line| line.chars().count() >= SHORTEST_SECRET).map(str::to_owned).collect();
        // A longer one may hold a shorter.
        parts.sort_unstable_by_key(|part| Reverse(part.len()));
        parts.dedup();
        Self(parts)
    }

    fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), PLACEHOLDER));
            }
        }
        text
    }

    fn hide(&self, text: &mut String) {
        if let Cow::Owned(clean) = self.clean(text) {
            *text = clean;
        }
    }

    /// Leaves them out of names of operations, diffs and errors.
    pub fn hide_in(&self, outcome: &mut DeployOutcome) {
        if self.0.is_empty() {
            return;
        }
        for resource in &mut outcome.resources {
            let texts = [&mut resource.error, &mut resource.diff, &mut resource.reason];
            texts.into_iter().flatten().for_each(|text| self.hide(text));
            for operation in &mut resource.operations {
                self.hide(&mut operation.name);
                let texts = [&mut operation.error, &mut operation.diff];
                texts.into_iter().flatten().for_each(|text| self.hide(text));
                if let Some(intent) = &mut operation.intent {
                    self.hide_in_intent(intent);
                }
            }
        }
        outcome.host_errors.iter_mut().for_each(|host| self.hide(&mut host.error));
    }

    fn hide_in_intent(&self, intent: &mut Intent) {
        let Intent { changes, replaces, overwrites, found, reason, .. } = intent;
        [replaces, overwrites, reason].into_iter().flatten().for_each(|text| self.hide(text));
        found.values_mut().for_each(|value| self.hide_in_value(value));
        for Difference { before, after, .. } in changes {
            self.hide_in_value(before);
            self.hide_in_value(after);
        }
    }

    fn hide_in_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.hide(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in_value(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.hide_in_value(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Passes on what happens without secrets in it.
pub struct Discreet {
    /// Who is told.
    pub to: Arc<dyn Observer>,
    /// What they are not told.
    pub known: Known,
}

impl Observer for Discreet {
    fn observe(&self, event: &Event) {
        let mut event = event.clone();
        match &mut event {
            Event::OperationStart { operation, .. } | Event::OperationEnd { operation, .. } => {
                self.known.hide(operation);
            }
            Event::HostError { error, .. } => self.known.hide(error),
            _ => {}
        }
        self.to.observe(&event);
    }

    fn finish(&self) {
        self.to.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_every_line_and_the_longest_first() {
        let known =
            Known::new(&["hunter2".to_owned(), "hunter2-long".to_owned(), "one\n  two-two\nabc".to_owned()]);
        assert_eq!(known.clean("hunter2-long, hunter2"), format!("{PLACEHOLDER}, {PLACEHOLDER}"));
        assert_eq!(known.clean("+  two-two\n+abc"), format!("+  {PLACEHOLDER}\n+abc"), "abc is too short");
    }
}
