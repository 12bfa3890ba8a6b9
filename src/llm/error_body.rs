//! Reads the body of an error in the forms that servers usually send.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::optional_parts::OptionalPart;
use super::retry_after::{RATE_LIMIT_RESET, rate_limit_reset};

/// The message of an error object, from one of the usual places.
pub(super) fn describe(error: &Value) -> String {
    let message = [error.get("message"), error.get("detail"), error.get("error"), Some(error)]
        .into_iter()
        .flatten()
        .find_map(Value::as_str)
        .map_or_else(|| error.to_string(), str::to_owned);
    // OpenRouter keeps the provider's message apart from its own.
    match error.pointer("/metadata/raw") {
        Some(Value::String(raw)) => format!("{message}: {raw}"),
        _ => message,
    }
}

/// The time until OpenRouter lifts a limit, which it tells inside the error.
pub(super) fn reset_of(error: &Value) -> Option<Duration> {
    let header = error.pointer("/metadata/headers")?.get(RATE_LIMIT_RESET)?;
    rate_limit_reset(header.as_str()?, Timestamp::now())
}

/// The message for a body that is no JSON. The markup of a web page, such as a proxy's, helps nobody.
pub(super) fn plain(body: &str) -> String {
    if body.trim_start().starts_with('<') { "a web page".to_owned() } else { body.to_owned() }
}

/// The part of the request that the message complains about.
pub(super) fn unknown_part(text: &str) -> Option<OptionalPart> {
    let text = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["stream_options"]) {
        Some(OptionalPart::StreamOptions)
    } else if has(&["max_completion_tokens"]) && has(&["unsupported", "not supported", "instead"]) {
        Some(OptionalPart::MaxTokens)
    } else if has(&["max_tokens", "max_completion_tokens", "context length"])
        && has(&["too large", "too long", "exceed", "maximum"])
    {
        Some(OptionalPart::Room)
    } else if has(&["response_format", "json_schema", "structured output", "requested parameters", "grammar"])
    {
        Some(OptionalPart::ResponseFormat)
    } else {
        None
    }
}

/// Tells whether the server rejects the question, and not the key.
pub(super) fn is_moderation(error: Option<&Value>) -> bool {
    let metadata = error.and_then(|error| error.get("metadata"));
    metadata.is_some_and(|data| data.get("reasons").is_some() || data.get("flagged_input").is_some())
}
