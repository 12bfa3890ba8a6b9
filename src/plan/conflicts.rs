//! Conflicts inside a project, found before any host is touched.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::compile::Hosts;
use crate::error::{Error, Result};
use crate::identity::{followed, normalise, path_of};
use crate::resource::{Address, CompiledResource};

/// Fails where two resources want the same thing on a host, or one would write a file of the project's own.
///
/// `is_local` tells whether links on this machine say anything about the hosts.
pub fn check(wanted: &[CompiledResource], project: Option<&ProjectFiles<'_>>, is_local: bool) -> Result<()> {
    let seen = |identity: &str| {
        let clean = normalise(identity);
        if is_local { followed(&clean) } else { clean }
    };
    let mut taken: HashMap<String, Vec<&CompiledResource>> = HashMap::new();
    for resource in wanted {
        let own = std::iter::once(&resource.identity).chain(&resource.claims);
        for claim in own {
            let holders = taken.entry(seen(claim)).or_default();
            let other = holders
                .iter()
                .find(|other| other.address != resource.address && meet(&other.hosts, &resource.hosts));
            if let Some(other) = other {
                return Err(conflict(other, resource, claim));
            }
            holders.push(resource);
        }
        if let Some(files) = project.filter(|_| is_local) {
            files.check(resource)?;
        }
    }
    ports(wanted)
}

/// The project's own files, which no resource may write.
pub struct ProjectFiles<'a> {
    /// The folder of main.py.
    pub folder: &'a Path,
    /// The name of main.py.
    pub source: &'a str,
}

impl ProjectFiles<'_> {
    fn check(&self, resource: &CompiledResource) -> Result<()> {
        let all = std::iter::once(&resource.identity).chain(&resource.claims);
        for path in all.filter_map(|claim| path_of(claim)) {
            let path = followed(&normalise(&format!("path:{path}")));
            let path = Path::new(path_of(&path).unwrap_or_default());
            let folder = self.folder.canonicalize().unwrap_or_else(|_| self.folder.to_path_buf());
            let Ok(inside) = path.strip_prefix(&folder) else { continue };
            let is_own = inside == Path::new(self.source)
                || inside == Path::new(crate::lockfile::FILE_NAME)
                || inside.starts_with(".clockwork");
            if is_own {
                let reason = format!(
                    "it would write {}, which is the project's own. Give it another path",
                    inside.display()
                );
                return Err(Error::Compile { address: resource.address.clone(), reason });
            }
        }
        Ok(())
    }
}

fn meet(one: &Hosts, other: &Hosts) -> bool {
    match (one, other) {
        (Hosts::Only(one), Hosts::Only(other)) => one.iter().any(|host| other.contains(host)),
        (Hosts::Only(hosts), Hosts::All) | (Hosts::All, Hosts::Only(hosts)) => !hosts.is_empty(),
        (Hosts::All, Hosts::All) => true,
    }
}

fn conflict(one: &CompiledResource, other: &CompiledResource, claim: &str) -> Error {
    let place = match path_of(claim) {
        Some(path) => format!("are at the same place, {path}: give one of them another"),
        None => match claim.split_once(':') {
            Some(("port", port)) => format!("both publish the port {port}: give one of them another"),
            Some((what, name)) => format!("are both the {what} '{name}': give one of them another"),
            None => format!("both claim '{claim}': give one of them another"),
        },
    };
    Error::Conflict {
        message: format!("{}{} and {}{} {place}", one.address, at(one), other.address, at(other)),
    }
}

/// The line on which a resource is defined, in parentheses.
fn at(resource: &CompiledResource) -> String {
    resource.defined_at.as_ref().map(|place| format!(" ({place})")).unwrap_or_default()
}

