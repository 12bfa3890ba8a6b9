//! What a server says about an error, in whichever of the usual forms.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::attempt_error::Part;
use super::retry_after::{RATE_LIMIT_RESET, rate_limit_reset};

/// The words of an error object, from whichever of the usual places they stand in.
pub(super) fn describe(error: &Value) -> String {
    let message = [error.get("message"), error.get("detail"), error.get("error"), Some(error)]
        .into_iter()
        .flatten()
        .find_map(Value::as_str)
        .map_or_else(|| error.to_string(), str::to_owned);
    // OpenRouter keeps what the provider itself said apart from its own words.
    match error.pointer("/metadata/raw") {
        Some(Value::String(raw)) => format!("{message}: {raw}"),
        _ => message,
    }
}

/// When OpenRouter lifts a limit, which it tells inside the error.
pub(super) fn reset_of(error: &Value) -> Option<Duration> {
    let header = error.pointer("/metadata/headers")?.get(RATE_LIMIT_RESET)?;
    rate_limit_reset(header.as_str()?, Timestamp::now())
}

/// A body that is no JSON: a proxy's page, say, whose markup helps nobody.
pub(super) fn plain(body: &str) -> String {
    if body.trim_start().starts_with('<') { "a web page".to_owned() } else { body.to_owned() }
}

/// The part of the request that the words complain about.
pub(super) fn unknown_part(text: &str) -> Option<Part> {
    let text = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["stream_options"]) {
        Some(Part::StreamOptions)
    } else if has(&["max_completion_tokens"]) && has(&["unsupported", "not supported", "instead"]) {
        Some(Part::MaxTokens)
    } else if has(&["max_tokens", "max_completion_tokens", "context length"])
        && has(&["too large", "too long", "exceed", "maximum"])
    {
        Some(Part::Room)
    } else if has(&["response_format", "json_schema", "structured output", "requested parameters", "grammar"])
    {
        Some(Part::ResponseFormat)
    } else {
        None
    }
}

/// Whether it was the question that was turned away, and not the key.
pub(super) fn is_moderation(error: Option<&Value>) -> bool {
    let metadata = error.and_then(|error| error.get("metadata"));
    metadata.is_some_and(|data| data.get("reasons").is_some() || data.get("flagged_input").is_some())
}
