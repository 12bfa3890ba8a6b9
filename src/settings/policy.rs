//! How long a server is waited for, and how often it is asked.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How patient the client is.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How often one resource's question is sent at most.
    pub tries: u32,
    /// The wait before the second try; it doubles with each further one.
    pub base_delay: Duration,
    /// The longest wait that a server may ask for with `Retry-After`.
    pub longest_wait: Duration,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long a server may stay silent.
    pub idle: Duration,
    /// How long one try may take in all.
    pub total: Duration,
    /// How many bytes of one answer are read.
    pub body_limit: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            tries: 4,
            base_delay: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(30 * 60),
            body_limit: 16 << 20,
        }
    }
}

impl Policy {
    /// The wait after try number `attempt`, counted from 1: doubled each time, and drawn from its
    /// upper two thirds, so that requests that failed together do not come back together.
    pub fn delay(&self, attempt: u32) -> Duration {
        let doubled = self.base_delay.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        // A fresh hasher's keys are random: enough for this, and no dependency.
        let random = RandomState::new().hash_one(attempt) % 1000;
        doubled
            .min(self.longest_wait)
            .mul_f64((500.0 + f64::from(u16::try_from(random).unwrap_or(0))) / 1500.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time() {
        let policy = Policy::default();
        for attempt in 1..40 {
            let full = Duration::from_millis(500 << (attempt - 1).min(16)).min(policy.longest_wait);
            let delay = policy.delay(attempt);
            assert!(delay >= full / 3 && delay <= full, "{attempt}: {delay:?}");
        }
    }
}
