//! Sends single requests to a server: questions, whose answers are read as they stream in, and requests
//! for other documents, such as a list of prices.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Url, redirect};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::attempt_error::{AttemptError, RetryDecision};
use super::endpoint::Endpoint;
use super::event_stream::EventStream;
use super::optional_parts::SharedRejections;
use super::retry_after::{RATE_LIMIT_RESET, rate_limit_reset, retry_after};
use crate::error::ModelErrorKind;
use crate::http;
use crate::settings::Policy;

/// The time to wait for the counts of tokens once the text is whole.
const USAGE_WAIT: Duration = Duration::from_secs(5);
/// The time to wait for the end of a stream once the answer is whole, so that the connection can be reused.
const CLOSE_WAIT: Duration = Duration::from_millis(50);

/// A pool of connections to one server, for one model.
#[derive(Debug)]
pub(super) struct Client<'a> {
    connections: reqwest::Client,
    /// The base URL of the server.
    url: Url,
    endpoint: &'a Endpoint,
    policy: &'a Policy,
    /// The parts of a request that the server does not take for this model.
    pub rejections: SharedRejections,
}

impl<'a> Client<'a> {
    pub fn new(endpoint: &'a Endpoint, policy: &'a Policy) -> Result<Self, AttemptError> {
        let url = Url::parse(&endpoint.base_url).map_err(|error| {
            let message =
                format!("the base URL of the model server is none: {error}. Check OPENROUTER_BASE_URL.");
            AttemptError::new(ModelErrorKind::Connection, RetryDecision::Stop, message)
        })?;
        // The key must not follow to wherever a server points.
        let builder = http::client(&url, redirect::Policy::none()).connect_timeout(policy.connect);
        let connections = builder.build().map_err(|error| {
            let reason = endpoint.quote(&http::innermost(&error).to_string());
            AttemptError::new(
                ModelErrorKind::Connection,
                RetryDecision::Stop,
                format!("no connection can be made: {reason}. Check this machine's certificates and proxy settings."),
            )
        })?;
        Ok(Self { connections, url, endpoint, policy, rejections: SharedRejections::default() })
    }

    /// A client with the same connections, for another model of the server.
    pub fn with(&self, endpoint: &'a Endpoint) -> Self {
        Self {
            connections: self.connections.clone(),
            url: self.url.clone(),
            endpoint,
            policy: self.policy,
            rejections: SharedRejections::default(),
        }
    }

    /// The server and the model.
    pub fn endpoint(&self) -> &Endpoint {
        self.endpoint
    }

    /// Sends a question and reads its answer into `answer`. `on_text` gets each piece of text as it arrives.
    /// After an error, `answer` has the part that arrived before.
    pub async fn ask(
        &self,
        body: &Value,
        answer: &mut Answer,
        on_text: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), AttemptError> {
        let result = self.send(body, answer, on_text).await;
        result.map_err(|error| if answer.is_begun() { error.billed() } else { error })
    }

    async fn send(
        &self,
        body: &Value,
        answer: &mut Answer,
        on_text: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), AttemptError> {
        let clock = self.clock();
        let mut request = self
            .connections
            .post(format!("{}/chat/completions", self.endpoint.base_url))
            .header(ACCEPT, "text/event-stream, application/json")
            .json(body);
        if self.endpoint.is_openrouter() {
            // OpenRouter shows this title in the user's list of requests.
            request = request.header("X-OpenRouter-Title", "Clockwork");
        }
        let response = self.respond(request, &clock).await?;
        let kind = header(&response, CONTENT_TYPE.as_str());
        let streams = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        if streams {
            self.read_stream(response, &clock, answer, on_text).await?;
            return answer.check(self.endpoint);
        }
        let bytes = self.read_all(response, &clock).await?;
        let text = String::from_utf8(bytes).map_err(|_| self.not_text())?;
        if text.trim_start().starts_with(['d', ':', 'e']) {
            // A stream under a wrong content type: `data:`, a comment, or `event:`.
            let mut stream = EventStream::default();
            let mut events = stream.feed(text.as_bytes()).map_err(|_| self.not_text())?;
            events.extend(stream.end().map_err(|_| self.not_text())?);
            for event in events {
                answer.take(self.endpoint, &event)?;
            }
        } else {
            answer.take_whole(self.endpoint, &text)?;
        }
        answer.check(self.endpoint)?;
        on_text(answer.text.clone());
        Ok(())
    }

    /// Fetches the document at a path below the server's base URL.
    pub async fn get(&self, path: &[&str]) -> Result<Vec<u8>, AttemptError> {
        let clock = self.clock();
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        let response = self.respond(self.connections.get(url), &clock).await?;
        self.read_all(response, &clock).await
    }

