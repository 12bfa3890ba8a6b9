//! What is said of a run beside its outcome.

use clockwork_core::outcome::{DeployOutcome, Failure, Report, ResourceOutcome};
use clockwork_core::plan::Untold;
use clockwork_core::resource::Address;
use clockwork_core::state::{Entry, Removal};

use super::Deploying;

impl Deploying<'_> {
    /// Names what main.py no longer has and what is still there.
    pub(super) fn say_what_is_gone(&self, report: &mut Report, dealt_with: bool, untold: &[Untold]) {
        let source = self.source.unwrap_or("main.py");
        let shown =
            |entry: &Entry| report.deploy.resources.iter().any(|r| r.gone && entry.is(&r.address, &r.host));
        let mut notes = Vec::new();
        for entry in self.known.gone() {
            let is_untold = |u: &Untold| {
                u.address == entry.address && u.host.as_ref().is_none_or(|host| *host == entry.host)
            };
            if (dealt_with && shown(entry)) || untold.iter().any(is_untold) || !is_here(report, entry) {
                continue;
            }
            if let Some(heir) = self.heir(entry) {
                notes.push(format!(
                    "{source} no longer has {}, whose place on {} is {heir}'s now: nothing is removed there",
                    entry.address, entry.host
                ));
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
    pub(super) fn say_what_stays(&self, report: &mut Report, untold: &[Untold]) {
        for untold in untold {
            let Address { kind, name } = &untold.address;
            let is_gone = self.known.gone.contains(&untold.address);
            let forget = format!("or let it be with `clockwork state forget {name}`");
            report.notes.push(match untold.removal {
                Removal::Secret => format!(
                    "{untold} stays: the code that takes it down holds a secret, which the state does not keep. Put \
                     it back into main.py and run `clockwork destroy --target {name}`, {forget}"
                ),
                _ if is_gone => format!(
                    "{untold} does not say how it is taken down, and stays: put it back into main.py, with \
                     to_pyinfra_destroy_operations in {kind}, and run `clockwork destroy --target {name}`, {forget}"
                ),
                _ => format!(
                    "{untold} does not say how it is taken down, and stays: override to_pyinfra_destroy_operations \
                     in {kind}, {forget}"
                ),
            });
        }
    }

    /// Names what is on hosts that the inventory no longer has, where nothing can be done about it. What
    /// was to be taken down has failed then.
    pub(super) fn say_what_is_away(&self, report: &mut Report) {
        if self.invocation.is_repair() {
            return;
        }
        let is_meant = |address: &Address| {
            self.known.gone.contains(address) || self.said.iter().any(|said| said.wanted.address == *address)
        };
        let entries = self.known.state.entries().iter();
        let away: Vec<String> = entries
            .filter(|entry| is_meant(&entry.address) && !is_here(report, entry))
            .map(|Entry { address, host, .. }| {
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

/// Whether the host of what is known is in the inventory.
fn is_here(report: &Report, entry: &Entry) -> bool {
    report.deploy.hosts.contains(&entry.host)
}

/// Says what failed, briefly: the report has it all.
pub(super) fn failure(outcome: &DeployOutcome, looked: bool) -> Option<Failure> {
    if !outcome.failed() {
        return None;
    }
    let verb = if looked { "planned" } else { "deployed" };
    let hosts = outcome.host_errors.iter().map(|host| format!("{}: {}", host.host, host.error));
    // What a host that is away costs is told once.
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
