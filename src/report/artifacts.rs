//! Output about artifacts: their origin, their cost and their content.

use std::fmt::Write as _;

use console::{Term, style};
use serde_json::{Value, json};

use super::{diff_lines, printable, title};
use crate::cli::Verb;
use crate::lockfile::Entry;
use crate::outcome::{ArtifactOutcome, ArtifactReport, Report};
use crate::resource::{Address, Artifact};

/// Writes a line for each artifact, and a summary line.
pub(super) fn table(text: &mut String, report: &Report) {
    let shown: Vec<&ArtifactReport> = report.artifacts.iter().filter(|a| a.outcome.error.is_none()).collect();
    let rows: Vec<[String; 5]> = shown.iter().map(|artifact| row(artifact)).collect();
    let width =
        |column: usize| rows.iter().map(|row| console::measure_text_width(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    for (artifact, row) in shown.iter().zip(&rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                let side = if column < 3 { console::Alignment::Left } else { console::Alignment::Right };
                let cell = console::pad_str(cell, *width, side, None).into_owned();
                if column == 0 { cell } else { style(cell).dim().to_string() }
            })
            .collect();
        let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
        if let Some(diff) = &artifact.diff {
            diff_lines(text, diff);
        }
        if let Some(backup) = &artifact.outcome.backup {
            let _ = writeln!(text, "    your edit is kept in {}", backup.display());
        }
    }
    sum(text, report);
}

/// The cells of an artifact's line: resource, origin, model, tokens, and time with cost.
fn row(artifact: &ArtifactReport) -> [String; 5] {
    let outcome = &artifact.outcome;
    let how = match outcome {
        _ if artifact.content.is_none() && outcome.stale => "to be asked for, because it is stale".to_owned(),
        _ if artifact.content.is_none() => "to be asked for".to_owned(),
        ArtifactOutcome { edited: true, stale: true, .. } => {
            "pinned, edited by you, for an older question".to_owned()
        }
        ArtifactOutcome { edited: true, .. } => "pinned, edited by you".to_owned(),
        ArtifactOutcome { pinned: true, .. } => "pinned".to_owned(),
        ArtifactOutcome { repairs: 0, .. } => "generated".to_owned(),
        ArtifactOutcome { repairs, .. } => format!("generated, repaired {repairs}×"),
    };
    let unverified = if outcome.unverified { ", unverified image" } else { "" };
    let by = match (&outcome.model, &outcome.provider) {
        (Some(model), Some(provider)) => format!("{model} at {provider}"),
        (Some(model), None) => model.clone(),
        (None, _) => String::new(),
    };
    let tokens = match (outcome.tokens_in, outcome.tokens_out) {
        (Some(read), Some(written)) => format!("{read} → {written} tokens"),
        _ => String::new(),
    };
    let time = if outcome.pinned || artifact.content.is_none() {
        String::new()
    } else {
        format!("{:.1} s", outcome.seconds)
    };
    let cost = outcome.cost.map(|cost| format!("  ${cost:.4}")).unwrap_or_default();
    [
        outcome.address.to_string(),
        format!("{how}{unverified}"),
        printable(&by),
        tokens,
        format!("{time}{cost}"),
    ]
}

fn sum(text: &mut String, report: &Report) {
    let of =
        |test: fn(&ArtifactOutcome) -> bool| report.artifacts.iter().filter(|a| test(&a.outcome)).count();
    let failed = of(|outcome| outcome.error.is_some());
    let pinned = of(|outcome| outcome.pinned);
    let title = style(title(Verb::Generate, report.dry_run)).bold();
    let _ = write!(text, "{title}: {} new, {pinned} pinned", report.artifacts.len() - failed - pinned);
    let repaired = of(|outcome| outcome.repairs > 0 && outcome.error.is_none());
    if repaired > 0 {
        let _ = write!(text, ", {repaired} repaired");
    }
    if failed > 0 {
        let _ = write!(text, ", {}", style(format!("{failed} failed")).red());
    }
    let asked =
        || report.artifacts.iter().map(|artifact| &artifact.outcome).filter(|outcome| !outcome.pinned);
    let tokens = asked()
        .filter_map(|outcome| Some([outcome.tokens_in?, outcome.tokens_out?]))
        .flatten()
        .fold(0, u64::saturating_add);
    if tokens > 0 {
        let _ = write!(text, ", {tokens} tokens");
    }
    let cost: f64 = asked().filter_map(|outcome| outcome.cost).sum();
    if cost > 0.0 {
        let _ = write!(text, ", ${cost:.4}");
    }
    let _ = writeln!(text, " in {:.1} s", report.seconds);
}

