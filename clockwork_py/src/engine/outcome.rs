//! The outcome of a script, from the records of its hosts.

use clockwork_core::compile;
use clockwork_core::outcome::{Action, DeployOutcome, HostError, OperationOutcome, ResourceOutcome};

use super::operation::Stage;
use super::script::Script;

/// The outcome: resources in order, and for each of them all hosts.
pub fn outcome(source: &compile::Script, script: &Script, stage: Stage) -> DeployOutcome {
    let hosts = script.hosts.iter().map(|host| host.host.name.clone()).collect();
    let mut outcome = DeployOutcome { hosts, ..DeployOutcome::default() };
    for host in &script.hosts {
        if let Some(error) = &host.run.get().record().host_error {
            outcome.host_errors.push(HostError { host: host.host.name.clone(), error: error.clone() });
        }
    }
    for (index, section) in source.sections.iter().enumerate() {
        for host in script.hosts.iter().filter(|host| section.hosts.has(&host.host.name)) {
            let record = host.run.get().record();
            let own = &record.sections[index];
            // Each operation of the section's code has its effects. One that is called later, in a callback, adds
            // operations when it is run; those come behind the others.
            let effects = section.effects.iter().map(Some).chain(std::iter::repeat(None));
            let operations: Vec<OperationOutcome> = own
                .operations
                .iter()
                .zip(effects)
                .map(|(operation, effects)| operation.outcome(stage, !own.failed, script.removes, effects))
                .collect();
            // The error of a resource that belongs to none of its operations.
            let error = record.host_error.as_ref().or(own.error.as_ref()).cloned();
            let name = &host.host.name;
            let mut resource = ResourceOutcome::new(section.address.clone(), name, operations, error);
            resource.identity.clone_from(&section.identity);
            let is_reached = record.host_error.is_none() && !own.is_out();
            if resource.operations.is_empty() && !is_reached {
                resource.action = Action::Skipped;
            }
            outcome.resources.push(resource);
        }
    }
    outcome
}
