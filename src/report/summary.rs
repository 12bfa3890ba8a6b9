//! The summary at the end of a command.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use console::style;

use super::{artifacts, checks, diff_lines, mark, printable, title};
use crate::cli::Verb;
use crate::outcome::{Action, Report, ResourceOutcome};

/// Writes the table of changes, done or planned, and a summary line.
///
/// Unchanged resources appear only in the summary line, unless `verbose`.
pub fn summary(report: &Report, verb: Verb, verbose: bool) -> String {
    let mut text = String::new();
    let planned = report.dry_run || verb == Verb::Plan;
    let diffs = if planned || verbose { Diffs::All } else { Diffs::None };
    let options = TableOptions { verbose, planned, diffs };
    match verb {
        Verb::Generate => artifacts::table(&mut text, report),
        Verb::Check => {}
        _ => deployed(&mut text, report, options),
    }
    if verb == Verb::Check || !report.checks.is_empty() {
        checks::table(&mut text, report, verb);
    }
    for note in &report.notes {
        let _ = writeln!(text, "{} {note}", style("note:").cyan().bold());
    }
    text
}

/// Formats an error message.
pub fn error(message: &str) -> String {
    format!("{} {message}\n", console::style("error:").for_stderr().red().bold())
}

/// Writes the table of planned changes, and a summary line. New resources have no diff, because their text is
/// in main.py or in the lock.
pub fn plan(report: &Report, diffs: bool) -> String {
    let mut text = String::new();
    let diffs = if diffs { Diffs::OfChanges } else { Diffs::None };
    deployed(&mut text, report, TableOptions { verbose: false, planned: true, diffs });
    text
}

/// The options of the table.
#[derive(Clone, Copy)]
struct TableOptions {
    /// Shows unchanged resources and all operations too.
    verbose: bool,
    /// Describes planned changes instead of changes that were made.
    planned: bool,
    diffs: Diffs,
}

/// The selection of diffs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Diffs {
    None,
    /// The diffs of changed resources, but not of new ones.
    OfChanges,
    All,
}

fn deployed(text: &mut String, report: &Report, options: TableOptions) {
    let resources = &report.deploy.resources;
    let wanted = |r: &&ResourceOutcome| options.verbose || r.error.is_some() || r.action != Action::Unchanged;
    let shown: Vec<&ResourceOutcome> = resources.iter().filter(wanted).collect();
    let width = |cell: fn(&ResourceOutcome) -> String| {
        shown.iter().map(|r| console::measure_text_width(&cell(r))).max().unwrap_or(0)
    };
    let widths = (width(|r| r.address.to_string()), width(|r| printable(&r.host)));
    let mut groups: Vec<&Option<String>> = Vec::new();
    for resource in &shown {
        if !groups.contains(&&resource.group) {
            groups.push(&resource.group);
        }
    }
    for group in groups {
        let members: Vec<&ResourceOutcome> = shown.iter().filter(|r| r.group == *group).copied().collect();
        if let Some(path) = group {
            let all: Vec<&ResourceOutcome> = resources.iter().filter(|r| r.group == *group).collect();
            let _ = writeln!(
                text,
                "{} {}",
                style(printable(path)).bold(),
                style(format!("({})", counts(&all, 0, options.planned))).dim()
            );
        }
        let mut rows = String::new();
        for resource in members {
            row(&mut rows, report, resource, widths, options);
        }
        let margin = if group.is_some() { "  " } else { "" };
        for line in rows.lines() {
            let _ = writeln!(text, "{margin}{line}");
        }
    }
    hosts_away(text, report);

    let verb = Verb::parse(report.command).unwrap_or(Verb::Apply);
    // A plan shown before an apply has no duration.
    let time = if report.seconds > 0.0 { format!(" in {:.1} s", report.seconds) } else { String::new() };
    let _ = writeln!(
        text,
        "{}: {}{time}",
        style(title(verb, report.dry_run)).bold(),
        counts(&resources.iter().collect::<Vec<_>>(), report.deploy.host_errors.len(), options.planned),
    );
}

