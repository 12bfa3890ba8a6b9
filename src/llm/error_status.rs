//! The error behind a status other than 200, or behind an error inside an answer.

use std::time::Duration;

use serde_json::Value;

use super::attempt_error::{AttemptError, RetryDecision};
use super::endpoint::Endpoint;
use super::error_body::{describe, is_moderation, plain, reset_of, unknown_part};
use super::optional_parts::OptionalPart;
use crate::error::ModelErrorKind;

impl AttemptError {
    /// The error behind a status other than 200.
    pub fn from_status(endpoint: &Endpoint, status: u16, body: &str, wait: Option<Duration>) -> Self {
        let parsed = serde_json::from_str::<Value>(body).ok();
        let error = parsed.as_ref().map(|body| body.get("error").unwrap_or(body));
        let text = error.map_or_else(|| plain(body), describe);
        let classified =
            Self::from_code(endpoint, status, error, &text, wait.or_else(|| error.and_then(reset_of)));
        Self { status: Some(status), ..classified }
    }

    /// The error behind an error object that a server put inside an answer with status 200.
    pub fn from_error_object(endpoint: &Endpoint, error: &Value) -> Self {
        let code = error.get("code").and_then(|code| match code {
            Value::String(text) => text.parse().ok(),
            code => code.as_u64().and_then(|code| u16::try_from(code).ok()),
        });
        // An error without a code is the model's own, and another attempt may not meet it.
        Self::from_code(endpoint, code.unwrap_or(502), Some(error), &describe(error), reset_of(error))
    }

    fn from_code(
        endpoint: &Endpoint,
        status: u16,
        error: Option<&Value>,
        text: &str,
        wait: Option<Duration>,
    ) -> Self {
        use ModelErrorKind as Kind;
        let host = endpoint.host();
        let model = &endpoint.label;
        let said = match endpoint.quote(text) {
            text if text.is_empty() => format!("({status})"),
            text => format!("({status}: {text})"),
        };
        let again = RetryDecision::Retry(wait);
        match (status, unknown_part(text)) {
            (400 | 404 | 415 | 422 | 501, Some(OptionalPart::Room)) => {
                // Another model may read longer questions, so it is worth asking.
                return Self::too_long_a_question(
                    Kind::Server,
                    model,
                    &said,
                    RetryDecision::RetryWithout(OptionalPart::Room),
                );
            }
            (400 | 404 | 415 | 422 | 501, Some(part)) => {
                let message =
                    format!("the model server {host} does not take the request {said}. Try another model.");
                return Self::new(Kind::Server, RetryDecision::RetryWithout(part), message);
            }
            (413, _) => return Self::too_long_a_question(Kind::Answer, model, &said, RetryDecision::Stop),
            (404 | 410, _) => return Self::no_such_model(endpoint, &said),
            _ => {}
        }
        let (kind, next, message) = match status {
            401 => {
                let cure = match endpoint.api_key {
                    Some(_) => "Check OPENROUTER_API_KEY (or --api-key); --model local needs no key.",
                    None => "Set OPENROUTER_API_KEY.",
                };
                (
                    Kind::Authentication,
                    RetryDecision::Stop,
                    format!("the model server {host} rejects the API key {said}. {cure}"),
                )
            }
            403 if is_moderation(error) => (
                Kind::Answer,
                RetryDecision::Stop,
                format!(
                    "the model server {host} will not pass the description on to the model {said}. Word it differently, or try another model."
                ),
            ),
            403 => (
                Kind::Authentication,
                RetryDecision::Stop,
                format!(
                    "the API key may not use the model '{model}' at {host} {said}. Check the key's permissions, or try another model."
                ),
            ),
            402 => (
                Kind::Credits,
                RetryDecision::Stop,
                format!(
                    "the account at {host} is out of credits {said}. Add credits, or use a free model or --model local."
                ),
            ),
            429 => (
                Kind::RateLimit,
                again,
                format!(
                    "the model server {host} asks for fewer requests {said}. Wait, lower --concurrency, or try another model{}.",
                    if endpoint.is_openrouter() && model.ends_with(":free") {
                        "; free models have a limit per minute and per day"
                    } else {
                        ""
                    }
                ),
            ),
            408 | 504 | 524 => (
                Kind::Timeout,
                again,
                format!(
                    "the model server {host} gave up waiting for the model {said}. Try again, or try another model."
                ),
            ),
            409 | 425 | 500.. => (
                Kind::Server,
                again,
                format!("the model server {host} failed {said}. Try again later, or try another model."),
            ),
            300..=399 => (
                Kind::Server,
                RetryDecision::Stop,
                format!(
                    "the model server {host} sends requests on to another address {said}, which Clockwork does not follow. Set OPENROUTER_BASE_URL to the right one."
                ),
            ),
            _ => (
                Kind::Server,
                RetryDecision::Stop,
                format!(
                    "the model server {host} does not take the request {said}. Check --model and OPENROUTER_BASE_URL."
                ),
            ),
        };
        let error = Self::new(kind, next, message);
        // A model that did not finish in time has still been at work.
        if error.kind == Kind::Timeout { error.billed() } else { error }
    }

