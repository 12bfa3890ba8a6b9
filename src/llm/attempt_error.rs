//! What can go wrong with one try, and what follows from it: stop, or ask again.

use std::time::Duration;

use serde_json::Value;

use super::endpoint::Endpoint;
use super::error_body::{describe, is_moderation, plain, reset_of, unknown_part};
use crate::error::{Error, ModelErrorKind};
use crate::settings::Policy;

/// Why one try gave no artifact.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    /// What kind of failure it is.
    pub kind: ModelErrorKind,
    /// What went wrong, and what to do, for the user.
    pub message: String,
    /// What to do next.
    pub next: Next,
    /// The status that the server sent, where it was that.
    pub status: Option<u16>,
    /// Whether a model may have been at work for it, so that it may have to be paid for.
    pub at_work: bool,
}

/// What follows from a fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    /// Asking again would not help.
    Stop,
    /// It may pass; the server may have said how long that takes.
    Again(Option<Duration>),
    /// The server does not know this part of the request, and may do without.
    Without(Part),
}

/// A part of a request that not every server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `response_format`: the schema goes into the prompt instead.
    ResponseFormat,
    /// `stream_options`: the tokens stay unknown.
    StreamOptions,
    /// `max_tokens`, which some servers call `max_completion_tokens`.
    MaxTokens,
    /// Room for a long answer beside the question: only so much is asked for as the answer needs.
    Room,
}

impl Part {
    pub const COUNT: usize = 4;
}

impl Fault {
    pub fn new(kind: ModelErrorKind, next: Next, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), next, status: None, at_work: false }
    }

    /// The same, where a model may have been at work.
    pub fn at_work(self) -> Self {
        Self { at_work: true, ..self }
    }

    /// The fault, met by the last of so many tries.
    pub fn after(mut self, tries: u32) -> Self {
        if tries > 1 {
            self.message.push_str(&format!(" (Asked {tries} times.)"));
        }
        self
    }

    /// How long to wait before the next try after so many of them, and the fault; the fault alone
    /// where there is none to be made.
    pub fn wait(self, tries: u32, policy: &Policy) -> Result<(Duration, Self), Self> {
        match self.next {
            Next::Again(Some(wait)) if tries < policy.tries && wait > policy.longest_wait => {
                Err(self.too_long(wait))
            }
            // Not sooner than the server wants, and not all at the same moment.
            Next::Again(wait) if tries < policy.tries => {
                Ok((wait.unwrap_or_default() + policy.delay(tries), self))
            }
            _ => Err(self.after(tries)),
        }
    }

    /// The fault, where the server asks for a longer wait than anybody wants.
    fn too_long(mut self, wait: Duration) -> Self {
        let minutes = wait.as_secs().div_ceil(60);
        let after = if minutes < 120 {
            format!("{minutes} minutes")
        } else {
            format!("{} hours", minutes.div_ceil(60))
        };
        self.message.push_str(&format!(" It says to come back in {after}."));
        self
    }

    /// Whether it may lie in what was asked, as where a talk has grown longer than a model can read.
    pub fn is_of_question(&self) -> bool {
        matches!(self.next, Next::Stop | Next::Without(Part::Room))
            && matches!(self.kind, ModelErrorKind::Server | ModelErrorKind::Answer)
    }

    /// The server sent something that is no answer; another try may give one.
    pub fn rubbish(endpoint: &Endpoint, what: &str) -> Self {
        let message =
            format!("the model server {} {what}. Try again, or try another model.", endpoint.host());
        Self::new(ModelErrorKind::Server, Next::Again(None), message)
    }

    /// The server fell silent for too long.
    pub fn silent(endpoint: &Endpoint, limit: Duration) -> Self {
        Self::new(
            ModelErrorKind::Timeout,
            Next::Again(None),
            format!(
                "the model server {} was silent for {} seconds. Try again, or give it more time with \
                 CLOCKWORK_TIMEOUT.",
                endpoint.host(),
                limit.as_secs_f64()
            ),
        )
        .at_work()
    }

    /// A status other than 200, or an error with such a code inside an answer.
    pub fn status(endpoint: &Endpoint, status: u16, body: &str, wait: Option<Duration>) -> Self {
        let parsed = serde_json::from_str::<Value>(body).ok();
        let error = parsed.as_ref().map(|body| body.get("error").unwrap_or(body));
        let text = error.map_or_else(|| plain(body), describe);
        let fault = Self::code(endpoint, status, error, &text, wait.or_else(|| error.and_then(reset_of)));
        Self { status: Some(status), ..fault }
    }

    /// The error object that some servers put inside an answer with status 200.
    pub fn inside(endpoint: &Endpoint, error: &Value) -> Self {
        let code = error.get("code").and_then(|code| match code {
            Value::String(text) => text.parse().ok(),
            code => code.as_u64().and_then(|code| u16::try_from(code).ok()),
        });
        // Without a code it is the model's own failure, which another try may not meet.
        Self::code(endpoint, code.unwrap_or(502), Some(error), &describe(error), reset_of(error))
    }

    fn code(
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
        let again = Next::Again(wait);
        match (status, unknown_part(text)) {
            (400 | 404 | 415 | 422 | 501, Some(Part::Room)) => {
                // Another model may read more: it is worth asking.
                return Self::too_long_a_question(Kind::Server, model, &said, Next::Without(Part::Room));
            }
            (400 | 404 | 415 | 422 | 501, Some(part)) => {
                let message =
                    format!("the model server {host} does not take the request {said}. Try another model.");
                return Self::new(Kind::Server, Next::Without(part), message);
            }
            (413, _) => return Self::too_long_a_question(Kind::Answer, model, &said, Next::Stop),
            (404 | 410, _) => return Self::no_such_model(endpoint, &said),
            _ => {}
        }
        let (kind, next, message) = match status {
            401 => {
                let next = match endpoint.api_key {
                    Some(_) => "Check OPENROUTER_API_KEY (or --api-key); --model local needs no key.",
                    None => "Set OPENROUTER_API_KEY.",
                };
                (
                    Kind::Authentication,
                    Next::Stop,
                    format!("the model server {host} rejects the API key {said}. {next}"),
                )
            }
            403 if is_moderation(error) => (
                Kind::Answer,
                Next::Stop,
                format!(
                    "the model server {host} will not pass the description on to the model {said}. Word it differently, or try another model."
                ),
            ),
            403 => (
                Kind::Authentication,
                Next::Stop,
                format!(
                    "the API key may not use the model '{model}' at {host} {said}. Check the key's permissions, or try another model."
                ),
            ),
            402 => (
                Kind::Credits,
                Next::Stop,
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
                Next::Stop,
                format!(
                    "the model server {host} sends requests on to another address {said}, which Clockwork does not follow. Set OPENROUTER_BASE_URL to the right one."
                ),
            ),
            _ => (
                Kind::Server,
                Next::Stop,
                format!(
                    "the model server {host} does not take the request {said}. Check --model and OPENROUTER_BASE_URL."
                ),
            ),
        };
        let fault = Self::new(kind, next, message);
        // Where somebody waited for the model in vain, it was at work.
        if fault.kind == Kind::Timeout { fault.at_work() } else { fault }
    }

    fn too_long_a_question(kind: ModelErrorKind, model: &str, said: &str, next: Next) -> Self {
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
        Self::new(ModelErrorKind::ModelNotFound, Next::Stop, message)
    }
}

