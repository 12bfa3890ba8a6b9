//! The work that takes resources down: what the state remembers, or else what main.py says.

use std::collections::HashMap;
use std::fmt;

use crate::compile::{Hosts, Work};
use crate::error::Result;
use crate::graph::Graph;
use crate::operation::Step;
use crate::resource::{Address, CompiledResource};
use crate::state::{Removal, StateEntry};

/// A resource that is to be taken down, whole or on some hosts.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// The resource.
    pub address: Address,
    /// The resources that it needs, which have to stay until it is gone.
    pub needs: Vec<Address>,
    /// The resource as main.py has it, where it still has it.
    pub declared: Option<&'a CompiledResource>,
    /// The entries that are to go.
    pub entries: Vec<&'a StateEntry>,
}

/// A thing that stays because nobody can tell how it is taken down.
#[derive(Debug, Clone, PartialEq)]
pub struct Unremovable {
    /// The resource.
    pub address: Address,
    /// The host that it is on, where that is known.
    pub host: Option<String>,
    /// The reason why there are no steps.
    pub removal: Removal,
}

impl fmt::Display for Unremovable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        self.host.as_ref().map_or(Ok(()), |host| write!(f, " on {host}"))
    }
}

impl<'a> Target<'a> {
    /// Groups entries by their resource, in the order of the entries.
    pub fn of_entries(entries: impl Iterator<Item = &'a StateEntry>) -> Vec<Self> {
        let mut targets: Vec<Self> = Vec::new();
        for entry in entries {
            match targets.iter_mut().find(|target| target.address == entry.address) {
                Some(target) => target.entries.push(entry),
                None => targets.push(Self {
                    address: entry.address.clone(),
                    needs: entry.needs.clone(),
                    declared: None,
                    entries: vec![entry],
                }),
            }
        }
        targets
    }
}

/// Puts the work in order: what needs something goes before it.
///
/// A thing is taken down as it was deployed, and on the hosts where it was deployed: main.py may say something else by
/// now. `unremovable` gets the things of which nobody knows how they are taken down.
pub fn removals(all: &[Target<'_>], unremovable: &mut Vec<Unremovable>) -> Result<Vec<Work>> {
    let places: HashMap<&Address, usize> =
        all.iter().enumerate().map(|(place, target)| (&target.address, place)).collect();
    let needs = all
        .iter()
        .map(|target| target.needs.iter().filter_map(|need| places.get(need).copied()).collect())
        .collect();
    let nodes = all.iter().map(|target| target.address.clone()).collect();
    let graph = Graph { nodes, needs, ..Graph::default() };
    let mut order = graph.order()?;
    order.reverse();
    let mut work = Vec::new();
    for place in order {
        let needed_by: Vec<Address> =
            graph.needed_by(place).into_iter().map(|place| graph.nodes[place].clone()).collect();
        for (identity, hosts, steps) in parts(&all[place], unremovable) {
            let address = all[place].address.clone();
            work.push(Work { address, identity, steps, needs: needed_by.clone(), hosts });
        }
    }
    Ok(work)
}

/// The steps for one resource, by identity: the same for all hosts, or different ones.
fn parts(target: &Target<'_>, unremovable: &mut Vec<Unremovable>) -> Vec<(String, Hosts, Vec<Step>)> {
    let declared = target.declared.and_then(|declared| declared.destroy.as_ref());
    let mut stays = |host: Option<&str>, removal: &Removal| {
        let (address, host) = (target.address.clone(), host.map(str::to_owned));
        unremovable.push(Unremovable { address, host, removal: removal.clone() });
    };
    if target.entries.is_empty() {
        // Nobody knows where it is, so it may be anywhere.
        let Some(resource) = target.declared else { return Vec::new() };
        if declared.is_none() {
            stays(None, &Removal::Unknown);
        }
        let whole = |steps: &Vec<Step>| (resource.identity.clone(), resource.hosts.clone(), steps.clone());
        return declared.map(whole).into_iter().collect();
    }
    let mut parts: Vec<(String, Vec<String>, Vec<Step>)> = Vec::new();
    for entry in &target.entries {
        let steps = match (entry.removal(), declared) {
            (Removal::Steps(steps), _) => steps,
            (_, Some(steps)) => completed(entry, steps),
            (removal, None) => {
                stays(Some(&entry.host), &removal);
                continue;
            }
        };
        match parts.iter_mut().find(|(identity, _, known)| *identity == entry.identity && *known == steps) {
            Some((_, hosts, _)) => hosts.push(entry.host.clone()),
            None => parts.push((entry.identity.clone(), vec![entry.host.clone()], steps)),
        }
    }
    parts.into_iter().map(|(identity, hosts, steps)| (identity, Hosts::Only(hosts), steps)).collect()
}

/// The steps of an entry that are known, together with those of main.py for the ones that are not.
fn completed(entry: &StateEntry, declared: &[Step]) -> Vec<Step> {
    let deployed = entry.deployed.iter().map(|deployed| &deployed.removal);
    let known = deployed.chain(entry.pending.iter().map(|pending| &pending.removal));
    let known = known.filter_map(Removal::steps).flatten();
    let mut all: Vec<Step> = Vec::new();
    for step in known.chain(declared).chain(&entry.leftovers) {
        if !all.iter().any(|other| other.does_the_same(step)) {
            all.push(step.clone());
        }
    }
    all
}
