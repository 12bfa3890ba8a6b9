//! Reads the headers that tell when to ask again.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// Reads a `Retry-After` header: a number of seconds, or a date.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = rfc2822::parse(header).ok()?.timestamp();
    // A date in the past means no wait.
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// The header that tells when a used-up limit is lifted, if there is no `Retry-After`.
pub const RATE_LIMIT_RESET: &str = "X-RateLimit-Reset";

/// Reads that header as OpenRouter means it: a time in milliseconds since 1970. Other servers mean other
/// things by it, so values that are no such time are ignored.
pub fn rate_limit_reset(header: &str, now: Timestamp) -> Option<Duration> {
    let moment = Timestamp::from_millisecond(header.trim().parse().ok()?).ok()?;
    let wait = Duration::try_from(moment.duration_since(now)).ok()?;
    (wait < Duration::from_secs(7 * 24 * 3600)).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

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
