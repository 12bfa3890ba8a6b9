//! Things that are to go because of what main.py says now: orphans, things that moved, and things that are in the
//! way of others.

use super::conflicts::collide;
use crate::identity::{has_place, of_code, overlap};
use crate::operation::Step;
use crate::resource::{Address, CompiledResource};
use crate::state::{Removal, State, StateEntry};

/// The entries of a state that are to go.
#[derive(Debug, Clone, Default)]
pub struct Moves<'a> {
    /// Things of resources that main.py no longer has, or has on other hosts.
    pub orphans: Vec<&'a StateEntry>,
    /// Things of orphans that another resource of main.py has by now: they stay.
    pub inherited: Vec<(&'a StateEntry, &'a Address)>,
    /// Things of resources that are elsewhere now. They go when the new one is there.
    pub moved: Vec<&'a StateEntry>,
    /// Things that cannot be there together with a new one. They are set aside first, and put back on failure.
    pub set_aside: Vec<&'a StateEntry>,
    /// Things that have to go first, and that nothing puts back: nobody knows where they are, or how they are set
    /// aside.
    pub first: Vec<&'a StateEntry>,
}

/// Brings the identities of a state into line with those of the resources, where only the way in which an identity is
/// told has changed: a resource got an identity of its own, or another name.
pub fn align(state: &mut State, wanted: &[CompiledResource]) {
    for resource in wanted {
        let known = state.of(&resource.address).map(|entry| entry.host.clone());
        let hosts: Vec<String> = known.filter(|host| resource.hosts.has(host)).collect();
        for host in hosts {
            if state.get(&host, &resource.identity).is_some() {
                continue;
            }
            let is_same_thing = |entry: &&StateEntry| {
                entry.host == host
                    && (has_place(&entry.identity) != has_place(&resource.identity)
                        || (!has_place(&entry.identity) && is_taken_down_alike(entry, resource)))
            };
            let Some(identity) = state.of(&resource.address).find(is_same_thing).map(|e| e.identity.clone())
            else {
                continue;
            };
            state.change_identity(&host, &identity, &resource.identity);
        }
    }
}

fn is_taken_down_alike(entry: &StateEntry, resource: &CompiledResource) -> bool {
    let (Removal::Steps(known), Some(wanted)) = (entry.removal(), &resource.destroy) else { return true };
    let covers = |step: &Step| wanted.iter().any(|other| other.does_the_same(step));
    known.iter().all(covers)
}

/// Finds what is to go. `orphans` are the addresses that main.py no longer has, of what the run is about.
pub fn moves<'a>(state: &'a State, wanted: &'a [CompiledResource], orphans: &[Address]) -> Moves<'a> {
    let mut moves = Moves::default();
    for entry in state.entries() {
        let heir = wanted
            .iter()
            .find(|resource| resource.identity == entry.identity && resource.hosts.has(&entry.host));
        let own = wanted
            .iter()
            .find(|resource| resource.address == entry.address && resource.hosts.has(&entry.host));
        if let Some(heir) = heir {
            let is_orphan = orphans.contains(&entry.address);
            if is_orphan && heir.address != entry.address {
                moves.inherited.push((entry, &heir.address));
            }
            let swaps = is_in_the_way(entry, heir, wanted) || takes_from_another(entry, heir, state, wanted);
            if swaps && can_come_back(entry) {
                moves.set_aside.push(entry);
            }
            continue;
        }
        match own {
            Some(own) if is_elsewhere(entry, own) => {
                let blocks = |resource: &CompiledResource| blocks(entry, resource);
                let is_in_the_way =
                    wanted.iter().filter(|resource| resource.hosts.has(&entry.host)).any(blocks);
                if !has_place(&entry.identity) || (is_in_the_way && !can_come_back(entry)) {
                    moves.first.push(entry);
                } else if is_in_the_way {
                    moves.set_aside.push(entry);
                } else {
                    moves.moved.push(entry);
                }
            }
            Some(_) => {}
            None => {
                let is_known = wanted.iter().any(|resource| resource.address == entry.address);
                if is_known || orphans.contains(&entry.address) {
                    moves.orphans.push(entry);
                }
            }
        }
    }
    moves
}

/// True if a thing can be set aside and put back: all its steps are operations of Clockwork's own.
fn can_come_back(entry: &StateEntry) -> bool {
    let is_own = |step: &Step| match step {
        Step::Operation(operation) => operation.function.starts_with("clockwork.operations."),
        Step::Code(_) => false,
    };
    entry.removal().steps().is_some_and(|steps| steps.iter().all(is_own))
}

/// True if a resource is at another place than an entry says.
fn is_elsewhere(entry: &StateEntry, resource: &CompiledResource) -> bool {
    let is_renamed = !has_place(&entry.identity) && entry.identity != of_code(&entry.address);
    entry.identity != resource.identity && (has_place(&entry.identity) || is_renamed)
}

/// True if a thing and a new one cannot be there together.
pub fn blocks(entry: &StateEntry, resource: &CompiledResource) -> bool {
    if overlap(&entry.identity, &resource.identity) {
        return true;
    }
    let wanted = || std::iter::once(&resource.identity).chain(&resource.claims);
    let mut held = std::iter::once(&entry.identity).chain(&entry.claims);
    // Format 1 kept no claims: what may be shared is taken for shared.
    let is_unknown =
        entry.claims.is_empty() && entry.address == resource.address && !resource.claims.is_empty();
    held.any(|held| wanted().any(|wanted| collide(held, wanted))) || is_unknown
}

/// True if a thing that stays where it is gets a claim that another one gives up in the same run. Both come back
/// together.
fn takes_from_another(
    entry: &StateEntry,
    own: &CompiledResource,
    state: &State,
    wanted: &[CompiledResource],
) -> bool {
    let taken: Vec<&String> = own.claims.iter().filter(|claim| !entry.claims.contains(claim)).collect();
    // It may have another name by then.
    let is_its = |resource: &CompiledResource, other: &StateEntry| {
        (resource.identity == other.identity || resource.address == other.address)
            && resource.hosts.has(&other.host)
    };
    let gives = |other: &StateEntry| {
        other.host == entry.host
            && other.identity != entry.identity
            && other.claims.iter().any(|claim| taken.iter().any(|taken| collide(claim, taken)))
            && wanted.iter().any(|resource| is_its(resource, other))
    };
    !taken.is_empty() && state.entries().iter().any(gives)
}

/// True if a thing that stays where it is gives up a claim that another resource takes in the same run.
fn is_in_the_way(entry: &StateEntry, own: &CompiledResource, wanted: &[CompiledResource]) -> bool {
    let given_up: Vec<&String> = entry.claims.iter().filter(|claim| !own.claims.contains(claim)).collect();
    let others = wanted.iter().filter(|other| other.identity != own.identity && other.hosts.has(&entry.host));
    others.flat_map(|other| &other.claims).any(|claim| given_up.iter().any(|given| collide(given, claim)))
}
