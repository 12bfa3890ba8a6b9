//! What a run does to the state: it says what it begins, and then what came of it.

use std::collections::HashMap;

use super::{Deployed, Entry, Intent, Leftover, Pending, Removal, State, Wanted, now, version};
use crate::outcome::{Action, ResourceOutcome};
use crate::resource::Address;

/// Notes what a run is about to do, before it does any of it, so that a run that is killed leaves
/// nothing behind that nobody knows of.
pub fn begin(state: &mut State, planned: &[ResourceOutcome], wanted: &[Wanted]) {
    let wanted: HashMap<&Address, &Wanted> = wanted.iter().map(|wanted| (&wanted.address, wanted)).collect();
    for outcome in planned.iter().filter(|outcome| outcome.action.is_change()) {
        let (intent, removal) = match wanted.get(&outcome.address) {
            Some(wanted) if !outcome.gone => (Intent::Apply, wanted.removal.clone()),
            _ => {
                let known = state.get(&outcome.address, &outcome.host);
                let Some(deployed) = known.and_then(|entry| entry.deployed.as_ref()) else { continue };
                (Intent::Remove, deployed.removal.clone())
            }
        };
        let entry = state.entry(&outcome.address, &outcome.host);
        if let Some(wanted) = wanted.get(&outcome.address) {
            describe(entry, wanted);
        }
        // What an earlier run may have left elsewhere is not forgotten.
        if let Some(Pending { removal, by, .. }) = entry.pending.take() {
            leave(entry, removal, by);
        }
        entry.pending = Some(Pending { intent, removal, at: now(), by: version() });
    }
}

/// Notes what came of it. `before` is what was known before it was begun.
pub fn record(state: &mut State, before: &State, done: &[ResourceOutcome], wanted: &[Wanted]) {
    let wanted: HashMap<&Address, &Wanted> = wanted.iter().map(|wanted| (&wanted.address, wanted)).collect();
    for outcome in done {
        if outcome.action == Action::Skipped {
            settle(state, before, outcome);
            continue;
        }
        if outcome.error.is_some() {
            continue;
        }
        let Some(wanted) = wanted.get(&outcome.address).filter(|_| !outcome.gone) else {
            forget(state, &outcome.address, Some(&outcome.host));
            continue;
        };
        let entry = state.entry(&outcome.address, &outcome.host);
        describe(entry, wanted);
        leave_behind(entry, wanted, outcome.standing.made_way);
        let same = |deployed: &&mut Deployed| {
            deployed.fingerprint == wanted.fingerprint
                && deployed.removal == wanted.removal
                && !outcome.changed
        };
        if let Some(deployed) = entry.deployed.as_mut().filter(same) {
            // These are our words too.
            deployed.by = version();
            continue;
        }
        entry.deployed = Some(Deployed {
            fingerprint: wanted.fingerprint.clone(),
            fields: wanted.fields.clone(),
            removal: wanted.removal.clone(),
            at: now(),
            by: version(),
        });
    }
}

/// Drops what is known of a resource, on one host or on all.
pub fn forget(state: &mut State, address: &Address, host: Option<&str>) {
    state.entries.retain(|entry| entry.address != *address || host.is_some_and(|host| entry.host != host));
}

/// What was announced was not begun.
fn settle(state: &mut State, before: &State, outcome: &ResourceOutcome) {
    let Some(place) = state.entries.iter().position(|e| e.is(&outcome.address, &outcome.host)) else {
        return;
    };
    let entry = &mut state.entries[place];
    // What an earlier run has begun may be there all the same.
    let known = before.get(&outcome.address, &outcome.host);
    let begun_before = known.is_some_and(|entry| entry.pending.is_some());
    if outcome.error.is_none() && !begun_before {
        entry.pending = None;
        if entry.deployed.is_none() {
            state.entries.remove(place);
        }
    }
}

fn describe(entry: &mut Entry, wanted: &Wanted) {
    entry.source.clone_from(&wanted.source);
    entry.group.clone_from(&wanted.group);
    entry.protect = wanted.protect;
    entry.needs.clone_from(&wanted.needs);
}

/// What was begun has come to its end. What it had before is kept, unless it was taken down, or what
/// it is now is taken down the same way.
fn leave_behind(entry: &mut Entry, wanted: &Wanted, made_way: bool) {
    let pending = entry.pending.take();
    if made_way {
        entry.leftovers.clear();
        return;
    }
    // What the same code has brought up is at the same place, however it is taken down.
    let deployed = entry.deployed.as_ref().filter(|deployed| deployed.fingerprint != wanted.fingerprint);
    let deployed = deployed.map(|deployed| (deployed.removal.clone(), deployed.by.clone()));
    for (removal, by) in deployed.into_iter().chain(pending.map(|pending| (pending.removal, pending.by))) {
        leave(entry, removal, by);
    }
    entry.leftovers.retain(|leftover| !wanted.removal.holds(&leftover.removal));
}

/// Keeps code that nothing else of the entry is going to know. What has none is taken down as main.py
/// says by now, which is as good.
fn leave(entry: &mut Entry, removal: Removal, by: String) {
    let known = |leftover: &Leftover| leftover.removal.holds(&removal);
    if removal.code().is_some() && !entry.leftovers.iter().any(known) {
        entry.leftovers.push(Leftover { removal, by });
    }
}
