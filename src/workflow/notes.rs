//! Notes of a run beside its outcome.

use super::Run;
use crate::outcome::{DeployOutcome, Failure, Report, ResourceOutcome};
use crate::plan::{Moves, Unremovable};
use crate::resource::Address;
use crate::state::{Removal, StateEntry};

impl Run<'_> {
    /// Names orphans that are still there.
    pub(super) fn note_orphans(
        &self,
        report: &mut Report,
        moves: &Moves<'_>,
        dealt_with: bool,
        unremovable: &[Unremovable],
    ) {
        let source = self.project.source().unwrap_or("main.py");
        let mut notes = Vec::new();
        for (entry, heir) in &moves.inherited {
            if is_here(report, entry) {
                notes.push(format!(
                    "{source} no longer has {}, whose place on {} is {heir}'s now: nothing is removed there",
                    entry.address, entry.host
                ));
            }
        }
        let is_shown = |entry: &StateEntry| {
            report
                .deploy
                .resources
                .iter()
                .any(|r| r.gone && r.identity == entry.identity && r.host == entry.host)
        };
        for entry in &moves.orphans {
            let is_unremovable = |u: &Unremovable| {
                u.address == entry.address && u.host.as_ref().is_none_or(|host| *host == entry.host)
            };
            let is_told = (dealt_with && is_shown(entry)) || unremovable.iter().any(is_unremovable);
            if is_told || !is_here(report, entry) {
                continue;
            }
            let next = if entry.protect {
                "It is protected: put it back with protect=False to remove it"
            } else {
                "Remove it with `clockwork apply --prune`"
            };
            notes.push(format!(
                "{source} no longer has {}, which is still on {}. {next}, or let it be with `clockwork state forget {}`",
                entry.address, entry.host, entry.address.name
            ));
        }
        report.notes.append(&mut notes);
    }

    /// Names what cannot be taken down, and why.
    pub(super) fn note_unremovable(&self, report: &mut Report, unremovable: &[Unremovable]) {
        for unremovable in unremovable {
            let Address { kind, name } = &unremovable.address;
            let is_orphan = self.scope.orphans.contains(&unremovable.address);
            let forget = format!("or let it be with `clockwork state forget {name}`");
            report.notes.push(match unremovable.removal {
                Removal::Secret => format!(
                    "{unremovable} stays: the code that takes it down holds a secret, which the state does not keep. \
                     Put it back into main.py and run `clockwork destroy --target {name}`, {forget}"
                ),
                _ if is_orphan => format!(
                    "{unremovable} does not say how it is taken down, and stays: put it back into main.py, with \
                     to_pyinfra_destroy_operations in {kind}, and run `clockwork destroy --target {name}`, {forget}"
                ),
                _ => format!(
                    "{unremovable} does not say how it is taken down, and stays: override \
                     to_pyinfra_destroy_operations in {kind}, {forget}"
                ),
            });
        }
    }

    /// Names what is on hosts that the inventory no longer has, where nothing can be done about it. Destroying what is
    /// there has failed then.
    pub(super) fn note_hosts_away(&self, report: &mut Report) {
        if self.options.is_repair() {
            return;
        }
        let is_meant = |address: &Address| {
            self.scope.orphans.contains(address) || self.resources.iter().any(|r| r.address == *address)
        };
        let entries = self.scope.state.entries().iter();
        let away: Vec<String> = entries
            .filter(|entry| is_meant(&entry.address) && !is_here(report, entry))
            .map(|StateEntry { address, host, .. }| {
                format!(
                    "{address} was deployed on {host}, which is not in the inventory: nothing was done there. Put \
                     the host back, or let go of it with `clockwork state forget {} --host {host}`",
                    address.name
                )
            })
            .collect();
        if self.destroys() && !report.dry_run && report.failure.is_none() && !away.is_empty() {
            let message = format!("not everything could be taken down\n  {}", away.join("\n  "));
            report.failure = Some(Failure::new("DeployError", message));
        }
        report.notes.extend(away);
    }
}

/// True if the host of an entry is in the inventory.
fn is_here(report: &Report, entry: &StateEntry) -> bool {
    report.deploy.hosts.contains(&entry.host)
}

/// Says what failed, briefly: the report has it all.
pub(super) fn failure(outcome: &DeployOutcome, only_looked: bool) -> Option<Failure> {
    if !outcome.failed() {
        return None;
    }
    let verb = if only_looked { "planned" } else { "deployed" };
    let hosts = outcome.host_errors.iter().map(|host| format!("{}: {}", host.host, host.error));
    // The cost of a host that is away is told once.
    let is_here = |resource: &&ResourceOutcome| {
        let away = outcome.host_errors.iter().find(|host| host.host == resource.host);
        !away.is_some_and(|away| resource.error.as_ref().is_some_and(|error| error.contains(&away.error)))
    };
    let resources = outcome.resources.iter().filter(is_here).filter_map(|resource| {
        resource.error.as_ref().map(|error| format!("{} on {}: {error}", resource.address, resource.host))
    });
    let failures: Vec<String> = hosts.chain(resources).collect();
    let message = match &failures[..] {
        [failure] => format!("not everything could be {verb}: {failure}"),
        failures => format!("{} things could not be {verb}\n  {}", failures.len(), failures.join("\n  ")),
    };
    Some(Failure::new("DeployError", message))
}
