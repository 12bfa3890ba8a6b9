//! What is sent: the question, what has been said about it since, and what bounds the answer.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};

use super::attempt_error::Part;
use super::budget::Need;
use super::endpoint::Endpoint;
use super::format::Syntax;
use super::prompt::{self, Prompt};
use super::question::Question;
use super::{official_images, schema};
use crate::resource::ArtifactSize;

/// The parameters that bound the length of an answer.
const LENGTHS: [&str; 2] = ["max_tokens", "max_completion_tokens"];
/// How many tokens a model may think for, where a budget bounds its answer: that counts as well.
const THINKING: u64 = 4096;
/// How many tokens a server may put around what it is sent, at most: the form of a talk, the date.
const SURROUNDINGS: u64 = 256;
/// What joins two halves of an answer is looked for in so many bytes.
const OVERLAP: usize = 400;

/// The parts of a request that the server is known not to take.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Without([bool; Part::COUNT]);

impl Without {
    pub fn has(self, part: Part) -> bool {
        self.0[part as usize]
    }

    /// Adds a part, and says whether it is new.
    pub fn add(&mut self, part: Part) -> bool {
        !std::mem::replace(&mut self.0[part as usize], true)
    }
}

/// What one question has found out about a model's server for all that follow.
#[derive(Debug, Default)]
pub(super) struct Findings([AtomicBool; Part::COUNT]);

impl Findings {
    /// Notes a part that the server does not take, whatever the question.
    pub fn note(&self, part: Part) {
        if matches!(part, Part::StreamOptions | Part::MaxTokens) {
            self.0[part as usize].store(true, Ordering::Relaxed);
        }
    }

    /// Adds what has been found out to what is known.
    pub fn add_to(&self, without: &mut Without) {
        for (found, known) in self.0.iter().zip(&mut without.0) {
            *known |= found.load(Ordering::Relaxed);
        }
    }
}

