//! Output of a watch: one line for a round without findings.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use console::{Term, style};

use super::{diff_lines, display_of, log, mark, printable};
use crate::cli::Display;
use crate::event::{Event, Observer};
use crate::outcome::{Action, ResourceOutcome};
use crate::settings::LogLevel;
use crate::watch::{Kind, Notification, Round};

/// Writes the result of a round. Findings with a new notification are shown in detail.
pub fn round(round: &Round, notifications: &[Notification], verbose: bool) -> String {
    let mut text = String::new();
    let is_new = |kind: Kind| verbose || notifications.iter().any(|notification| notification.kind == kind);
    let _ = writeln!(text, "{} {}", style(&round.time).dim(), headline(round));
    if let Some(problem) = &round.error {
        let shown = if is_new(Kind::RoundFailed) { usize::MAX } else { 1 };
        for line in problem.message.lines().take(shown) {
            let _ = writeln!(text, "    {}", style(printable(line)).red());
        }
        return text;
    }
    for host in notifications
        .iter()
        .filter(|notification| notification.kind == Kind::HostBack)
        .flat_map(|notification| &notification.hosts)
    {
        let _ = writeln!(text, "{} {} is back", style("✓").green(), printable(host));
    }
    for host in &round.host_errors {
        let _ = writeln!(text, "{} {} is away", style("✗").red().bold(), printable(&host.host));
        error(&mut text, &host.error);
    }
    for resource in &round.drifted {
        row(&mut text, &mark(Action::Drifted, false).to_string(), resource, "drifted");
        if let Some(reason) = &resource.reason {
            let _ = writeln!(text, "    {}", style(printable(reason)).yellow());
        }
        if let (true, Some(diff)) = (is_new(Kind::Drift), &resource.diff) {
            diff_lines(&mut text, diff);
        }
    }
    for resource in &round.healed {
        row(&mut text, &style("✓").green().to_string(), resource, "repaired");
    }
    for (resources, word) in [(&round.failed, "failed"), (&round.unknown, "unknown")] {
        for resource in resources {
            row(&mut text, &mark(resource.action, true).to_string(), resource, word);
            error(&mut text, resource.error.as_deref().unwrap_or("it was not reached"));
        }
    }
    if verbose {
        for resource in &round.pending {
            let word = if resource.action == Action::Drifted { Action::Change } else { resource.action };
            row(
                &mut text,
                &mark(word, false).to_string(),
                resource,
                &format!("{} pending", word.word(false)),
            );
        }
    }
    for note in &round.notes {
        let _ = writeln!(text, "{} {}", style("note:").cyan().bold(), printable(note));
    }
    text
}

/// The summary line of a round.
fn headline(round: &Round) -> String {
    if round.error.is_some() {
        return style("the round failed").red().to_string();
    }
    let mut parts = Vec::new();
    match (round.drifted.len(), round.healed.len()) {
        (0, _) if round.watched == 0 => parts.push("nothing could be looked at".to_owned()),
        (0, _) => parts.push("no drift".to_owned()),
        (all, 0) => parts.push(style(format!("{all} drifted")).yellow().bold().to_string()),
        (all, healed) => parts.push(format!("{all} drifted, {healed} repaired")),
    }
    if !round.failed.is_empty() {
        parts.push(style(format!("{} failed", round.failed.len())).red().to_string());
    }
    if !round.unknown.is_empty() {
        parts.push(style(format!("{} unknown", round.unknown.len())).red().to_string());
    }
    let mut line = parts.join(", ");
    match round.pending.len() {
        0 => {}
        1 => line.push_str("; 1 change in main.py is not applied yet"),
        many => line.push_str(&format!("; {many} changes in main.py are not applied yet")),
    }
    if !round.missing.is_empty() {
        let missing: Vec<String> =
            round.missing.iter().map(|artifact| artifact.outcome.address.to_string()).collect();
        let missing = missing.join(", ");
        line.push_str(&format!("; clockwork.lock lacks {missing}: run `clockwork generate`"));
    }
    line
}

fn row(text: &mut String, mark: &str, resource: &ResourceOutcome, word: &str) {
    let _ = writeln!(text, "{mark} {}  {}  {word}", resource.address, printable(&resource.host));
}

fn error(text: &mut String, error: &str) {
    for line in error.lines() {
        let _ = writeln!(text, "    {}", style(printable(line)).red());
    }
}

/// Creates the observer of a watch: live lines during a round; [`round`] shows the result.
pub fn watch_observer(display: Display, log: LogLevel) -> Arc<dyn Observer> {
    // `json` suppresses plain lines: without a terminal, every round would print one for each operation.
    let shown: Arc<dyn Observer> = Arc::new(WithoutHostErrors(display_of(Display { json: true, ..display })));
    if log > LogLevel::Warning { Arc::new(log::Log { level: log, shown }) } else { shown }
}

/// Drops host errors, which the result of the round has.
struct WithoutHostErrors(Arc<dyn Observer>);

impl Observer for WithoutHostErrors {
    fn observe(&self, event: &Event) {
        if !matches!(event, Event::HostError { .. }) {
            self.0.observe(event);
        }
    }

    fn finish(&self) {
        self.0.finish();
    }
}

/// A line on a terminal that counts down to the next round; nothing elsewhere.
pub struct Countdown(Option<Term>);

impl Countdown {
    /// Creates a countdown, which is silent if standard error is no terminal.
    pub fn new() -> Self {
        let term = Term::stderr();
        Self(term.is_term().then_some(term))
    }

    /// Shows the time left until the next round.
    pub fn show(&self, left: Duration) {
        if let Some(term) = &self.0 {
            let _ = term.clear_line();
            let seconds = left.as_secs_f64().ceil();
            let _ =
                term.write_str(&style(format!("next round in {seconds} s")).for_stderr().dim().to_string());
        }
    }

    /// Clears the line.
    pub fn clear(&self) {
        if let Some(term) = &self.0 {
            let _ = term.clear_line();
        }
    }
}

impl Default for Countdown {
    fn default() -> Self {
        Self::new()
    }
}
