//! Barriers: hosts wait for one another before the few operations that require it.

use std::sync::{Condvar, Mutex, PoisonError};

use pyo3::prelude::*;

use super::cancel::Cancel;
use super::threads::STEP;

/// The place after every operation, for a host that is done or takes no part.
pub const DONE: usize = usize::MAX;

/// An operation before which all hosts wait for one another.
#[derive(Debug)]
pub struct Barrier {
    /// Its place in the order of all operations.
    pub place: usize,
    /// The hosts that have it, in batches: those of a batch run at the same time, one batch after the other.
    pub batches: Vec<Vec<usize>>,
}

/// The place that each host has come to in the order of all operations.
pub struct Barriers {
    done: Mutex<Vec<usize>>,
    moved: Condvar,
    cancel: Cancel,
}

impl Barriers {
    /// The barriers of hosts that have each come as far as `done` says.
    pub fn new(done: Vec<usize>, cancel: Cancel) -> Self {
        Self { done: Mutex::new(done), moved: Condvar::new(), cancel }
    }

    /// Records that a host is done with all operations before `place`.
    pub fn reach(&self, host: usize, place: usize) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = done.get_mut(host) {
            *mine = place;
        }
        drop(done);
        self.moved.notify_all();
    }

    /// Passes a barrier: waits for all hosts, runs `work` when it is this host's turn, and waits until
    /// the others have done theirs. Returns whether the run goes on.
    pub fn pass(
        &self,
        py: Python<'_>,
        host: usize,
        barrier: &Barrier,
        work: impl FnOnce(Python<'_>) -> bool,
    ) -> bool {
        self.reach(host, barrier.place);
        if !self.wait(py, None, barrier.place) {
            return false;
        }
        for (index, batch) in barrier.batches.iter().enumerate() {
            if batch.contains(&host) {
                let before: Vec<usize> = barrier.batches[..index].concat();
                if !self.wait(py, Some(&before), barrier.place + 1) || !work(py) {
                    return false;
                }
                break;
            }
        }
        self.reach(host, barrier.place + 1);
        self.wait(py, None, barrier.place + 1)
    }

    /// Waits until some hosts, or all, have come to `place`.
    fn wait(&self, py: Python<'_>, hosts: Option<&[usize]>, place: usize) -> bool {
        py.detach(|| {
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                let there = match hosts {
                    Some(hosts) => hosts.iter().all(|&host| done.get(host).is_none_or(|&d| d >= place)),
                    None => done.iter().all(|&d| d >= place),
                };
                if there || self.cancel.is_cancelled() {
                    return there;
                }
                (done, _) = self.moved.wait_timeout(done, STEP).unwrap_or_else(PoisonError::into_inner);
            }
        })
    }
}
