//! Terminal output: live lines during a run, plain lines into a pipe, and a short table at the end.

mod artifacts;
mod checks;
mod live;
mod log;
mod plain;
mod state;
mod summary;
mod watch;

use std::fmt::Write as _;
use std::sync::Arc;

use console::Term;

use crate::cli::{Color, Display, Verb};
use crate::compile::literal::is_hidden;
use crate::event::{Observer, Silent};
use crate::settings::LogLevel;

pub use artifacts::{artifact, artifact_document, prompts};
pub use state::{entries, listing};
pub use summary::{error, plan, summary};
pub use watch::{Countdown, round, watch_observer};

/// Creates the observer: live lines, plain lines or none.
///
/// With `--json` standard output has only the document. Live lines go to standard error, so they are shown
/// on a terminal all the same. A `log` level of `INFO` or `DEBUG` adds a log.
pub fn observer(display: Display, log: LogLevel) -> Arc<dyn Observer> {
    let shown = display_of(display);
    if log > LogLevel::Warning { Arc::new(log::Log { level: log, shown }) } else { shown }
}

fn display_of(display: Display) -> Arc<dyn Observer> {
    apply_color(display.color);
    if Term::stderr().is_term() && (display.json || Term::stdout().is_term()) {
        Arc::new(live::Live::new())
    } else if display.json {
        Arc::new(Silent)
    } else {
        Arc::new(plain::Plain::new(display.verbose > 0))
    }
}

/// Applies the `--color` option.
pub fn apply_color(color: Color) {
    match color {
        Color::Auto => {}
        Color::Always => {
            console::set_colors_enabled(true);
            console::set_colors_enabled_stderr(true);
        }
        Color::Never => {
            console::set_colors_enabled(false);
            console::set_colors_enabled_stderr(false);
        }
    }
}

/// The colored symbol at the start of a resource's line.
fn mark(action: crate::outcome::Action, failed: bool) -> console::StyledObject<&'static str> {
    use crate::outcome::Action;
    if failed {
        return console::style("✗").red().bold();
    }
    match action {
        Action::Create => console::style("+").green(),
        Action::Change => console::style("~").yellow(),
        Action::Drifted => console::style("!").yellow().bold(),
        Action::Remove => console::style("-").red(),
        Action::Unchanged => console::style("=").dim(),
        Action::Conditional => console::style("?").cyan(),
        Action::Skipped => console::style("·").dim(),
    }
}

/// The verb in the past tense, or its conditional form for a dry run.
fn title(verb: Verb, dry_run: bool) -> &'static str {
    match (verb, dry_run) {
        (Verb::Plan, _) | (Verb::Apply, true) => "Plan",
        (Verb::Apply, false) => "Applied",
        (Verb::Generate, false) => "Generated",
        (Verb::Generate, true) => "Would generate",
        (Verb::Destroy, false) => "Destroyed",
        (Verb::Destroy, true) => "Plan of destroy",
        (Verb::Check, _) => "Checked",
    }
}

/// A text on one line, without control and invisible characters.
fn printable(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect()
}

/// Writes a unified diff, in color.
fn diff_lines(text: &mut String, diff: &str) {
    for line in diff.lines() {
        let line = printable(line);
        let line = match line.as_bytes().first() {
            Some(b'+') => console::style(line).green(),
            Some(b'-') => console::style(line).red(),
            Some(b'@') => console::style(line).cyan(),
            _ => console::style(line),
        };
        let _ = writeln!(text, "    {line}");
    }
}
