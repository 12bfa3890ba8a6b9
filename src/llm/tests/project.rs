//! A project, its questions, and what a server answers.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use wiremock::{MockServer, ResponseTemplate};

use crate::error::Result;
use crate::event::{Event, Observer};
use crate::llm::budget::add_tokens;
use crate::llm::{Endpoint, Generation, Regenerate, generate, prepare};
use crate::lockfile::{self, Lock};
use crate::outcome::ArtifactOutcome;
use crate::resource::{Address, Artifact, ArtifactSize, Request};
use crate::settings::Policy;
use crate::settings::{Overrides, Settings};

/// Keeps what happened.
#[derive(Default)]
pub struct Recorder(Mutex<Vec<Value>>);

impl Recorder {
    pub fn names(&self) -> Vec<String> {
        let events = self.0.lock().unwrap();
        events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    }

    pub fn count(&self, name: &str) -> usize {
        self.names().iter().filter(|other| *other == name).count()
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &Event) {
        self.0.lock().unwrap().push(serde_json::to_value(event).unwrap());
    }
}

/// One project in a folder of its own.
pub struct Project {
    pub folder: tempfile::TempDir,
    pub settings: Settings,
    pub endpoint: Endpoint,
    pub recorder: Recorder,
    pub cancel: CancellationToken,
}

impl Project {
    pub fn new(base_url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let overrides = Overrides {
            base_url: Some(base_url.into()),
            model: Some("some/model".into()),
            api_key: Some("sk-hidden".into()),
            ..Overrides::default()
        };
        let mut settings = Settings::load(folder.path(), folder.path(), &overrides).unwrap();
        settings.concurrency = 8;
        // The tests of repairs ask for them; to all others one answer is one request.
        settings.max_repairs = 0;
        settings.policy = Policy {
            base_delay: Duration::from_millis(4),
            idle: Duration::from_secs(10),
            total: Duration::from_secs(30),
            body_limit: 1 << 16,
            ..Policy::default()
        };
        let endpoint = Endpoint::remote(&settings).unwrap();
        Self { folder, settings, endpoint, recorder: Recorder::default(), cancel: CancellationToken::new() }
    }

    pub fn lock(&self) -> Lock {
        Lock::load(&self.folder.path().join(lockfile::FILE_NAME)).unwrap()
    }

    pub async fn generate(&self, requests: Vec<Request>) -> Result<Generation> {
        let mut lock = self.lock();
        let prepared = prepare(requests, &lock, &Regenerate::None)?;
        generate(
            prepared,
            &self.endpoint,
            &self.settings,
            &mut lock,
            &|_, artifact: &Artifact| Ok(artifact.clone()),
            &self.recorder,
            &self.cancel,
        )
        .await
    }

    /// Lets a server be silent for half a second and no longer.
    pub fn impatient(mut self) -> Self {
        self.settings.policy.idle = Duration::from_millis(500);
        self
    }

    /// The one artifact of one request, or why there is none.
    pub async fn one(&self, request: Request) -> Result<Artifact> {
        let mut generation = self.generate(vec![request]).await?;
        match generation.error() {
            Some(error) => Err(error),
            None => Ok(generation.artifacts.remove(0).1),
        }
    }
}

pub fn file(name: &str) -> Request {
    Request {
        address: Address { kind: "FileResource".into(), name: name.into() },
        renamed_from: None,
        text: true,
        instructions: None,
        description: Some(format!("What {name} says")),
        size: ArtifactSize::Small,
        fields: Map::new(),
        placement: Vec::new(),
        schema: None,
        context: Vec::new(),
        project: Vec::new(),
    }
}

pub fn service(name: &str) -> Request {
    Request {
        address: Address { kind: "DockerServiceResource".into(), name: name.into() },
        text: false,
        schema: Some(json!({
            "type": "object", "required": ["image"],
            "properties": {"image": {"type": "string", "format": "container-image"}},
        })),
        ..file(name)
    }
}

/// A stream with this text in two pieces, and all that usually goes with it.
pub fn stream_of(text: &str) -> String {
    let middle = text.len() / 2;
    let event = |delta: &str, finish: Value| {
        json!({"choices": [{"delta": {"content": delta}, "finish_reason": finish}]}).to_string()
    };
    let usage = json!({
        "model": "/somewhere/else", "provider": "Someone", "choices": [],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "cost": 0.25},
    });
    format!(
        ": OPENROUTER PROCESSING\n\ndata: {}\n\ndata: {}\n\ndata: {}\n\ndata: {usage}\n\ndata: [DONE]\n\n",
        json!({"choices": [{"delta": {"role": "assistant", "reasoning": "hm"}}]}),
        event(&text[..middle], Value::Null),
        event(&text[middle..], "stop".into()),
    )
}

pub fn answer(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(stream_of(text), "text/event-stream")
}

/// The bodies of all requests that a server got.
pub async fn bodies(server: &MockServer) -> Vec<Value> {
    server.received_requests().await.unwrap().iter().map(|r| r.body_json().unwrap()).collect()
}

/// The sums over all artifacts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// The number of artifacts that were asked for and are there.
    pub asked: usize,
    /// The number of artifacts out of the lock.
    pub pinned: usize,
    /// The number of new artifacts that went back to the model at least once.
    pub repaired: usize,
    /// The number of artifacts that are missing.
    pub failed: usize,
    /// Tokens of the questions of this run, if the server tells.
    pub tokens_in: Option<u64>,
    /// Tokens of its answers.
    pub tokens_out: Option<u64>,
    /// The cost of this run in US dollars, if the server tells.
    pub cost: Option<f64>,
}

/// The sums over all artifacts. A pinned artifact was paid for before, and is not counted.
pub fn totals(generation: &Generation) -> Totals {
    let mut totals = Totals::default();
    for outcome in &generation.outcomes {
        match (&outcome.error, outcome.pinned) {
            (Some(_), _) => totals.failed += 1,
            (None, true) => totals.pinned += 1,
            (None, false) => totals.asked += 1,
        }
        totals.repaired += usize::from(outcome.repairs > 0 && outcome.error.is_none());
    }
    let tokens = |of: fn(&ArtifactOutcome) -> Option<u64>| {
        generation.outcomes.iter().filter_map(of).reduce(add_tokens)
    };
    totals.tokens_in = tokens(|outcome| outcome.tokens_in);
    totals.tokens_out = tokens(|outcome| outcome.tokens_out);
    totals.cost = generation.outcomes.iter().filter_map(|outcome| outcome.cost).reduce(std::ops::Add::add);
    totals
}
