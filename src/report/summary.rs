//! What stands on the terminal when a command has ended.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use console::style;

use super::{artifacts, diff_lines, mark, printable, title};
use crate::cli::Verb;
use crate::outcome::{Action, Report, ResourceOutcome};

/// Writes the table of what was done, or would be, and a line that sums it up.
///
/// What did not change stands only in the sum, unless `verbose`.
pub fn summary(report: &Report, verb: Verb, verbose: bool) -> String {
    let mut text = String::new();
    let looked = report.dry_run || verb == Verb::Plan;
    if verb == Verb::Generate {
        artifacts::table(&mut text, report);
    } else {
        deployed(&mut text, report, verbose, looked);
    }
    for note in &report.notes {
        let _ = writeln!(text, "{} {note}", style("note:").cyan().bold());
    }
    text
}

/// Writes an error the way every error is shown.
pub fn error(message: &str) -> String {
    format!("{} {message}\n", console::style("error:").for_stderr().red().bold())
}

fn deployed(text: &mut String, report: &Report, verbose: bool, looked: bool) {
    let resources = &report.deploy.resources;
    let shown: Vec<&ResourceOutcome> =
        resources.iter().filter(|r| verbose || r.error.is_some() || r.action != Action::Unchanged).collect();
    let width = |cell: fn(&ResourceOutcome) -> String| {
        shown.iter().map(|r| console::measure_text_width(&cell(r))).max().unwrap_or(0)
    };
    let (names, hosts) = (width(|r| r.address.to_string()), width(|r| printable(&r.host)));
    for resource in &shown {
        let failed = resource.error.is_some();
        let word = if failed { "failed" } else { resource.action.word(!looked) };
        let _ = writeln!(
            text,
            "{} {}  {}  {word:<11} {}",
            mark(resource.action, failed),
            console::pad_str(&resource.address.to_string(), names, console::Alignment::Left, None),
            console::pad_str(&printable(&resource.host), hosts, console::Alignment::Left, None),
            style(format!("{:>5.1} s", resource.seconds)).dim(),
        );
        artifacts::choices(text, report, &resource.address);
        if let (true, Some(diff)) = (looked || verbose, &resource.diff) {
            diff_lines(text, diff);
        }
        if verbose {
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
    for host in &report.deploy.host_errors {
        let _ = writeln!(text, "{} {}", style("✗").red().bold(), printable(&host.host));
        for line in host.error.lines() {
            let _ = writeln!(text, "    {}", style(printable(line)).red());
        }
    }

    let verb = Verb::parse(report.command).unwrap_or(Verb::Apply);
    let _ = writeln!(
        text,
        "{}: {} in {:.1} s",
        style(title(verb, report.dry_run)).bold(),
        counts(report, looked),
        report.seconds
    );
}

/// How many of each, in words: "2 created, 1 unchanged".
fn counts(report: &Report, looked: bool) -> String {
    let word = |action| match (action, looked) {
        (Action::Create, false) => "created",
        (Action::Create, true) => "to create",
        (Action::Change, false) => "changed",
        (Action::Change, true) => "to change",
        (Action::Remove, false) => "removed",
        (Action::Remove, true) => "to remove",
        (Action::Unchanged, _) => "unchanged",
        (Action::Conditional, false) => "run",
        (Action::Conditional, true) => "conditional",
        (Action::Skipped, _) => "skipped",
    };
    let order = [
        Action::Create,
        Action::Change,
        Action::Remove,
        Action::Conditional,
        Action::Skipped,
        Action::Unchanged,
    ];
    let mut number: BTreeMap<usize, usize> = BTreeMap::new();
    let mut failed = report.deploy.host_errors.len();
    for resource in &report.deploy.resources {
        if resource.error.is_some() {
            failed += 1;
        } else if let Some(place) = order.iter().position(|action| *action == resource.action) {
            *number.entry(place).or_default() += 1;
        }
    }
    let mut parts: Vec<String> =
        number.iter().map(|(place, n)| format!("{n} {}", word(order[*place]))).collect();
    if failed > 0 {
        parts.insert(0, style(format!("{failed} failed")).red().to_string());
    }
    if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
}
