//! Settings that are numbers, or on and off.

use std::fmt::Display;
use std::str::FromStr;

use crate::error::{Error, Result};

/// A setting that is a number.
pub(super) struct Number<T> {
    /// What an argument is called in a complaint.
    argument: &'static str,
    /// The environment variable.
    variable: &'static str,
    /// What it counts, and within which bounds.
    wanted: &'static str,
    fits: fn(&T) -> bool,
}

pub(super) const CONCURRENCY: Number<usize> = Number {
    argument: "the concurrency",
    variable: "CLOCKWORK_CONCURRENCY",
    wanted: "requests at once, 1 or more",
    fits: |number| *number > 0,
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

/// What is given, or else what the environment holds.
pub(super) fn number<T: FromStr + Display + Copy>(
    environment: &dyn Fn(&str) -> Option<String>,
    given: Option<T>,
    setting: &Number<T>,
) -> Result<Option<T>> {
    if let Some(number) = given {
        let fits = (setting.fits)(&number);
        return if fits {
            Ok(given)
        } else {
            Err(bad(setting.argument, &number.to_string(), setting.wanted))
        };
    }
    let Some(text) = environment(setting.variable) else { return Ok(None) };
    match text.parse().ok().filter(setting.fits) {
        Some(number) => Ok(Some(number)),
        None => Err(bad(setting.variable, &text, setting.wanted)),
    }
}

/// Something that is on or off.
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

/// The complaint about a number.
pub(super) fn bad(name: &str, value: &str, wanted: &str) -> Error {
    Error::Settings(format!("{name} is '{}'; it has to be a number of {wanted}", value.escape_debug()))
}
