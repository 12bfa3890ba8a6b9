//! A model's answer, put together from the events of a stream or from one JSON body.

use serde_json::Value;

use super::attempt_error::{AttemptError, RetryDecision};
use super::budget::{MOST_TOKENS, Spent};
use super::endpoint::Endpoint;
use crate::error::ModelErrorKind;

/// The part of an answer that has arrived.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Answer {
    /// The text, without the model's reasoning.
    pub text: String,
    /// The model that answered, as the server names it.
    pub model: Option<String>,
    /// The provider that ran the model, if the server tells.
    pub provider: Option<String>,
    /// Tokens of the question.
    pub tokens_in: Option<u64>,
    /// Tokens of the answer.
    pub tokens_out: Option<u64>,
    /// The cost in US dollars.
    pub cost: Option<f64>,
    finish: Option<String>,
    refusal: String,
    choices_seen: bool,
    /// True once the model has begun to write or to think.
    begun: bool,
    done: bool,
}

impl Answer {
    /// Takes one event of a stream, or one whole body, and returns the text that it adds.
    pub fn take(&mut self, endpoint: &Endpoint, event: &str) -> Result<String, AttemptError> {
        if event.trim() == "[DONE]" {
            self.done = true;
            return Ok(String::new());
        }
        let Ok(Value::Object(event)) = serde_json::from_str::<Value>(event) else {
            return Err(AttemptError::no_answer(endpoint, "sent something that is no JSON object"));
        };
        let text_of = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
        self.model = text_of("model").or(self.model.take());
        self.provider = text_of("provider").or(self.provider.take());
        if let Some(usage) = event.get("usage") {
            let count = |name: &str| usage.get(name)?.as_u64().filter(|count| *count <= MOST_TOKENS);
            self.tokens_in = count("prompt_tokens").or(self.tokens_in);
            self.tokens_out = count("completion_tokens").or(self.tokens_out);
            self.cost = cost(usage).or(self.cost);
        }
        // The usage is read first, because an answer that fails has used it too.
        if let Some(error) = event.get("error").filter(|error| !error.is_null()) {
            return Err(AttemptError::from_error_object(endpoint, error));
        }
        let Some(choice) = event.get("choices").and_then(|choices| choices.get(0)) else {
            return Ok(String::new());
        };
        self.choices_seen = true;
        if let Some(error) = choice.get("error").filter(|error| !error.is_null()) {
            return Err(AttemptError::from_error_object(endpoint, error));
        }
        if let Some(finish) = choice.get("finish_reason").and_then(Value::as_str).filter(|f| !f.is_empty()) {
            self.finish = Some(finish.to_owned());
        }
        let message = choice.get("delta").or_else(|| choice.get("message"));
        if let Some(refusal) = message.and_then(|message| message.get("refusal")).and_then(Value::as_str) {
            self.refusal.push_str(refusal);
        }
        let said =
            |name: &str| message.and_then(|message| message.get(name)).map(content).unwrap_or_default();
        let text = said("content");
        // Reasoning is no part of the answer, but it shows that the model is at work.
        self.begun |=
            [text.as_str(), &said("reasoning"), &said("reasoning_content")].iter().any(|t| !t.is_empty());
        self.text.push_str(&text);
        Ok(text)
    }

    /// Tells whether the stream has ended.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Tells whether the text is whole. The counts of tokens may still follow.
    pub fn is_finished(&self) -> bool {
        self.done || self.finish.is_some()
    }

    /// Tells whether a model has been at work.
    pub fn is_begun(&self) -> bool {
        self.begun
    }

    /// The usage that the server has told by now.
    pub fn spent(&self) -> Spent {
        Spent { tokens_in: self.tokens_in, tokens_out: self.tokens_out, cost: self.cost }
    }

    /// Tells whether the answer was cut off at its longest length, and so is no result.
    pub fn is_cut(&self) -> bool {
        self.finish.as_deref() == Some("length")
    }

