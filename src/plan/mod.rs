//! The plan: what main.py wants, beside what the state says was deployed, beside what the hosts
//! look like.

mod saved;
mod standing;
mod takedown;

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::outcome::{Action, DeployOutcome, FieldChange, ResourceOutcome};
use crate::resource::Address;
use crate::state::{Deployed, Entry, State, Wanted};

pub use saved::SavedPlan;
pub use standing::Standing;
pub use takedown::{Takedown, Untold, takedowns};

/// Says which of a resource's fields the model chose.
pub type Chosen<'a> = &'a dyn Fn(&Address, &str) -> bool;

/// Tells what somebody changed behind our back from what the user changed, and which fields that is.
///
/// Before anything is run, and after it: `state` is what was known before.
pub fn compare(outcome: &mut DeployOutcome, wanted: &[Wanted], state: &State, chosen: Chosen<'_>) {
    let wanted: HashMap<&Address, &Wanted> = wanted.iter().map(|wanted| (&wanted.address, wanted)).collect();
    let known = state.by_place();
    for resource in &mut outcome.resources {
        let entry = known.get(&(&resource.address, resource.host.as_str())).copied();
        let Some(wanted) = wanted.get(&resource.address).filter(|_| !resource.gone) else {
            resource.group = entry.and_then(|entry| entry.group.clone());
            continue;
        };
        resource.group.clone_from(&wanted.group);
        resource.standing = Standing { made_way: resource.standing.made_way, ..Standing::of(wanted, entry) };
        if let Some(entry) = entry {
            against(resource, wanted, entry, chosen);
        }
    }
}

/// Compares one resource with what is known of it on a host.
fn against(resource: &mut ResourceOutcome, wanted: &Wanted, entry: &Entry, chosen: Chosen<'_>) {
    if !resource.action.is_change() {
        return;
    }
    if entry.pending.is_some() {
        resource.reason = Some("an earlier run did not get to its end".to_owned());
        return;
    }
    let Some(deployed) = &entry.deployed else { return };
    if deployed.is(wanted) {
        // Of what is run each time nobody can tell whether it has to be.
        if matches!(resource.action, Action::Create | Action::Change) && resource.error.is_none() {
            let how = if resource.action == Action::Create { "removed" } else { "changed" };
            resource.reason =
                Some(format!("{how} by somebody else since it was deployed at {}", deployed.at));
            resource.action = Action::Drifted;
        }
    } else {
        resource.changes = changes(deployed, wanted, chosen);
        if resource.changes.is_empty() {
            resource.reason =
                Some("what differs is not kept, such as a secret or the words of a text".to_owned());
        }
    }
}

fn changes(deployed: &Deployed, wanted: &Wanted, chosen: Chosen<'_>) -> Vec<FieldChange> {
    let fields: BTreeSet<&String> = deployed.fields.keys().chain(wanted.fields.keys()).collect();
    let value = |fields: &serde_json::Map<String, Value>, field: &str| {
        fields.get(field).cloned().unwrap_or(Value::Null)
    };
    fields
        .into_iter()
        .filter_map(|field| {
            let (before, after) = (value(&deployed.fields, field), value(&wanted.fields, field));
            let by_model = chosen(&wanted.address, field);
            (before != after).then(|| FieldChange { field: field.clone(), before, after, by_model })
        })
        .collect()
}

/// Puts what is taken away before together with what is brought up after it.
///
/// What is taken away of a resource that stays makes way for it; the rest is gone from main.py.
pub fn merge(removals: DeployOutcome, main: DeployOutcome) -> DeployOutcome {
    let DeployOutcome { resources, mut host_errors, hosts } = main;
    let mut before: HashMap<(Address, String), ResourceOutcome> = HashMap::new();
    let mut all = Vec::new();
    for removal in removals.resources {
        if removal.gone {
            all.push(removal);
        } else {
            before.insert((removal.address.clone(), removal.host.clone()), removal);
        }
    }
    for mut resource in resources {
        if let Some(removal) = before.remove(&(resource.address.clone(), resource.host.clone())) {
            make_way(&mut resource, removal);
        }
        all.push(resource);
    }
    for error in removals.host_errors {
        if !host_errors.contains(&error) {
            host_errors.push(error);
        }
    }
    DeployOutcome { resources: all, host_errors, hosts }
}

fn make_way(resource: &mut ResourceOutcome, mut removal: ResourceOutcome) {
    resource.standing.made_way = true;
    if removal.action == Action::Skipped && resource.action != Action::Skipped {
        // Else nobody would know any more of what is left there.
        let stays = || "what is at its old place could not be taken away first".to_owned();
        removal.error.get_or_insert_with(stays);
    }
    if !removal.changed && removal.error.is_none() {
        return;
    }
    if resource.action == Action::Skipped && removal.changed {
        // Else the state would take it for deployed.
        let is_nowhere = || "it is gone from its old place, and is not brought up at its new one".to_owned();
        resource.error.get_or_insert_with(is_nowhere);
    }
    resource.action = removal.action.and(resource.action);
    resource.replaces |= removal.changed;
    resource.changed |= removal.changed;
    resource.seconds += removal.seconds;
    resource.error = removal.error.take().or_else(|| resource.error.take());
    resource.diff = match (removal.diff.take(), resource.diff.take()) {
        (Some(one), Some(other)) => Some(one + &other),
        (one, other) => one.or(other),
    };
    removal.operations.append(&mut resource.operations);
    resource.operations = removal.operations;
}

/// Whether something is going to be taken away.
pub fn takes_away(outcome: &DeployOutcome) -> bool {
    outcome.resources.iter().any(|resource| resource.action == Action::Remove || resource.replaces)
}

/// What must not be removed or replaced, and would be. `destroys` is whether all of it is taken down.
pub fn protected<'a>(
    outcome: &'a DeployOutcome,
    wanted: &[Wanted],
    state: &State,
    destroys: bool,
) -> Vec<&'a ResourceOutcome> {
    let by_address: HashMap<&Address, &Wanted> = wanted.iter().map(|w| (&w.address, w)).collect();
    let known = state.by_place();
    let is_protected = |resource: &ResourceOutcome| match by_address.get(&resource.address) {
        Some(wanted) => wanted.protect,
        None => known.get(&(&resource.address, resource.host.as_str())).is_some_and(|entry| entry.protect),
    };
    let is_taken = |resource: &ResourceOutcome| {
        // What is removed only if something holds then may be removed all the same.
        let goes = (destroys || resource.gone) && resource.action.is_change();
        goes || resource.replaces || resource.action == Action::Remove
    };
    outcome.resources.iter().filter(|resource| is_taken(resource) && is_protected(resource)).collect()
}

#[cfg(test)]
mod tests;
