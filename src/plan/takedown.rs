//! Code that takes resources down: what the state remembers, or else what main.py says.

use std::collections::HashMap;

use crate::compile::{Block, Hosts};
use crate::error::Result;
use crate::graph::Graph;
use crate::resource::Address;
use crate::state::{Entry, Removal};

/// A resource that is to be taken down.
#[derive(Debug, Clone)]
pub struct Takedown<'a> {
    /// The resource.
    pub address: Address,
    /// What it needs, and so what has to stay until it is gone.
    pub needs: Vec<Address>,
    /// The code with which main.py says that it is taken down, where it still has it and says so.
    pub says: Option<String>,
    /// What is known of it, host by host.
    pub known: Vec<&'a Entry>,
}

/// Puts the code in order: what needs something goes before it.
///
/// What was deployed is taken down the way it was when it was deployed: main.py may say something
/// else by now. `untold` gets what does not say how it is taken down.
pub fn takedowns(all: &[Takedown<'_>], untold: &mut Vec<(Address, Removal)>) -> Result<Vec<Block>> {
    let places: HashMap<&Address, usize> =
        all.iter().enumerate().map(|(place, takedown)| (&takedown.address, place)).collect();
    let needs = all
        .iter()
        .map(|takedown| takedown.needs.iter().filter_map(|need| places.get(need).copied()).collect())
        .collect();
    let nodes = all.iter().map(|takedown| takedown.address.clone()).collect();
    let graph = Graph { nodes, needs, ..Graph::default() };
    let mut order = graph.order()?;
    order.reverse();
    let mut blocks = Vec::new();
    for place in order {
        let needed_by: Vec<Address> =
            graph.needed_by(place).into_iter().map(|place| graph.nodes[place].clone()).collect();
        for (hosts, code) in codes(&all[place], untold) {
            blocks.push(Block { address: all[place].address.clone(), code, needs: needed_by.clone(), hosts });
        }
    }
    Ok(blocks)
}

/// The code for one resource: the same for all hosts, or different ones.
fn codes(takedown: &Takedown<'_>, untold: &mut Vec<(Address, Removal)>) -> Vec<(Hosts, String)> {
    let said = takedown.says.as_deref();
    let mut by_code: Vec<(String, Vec<String>)> = Vec::new();
    for entry in &takedown.known {
        let removals = entry.removals();
        let codes: Vec<&str> = removals.iter().filter_map(|removal| removal.code()).collect();
        if codes.is_empty() {
            // Where main.py says it, that is as good.
            if said.is_none()
                && let Some(removal) = removals.first()
            {
                untold.push((takedown.address.clone(), (*removal).clone()));
            }
            continue;
        }
        let code = codes.join("\n");
        match by_code.iter_mut().find(|(known, _)| *known == code) {
            Some((_, hosts)) => hosts.push(entry.host.clone()),
            None => by_code.push((code, vec![entry.host.clone()])),
        }
    }
    let Some(said) = said else {
        if takedown.known.is_empty() {
            untold.push((takedown.address.clone(), Removal::Unknown));
        }
        return by_code.into_iter().map(|(code, hosts)| (Hosts::Only(hosts), code)).collect();
    };
    by_code.retain(|(code, _)| code.trim() != said.trim());
    let differs: Vec<String> = by_code.iter().flat_map(|(_, hosts)| hosts.clone()).collect();
    let rest = if differs.is_empty() { Hosts::All } else { Hosts::Except(differs) };
    std::iter::once((rest, said.to_owned()))
        .chain(by_code.into_iter().map(|(code, hosts)| (Hosts::Only(hosts), code)))
        .collect()
}
