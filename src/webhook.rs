//! Webhooks: one POST of a JSON document to an address of the user's.

use std::fmt;
use std::time::Duration;

use reqwest::{Client, StatusCode, Url, redirect};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};
use crate::http;

/// The timeout of one try.
const LIMIT: Duration = Duration::from_secs(10);

/// The delays before the second and the third try.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// The largest number of redirects.
const MAX_REDIRECTS: usize = 3;

/// The address of a webhook. Its path and its query are secret, and are never shown.
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    limit: Duration,
    pauses: Vec<Duration>,
}

/// A document could not be delivered. The message does not contain the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the webhook at {host} {reason}")]
pub struct WebhookError {
    host: String,
    reason: String,
}

/// A failed try.
struct Failure {
    reason: String,
    /// True for a transient failure.
    transient: bool,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.host())
    }
}

impl Webhook {
    /// Parses an address. The error for an unusable one does not repeat it.
    pub fn parse(address: &str) -> Result<Self> {
        let bad = |reason: &str| {
            Error::Settings(format!(
                "the address of the webhook {reason}. It has to be like https://example.org/hook."
            ))
        };
        let url = Url::parse(address.trim()).map_err(|error| bad(&format!("cannot be used: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("begins with neither http:// nor https://"));
        }
        Ok(Self { url, limit: LIMIT, pauses: PAUSES.to_vec() })
    }

    /// The same webhook without retries.
    #[must_use]
    pub fn without_retries(&self) -> Self {
        Self { pauses: Vec::new(), ..self.clone() }
    }

    /// The server's host and port, for messages.
    fn host(&self) -> String {
        http::host(&self.url)
    }

    /// Sends a document. Transient failures are retried twice.
    pub async fn send(&self, document: &Value) -> Result<(), WebhookError> {
        let failed = |reason: String| WebhookError { host: self.host(), reason };
        let client =
            self.client().map_err(|error| failed(format!("cannot be used: {}", self.cause(&error))))?;
        let mut pauses = self.pauses.iter();
        loop {
            let failure = match timeout(self.limit, self.post(&client, document)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(failure)) => failure,
                Err(_) => Failure {
                    reason: format!("did not answer within {} s", self.limit.as_secs_f64()),
                    transient: true,
                },
            };
            match pauses.next().filter(|_| failure.transient) {
                Some(pause) => sleep(*pause).await,
                None => return Err(failed(failure.reason)),
            }
        }
    }

    /// Each document has a client of its own: documents are rare, and a kept connection would be cut by then.
    fn client(&self) -> reqwest::Result<Client> {
        http::client(&self.url, redirect::Policy::custom(follow)).build()
    }

    async fn post(&self, client: &Client, document: &Value) -> std::result::Result<(), Failure> {
        let sent = client.post(self.url.clone()).json(document).send().await;
        let response = sent.map_err(|error| Failure {
            reason: format!("cannot be reached: {}", self.cause(&error)),
            transient: true,
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let transient = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        let reason = if status.is_redirection() {
            format!("points elsewhere (status {}), which is not followed", status.as_u16())
        } else {
            format!("answers with status {}", status.as_u16())
        };
        Err(Failure { reason, transient })
    }

    fn cause(&self, error: &reqwest::Error) -> String {
        http::cause(error, self.url.host_str().unwrap_or_default())
    }
}

/// Follows redirects that keep method and body (307, 308) and stay on the same origin, because the document
/// is meant for this server only.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let keeps = matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let stays = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if keeps && stays && attempt.previous().len() <= MAX_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::matchers::{body_json, header, method, path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    /// A webhook without delays between tries.
    fn webhook(address: &str) -> Webhook {
        let pauses = vec![Duration::from_millis(1); 2];
        Webhook { limit: Duration::from_millis(300), pauses, ..Webhook::parse(address).unwrap() }
    }

    async fn sent(server: &MockServer, at: &str) -> Result<(), String> {
        let sent = webhook(&format!("{}{at}", server.uri())).send(&json!({ "event": "drift" })).await;
        sent.map_err(|unsaid| unsaid.to_string())
    }

    #[tokio::test]
    async fn posts_the_document_once() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/hook"))
            .and(query_param("token", "t"))
            .and(header("content-type", "application/json"))
            .and(body_json(json!({ "event": "drift" })))
            .respond_with(ResponseTemplate::new(204))
            .expect(1)
            .mount(&server)
            .await;
        sent(&server, "/hook?token=t").await.unwrap();
    }

    #[tokio::test]
    async fn tries_three_times_where_that_may_help() {
        let server = MockServer::start().await;
        let failing = || Mock::given(path("/busy")).respond_with(ResponseTemplate::new(503));
        failing().up_to_n_times(2).expect(2).mount(&server).await;
        Mock::given(path("/busy")).respond_with(ResponseTemplate::new(200)).expect(1).mount(&server).await;
        sent(&server, "/busy").await.unwrap();

        Mock::given(path("/down")).respond_with(ResponseTemplate::new(500)).expect(3).mount(&server).await;
        assert!(sent(&server, "/down").await.unwrap_err().ends_with("answers with status 500"));
        Mock::given(path("/once")).respond_with(ResponseTemplate::new(500)).expect(1).mount(&server).await;
        let single = webhook(&format!("{}/once", server.uri())).without_retries();
        assert!(single.send(&json!({})).await.is_err());
        Mock::given(path("/gone")).respond_with(ResponseTemplate::new(404)).expect(1).mount(&server).await;
        assert!(sent(&server, "/gone").await.unwrap_err().ends_with("answers with status 404"));
    }

    #[tokio::test]
    async fn does_not_wait_for_ever() {
        let server = MockServer::start().await;
        let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
        Mock::given(path("/slow")).respond_with(slow).expect(3).mount(&server).await;
        assert!(sent(&server, "/slow").await.unwrap_err().ends_with("did not answer within 0.3 s"));
    }

    #[tokio::test]
    async fn follows_no_redirect_to_another_server() {
        let (server, other) = (MockServer::start().await, MockServer::start().await);
        Mock::given(path("/")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&other).await;
        for (at, status, to) in
            [("/away", 307, format!("{}/", other.uri())), ("/get", 302, "/new".to_owned())]
        {
            let moved = ResponseTemplate::new(status).insert_header("location", to.as_str());
            Mock::given(path(at)).respond_with(moved).expect(1).mount(&server).await;
            assert!(sent(&server, at).await.unwrap_err().contains("points elsewhere"), "{at}");
        }
        let moved = ResponseTemplate::new(308).insert_header("location", "/new");
        Mock::given(path("/here")).respond_with(moved).mount(&server).await;
        let new = Mock::given(method("POST")).and(path("/new")).and(body_json(json!({ "event": "drift" })));
        new.respond_with(ResponseTemplate::new(200)).expect(1).mount(&server).await;
        sent(&server, "/here").await.unwrap();
    }

    #[tokio::test]
    async fn no_message_shows_the_address() {
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let webhook = webhook(&format!("http://user:word@127.0.0.1:{port}/services/T0KEN?key=T0KEN"));
        let error = webhook.send(&json!({})).await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "the webhook at 127.0.0.1:{port} cannot be reached: nothing listens there (connection refused)"
            )
        );
        assert_eq!(format!("{webhook:?}"), format!("Webhook(127.0.0.1:{port})"));
        for bad in ["ftp://example.org/T0KEN", "T0KEN", "", "http://", "https://exa mple.org/T0KEN"] {
            let error = Webhook::parse(bad).unwrap_err().to_string();
            assert!(error.starts_with("the address of the webhook ") && !error.contains("T0KEN"), "{error}");
        }
    }
}