/// Writes the fields of a resource that the model chose.
pub(super) fn choices(text: &mut String, report: &Report, address: &Address) {
    let Some(artifact) = report.artifacts.iter().find(|artifact| artifact.outcome.address == *address) else {
        return;
    };
    let Some(Artifact::Object(fields)) = &artifact.content else { return };
    let by = match &artifact.outcome {
        ArtifactOutcome { edited: true, .. } => "chosen by you, in clockwork.lock".to_owned(),
        ArtifactOutcome { model: Some(model), .. } => format!("chosen by {}", printable(model)),
        _ => "chosen by the model".to_owned(),
    };
    for (field, value) in fields {
        let (field, value) = (printable(field), printable(&value.to_string()));
        let _ = writeln!(text, "    {field} = {value}  {}", style(&by).dim());
    }
}

/// Writes the requests that would be sent to the model.
pub fn prompts(report: &Report) -> String {
    let mut text = String::new();
    for artifact in &report.artifacts {
        let Some(Value::Object(mut request)) = artifact.request.clone() else { continue };
        let _ = writeln!(text, "{}", style(format!("── {}", artifact.outcome.address)).bold());
        let messages = request.shift_remove("messages").unwrap_or_default();
        for message in messages.as_array().into_iter().flatten() {
            let part = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
            let _ = writeln!(text, "{}\n{}\n", style(format!("[{}]", part("role"))).cyan(), part("content"));
        }
        let _ = writeln!(text, "{}\n{:#}\n", style("[parameters]").cyan(), Value::Object(request));
    }
    if text.is_empty() {
        text.push_str("Nothing would be sent: clockwork.lock has all that is needed.\n");
    }
    text
}

/// Writes an artifact of the lock, with its origin.
pub fn artifact(address: &Address, entry: &Entry) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{} {value}", style(format!("{name:>10}")).dim());
    };
    line("resource", address.to_string());
    let provider = entry.provider.as_ref().map(|provider| format!(" at {provider}")).unwrap_or_default();
    line("written by", printable(&format!("{}{provider}", entry.model)));
    line("on", printable(&entry.generated_at));
    if let (Some(read), Some(written)) = (entry.tokens_in, entry.tokens_out) {
        line("tokens", format!("{read} in, {written} out"));
    }
    if let Some(cost) = entry.cost {
        line("cost", format!("${cost:.4}"));
    }
    if entry.edited() {
        line("edited", "by you, since then".to_owned());
    }
    text.push('\n');
    text.push_str(&shown(&entry.content.to_text(), Term::stdout().is_term()));
    text
}

/// The printed form of an artifact: unchanged into a pipe, without control characters on a terminal.
fn shown(content: &str, on_terminal: bool) -> String {
    if !on_terminal {
        return content.to_owned();
    }
    let line = |line: &str| line.split('\t').map(printable).collect::<Vec<_>>().join("\t") + "\n";
    content.lines().map(line).collect()
}

/// An artifact of the lock as a JSON document.
pub fn artifact_document(address: &Address, entry: &Entry) -> Value {
    json!({
        "kind": address.kind,
        "name": address.name,
        "content": entry.content,
        "model": entry.model,
        "provider": entry.provider,
        "generated_at": entry.generated_at,
        "tokens_in": entry.tokens_in,
        "tokens_out": entry.tokens_out,
        "cost": entry.cost,
        "edited": entry.edited(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_nothing_to_obey() {
        let text = "a\tb\r\n\x1b]0;title\x07\u{202e}c\u{9b}2J\n";
        assert_eq!(shown(text, true), "a\tb\n ]0;title  c 2J\n");
        assert_eq!(shown(text, false), text);
    }
    #[test]
    fn the_names_of_what_a_model_chose_are_no_exception() {
        let address = Address { kind: "Thing".into(), name: "a".into() };
        let content = json!({"x\x1b[2J": "y\u{202e}\u{7f}"});
        let mut report = Report::new("generate", false);
        let outcome = ArtifactOutcome {
            model: Some("m".into()),
            tokens_in: Some(u64::MAX),
            tokens_out: Some(u64::MAX),
            ..ArtifactOutcome::new(address.clone())
        };
        let content = content.as_object().cloned().map(Artifact::Object);
        report.artifacts = vec![ArtifactReport { content, ..ArtifactReport::new(outcome) }];
        let mut text = String::new();
        choices(&mut text, &report, &address);
        let text = console::strip_ansi_codes(&text);
        assert_eq!(text, "    x [2J = \"y  \"  chosen by m\n");
        // Counts near the maximum do not overflow.
        table(&mut String::new(), &report);
    }
}