    /// Fails if the answer must not be used. One that was cut off passes.
    pub fn check(&self, endpoint: &Endpoint) -> Result<(), AttemptError> {
        let unusable = |next: RetryDecision, message: String| {
            Err(AttemptError::new(ModelErrorKind::Answer, next, message))
        };
        let model = &endpoint.label;
        if !self.choices_seen {
            return Err(AttemptError::no_answer(endpoint, "sent no answer"));
        }
        match self.finish.as_deref() {
            Some("error") => return Err(AttemptError::no_answer(endpoint, "broke off with an error")),
            Some("content_filter") => {
                return unusable(
                    RetryDecision::Stop,
                    format!(
                        "a content filter stopped the answer of the model '{model}'. Word the description \
                         differently, or try another model."
                    ),
                );
            }
            None if !self.done => {
                return Err(AttemptError::no_answer(endpoint, "stopped in the middle of the answer"));
            }
            _ => {}
        }
        if !self.refusal.trim().is_empty() {
            let refusal = endpoint.quote(&self.refusal);
            return unusable(
                RetryDecision::Stop,
                format!(
                    "the model '{model}' refuses: {refusal}. Word the description differently, or try another model."
                ),
            );
        }
        // An answer that was cut off in the model's thoughts has no text, and needs more room.
        if self.text.trim().is_empty() && !self.is_cut() {
            // A model that was only just started may answer nothing the first time.
            return unusable(
                RetryDecision::Retry(None),
                format!("the model '{model}' gave an empty answer. Try again, or try another model."),
            );
        }
        Ok(())
    }

    /// Takes a whole body of a server that does not stream.
    pub fn take_whole(&mut self, endpoint: &Endpoint, body: &str) -> Result<(), AttemptError> {
        if body.trim_start().starts_with('<') {
            let message = format!(
                "the model server {} sent a web page. Check OPENROUTER_BASE_URL: it usually ends with /v1.",
                endpoint.host()
            );
            return Err(AttemptError::new(ModelErrorKind::Server, RetryDecision::Stop, message));
        }
        // A JSON document that parses is whole, so it needs no finish_reason.
        self.done = true;
        self.take(endpoint, body).map(|_| ())
    }
}

/// The whole cost of an answer in US dollars.
///
/// If the user has a key of the provider (`is_byok`), the provider's price is told apart from OpenRouter's
/// fee. Unless both are told, the cost is unknown.
fn cost(usage: &Value) -> Option<f64> {
    let mut cost = usage.get("cost")?.as_f64()?;
    if usage.get("is_byok").and_then(Value::as_bool) == Some(true) {
        cost += usage.get("cost_details")?.get("upstream_inference_cost")?.as_f64()?;
    }
    Some(cost).filter(|cost| cost.is_finite() && *cost >= 0.0)
}

/// The text of a message's content, which is a text or a list of parts.
fn content(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part.get("text")).filter_map(Value::as_str).collect()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_that_nobody_could_keep_are_not_taken() {
        for (usage, spent) in [
            (json!({"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.5}), (Some(1), Some(2), Some(0.5))),
            (json!({"prompt_tokens": u64::MAX, "completion_tokens": 1_u64 << 63}), (None, None, None)),
            (json!({"completion_tokens": i64::MAX, "cost": -0.5}), (None, Some(MOST_TOKENS), None)),
            (json!({"prompt_tokens": -1, "completion_tokens": 1.5, "cost": "1"}), (None, None, None)),
            (json!({"cost": 0.1, "is_byok": true}), (None, None, None)),
            (json!({"cost": 0.1, "is_byok": true, "cost_details": null}), (None, None, None)),
            (
                json!({"cost": 0.25, "is_byok": true, "cost_details": {"upstream_inference_cost": 0.5}}),
                (None, None, Some(0.75)),
            ),
            (
                json!({"cost": 1e308, "is_byok": true, "cost_details": {"upstream_inference_cost": 1e308}}),
                (None, None, None),
            ),
        ] {
            let mut answer = Answer::default();
            let endpoint = Endpoint::local("http://127.0.0.1:1/v1", "local");
            answer.take(&endpoint, &json!({"usage": usage}).to_string()).unwrap();
            let Spent { tokens_in, tokens_out, cost } = answer.spent();
            assert_eq!((tokens_in, tokens_out, cost), spent, "{usage}");
        }
    }
}