/// What has been said since the question.
#[derive(Debug, Clone, Default)]
pub(super) struct Talk {
    /// What the server is known not to take.
    pub without: Without,
    /// How much more room than at first an answer gets.
    pub room: u64,
    turns: Vec<(&'static str, String)>,
    /// What is said below the question.
    note: String,
}

impl Talk {
    /// Whether anything has been said since the question.
    pub fn is_begun(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Begins anew: with the question, and the complaint about an earlier answer below it. For
    /// models that are too small for a talk, which take one up in earnest.
    pub fn begin_anew(&mut self, complaint: &str) {
        self.turns.clear();
        self.note = format!("\n\nAn earlier answer could not be used: {complaint}. Avoid that.");
    }

    /// Gives an answer back with the complaint about it. What was said before is left out: it is
    /// the last answer that has to be mended.
    pub fn complain(&mut self, answer: &str, complaint: &str) {
        let request = format!(
            "Your answer cannot be used: {complaint}.\nGive the whole corrected answer, and nothing else."
        );
        self.turns = vec![("assistant", answer.to_owned()), ("user", request)];
    }

    /// Asks for the rest of an answer that was cut off.
    pub fn go_on(&mut self, answer: &str) {
        let request = "Your answer was cut off. Go on exactly where it stopped, in the middle of the word if need be: \
                       repeat nothing, and say nothing else.";
        self.turns = vec![("assistant", answer.to_owned()), ("user", request.to_owned())];
    }
}

/// The body of the request.
pub(super) fn body(endpoint: &Endpoint, question: &Question, prompt: &Prompt, talk: &Talk) -> Value {
    let mut body: Map<String, Value> = endpoint.parameters.clone();
    if !has_length(endpoint) && endpoint.local {
        // Left to itself, a small model may go on until its context is full.
        body.insert(LENGTHS[0].into(), (2 * answer_tokens(question)).into());
    }
    for name in LENGTHS {
        if let Some(length) = body.get(name).and_then(Value::as_u64) {
            body.insert(name.into(), (length << talk.room).into());
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
        json!({"role": "user", "content": format!("{}{}", prompt.user, talk.note)}),
    ];
    messages.extend(talk.turns.iter().map(|(role, content)| json!({"role": role, "content": content})));
    body.insert("messages".into(), messages.into());
    body.insert("stream".into(), true.into());
    if !talk.without.has(Part::StreamOptions) {
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    let mut provider = Map::new();
    let is_json = question.request.template == "file"
        && prompt::format_of(&question.request).syntax == Some(Syntax::Json);
    if endpoint.local
        && is_json
        && question.request.schema.is_none()
        && !talk.without.has(Part::ResponseFormat)
    {
        // The local server holds the model to the grammar, which a small one would not keep to.
        body.insert("response_format".into(), json!({"type": "json_object"}));
    }
    if let Some(schema) = question.request.schema.as_ref().filter(|_| !talk.without.has(Part::ResponseFormat))
    {
        let mut schema = schema::strict(schema);
        if endpoint.local {
            schema = official_images::restrict(&question.request, &schema);
        }
        let format = json!({"name": "artifact", "strict": true, "schema": schema});
        body.insert("response_format".into(), json!({"type": "json_schema", "json_schema": format}));
        if endpoint.is_openrouter() {
            // Without this, a provider that does not know schemas may be chosen, and ignores it.
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

/// How often an answer that was cut off may get twice the room; nothing where its length is not
/// ours to set.
pub(super) fn more_room(endpoint: &Endpoint) -> Option<u64> {
    match (endpoint.local, has_length(endpoint)) {
        // What a small model cannot say in twice the room it will not say in more.
        (true, _) => Some(1),
        (false, true) => Some(2),
        (false, false) => None,
    }
}

fn has_length(endpoint: &Endpoint) -> bool {
    LENGTHS.iter().any(|name| endpoint.parameters.get(*name).is_some_and(Value::is_u64))
}

/// What a request and its answer may need of a budget.
pub(super) fn need(endpoint: &Endpoint, question: &Question, body: &Value, talk: &Talk) -> Need {
    let longest = LENGTHS.iter().filter_map(|name| body.get(*name)?.as_u64()).min();
    let mut room = longest.unwrap_or((2 * answer_tokens(question) + THINKING) << talk.room);
    if talk.without.has(Part::Room) {
        room = room.min(answer_tokens(question) << talk.room);
    }
    Need {
        question: question_tokens(endpoint, body),
        answer: room.min(answer_tokens(question)),
        room,
        price: endpoint.price,
    }
}

/// Lets the answer have no more tokens than that.
pub(super) fn bound(endpoint: &Endpoint, body: &mut Value, most: u64, talk: &Talk) {
    let Some(body) = body.as_object_mut() else { return };
    let mut lengths: Vec<&str> = LENGTHS.into_iter().filter(|name| body.contains_key(*name)).collect();
    if lengths.is_empty() {
        lengths.push(LENGTHS[usize::from(talk.without.has(Part::MaxTokens))]);
    }
    for name in lengths {
        body.insert(name.to_owned(), most.into());
    }
    if endpoint.is_openrouter()
        && let Some(provider) = body.entry("provider").or_insert_with(|| json!({})).as_object_mut()
    {
        // Without this, a provider that does not know lengths may be chosen, and ignores it.
        provider.insert("require_parameters".into(), true.into());
    }
}

/// How many tokens an answer of the size that is asked for has, roughly and at most.
fn answer_tokens(question: &Question) -> u64 {
    match (&question.request.schema, question.request.size) {
        (Some(_), _) => 200,
        (None, ArtifactSize::Small) => 700,
        (None, ArtifactSize::Medium) => 2700,
        (None, ArtifactSize::Large) => 5000,
    }
}

/// How many tokens a question has at most. No token is less than one byte, in whatever language,
/// and a schema is read with the question; on this machine it is a grammar, which is not read.
fn question_tokens(endpoint: &Endpoint, body: &Value) -> u64 {
    let format = body.get("response_format").filter(|_| !endpoint.local);
    let parts = [body.get("messages"), format];
    let bytes: usize = parts.into_iter().flatten().map(|part| part.to_string().len()).sum();
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(SURROUNDINGS)
}

/// Puts the rest of an answer behind its first part, without what it repeats.
pub(super) fn join(first: &str, rest: &str) -> String {
    let start: String = first.trim_start().chars().take(40).collect();
    // It began anew in spite of what was asked.
    if start.len() >= 20 && rest.trim_start().starts_with(&start) {
        return rest.to_owned();
    }
    let ends = rest.char_indices().map(|(index, c)| index + c.len_utf8());
    // A few letters may come twice by chance: only what is longer was repeated.
    let repeated = ends.take_while(|end| *end <= OVERLAP).filter(|end| *end >= 12);
    let overlap = repeated.filter(|end| first.ends_with(&rest[..*end])).last().unwrap_or(0);
    format!("{first}{}", &rest[overlap..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_two_halves() {
        assert_eq!(join("the qui", "ck fox"), "the quick fox");
        assert_eq!(join("and so the quick brown", "the quick brown fox"), "and so the quick brown fox");
        assert_eq!(join("a a", "a b"), "a aa b");
        let text = "The whole text from its beginning on, ";
        assert_eq!(join(text, &format!("{text}and its end")), format!("{text}and its end"));
        assert_eq!(join("grün", "lich"), "grünlich");
    }
    #[test]
    fn a_bound_is_one_that_openrouters_providers_keep_to() {
        let mut endpoint = Endpoint::local("https://openrouter.ai/api/v1", "some/model");
        let mut body = json!({"provider": {"max_price": {"prompt": 1}}});
        bound(&endpoint, &mut body, 7, &Talk::default());
        let provider = json!({"max_price": {"prompt": 1}, "require_parameters": true});
        assert_eq!(body, json!({"provider": provider, "max_tokens": 7}));
        for (url, provider) in [("https://openrouter.ai/api/v1", true), ("https://example.org/v1", false)] {
            endpoint.base_url = url.into();
            let mut body = json!({});
            bound(&endpoint, &mut body, 7, &Talk::default());
            assert_eq!(body.get("provider").is_some(), provider, "{url}");
        }
    }
}
