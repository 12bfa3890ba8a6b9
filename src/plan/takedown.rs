//! Code that takes resources down: what the state remembers, or else what main.py says.

use std::collections::HashMap;
use std::fmt;

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

/// What stays because nobody can tell how it is taken down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// The resource.
    pub address: Address,
    /// The host that it is on, where that is known.
    pub host: Option<String>,
    /// Why there is no code.
    pub removal: Removal,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        self.host.as_ref().map_or(Ok(()), |host| write!(f, " on {host}"))
    }
}

/// Puts the code in order: what needs something goes before it.
///
/// What was deployed is taken down the way it was when it was deployed, and where it was: main.py may
/// say something else by now. `untold` gets what does not say how it is taken down.
pub fn takedowns(all: &[Takedown<'_>], untold: &mut Vec<Untold>) -> Result<Vec<Block>> {
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
fn codes(takedown: &Takedown<'_>, untold: &mut Vec<Untold>) -> Vec<(Hosts, String)> {
    let said = takedown.says.as_deref();
    let mut tell = |host: Option<&str>, removal: &Removal| {
        let (address, host) = (takedown.address.clone(), host.map(str::to_owned));
        untold.push(Untold { address, host, removal: removal.clone() });
    };
    if takedown.known.is_empty() {
        // Nobody knows where it is, so that it may be anywhere.
        if said.is_none() {
            tell(None, &Removal::Unknown);
        }
        return said.map(|said| (Hosts::All, said.to_owned())).into_iter().collect();
    }
    let mut by_code: Vec<(String, Vec<String>)> = Vec::new();
    for entry in &takedown.known {
        let removals = entry.removals();
        let mut codes: Vec<&str> = removals.iter().filter_map(|removal| removal.code()).collect();
        if let Some(silent) = removals.iter().find(|removal| removal.code().is_none()) {
            // Where main.py says it, that is as good. Else all of it stays: a part of it would not be known
            // any more.
            let Some(said) = said else {
                tell(Some(&entry.host), silent);
                continue;
            };
            codes.push(said);
        }
        let code = codes.join("\n");
        match by_code.iter_mut().find(|(known, _)| *known == code) {
            Some((_, hosts)) => hosts.push(entry.host.clone()),
            None => by_code.push((code, vec![entry.host.clone()])),
        }
    }
    by_code.into_iter().map(|(code, hosts)| (Hosts::Only(hosts), code)).collect()
}
