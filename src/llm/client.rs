//! Single requests: to a chat endpoint, whose answer is read as it streams in, and for what else a
//! server has to tell, such as its prices.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Url, redirect};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::attempt_error::{Fault, Next};
use super::conversation::Findings;
use super::endpoint::Endpoint;
use super::event_stream::EventStream;
use super::retry_after::{RATE_LIMIT_RESET, rate_limit_reset, retry_after};
use crate::VERSION;
use crate::error::ModelErrorKind;
use crate::settings::Policy;

/// How long the counts of tokens are waited for once the text is whole.
const AFTERTHOUGHT: Duration = Duration::from_secs(5);
/// How long the end of the connection is waited for once all is there, so that it can be reused.
const CLOSE: Duration = Duration::from_millis(50);

/// A connection pool and whom it talks to.
#[derive(Debug)]
pub(super) struct Client<'a> {
    http: reqwest::Client,
    endpoint: &'a Endpoint,
    policy: &'a Policy,
    /// What has been found out about the server with this model.
    pub findings: Findings,
}

impl<'a> Client<'a> {
    pub fn new(endpoint: &'a Endpoint, policy: &'a Policy) -> Result<Self, Fault> {
        // Fails where another part of the process was first, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(format!("clockwork/{VERSION}"))
            .connect_timeout(policy.connect)
            // The key must not follow to wherever a server points.
            .redirect(redirect::Policy::none());
        if endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        if endpoint.base_url.starts_with("http://") {
            // Loading the machine's certificates takes time, and fails where there are none.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| {
            let reason = endpoint.quote(&causes(&error));
            Fault::new(
                ModelErrorKind::Connection,
                Next::Stop,
                format!("no connection can be made: {reason}. Check this machine's certificates and proxy settings."),
            )
        })?;
        Ok(Self { http, endpoint, policy, findings: Findings::default() })
    }

    /// The same connections, for another model of the server.
    pub fn with(&self, endpoint: &'a Endpoint) -> Self {
        Self { http: self.http.clone(), endpoint, policy: self.policy, findings: Findings::default() }
    }

    /// Whom it talks to.
    pub fn endpoint(&self) -> &Endpoint {
        self.endpoint
    }

    /// Sends one request and reads its answer into `answer`, telling each piece of text as it
    /// arrives. Where it fails, `answer` has what came until then.
    pub async fn ask(
        &self,
        body: &Value,
        answer: &mut Answer,
        told: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), Fault> {
        let result = self.send(body, answer, told).await;
        result.map_err(|fault| if answer.is_begun() { fault.at_work() } else { fault })
    }

    async fn send(
        &self,
        body: &Value,
        answer: &mut Answer,
        told: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), Fault> {
        let clock = self.clock();
        let mut request = self
            .http
            .post(format!("{}/chat/completions", self.endpoint.base_url))
            .header(ACCEPT, "text/event-stream, application/json")
            .json(body);
        if self.endpoint.is_openrouter() {
            // What OpenRouter's user sees in the list of requests.
            request = request.header("X-OpenRouter-Title", "Clockwork");
        }
        let response = self.respond(request, &clock).await?;
        let kind = header(&response, CONTENT_TYPE.as_str());
        let streams = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        if streams {
            self.read_stream(response, &clock, answer, told).await?;
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
        told(answer.text.clone());
        Ok(())
    }

    /// What the server has at a path below its base URL.
    pub async fn get(&self, path: &[&str]) -> Result<Vec<u8>, Fault> {
        let clock = self.clock();
        let mut url = Url::parse(&self.endpoint.base_url).map_err(|error| {
            let message =
                format!("the base URL of the model server is none: {error}. Check OPENROUTER_BASE_URL.");
            Fault::new(ModelErrorKind::Connection, Next::Stop, message)
        })?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        let response = self.respond(self.http.get(url), &clock).await?;
        self.read_all(response, &clock).await
    }

    /// Sends a request with the key, and gives what the server sends where it does what is asked.
    async fn respond(
        &self,
        mut request: reqwest::RequestBuilder,
        clock: &Clock<'_>,
    ) -> Result<reqwest::Response, Fault> {
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
            // The status says enough.
            Err(_) => String::new(),
        };
        Err(Fault::status(self.endpoint, status, &text, wait))
    }

    fn clock(&self) -> Clock<'a> {
        Clock { endpoint: self.endpoint, policy: self.policy, end: Instant::now() + self.policy.total }
    }

    async fn read_stream(
        &self,
        mut response: reqwest::Response,
        clock: &Clock<'_>,
        answer: &mut Answer,
        told: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), Fault> {
        let mut stream = EventStream::default();
        let mut size = 0;
        loop {
            let patience = match (answer.is_done(), answer.is_finished()) {
                (true, _) => CLOSE,
                (false, true) => AFTERTHOUGHT.min(self.policy.idle),
                (false, false) => self.policy.idle,
            };
            let piece = match clock.wait(patience, response.chunk()).await {
                Ok(piece) => piece,
                // What breaks after the last word does no harm.
                Err(_) if answer.is_finished() => return Ok(()),
                Err(fault) => return Err(fault),
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
                    told(text);
                }
            }
            if ended {
                return Ok(());
            }
        }
    }

    async fn read_all(&self, mut response: reqwest::Response, clock: &Clock<'_>) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        while let Some(piece) = clock.wait(self.policy.idle, response.chunk()).await? {
            bytes.extend_from_slice(&piece);
            self.check_size(bytes.len())?;
        }
        Ok(bytes)
    }

    fn check_size(&self, size: usize) -> Result<(), Fault> {
        if size <= self.policy.body_limit {
            return Ok(());
        }
        let message = format!(
            "the model server {} sent more than {} bytes, which is no answer. Try another model, and check \
             OPENROUTER_BASE_URL.",
            self.endpoint.host(),
            self.policy.body_limit
        );
        Err(Fault::new(ModelErrorKind::Server, Next::Stop, message))
    }

    fn not_text(&self) -> Fault {
        Fault::rubbish(self.endpoint, "sent bytes that are no UTF-8 text")
    }
}

