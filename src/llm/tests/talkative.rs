//! A server whose model writes as much as it may, and what its answers have used.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::{Project, file};
use crate::error::{Error, ModelErrorKind as Kind};
use crate::resource;

/// The time of an answer.
pub const TIME: Duration = Duration::from_millis(60);
/// US dollars for a token of a question; one of an answer costs four times as much.
pub const PRICE: f64 = 0.001;

/// A server whose model has much to say and stops where it has to. Its tokens are as short as tokens
/// can be: each byte is one.
#[derive(Clone)]
pub struct Talkative {
    /// The number of tokens that it would like to write.
    pub wants: u64,
    pub text: &'static str,
    pub told: Arc<Mutex<Told>>,
}

/// The usage that the server has told.
#[derive(Default)]
pub struct Told {
    pub tokens: u64,
    pub cost: f64,
    pub arrivals: Vec<Instant>,
}

impl Talkative {
    pub fn new(wants: u64) -> Self {
        Self { wants, text: "Some words.", told: Arc::default() }
    }

    pub async fn start(&self) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(self.clone()).mount(&server).await;
        list(&server, "some/model", &[prices(PRICE, 4.0 * PRICE)]).await;
        server
    }

    pub fn tokens(&self) -> u64 {
        self.told.lock().unwrap().tokens
    }

    /// Tells whether a request came in while another was being answered.
    pub fn overlapped(&self) -> bool {
        self.told.lock().unwrap().arrivals.windows(2).any(|pair| pair[1] - pair[0] < TIME)
    }
}

impl Respond for Talkative {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = request.body_json().unwrap();
        let messages = body["messages"].as_array().unwrap();
        let question: usize = messages.iter().map(|message| message["content"].as_str().unwrap().len()).sum();
        // The server adds some tokens of its own, and reads the schema too.
        let around = 100 + body.get("response_format").map_or(0, |format| format.to_string().len());
        let tokens_in = u64::try_from(question + around).unwrap();
        let most = body["max_tokens"].as_u64().unwrap_or(u64::MAX);
        let tokens_out = self.wants.min(most);
        let finish = if most < self.wants { "length" } else { "stop" };
        #[allow(clippy::cast_precision_loss)]
        let cost = PRICE * (tokens_in + 4 * tokens_out) as f64;
        let mut told = self.told.lock().unwrap();
        told.tokens += tokens_in + tokens_out;
        told.cost += cost;
        told.arrivals.push(Instant::now());
        let whole = json!({
            "choices": [{"message": {"content": self.text}, "finish_reason": finish}],
            "usage": {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "cost": cost},
        });
        ResponseTemplate::new(200).set_body_json(whole).set_delay(TIME)
    }
}

/// The prices of a provider, as OpenRouter lists them.
pub fn prices(question: f64, answer: f64) -> Value {
    json!({"prompt": question.to_string(), "completion": answer.to_string(), "request": "0"})
}

/// Has a server list the prices of a model's providers.
pub async fn list(server: &MockServer, model: &str, providers: &[Value]) {
    let providers: Vec<Value> = providers.iter().map(|prices| json!({"pricing": prices})).collect();
    let body = json!({"data": {"id": model, "endpoints": providers}});
    Mock::given(method("GET"))
        .and(path(format!("/models/{model}/endpoints")))
        .and(header("authorization", "Bearer sk-hidden"))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

/// The questions that a server got, without what else it was asked.
pub async fn questions(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|r| r.method == "POST").map(|r| r.body_json().unwrap()).collect()
}

pub fn project(server: &MockServer, tokens: impl Into<Option<u64>>, cost: impl Into<Option<f64>>) -> Project {
    let mut project = Project::new(&server.uri());
    project.settings.max_tokens_total = tokens.into();
    project.settings.max_cost = cost.into();
    project
}

pub fn files(count: usize) -> Vec<resource::Request> {
    (0..count).map(|n| file(&format!("{n}.txt"))).collect()
}

pub fn is_budget(error: &Error) -> bool {
    matches!(error, Error::Model { kind: Kind::Budget, .. })
}
