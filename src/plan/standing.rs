//! How a resource on a host stands to what the state knows of it.

use crate::state::{Entry, Wanted};

/// What a repair has to know before it goes ahead, and the state after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Whether it was deployed just as main.py wants it, and to its end.
    pub settled: bool,
    /// Whether it must be neither removed nor replaced.
    pub protected: bool,
    /// Whether all that was known of it was taken away first.
    pub made_way: bool,
}

impl Standing {
    /// Holds what is wanted against what is known.
    pub(super) fn of(wanted: &Wanted, entry: Option<&Entry>) -> Self {
        let deployed =
            entry.filter(|entry| entry.pending.is_none()).and_then(|entry| entry.deployed.as_ref());
        let settled = deployed.is_some_and(|deployed| deployed.is(wanted));
        let protected = wanted.protect || entry.is_some_and(|entry| entry.protect);
        Self { settled, protected, made_way: false }
    }
}
