//! A project, its questions, and what a server answers.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use wiremock::{MockServer, ResponseTemplate};

use crate::error::Result;
use crate::event::{Event, Observer};
use crate::llm::{Endpoint, Generation, Regenerate, generate, prepare};
use crate::lockfile::{self, Lock};
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
        template: "file".into(),
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
        template: "docker_service".into(),
        schema: Some(json!({
            "type": "object", "properties": {"image": {"type": "string"}}, "required": ["image"],
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
