//! The plan: what main.py wants, beside what the state says was deployed, beside what the hosts
//! look like.

pub mod conflicts;
mod moves;
mod removals;
mod saved;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::VERSION;
use crate::outcome::{Action, DeployOutcome, FieldChange, OperationOutcome, Prior, ResourceOutcome};
use crate::ownership::{self, Ownership};
use crate::resource::{Address, CompiledResource, Desired};
use crate::state::{Deployed, Difference, State, StateEntry};

pub use moves::{Moves, align, blocks, moves};
pub use removals::{Target, Unremovable, removals};
pub use saved::SavedPlan;

/// Tells whether the model chose a field of a resource.
pub type Chosen<'a> = &'a dyn Fn(&Address, &str) -> bool;

/// Tells drift from changes of main.py, and which fields differ.
///
/// Before anything is run, and after it: `state` is what was known before.
pub fn compare(outcome: &mut DeployOutcome, wanted: &[CompiledResource], state: &State, chosen: Chosen<'_>) {
    let wanted = Desired::new(wanted);
    let known = state.by_identity();
    for resource in &mut outcome.resources {
        resource.ownership = ownership::judge(resource, state);
        let entry = known.get(&(resource.host.as_str(), resource.identity.as_str())).copied();
        let declared = wanted.get(&resource.address, &resource.host).filter(|_| !resource.gone);
        let wanted = declared.filter(|_| !resource.removes);
        resource.prior = prior(declared, entry);
        resource.group = match (wanted, entry) {
            (Some(wanted), _) => wanted.group.clone(),
            (None, Some(entry)) => entry.group.clone(),
            (None, None) => declared.and_then(|declared| declared.group.clone()),
        };
        match (wanted, entry) {
            (Some(wanted), Some(entry)) => against(resource, wanted, entry, chosen),
            (Some(_), None) => first_time(resource),
            (None, _) => {}
        }
        tell_ownership(resource);
    }
}

fn prior(wanted: Option<&CompiledResource>, entry: Option<&StateEntry>) -> Prior {
    let deployed = entry.filter(|entry| entry.pending.is_none()).and_then(|entry| entry.deployed.as_ref());
    let settled = wanted.is_some_and(|wanted| {
        deployed.is_some_and(|deployed| deployed.difference(wanted) == Difference::None)
    });
    let protected = wanted.map_or_else(|| entry.is_some_and(|entry| entry.protect), |wanted| wanted.protect);
    Prior { settled, protected }
}

/// Operations that say nothing of what they do, such as pyinfra's own, create what was never deployed here.
fn first_time(resource: &mut ResourceOutcome) {
    let silent = |operation: &OperationOutcome| {
        operation.intent.is_none() && !operation.replaces && operation.action != Action::Remove
    };
    let only_silent = |operation: &OperationOutcome| operation.action != Action::Change || silent(operation);
    if resource.action == Action::Change && resource.operations.iter().all(only_silent) {
        resource.action = Action::Create;
    }
}

/// Compares one resource with its entry of the state.
fn against(
    resource: &mut ResourceOutcome,
    wanted: &CompiledResource,
    entry: &StateEntry,
    chosen: Chosen<'_>,
) {
    if !resource.action.is_change() {
        return;
    }
    if entry.pending.is_some() {
        resource.reason = Some("an earlier run did not get to its end".to_owned());
        return;
    }
    let Some(deployed) = &entry.deployed else { return };
    match deployed.difference(wanted) {
        Difference::None => drift(resource, deployed),
        Difference::Fields => {
            resource.changes = changes(deployed, wanted, chosen);
            if resource.changes.is_empty() {
                resource.reason =
                    Some("what differs is not kept, such as a secret or the words of a text".to_owned());
            }
        }
        Difference::Steps => {
            resource.reason = Some(if deployed.by == VERSION {
                "its operations are other ones now".to_owned()
            } else {
                format!("an upgrade: Clockwork {VERSION} deploys it in another way than {} did", deployed.by)
            });
        }
    }
}

/// The host differs, and nobody wanted it to.
fn drift(resource: &mut ResourceOutcome, deployed: &Deployed) {
    // Operations that are not idempotent always run, so they are never drift.
    if !matches!(resource.action, Action::Create | Action::Change) || resource.error.is_some() {
        return;
    }
    let how = if resource.action == Action::Create { "removed" } else { "changed" };
    resource.reason = Some(format!("{how} by somebody else since it was deployed at {}", deployed.at));
    resource.action = Action::Drifted;
    let intents = resource.operations.iter().filter_map(|operation| operation.intent.as_ref());
    resource.changes = intents
        .flat_map(|intent| &intent.changes)
        // A diff tells more of a content.
        .filter(|change| change.field != "content" && !change.before.is_null())
        .map(|change| FieldChange {
            field: change.field.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
            by_model: false,
        })
        .collect();
}

