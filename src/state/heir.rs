//! What one resource would take down and another stands on by now: a file, say, that has another
//! resource's name.

use super::{Entry, Removal, State, Wanted};
use crate::resource::Address;

impl Entry {
    /// Whether all that it would take down is also what these take down.
    fn is_held_by(&self, others: &[&Removal]) -> bool {
        let removals = self.removals();
        let held =
            |removal: &&Removal| removal.code().is_some() && others.iter().any(|other| other.holds(removal));
        !removals.is_empty() && removals.iter().all(held)
    }
}

impl State {
    /// The resource that stands on its host where `entry` did: one of `wanted`, or one that the state
    /// knows and that `stays`.
    pub fn heir<'a>(
        &'a self,
        entry: &Entry,
        wanted: impl Iterator<Item = &'a Wanted>,
        stays: impl Fn(&Address) -> bool,
    ) -> Option<&'a Address> {
        let mut wanted = wanted.filter(|wanted| wanted.address != entry.address);
        let heir = wanted.find(|wanted| entry.is_held_by(&[&wanted.removal]));
        heir.map(|wanted| &wanted.address).or_else(|| self.known_heir(entry, stays))
    }

    fn known_heir(&self, entry: &Entry, stays: impl Fn(&Address) -> bool) -> Option<&Address> {
        let mut others = self.entries.iter().filter(|other| {
            other.host == entry.host && other.address != entry.address && stays(&other.address)
        });
        others
            .find(|other| entry.is_held_by(&other.current().collect::<Vec<_>>()))
            .map(|other| &other.address)
    }
}

/// Drops what is another resource's by now, so that nobody takes it down in the name of the one that
/// had it before. `gone` is what main.py no longer has.
pub fn hand_over(state: &mut State, gone: &[Address]) {
    let before = state.clone();
    state.entries.retain(|entry| {
        let is_gone = gone.contains(&entry.address);
        !(is_gone && before.known_heir(entry, |address| !gone.contains(address)).is_some())
    });
    for entry in &mut state.entries {
        let Entry { address, host, leftovers, .. } = entry;
        let others = before.entries.iter().filter(|other| other.host == *host && other.address != *address);
        let others: Vec<&Removal> = others.flat_map(Entry::current).collect();
        leftovers.retain(|leftover| !others.iter().any(|other| other.holds(&leftover.removal)));
    }
}
