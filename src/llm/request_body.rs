//! The body of a request: the question, the messages after it, and the bounds of the answer.

use serde_json::{Map, Value, json};

use super::budget::Need;
use super::conversation::Conversation;
use super::endpoint::Endpoint;
use super::format::Syntax;
use super::optional_parts::OptionalPart;
use super::prompt::{self, Prompt};
use super::question::Question;
use super::{official_images, schema};
use crate::resource::ArtifactSize;

/// The parameters that bound the length of an answer.
const LENGTHS: [&str; 2] = ["max_tokens", "max_completion_tokens"];
/// The tokens that a model may use for thoughts if a budget bounds its answer: thoughts count too.
const THINKING: u64 = 4096;
/// The most tokens that a server adds to a question: the form of the messages, the date.
const SURROUNDINGS: u64 = 256;

impl Question {
    /// The body of the first request for it, to the first model.
    ///
    /// It is sent exactly so, except that a budget adds `max_tokens`, and on OpenRouter `max_price` and
    /// `require_parameters`. The key is no part of it.
    pub fn messages(&self, endpoint: &Endpoint) -> Value {
        let models = endpoint.each_model();
        body(models.first().unwrap_or(endpoint), self, &self.prompt, &Conversation::default())
    }
}

/// The body of a request.
pub(super) fn body(
    endpoint: &Endpoint,
    question: &Question,
    prompt: &Prompt,
    conversation: &Conversation,
) -> Value {
    let mut body: Map<String, Value> = endpoint.parameters.clone();
    if !has_length(endpoint) && endpoint.local {
        // Without a bound, a small model may go on until its context is full.
        body.insert(LENGTHS[0].into(), (2 * answer_tokens(question)).into());
    }
    for name in LENGTHS {
        if let Some(length) = body.get(name).and_then(Value::as_u64) {
            body.insert(name.into(), (length << conversation.doublings).into());
        }
    }
    body.insert("model".into(), endpoint.model.clone().into());
    if endpoint.is_openrouter() && !endpoint.fallbacks.is_empty() {
        body.insert("models".into(), endpoint.models().collect());
    }
    let brief =
        (endpoint.brief && question.request.context.is_empty()).then(|| Prompt::brief(&question.request));
    let prompt = brief.as_ref().unwrap_or(prompt);
    let mut messages = vec![
        json!({"role": "system", "content": prompt.system}),
        json!({"role": "user", "content": format!("{}{}", prompt.user, conversation.note())}),
    ];
    messages.extend(
        conversation.messages().iter().map(|(role, content)| json!({"role": role, "content": content})),
    );
    body.insert("messages".into(), messages.into());
    body.insert("stream".into(), true.into());
    if !conversation.rejected.has(OptionalPart::StreamOptions) {
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    let mut provider = Map::new();
    let is_json = question.request.text && prompt::format_of(&question.request).syntax == Some(Syntax::Json);
    if endpoint.local
        && is_json
        && question.request.schema.is_none()
        && !conversation.rejected.has(OptionalPart::ResponseFormat)
    {
        // The local server holds the model to the grammar. A small model would not keep to it by itself.
        body.insert("response_format".into(), json!({"type": "json_object"}));
    }
    if let Some(schema) =
        question.request.schema.as_ref().filter(|_| !conversation.rejected.has(OptionalPart::ResponseFormat))
    {
        let strict = schema::strict(schema);
        let schema = if endpoint.local { official_images::restrict(schema, &strict) } else { strict };
        let format = json!({"name": "artifact", "strict": true, "schema": schema});
        body.insert("response_format".into(), json!({"type": "json_schema", "json_schema": format}));
        if endpoint.is_openrouter() {
            // Without this, OpenRouter may choose a provider that ignores the schema.
            provider.insert("require_parameters".into(), true.into());
        }
    }
    if let Some(price) = endpoint.price {
        provider.insert("max_price".into(), price.as_max_price());
    }
    if !provider.is_empty() {
        body.insert("provider".into(), provider.into());
    }
    body.into()
}

/// The number of times that an answer that was cut off may get twice the room; `None` if Clockwork does not
/// set its length.
pub(super) fn most_doublings(endpoint: &Endpoint) -> Option<u64> {
    match (endpoint.local, has_length(endpoint)) {
        // A small model that cannot finish in twice the room will not finish in more.
        (true, _) => Some(1),
        (false, true) => Some(2),
        (false, false) => None,
    }
}

fn has_length(endpoint: &Endpoint) -> bool {
    LENGTHS.iter().any(|name| endpoint.parameters.get(*name).is_some_and(Value::is_u64))
}

/// The tokens that a request and its answer may need.
pub(super) fn need(
    endpoint: &Endpoint,
    question: &Question,
    body: &Value,
    conversation: &Conversation,
) -> Need {
    let longest = LENGTHS.iter().filter_map(|name| body.get(*name)?.as_u64()).min();
    let mut room = longest.unwrap_or((2 * answer_tokens(question) + THINKING) << conversation.doublings);
    if conversation.rejected.has(OptionalPart::Room) {
        room = room.min(answer_tokens(question) << conversation.doublings);
    }
    Need {
        question: question_tokens(endpoint, body),
        answer: room.min(answer_tokens(question)),
        room,
        price: endpoint.price,
    }
}

/// Bounds the answer to so many tokens.
pub(super) fn bound(endpoint: &Endpoint, body: &mut Value, most: u64, conversation: &Conversation) {
    let Some(body) = body.as_object_mut() else { return };
    let mut lengths: Vec<&str> = LENGTHS.into_iter().filter(|name| body.contains_key(*name)).collect();
    if lengths.is_empty() {
        lengths.push(LENGTHS[usize::from(conversation.rejected.has(OptionalPart::MaxTokens))]);
    }
    for name in lengths {
        body.insert(name.to_owned(), most.into());
    }
    if endpoint.is_openrouter()
        && let Some(provider) = body.entry("provider").or_insert_with(|| json!({})).as_object_mut()
    {
        // Without this, OpenRouter may choose a provider that ignores the length.
        provider.insert("require_parameters".into(), true.into());
    }
}

/// The most tokens that an answer of the wanted size has, roughly.
fn answer_tokens(question: &Question) -> u64 {
    match (&question.request.schema, question.request.size) {
        (Some(_), _) => 200,
        (None, ArtifactSize::Small) => 700,
        (None, ArtifactSize::Medium) => 2700,
        (None, ArtifactSize::Large) => 5000,
    }
}

/// The most tokens that a question can have: in every language a token has at least one byte.
///
/// A server reads the schema with the question. The local server makes a grammar of it instead.
fn question_tokens(endpoint: &Endpoint, body: &Value) -> u64 {
    let format = body.get("response_format").filter(|_| !endpoint.local);
    let parts = [body.get("messages"), format];
    let bytes: usize = parts.into_iter().flatten().map(|part| part.to_string().len()).sum();
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(SURROUNDINGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_one_that_openrouters_providers_keep_to() {
        let mut endpoint = Endpoint::local("https://openrouter.ai/api/v1", "some/model");
        let mut body = json!({"provider": {"max_price": {"prompt": 1}}});
        bound(&endpoint, &mut body, 7, &Conversation::default());
        let provider = json!({"max_price": {"prompt": 1}, "require_parameters": true});
        assert_eq!(body, json!({"provider": provider, "max_tokens": 7}));
        for (url, provider) in [("https://openrouter.ai/api/v1", true), ("https://example.org/v1", false)] {
            endpoint.base_url = url.into();
            let mut body = json!({});
            bound(&endpoint, &mut body, 7, &Conversation::default());
            assert_eq!(body.get("provider").is_some(), provider, "{url}");
        }
    }
}