/// Says whose the thing is that is overwritten, replaced or removed.
fn tell_ownership(resource: &mut ResourceOutcome) {
    let mut intents = resource.operations.iter().filter_map(|operation| operation.intent.as_ref());
    // The operation itself knows where the copy is.
    let copy = intents.find_map(|intent| intent.reason.clone());
    let copy = copy.unwrap_or_else(|| "a copy of it is kept".to_owned());
    let told = match resource.ownership {
        Ownership::Ours => return,
        Ownership::Edited if resource.action == Action::Drifted => copy,
        Ownership::Edited => format!("it was edited since it was deployed: {copy}"),
        Ownership::Foreign => format!("this project did not write the file that is there: {copy}"),
        Ownership::ForeignThing => "this project did not make what is there".to_owned(),
    };
    resource.reason = Some(match resource.reason.take() {
        Some(reason) => format!("{reason}; {told}"),
        None => told,
    });
}

fn changes(deployed: &Deployed, wanted: &CompiledResource, chosen: Chosen<'_>) -> Vec<FieldChange> {
    let fields: BTreeSet<&String> = deployed.fields.keys().chain(wanted.fields.keys()).collect();
    let value = |fields: &Map<String, Value>, field: &str| fields.get(field).cloned().unwrap_or(Value::Null);
    fields
        .into_iter()
        .filter_map(|field| {
            let (before, after) = (value(&deployed.fields, field), value(&wanted.fields, field));
            let by_model = chosen(&wanted.address, field);
            (before != after).then(|| FieldChange { field: field.clone(), before, after, by_model })
        })
        .collect()
}

/// Puts removals together with what is brought up: the removal of a thing that moved is part of its resource's row.
pub fn merge(removals: DeployOutcome, main: DeployOutcome) -> DeployOutcome {
    let DeployOutcome { mut resources, mut host_errors, hosts } = main;
    let mut orphans = Vec::new();
    for removal in removals.resources {
        let is_its = |resource: &&mut ResourceOutcome| {
            !removal.gone && resource.address == removal.address && resource.host == removal.host
        };
        match resources.iter_mut().find(is_its) {
            Some(resource) => leave(resource, removal),
            None => orphans.push(removal),
        }
    }
    orphans.append(&mut resources);
    for error in removals.host_errors {
        if !host_errors.contains(&error) {
            host_errors.push(error);
        }
    }
    DeployOutcome { resources: orphans, host_errors, hosts }
}

/// A resource is at another place now, and its former one is taken down.
fn leave(resource: &mut ResourceOutcome, mut removal: ResourceOutcome) {
    if removal.action == Action::Skipped && resource.action != Action::Skipped && resource.error.is_none() {
        let stays = || "what is at its old place could not be taken away".to_owned();
        removal.error.get_or_insert_with(stays);
    }
    if !removal.changed && removal.error.is_none() {
        return;
    }
    resource.action = match removal.action.and(resource.action) {
        // The resource itself stays.
        Action::Remove => Action::Change,
        action => action,
    };
    resource.replaces |= removal.changed;
    resource.changed |= removal.changed;
    resource.seconds += removal.seconds;
    resource.ownership = resource.ownership.max(removal.ownership);
    resource.prior.protected |= removal.prior.protected;
    resource.reason = resource.reason.take().or_else(|| removal.reason.take());
    resource.error = resource.error.take().or_else(|| removal.error.take());
    resource.diff = match (removal.diff.take(), resource.diff.take()) {
        (Some(one), Some(other)) => Some(one + &other),
        (one, other) => one.or(other),
    };
    resource.operations.append(&mut removal.operations);
}

/// True if something is going to be taken away.
pub fn takes_away(outcome: &DeployOutcome) -> bool {
    outcome.resources.iter().any(|resource| resource.action == Action::Remove || resource.replaces)
}

/// The resources that must not be removed or replaced, and would be.
pub fn protected(outcome: &DeployOutcome) -> Vec<&ResourceOutcome> {
    let is_taken = |resource: &ResourceOutcome| {
        // A removal that depends on a condition may happen all the same.
        let goes = resource.removes && resource.action.is_change();
        goes || resource.replaces || resource.action == Action::Remove
    };
    outcome.resources.iter().filter(|resource| is_taken(resource) && resource.prior.protected).collect()
}

#[cfg(test)]
mod tests;