fn header<'r>(response: &'r reqwest::Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The two limits in time: between bytes, and in all.
struct Clock<'a> {
    endpoint: &'a Endpoint,
    policy: &'a Policy,
    end: Instant,
}

impl Clock<'_> {
    async fn wait<T>(
        &self,
        patience: Duration,
        what: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T, Fault> {
        let until = Instant::now() + patience;
        match timeout_at(until.min(self.end), what).await {
            Ok(result) => result.map_err(|error| self.broken(&error)),
            Err(_) if until <= self.end => Err(Fault::silent(self.endpoint, patience)),
            Err(_) => Err(Fault::new(
                ModelErrorKind::Timeout,
                Next::Stop,
                format!(
                    "the model server {} had not finished after {} seconds. Ask for a smaller size, or try another \
                     model.",
                    self.endpoint.host(),
                    self.policy.total.as_secs()
                ),
            )
            .at_work()),
        }
    }

    fn broken(&self, error: &reqwest::Error) -> Fault {
        let host = self.endpoint.host();
        let causes = causes(error);
        let reason = self.endpoint.quote(&causes);
        if error.is_connect() && error.is_timeout() {
            let seconds = self.policy.connect.as_secs_f64();
            return Fault::new(
                ModelErrorKind::Timeout,
                Next::Again(None),
                format!(
                    "the model server {host} was not reached within {seconds} seconds. Check the network and \
                     OPENROUTER_BASE_URL."
                ),
            );
        }
        if causes.to_ascii_lowercase().contains("certificate") {
            return Fault::new(
                ModelErrorKind::Connection,
                // Time does not mend a certificate.
                Next::Stop,
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
            Fault::new(ModelErrorKind::Connection, Next::Again(None), message)
        };
        if error.is_connect() { again("cannot be reached") } else { again("broke the connection").at_work() }
    }
}

/// The innermost cause of an error: the outer ones repeat the address and say little.
fn causes(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
