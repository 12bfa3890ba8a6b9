//! Numeric and boolean settings.

use std::fmt::Display;
use std::str::FromStr;

use crate::error::{Error, Result};

/// A numeric setting.
pub(super) struct Number<T> {
    /// The name of the argument, for error messages.
    argument: &'static str,
    /// The environment variable.
    variable: &'static str,
    /// The expected value with its bounds, for error messages.
    wanted: &'static str,
    fits: fn(&T) -> bool,
}

pub(super) const CONCURRENCY: Number<usize> = Number {
    argument: "the concurrency",
    variable: "CLOCKWORK_CONCURRENCY",
    wanted: "requests at once, 1 to 1000",
    fits: |number| (1..=1000).contains(number),
};
pub(super) const MAX_REPAIRS: Number<u32> = Number {
    argument: "the number of repairs",
    variable: "CLOCKWORK_MAX_REPAIRS",
    wanted: "repairs, 0 to 20",
    fits: |number| *number <= 20,
};
pub(super) const MAX_TOKENS: Number<u64> = Number {
    argument: "the limit of tokens",
    variable: "CLOCKWORK_MAX_TOKENS_TOTAL",
    wanted: "tokens, 1 or more",
    fits: |number| *number > 0,
};
pub(super) const MAX_COST: Number<f64> = Number {
    argument: "the limit of cost",
    variable: "CLOCKWORK_MAX_COST",
    wanted: "US dollars, such as 0.50",
    fits: |number| number.is_finite() && *number >= 0.0,
};
pub(super) const TIMEOUT: Number<f64> = Number {
    argument: "the timeout",
    variable: "CLOCKWORK_TIMEOUT",
    wanted: "seconds, such as 60",
    fits: |number| *number >= 0.1 && *number <= 86_400.0,
};

/// The given value, or else the value from the environment.
pub(super) fn number<T: FromStr + Display + Copy>(
    environment: &dyn Fn(&str) -> Option<String>,
    given: Option<T>,
    setting: &Number<T>,
) -> Result<Option<T>> {
    let (name, text, number) = match given {
        Some(number) => (setting.argument, number.to_string(), given),
        None => match environment(setting.variable) {
            Some(text) => (setting.variable, text.clone(), text.parse().ok()),
            None => return Ok(None),
        },
    };
    match number.filter(setting.fits) {
        Some(number) => Ok(Some(number)),
        None => Err(Error::Settings(format!(
            "{name} is '{}'; it has to be a number of {}",
            text.escape_debug(),
            setting.wanted
        ))),
    }
}

/// Parses a boolean setting.
pub(super) fn switch(variable: &str, text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(Error::Settings(format!(
            "{variable} is '{}', which is neither true nor false",
            text.escape_debug()
        ))),
    }
}
