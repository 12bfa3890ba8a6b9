//! The timeouts and retries of requests.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The timeouts and retries of the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The largest number of tries for one resource.
    pub tries: u32,
    /// The delay before the second try; it doubles with each further try.
    pub base_delay: Duration,
    /// The longest delay that a server may ask for with `Retry-After`.
    pub longest_wait: Duration,
    /// The connect timeout.
    pub connect: Duration,
    /// The read timeout: the longest silence of a server.
    pub idle: Duration,
    /// The total timeout of one try.
    pub total: Duration,
    /// The largest size of an answer, in bytes.
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
    /// The delay after try number `attempt`, counted from 1: exponential backoff with jitter, so that requests
    /// that failed together are not retried together.
    pub fn delay(&self, attempt: u32) -> Duration {
        let doubled = self.base_delay.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        // The keys of a new hasher are random, which is enough for jitter and needs no dependency.
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
