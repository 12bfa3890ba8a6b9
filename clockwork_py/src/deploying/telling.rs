//! What is said of a run beside its outcome.

use clockwork_core::outcome::{DeployOutcome, Failure, Report};
use clockwork_core::resource::Address;
use clockwork_core::state::{Entry, Removal};

use super::Deploying;

impl Deploying<'_> {
    /// Names what main.py no longer has and what is still there.
    pub(super) fn say_what_is_gone(
        &self,
        report: &mut Report,
        dealt_with: bool,
        untold: &[(Address, Removal)],
    ) {
        let source = self.source.unwrap_or("main.py");
        let shown =
            |entry: &Entry| report.deploy.resources.iter().any(|r| r.gone && entry.is(&r.address, &r.host));
        let mut notes = Vec::new();
        for entry in self.known.gone() {
            if (dealt_with && shown(entry)) || untold.iter().any(|(address, _)| *address == entry.address) {
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
    pub(super) fn say_what_stays(&self, report: &mut Report, untold: &[(Address, Removal)]) {
        for (address, removal) in untold {
            let Address { kind, name } = address;
            let is_gone = self.known.gone.contains(address);
            let forget = format!("or let it be with `clockwork state forget {name}`");
            report.notes.push(match removal {
                Removal::Secret => format!(
                    "{address} stays: the code that takes it down holds a secret, which the state does not keep. Put \
                     it back into main.py and run `clockwork destroy --target {name}`, {forget}"
                ),
                _ if is_gone => format!(
                    "{address} does not say how it is taken down, and stays: put it back into main.py, with \
                     to_pyinfra_destroy_operations in {kind}, and run `clockwork destroy --target {name}`, {forget}"
                ),
                _ => format!(
                    "{address} does not say how it is taken down, and stays: override to_pyinfra_destroy_operations \
                     in {kind}, {forget}"
                ),
            });
        }
    }
}

/// Says what failed, briefly: the report has it all.
pub(super) fn failure(outcome: &DeployOutcome, looked: bool) -> Option<Failure> {
    if !outcome.failed() {
        return None;
    }
    let verb = if looked { "planned" } else { "deployed" };
    let hosts = outcome.host_errors.iter().map(|host| format!("{}: {}", host.host, host.error));
    let resources = outcome.resources.iter().filter_map(|resource| {
        resource.error.as_ref().map(|error| format!("{} on {}: {error}", resource.address, resource.host))
    });
    let failures: Vec<String> = hosts.chain(resources).collect();
    let message = match &failures[..] {
        [failure] => format!("not everything could be {verb}: {failure}"),
        failures => format!("{} things could not be {verb}\n  {}", failures.len(), failures.join("\n  ")),
    };
    Some(Failure::new("DeployError", message))
}