    /// Sends a request with the key. Every status but success is an error.
    async fn respond(
        &self,
        mut request: reqwest::RequestBuilder,
        clock: &Clock<'_>,
    ) -> Result<reqwest::Response, AttemptError> {
        if let Some(key) = &self.endpoint.api_key {
            request = request.bearer_auth(key.reveal());
        }
        let response = clock.wait(self.policy.idle, request.send()).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let now = Timestamp::now();
        let wait = header(&response, RETRY_AFTER.as_str()).and_then(|value| retry_after(value, now));
        let wait = wait
            .or_else(|| header(&response, RATE_LIMIT_RESET).and_then(|value| rate_limit_reset(value, now)));
        let text = match self.read_all(response, clock).await {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            // The status alone says enough.
            Err(_) => String::new(),
        };
        Err(AttemptError::from_status(self.endpoint, status, &text, wait))
    }

    fn clock(&self) -> Clock<'a> {
        Clock { endpoint: self.endpoint, policy: self.policy, end: Instant::now() + self.policy.total }
    }

    async fn read_stream(
        &self,
        mut response: reqwest::Response,
        clock: &Clock<'_>,
        answer: &mut Answer,
        on_text: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), AttemptError> {
        let mut stream = EventStream::default();
        let mut size = 0;
        loop {
            let patience = match (answer.is_done(), answer.is_finished()) {
                (true, _) => CLOSE_WAIT,
                (false, true) => USAGE_WAIT.min(self.policy.idle),
                (false, false) => self.policy.idle,
            };
            let piece = match clock.wait(patience, response.chunk()).await {
                Ok(piece) => piece,
                // An error after the last word does no harm.
                Err(_) if answer.is_finished() => return Ok(()),
                Err(error) => return Err(error),
            };
            let (events, ended) = match piece {
                Some(bytes) => {
                    size += bytes.len();
                    self.check_size(size)?;
                    (stream.feed(&bytes).map_err(|_| self.not_text())?, false)
                }
                None => (stream.end().map_err(|_| self.not_text())?.into_iter().collect(), true),
            };
            for event in events {
                let text = answer.take(self.endpoint, &event)?;
                if !text.is_empty() {
                    on_text(text);
                }
            }
            if ended {
                return Ok(());
            }
        }
    }

    async fn read_all(
        &self,
        mut response: reqwest::Response,
        clock: &Clock<'_>,
    ) -> Result<Vec<u8>, AttemptError> {
        let mut bytes = Vec::new();
        while let Some(piece) = clock.wait(self.policy.idle, response.chunk()).await? {
            bytes.extend_from_slice(&piece);
            self.check_size(bytes.len())?;
        }
        Ok(bytes)
    }

    fn check_size(&self, size: usize) -> Result<(), AttemptError> {
        if size <= self.policy.body_limit {
            return Ok(());
        }
        let message = format!(
            "the model server {} sent more than {} bytes, which is no answer. Try another model, and check \
             OPENROUTER_BASE_URL.",
            self.endpoint.host(),
            self.policy.body_limit
        );
        Err(AttemptError::new(ModelErrorKind::Server, RetryDecision::Stop, message))
    }

    fn not_text(&self) -> AttemptError {
        AttemptError::no_answer(self.endpoint, "sent bytes that are no UTF-8 text")
    }
}

fn header<'r>(response: &'r reqwest::Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The limits of time of one request: between two pieces of the answer, and in all.
struct Clock<'a> {
    endpoint: &'a Endpoint,
    policy: &'a Policy,
    end: Instant,
}

impl Clock<'_> {
    async fn wait<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T, AttemptError> {
        let until = Instant::now() + patience;
        match timeout_at(until.min(self.end), work).await {
            Ok(result) => result.map_err(|error| self.broken(&error)),
            Err(_) if until <= self.end => Err(AttemptError::silent(self.endpoint, patience)),
            Err(_) => Err(AttemptError::new(
                ModelErrorKind::Timeout,
                RetryDecision::Stop,
                format!(
                    "the model server {} had not finished after {} seconds. Ask for a smaller size, or try another \
                     model.",
                    self.endpoint.host(),
                    self.policy.total.as_secs()
                ),
            )
            .billed()),
        }
    }

    fn broken(&self, error: &reqwest::Error) -> AttemptError {
        let host = self.endpoint.host();
        let cause = http::innermost(error).to_string();
        let reason = self.endpoint.quote(&cause);
        if error.is_connect() && error.is_timeout() {
            let seconds = self.policy.connect.as_secs_f64();
            return AttemptError::new(
                ModelErrorKind::Timeout,
                RetryDecision::Retry(None),
                format!(
                    "the model server {host} was not reached within {seconds} seconds. Check the network and \
                     OPENROUTER_BASE_URL."
                ),
            );
        }
        if cause.to_ascii_lowercase().contains("certificate") {
            return AttemptError::new(
                ModelErrorKind::Connection,
                // Another attempt would meet the same certificate.
                RetryDecision::Stop,
                format!(
                    "the model server {host} cannot prove who it is ({reason}). Check OPENROUTER_BASE_URL, this \
                     machine's clock and its certificates."
                ),
            );
        }
        let again = |what: &str| {
            let message = format!(
                "the model server {host} {what} ({reason}). Check that it runs, the network, and OPENROUTER_BASE_URL."
            );
            AttemptError::new(ModelErrorKind::Connection, RetryDecision::Retry(None), message)
        };
        if error.is_connect() { again("cannot be reached") } else { again("broke the connection").billed() }
    }
}