/// Writes one resource on one host, with its changes, operations and errors.
fn row(
    text: &mut String,
    report: &Report,
    resource: &ResourceOutcome,
    widths: (usize, usize),
    options: TableOptions,
) {
    let failed = resource.error.is_some();
    let word = match resource.action {
        _ if failed => "failed",
        _ if resource.replaces && options.planned => "replace",
        _ if resource.replaces => "replaced",
        action => action.word(!options.planned),
    };
    let pad = |cell: &str, width| console::pad_str(cell, width, console::Alignment::Left, None).into_owned();
    let line = format!(
        "{} {}  {}  {word:<11} {}",
        if resource.replaces && !failed { style("±").yellow() } else { mark(resource.action, failed) },
        pad(&resource.address.to_string(), widths.0),
        pad(&printable(&resource.host), widths.1),
        if options.planned {
            String::new()
        } else {
            style(format!("{:>5.1} s", resource.seconds)).dim().to_string()
        },
    );
    let _ = writeln!(text, "{}", line.trim_end());
    if let Some(reason) = &resource.reason {
        let _ = writeln!(text, "    {}", style(printable(reason)).yellow());
    }
    if resource.gone {
        let _ = writeln!(text, "    {}", style("main.py no longer has it").dim());
    }
    for change in &resource.changes {
        let by =
            if change.by_model { style("  chosen by the model").dim().to_string() } else { String::new() };
        let field = printable(&change.field);
        // The state has only the length of a long text; the diff below shows the change.
        if change.is_of_a_text() {
            let _ = writeln!(text, "    {field} has changed{by}");
            continue;
        }
        let value = |value: &serde_json::Value| printable(&value.to_string());
        let (before, after) = (value(&change.before), value(&change.after));
        let _ = writeln!(text, "    {field}: {before} → {after}{by}");
    }
    artifacts::choices(text, report, &resource.address);
    let is_told = match options.diffs {
        Diffs::None => false,
        Diffs::OfChanges => resource.action != Action::Create || report.has_written(&resource.address),
        Diffs::All => true,
    };
    if let (true, Some(diff)) = (is_told, &resource.diff) {
        diff_lines(text, diff);
    }
    if options.verbose {
        for operation in &resource.operations {
            let _ = writeln!(
                text,
                "    {} {}",
                mark(operation.action, operation.error.is_some()),
                style(printable(&operation.name)).dim()
            );
        }
    }
    if let Some(error) = &resource.error {
        for line in error.lines() {
            let _ = writeln!(text, "    {}", style(printable(line)).red());
        }
    }
}

/// Writes the hosts that could not be used, with the reasons.
pub(super) fn hosts_away(text: &mut String, report: &Report) {
    for host in &report.deploy.host_errors {
        let _ = writeln!(text, "{} {}", style("✗").red().bold(), printable(&host.host));
        for line in host.error.lines() {
            let _ = writeln!(text, "    {}", style(printable(line)).red());
        }
    }
}

/// The number of resources by outcome, in words: "2 created, 1 unchanged".
fn counts(resources: &[&ResourceOutcome], mut failed: usize, planned: bool) -> String {
    let word = |action| match (action, planned) {
        (Action::Create, false) => "created",
        (Action::Create, true) => "to create",
        (Action::Change, false) => "changed",
        (Action::Change, true) => "to change",
        (Action::Remove, false) => "removed",
        (Action::Remove, true) => "to remove",
        (Action::Drifted, false) => "repaired",
        (Action::Drifted, true) => "drifted",
        (Action::Unchanged, _) => "unchanged",
        (Action::Conditional, false) => "run",
        (Action::Conditional, true) => "conditional",
        (Action::Skipped, _) => "skipped",
    };
    let order = [
        Action::Create,
        Action::Change,
        Action::Remove,
        Action::Drifted,
        Action::Conditional,
        Action::Skipped,
        Action::Unchanged,
    ];
    let mut number: BTreeMap<usize, usize> = BTreeMap::new();
    let mut replaced = 0;
    for resource in resources {
        if resource.error.is_some() {
            failed += 1;
        } else if resource.replaces {
            replaced += 1;
        } else if let Some(place) = order.iter().position(|action| *action == resource.action) {
            *number.entry(place).or_default() += 1;
        }
    }
    let mut parts: Vec<String> =
        number.iter().map(|(place, n)| format!("{n} {}", word(order[*place]))).collect();
    if replaced > 0 {
        parts.insert(0, format!("{replaced} {}", if planned { "to replace" } else { "replaced" }));
    }
    if failed > 0 {
        parts.insert(0, style(format!("{failed} failed")).red().to_string());
    }
    if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
}
