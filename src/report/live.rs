//! Live lines: one for each resource in generation and each running operation.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::printable;
use crate::event::{Event, Observer};

const TAIL: usize = 200;

/// The key of the line about another run.
const WAITING: &str = "\0waiting";

/// Draws live lines on standard error. Lines of finished artifacts and failed hosts stay.
pub(super) struct Live {
    screen: MultiProgress,
    lines: Mutex<HashMap<String, Line>>,
}

struct Line {
    bar: ProgressBar,
    tail: String,
}

impl Live {
    pub(super) fn new() -> Self {
        Self { screen: MultiProgress::new(), lines: Mutex::new(HashMap::new()) }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, HashMap<String, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, key: String, name: &str, message: &str) {
        let template = "{spinner:.cyan} {prefix:.bold} {wide_msg:.dim}";
        let bar = ProgressBar::new_spinner()
            .with_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()),
            )
            .with_prefix(printable(name))
            .with_message(printable(message));
        let bar = self.screen.add(bar);
        bar.enable_steady_tick(Duration::from_millis(100));
        self.lines().insert(key, Line { bar, tail: String::new() });
    }

    fn end(&self, key: &str, left_behind: Option<String>) {
        if let Some(line) = self.lines().remove(key) {
            line.bar.finish_and_clear();
            self.screen.remove(&line.bar);
        }
        if let Some(text) = left_behind {
            let _ = self.screen.println(text);
        }
    }

    fn download(&self, what: &str, bytes: u64, total: u64) {
        let mut lines = self.lines();
        let line = lines.entry(what.to_owned()).or_insert_with(|| {
            let template = "{prefix:.bold} {bar:30.cyan} {bytes}/{total_bytes} {bytes_per_sec:.dim}";
            let bar = ProgressBar::new(total)
                .with_style(
                    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
                )
                .with_prefix(what.to_owned());
            Line { bar: self.screen.add(bar), tail: String::new() }
        });
        line.bar.set_position(bytes);
        if bytes >= total {
            line.bar.finish_and_clear();
            lines.remove(what);
        }
    }
}

impl Observer for Live {
    fn observe(&self, event: &Event) {
        match event {
            Event::Waiting { holder } => self.start(WAITING.to_owned(), "waiting for", holder),
            Event::Waited => self.end(WAITING, None),
            Event::GenerateStart { resource } => {
                self.start(resource.to_string(), &resource.to_string(), "waiting for the model");
            }
            Event::GenerateDelta { resource, text } => {
                if let Some(line) = self.lines().get_mut(&resource.to_string()) {
                    line.tail.push_str(&printable(text));
                    let excess = line.tail.chars().count().saturating_sub(TAIL);
                    line.tail = line.tail.chars().skip(excess).collect();
                    // The line shows the end of the text, as much as fits.
                    let width = usize::from(console::Term::stderr().size().1)
                        .saturating_sub(line.bar.prefix().chars().count() + 4);
                    let shown: Vec<char> = line.tail.chars().collect();
                    line.bar
                        .set_message(shown[shown.len().saturating_sub(width)..].iter().collect::<String>());
                }
            }
            Event::GenerateRetry { resource, seconds, reason, .. } => {
                if let Some(line) = self.lines().get_mut(&resource.to_string()) {
                    line.tail.clear();
                    line.bar.set_message(format!("{}; trying again in {seconds:.1} s", printable(reason)));
                }
            }
            Event::GenerateRepair { resource, complaint, .. } => {
                if let Some(line) = self.lines().get_mut(&resource.to_string()) {
                    line.tail.clear();
                    line.bar.set_message(format!("{}; being repaired", printable(complaint)));
                }
            }
            Event::GenerateEnd { resource, seconds, .. } => {
                let text = format!(
                    "{} {resource} written {}",
                    style("✎").cyan(),
                    style(format!("{seconds:.1} s")).dim()
                );
                self.end(&resource.to_string(), Some(text));
            }
            Event::GenerateError { resource, error } => {
                let first = printable(error.lines().next().unwrap_or_default());
                self.end(&resource.to_string(), Some(format!("{} {first}", style("✗").red().bold())));
            }
            Event::Download { what, bytes, total } => self.download(what, *bytes, *total),
            Event::HostError { host, error } => {
                let _ =
                    self.screen.println(format!("{} {host}: {}", style("✗").red().bold(), printable(error)));
            }
            Event::OperationStart { host, operation, .. } => {
                self.start(format!("{host}\0{operation}"), host, operation);
            }
            // The table at the end has the outcome.
            Event::OperationEnd { host, operation, .. } => self.end(&format!("{host}\0{operation}"), None),
            Event::CheckStart { host, resource, check } => {
                self.start(format!("{host}\0{resource}\0{check}"), host, check);
            }
            Event::CheckEnd { host, resource, check, .. } => {
                self.end(&format!("{host}\0{resource}\0{check}"), None);
            }
            _ => {}
        }
    }

    fn finish(&self) {
        for (_, line) in self.lines().drain() {
            line.bar.finish_and_clear();
        }
        let _ = self.screen.clear();
    }
}
