//! The effect of a run on the state: it notes what it begins, and then what came of it.

use super::entry::{Deployed, Pending, PendingAction, Removal, StateEntry};
use super::{State, now, version};
use crate::hash::keyed_sha256;
use crate::outcome::{Action, ResourceOutcome};
use crate::resource::{Address, CompiledResource, Desired};

/// Notes the work that a run is about to do, before it does any of it, so that a run that is killed leaves
/// nothing behind that nobody knows of.
pub fn begin(state: &mut State, planned: &[ResourceOutcome], wanted: &[CompiledResource]) {
    let wanted = Desired::new(wanted);
    for outcome in planned.iter().filter(|outcome| outcome.action.is_change()) {
        if outcome.removes {
            let Some(entry) = state.find_mut(&outcome.host, &outcome.identity) else { continue };
            let Removal::Steps(steps) = entry.removal() else { continue };
            entry.keep_leftovers(&steps, &Removal::Unknown);
            let removal = Removal::Steps(steps);
            entry.pending = Some(pending(PendingAction::Remove, removal));
        } else if let Some(wanted) = wanted.get(&outcome.address, &outcome.host) {
            let entry = state.entry(wanted, &outcome.host);
            let former = std::mem::take(&mut entry.claims);
            describe(entry, wanted);
            // Nobody knows yet whether the thing gives up what it has.
            entry.claims.extend(former.into_iter().filter(|claim| !wanted.claims.contains(claim)));
            // An earlier run may have left something else here.
            if let Some(Pending { removal: Removal::Steps(steps), .. }) = entry.pending.take() {
                entry.keep_leftovers(&steps, &wanted.removal);
            }
            entry.pending = Some(pending(PendingAction::Apply, wanted.removal.clone()));
        }
    }
}

/// Notes the outcome of it. `before` is the state before it was begun.
pub fn record(state: &mut State, before: &State, done: &[ResourceOutcome], wanted: &[CompiledResource]) {
    let wanted = Desired::new(wanted);
    for outcome in done {
        if outcome.action == Action::Skipped {
            settle(state, before, outcome);
        } else if outcome.error.is_some() {
            // Nobody knows how far it came: it stays pending.
        } else if outcome.removes {
            state.entries.retain(|entry| !entry.is(&outcome.host, &outcome.identity));
        } else if let Some(wanted) = wanted.get(&outcome.address, &outcome.host) {
            deployed(state, outcome, wanted);
        }
    }
}

/// Drops the entries of a resource, on one host or on all.
pub fn forget(state: &mut State, address: &Address, host: Option<&str>) {
    state.entries.retain(|entry| entry.address != *address || host.is_some_and(|host| entry.host != host));
}

fn pending(intent: PendingAction, removal: Removal) -> Pending {
    Pending { intent, removal, at: now(), by: version() }
}

/// A resource is on its host as it is wanted.
fn deployed(state: &mut State, outcome: &ResourceOutcome, wanted: &CompiledResource) {
    let key = state.key.clone();
    let entry = state.entry(wanted, &outcome.host);
    describe(entry, wanted);
    let pending = entry.pending.take();
    // A thing that another resource had before is this one's alone by now.
    let former = entry.deployed.iter().map(|deployed| &deployed.removal);
    let former: Vec<Removal> =
        former.chain(pending.iter().map(|pending| &pending.removal)).cloned().collect();
    for removal in &former {
        if let Removal::Steps(steps) = removal {
            entry.keep_leftovers(steps, &wanted.removal);
        }
    }
    let content = wanted.content.as_ref().map(|sha256| keyed_sha256(key.as_bytes(), sha256.as_bytes()));
    let known = entry.deployed.as_ref().filter(|deployed| {
        !outcome.changed
            && (deployed.fields_fingerprint.is_none()
                || deployed.fields_fingerprint.as_ref() == Some(&wanted.fields_fingerprint))
    });
    let (at, by) = known.map_or_else(|| (now(), version()), |known| (known.at.clone(), known.by.clone()));
    let is_same = |deployed: &Deployed| {
        deployed.steps_fingerprint == wanted.steps_fingerprint && deployed.removal == wanted.removal
    };
    let by = if entry.deployed.as_ref().is_some_and(is_same) { by } else { version() };
    entry.deployed = Some(Deployed {
        fields_fingerprint: Some(wanted.fields_fingerprint.clone()),
        steps_fingerprint: wanted.steps_fingerprint.clone(),
        fields: wanted.fields.clone(),
        content,
        removal: wanted.removal.clone(),
        at,
        by,
    });
}

/// Work that was announced was not begun: all is as it was before.
fn settle(state: &mut State, before: &State, outcome: &ResourceOutcome) {
    let Some(place) = state.entries.iter().position(|e| e.is(&outcome.host, &outcome.identity)) else {
        return;
    };
    // An error tells of work that may have been begun; what is not pending has been settled already.
    if outcome.error.is_some() || state.entries[place].pending.is_none() {
        return;
    }
    match before.get(&outcome.host, &outcome.identity) {
        Some(known) => state.entries[place].clone_from(known),
        None if state.entries[place].deployed.is_none() => drop(state.entries.remove(place)),
        None => state.entries[place].pending = None,
    }
}

fn describe(entry: &mut StateEntry, wanted: &CompiledResource) {
    entry.address.clone_from(&wanted.address);
    entry.claims.clone_from(&wanted.claims);
    entry.source.clone_from(&wanted.source);
    entry.group.clone_from(&wanted.group);
    entry.protect = wanted.protect;
    entry.needs.clone_from(&wanted.needs);
}
