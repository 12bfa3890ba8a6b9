//! How long a server is waited for, and when it is asked again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

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
    /// upper half, so that requests that failed together do not come back together.
    pub fn delay(&self, attempt: u32) -> Duration {
        let doubled = self.base_delay.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        // A fresh hasher's keys are random: enough for this, and no dependency.
        let random = RandomState::new().hash_one(attempt) % 1000;
        doubled
            .min(self.longest_wait)
            .mul_f64((500.0 + f64::from(u16::try_from(random).unwrap_or(0))) / 1500.0)
    }
}

/// Reads a `Retry-After` header: a number of seconds, or a date.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = rfc2822::parse(header).ok()?.timestamp();
    // A date in the past asks for no wait at all.
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// The header that tells when a used-up limit is lifted, where there is no `Retry-After`.
pub const RATE_LIMIT_RESET: &str = "X-RateLimit-Reset";

/// Reads that header as OpenRouter means it: the milliseconds of a moment since 1970. Elsewhere it
/// means other things, and is not used.
pub fn rate_limit_reset(header: &str, now: Timestamp) -> Option<Duration> {
    let moment = Timestamp::from_millisecond(header.trim().parse().ok()?).ok()?;
    let wait = Duration::try_from(moment.duration_since(now)).ok()?;
    (wait < Duration::from_secs(7 * 24 * 3600)).then_some(wait)
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

    #[test]
    fn reads_retry_after() {
        let now: Timestamp = "2026-08-01T12:00:00Z".parse().unwrap();
        let read = |header| retry_after(header, now);
        assert_eq!(read("3"), Some(Duration::from_secs(3)));
        assert_eq!(read(" 0.5 "), Some(Duration::from_millis(500)));
        assert_eq!(read("Sat, 01 Aug 2026 12:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Sat, 01 Aug 2026 11:00:00 GMT"), Some(Duration::ZERO));
        let reset = |header| rate_limit_reset(header, now);
        assert_eq!(reset("1785585660000"), Some(Duration::from_secs(60)));
        assert_eq!([reset("60"), reset("1785585660"), reset("soon"), reset("99999999999999999")], [None; 4]);
        for bad in ["", "soon", "-1", "inf", "NaN", "1e300"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