impl From<Fault> for Error {
    /// The error of a whole run: it is no single resource's.
    fn from(fault: Fault) -> Self {
        Self::Model { address: None, kind: fault.kind, message: fault.message }
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
            let fault = Fault::inside(&endpoint(), &json!({"code": code, "message": "slow down, sk-hidden"}));
            assert_eq!((fault.kind, fault.next), (ModelErrorKind::RateLimit, Next::Again(None)));
            assert!(fault.message.contains("slow down, …"), "{}", fault.message);
        }
        let fault = Fault::inside(&endpoint(), &json!("it broke"));
        assert_eq!(fault.kind, ModelErrorKind::Server);
        assert!(fault.message.contains("it broke"), "{}", fault.message);
    }

    #[test]
    fn finds_the_part_that_a_server_does_not_know() {
        let next = |body| Fault::status(&endpoint(), 400, body, None).next;
        let format = r#"{"error": {"message": "response_format is not supported"}}"#;
        assert_eq!(next(format), Next::Without(Part::ResponseFormat));
        assert_eq!(next("unknown field: stream_options"), Next::Without(Part::StreamOptions));
        let renamed = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
        assert_eq!(next(renamed), Next::Without(Part::MaxTokens));
        for too_large in [
            "'max_tokens' or 'max_completion_tokens' is too large: 5496. This model's maximum context length is 4096.",
            "max_tokens is too large: 5496. This model supports at most 4096 completion tokens.",
            "This model's maximum context length is 4097 tokens. However, you requested 5000 tokens.",
        ] {
            assert_eq!(next(too_large), Next::Without(Part::Room), "{too_large}");
        }
        assert_eq!(next("bad"), Next::Stop);
    }

    #[test]
    fn a_flagged_question_is_no_matter_of_the_key() {
        let body = r#"{"error": {"code": 403, "message": "flagged", "metadata": {"reasons": ["x"]}}}"#;
        assert_eq!(Fault::status(&endpoint(), 403, body, None).kind, ModelErrorKind::Answer);
        assert_eq!(Fault::status(&endpoint(), 403, "", None).kind, ModelErrorKind::Authentication);
    }

    #[test]
    fn shows_no_web_page() {
        let fault = Fault::status(&endpoint(), 502, "<html><body>nginx</body></html>", None);
        assert!(fault.message.contains("(502: a web page)"), "{}", fault.message);
    }
}