    fn too_long_a_question(kind: ModelErrorKind, model: &str, said: &str, next: RetryDecision) -> Self {
        let message = format!(
            "the question is too long for the model '{model}' {said}. Shorten the description, or try another model."
        );
        Self::new(kind, next, message)
    }

    fn no_such_model(endpoint: &Endpoint, said: &str) -> Self {
        let mut message = format!(
            "the model server {} does not know the model '{}' {said}. Check --model or OPENROUTER_MODEL, and \
             OPENROUTER_BASE_URL.",
            endpoint.host(),
            endpoint.label
        );
        if endpoint.price.is_some() {
            message.push_str(
                " Or no provider of it keeps to its price in the list any more, to which --max-cost holds them: try \
                 again, or use --max-tokens-total instead.",
            );
        }
        Self::new(ModelErrorKind::ModelNotFound, RetryDecision::Stop, message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint {
            api_key: Some("sk-hidden".into()),
            ..Endpoint::local("http://127.0.0.1:1/v1", "some/model")
        }
    }

    #[test]
    fn codes_inside_an_answer_may_be_strings() {
        for code in [json!(429), json!("429")] {
            let error = AttemptError::from_error_object(
                &endpoint(),
                &json!({"code": code, "message": "slow down, sk-hidden"}),
            );
            assert_eq!((error.kind, error.retry), (ModelErrorKind::RateLimit, RetryDecision::Retry(None)));
            assert!(error.message.contains("slow down, …"), "{}", error.message);
        }
        let error = AttemptError::from_error_object(&endpoint(), &json!("it broke"));
        assert_eq!(error.kind, ModelErrorKind::Server);
        assert!(error.message.contains("it broke"), "{}", error.message);
    }

    #[test]
    fn finds_the_part_that_a_server_does_not_know() {
        let next = |body| AttemptError::from_status(&endpoint(), 400, body, None).retry;
        let format = r#"{"error": {"message": "response_format is not supported"}}"#;
        assert_eq!(next(format), RetryDecision::RetryWithout(OptionalPart::ResponseFormat));
        assert_eq!(
            next("unknown field: stream_options"),
            RetryDecision::RetryWithout(OptionalPart::StreamOptions)
        );
        let renamed = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
        assert_eq!(next(renamed), RetryDecision::RetryWithout(OptionalPart::MaxTokens));
        for too_large in [
            "'max_tokens' or 'max_completion_tokens' is too large: 5496. This model's maximum context length is 4096.",
            "max_tokens is too large: 5496. This model supports at most 4096 completion tokens.",
            "This model's maximum context length is 4097 tokens. However, you requested 5000 tokens.",
        ] {
            assert_eq!(next(too_large), RetryDecision::RetryWithout(OptionalPart::Room), "{too_large}");
        }
        assert_eq!(next("bad"), RetryDecision::Stop);
    }

    #[test]
    fn a_flagged_question_is_no_matter_of_the_key() {
        let body = r#"{"error": {"code": 403, "message": "flagged", "metadata": {"reasons": ["x"]}}}"#;
        assert_eq!(AttemptError::from_status(&endpoint(), 403, body, None).kind, ModelErrorKind::Answer);
        assert_eq!(
            AttemptError::from_status(&endpoint(), 403, "", None).kind,
            ModelErrorKind::Authentication
        );
    }

    #[test]
    fn shows_no_web_page() {
        let error = AttemptError::from_status(&endpoint(), 502, "<html><body>nginx</body></html>", None);
        assert!(error.message.contains("(502: a web page)"), "{}", error.message);
    }
}
