//! The table of checks.

use std::fmt::Write as _;

use console::{Alignment, measure_text_width, pad_str, style};

use super::{printable, summary, title};
use crate::cli::Verb;
use crate::outcome::{CheckOutcome, Report};

/// Writes a line for each assertion on each host, with its error below, and a summary line.
pub(super) fn table(text: &mut String, report: &Report, verb: Verb) {
    let rows: Vec<[String; 3]> = report
        .checks
        .iter()
        .map(|check| [check.address.to_string(), printable(&check.host), printable(&check.assertion)])
        .collect();
    let width = |column: usize| rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    for (check, row) in report.checks.iter().zip(&rows) {
        let mark = if check.ok { style("✓").green() } else { style("✗").red().bold() };
        let _ = write!(text, "{mark} ");
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(text, "{}  ", pad_str(cell, width, Alignment::Left, None));
        }
        let tries = if check.attempts > 1 { format!("{} tries  ", check.attempts) } else { String::new() };
        let _ = writeln!(text, "{}", style(format!("{tries}{:.1} s", check.seconds)).dim());
        for line in check.error.iter().flat_map(|error| error.lines()) {
            let _ = writeln!(text, "    {}", style(printable(line)).red());
        }
    }
    let time = if verb == Verb::Check {
        summary::hosts_away(text, report);
        format!(" in {:.1} s", report.seconds)
    } else {
        String::new()
    };
    let _ = writeln!(text, "{}: {}{time}", style(title(Verb::Check, false)).bold(), counts(&report.checks));
}

/// The numbers of failed and passed checks, in words.
fn counts(checks: &[CheckOutcome]) -> String {
    let failed = checks.iter().filter(|check| !check.ok).count();
    let held = checks.len() - failed;
    match (failed, held) {
        (0, 0) => "nothing".to_owned(),
        (0, _) => format!("{held} passed"),
        (_, 0) => style(format!("{failed} failed")).red().to_string(),
        _ => format!("{}, {held} passed", style(format!("{failed} failed")).red()),
    }
}