/// True if two claims cannot both be met on one host: they are the same, or one is a port of all addresses and the
/// other the same port of one of them.
pub(super) fn collide(one: &str, other: &str) -> bool {
    let is_every = |address: &str| matches!(address, "0.0.0.0" | "[::]" | "::");
    let is_shared = |(one, port): (&str, &str), (other, other_port): (&str, &str)| {
        port == other_port && (is_every(one) || is_every(other))
    };
    one == other || port_of(one).zip(port_of(other)).is_some_and(|(one, other)| is_shared(one, other))
}

/// The address and the port in a claim.
fn port_of(claim: &str) -> Option<(&str, &str)> {
    claim.strip_prefix("port:")?.rsplit_once(':')
}

/// A port of all addresses of a host is also one of each of them.
fn ports(wanted: &[CompiledResource]) -> Result<()> {
    let mut all: HashMap<&str, Vec<(&CompiledResource, &str)>> = HashMap::new();
    for resource in wanted {
        for claim in &resource.claims {
            let Some((_, port)) = port_of(claim) else { continue };
            let holders = all.entry(port).or_default();
            let other = holders.iter().find(|(other, their)| {
                other.address != resource.address
                    && collide(claim, their)
                    && meet(&other.hosts, &resource.hosts)
            });
            if let Some((other, _)) = other {
                return Err(conflict(other, resource, claim));
            }
            holders.push((resource, claim));
        }
    }
    Ok(())
}

/// Adds to each resource the needs that come from what it uses, and from the folder that it lies in: a file that a
/// container mounts comes before the container, and a folder comes before the files in it.
pub fn order_by_uses(wanted: &mut [CompiledResource]) -> Vec<String> {
    let mut notes = Vec::new();
    for place in 0..wanted.len() {
        for (address, why) in implied(&wanted[place], wanted) {
            // A resource that needs this one, be it through others, cannot come before it.
            if wanted[place].needs.contains(&address) || reaches(wanted, &address, &wanted[place].address) {
                continue;
            }
            // The order of definition needs no explanation, nor does one that main.py asks for.
            let is_asked_for = reaches(wanted, &wanted[place].address, &address);
            if !is_asked_for
                && wanted.iter().position(|other| other.address == address).is_some_and(|other| other > place)
            {
                notes.push(format!("{} comes after {address}, because {why}", wanted[place].address));
            }
            wanted[place].needs.push(address);
        }
    }
    notes
}

/// The needs that a resource has without saying so, each with the reason.
fn implied(resource: &CompiledResource, all: &[CompiledResource]) -> Vec<(Address, String)> {
    let mut needs = Vec::new();
    for other in
        all.iter().filter(|other| other.address != resource.address && meet(&other.hosts, &resource.hosts))
    {
        let own = || std::iter::once(&other.identity).chain(&other.claims);
        let is_it = |used: &&String| own().any(|claim| claim == *used || is_below(claim, used));
        if let Some(used) = resource.uses.iter().find(is_it) {
            let thing = used.split_once(':').map_or(used.as_str(), |(_, thing)| thing);
            needs.push((other.address.clone(), format!("it uses {thing}")));
        } else if is_below(&resource.identity, &other.identity) {
            let folder = path_of(&other.identity).unwrap_or_default();
            needs.push((other.address.clone(), format!("it lies in {folder}")));
        }
    }
    needs
}

/// True if a resource needs another, be it through others.
fn reaches(all: &[CompiledResource], from: &Address, to: &Address) -> bool {
    let mut seen: HashSet<&Address> = HashSet::new();
    let mut left = vec![from];
    while let Some(address) = left.pop() {
        if address == to {
            return true;
        }
        if seen.insert(address) {
            let same = all.iter().filter(|resource| resource.address == *address);
            left.extend(same.flat_map(|resource| &resource.needs));
        }
    }
    false
}

/// True if a path lies below another.
fn is_below(claim: &str, used: &str) -> bool {
    match (path_of(claim), path_of(used)) {
        (Some(path), Some(folder)) => path != folder && Path::new(path).starts_with(folder),
        _ => false,
    }
}
