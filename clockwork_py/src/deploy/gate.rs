//! Lets hosts wait for one another, for the few operations that ask for it.

use std::sync::{Condvar, Mutex, PoisonError};

use pyo3::prelude::*;

use super::Cancel;
use super::threads::STEP;

/// Past every operation: the lane has ended, or takes no part.
pub const DONE: usize = usize::MAX;

/// An operation before which all hosts meet.
#[derive(Debug)]
pub struct Barrier {
    /// Its place in the order of all operations.
    pub place: usize,
    /// The lanes that have it, in batches: each batch runs at once, one after the other.
    pub batches: Vec<Vec<usize>>,
}

/// How far each lane has come in the order of all operations.
pub struct Gate {
    done: Mutex<Vec<usize>>,
    moved: Condvar,
    cancel: Cancel,
}

impl Gate {
    /// A gate for lanes that have each come as far as `done` says.
    pub fn new(done: Vec<usize>, cancel: Cancel) -> Self {
        Self { done: Mutex::new(done), moved: Condvar::new(), cancel }
    }

    /// Says that a lane is done with all operations before `place`.
    pub fn reach(&self, lane: usize, place: usize) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = done.get_mut(lane) {
            *mine = place;
        }
        drop(done);
        self.moved.notify_all();
    }

    /// Passes a barrier: waits for all lanes, runs `work` when it is this lane's turn, and waits until
    /// the others have done theirs. Returns whether the run goes on.
    pub fn pass(
        &self,
        py: Python<'_>,
        lane: usize,
        barrier: &Barrier,
        work: impl FnOnce(Python<'_>) -> bool,
    ) -> bool {
        self.reach(lane, barrier.place);
        if !self.wait(py, None, barrier.place) {
            return false;
        }
        for (index, batch) in barrier.batches.iter().enumerate() {
            if batch.contains(&lane) {
                let before: Vec<usize> = barrier.batches[..index].concat();
                if !self.wait(py, Some(&before), barrier.place + 1) || !work(py) {
                    return false;
                }
                break;
            }
        }
        self.reach(lane, barrier.place + 1);
        self.wait(py, None, barrier.place + 1)
    }

    /// Waits until some lanes, or all, have come to `place`.
    fn wait(&self, py: Python<'_>, lanes: Option<&[usize]>, place: usize) -> bool {
        py.detach(|| {
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                let there = match lanes {
                    Some(lanes) => lanes.iter().all(|&lane| done.get(lane).is_none_or(|&d| d >= place)),
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
