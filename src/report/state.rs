//! Output about the state.

use std::fmt::Write as _;

use console::style;

use super::printable;
use crate::compile;
use crate::resource::Address;
use crate::state::{PendingAction, Removal, StateEntry};

/// Writes a line for each resource and host. `gone` are the orphans: resources that main.py no longer has.
pub fn listing(entries: &[StateEntry], gone: &[Address]) -> String {
    let mut text = String::new();
    let width = |cell: &dyn Fn(&StateEntry) -> String| {
        entries.iter().map(|entry| console::measure_text_width(&cell(entry))).max().unwrap_or(0)
    };
    let name = |entry: &StateEntry| entry.address.to_string();
    let host = |entry: &StateEntry| printable(&entry.host);
    let (names, hosts) = (width(&name), width(&host));
    for entry in entries {
        let pad =
            |cell: String, width| console::pad_str(&cell, width, console::Alignment::Left, None).into_owned();
        let mut remarks = Vec::new();
        if let Some(pending) = &entry.pending {
            remarks.push(match pending.intent {
                PendingAction::Apply => "an apply did not get to its end",
                PendingAction::Remove => "its removal did not get to its end",
            });
        }
        if gone.contains(&entry.address) {
            remarks.push("main.py no longer has it");
        }
        if entry.protect {
            remarks.push("protected");
        }
        let line = format!(
            "{}  {}  {}  {}",
            pad(name(entry), names),
            pad(host(entry), hosts),
            style(entry.at()).dim(),
            remarks.join(", ")
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if entries.is_empty() {
        text.push_str("nothing has been deployed from here\n");
    }
    text
}

/// Writes all details of a resource, host by host.
pub fn entries(entries: &[&StateEntry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let _ = writeln!(text, "{} on {}", style(entry.address.to_string()).bold(), printable(&entry.host));
        if let Some(deployed) = &entry.deployed {
            line(&mut text, "deployed", &format!("{} by Clockwork {}", deployed.at, deployed.by));
        }
        if let Some(pending) = &entry.pending {
            let what = match pending.intent {
                PendingAction::Apply => "an apply that did not get to its end",
                PendingAction::Remove => "a removal that did not get to its end",
            };
            line(&mut text, "begun", &format!("{}: {what}", pending.at));
        }
        line(&mut text, "defined in", entry.source.as_deref().unwrap_or("a program"));
        if let Some(group) = &entry.group {
            line(&mut text, "group", group);
        }
        if entry.protect {
            line(&mut text, "protected", "yes");
        }
        for need in &entry.needs {
            line(&mut text, "needs", &need.to_string());
        }
        for (field, value) in entry.deployed.iter().flat_map(|deployed| &deployed.fields) {
            if value.is_null() {
                continue;
            }
            line(&mut text, field, &value.to_string());
        }
        match entry.removal() {
            Removal::Steps(steps) => {
                line(&mut text, "taken down", "");
                for code in compile::code_of(&steps).lines() {
                    let _ = writeln!(text, "    {}", printable(code));
                }
            }
            Removal::Unknown => line(&mut text, "taken down", "it does not say how"),
            Removal::Secret => {
                line(&mut text, "taken down", "with main.py only, because that takes a secret");
            }
        }
    }
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {:<11} {}", style(name).dim(), printable(value));
}
