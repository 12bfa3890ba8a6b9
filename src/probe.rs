//! Connections from this machine to ports and URLs, for assertions.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Url, redirect};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http;

/// The reason for which a connection failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The time was up.
    #[error("nothing came within {0} s")]
    Slow(f64),
    /// Another failure, in words.
    #[error("{0}")]
    Failed(String),
}

/// The response to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Location` of a redirect.
    pub location: Option<String>,
    /// The charset of the body, if the response names it.
    pub charset: Option<String>,
    /// The beginning of the body, if it was asked for.
    pub body: Vec<u8>,
}

/// Connects to a TCP port, and disconnects.
pub async fn connect(host: &str, port: u16, limit: Duration) -> Result<(), Fault> {
    match timeout(limit, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Fault::Failed(http::connection_failure(&error, host))),
        Err(_) => Err(Fault::Slow(limit.as_secs_f64())),
    }
}

/// Requests a URL, follows no redirect, and reads up to `size` bytes of the body if there
/// are any.
pub async fn fetch(url: &str, limit: Duration, size: usize) -> Result<Answer, Fault> {
    timeout(limit, get(url, size)).await.unwrap_or(Err(Fault::Slow(limit.as_secs_f64())))
}

async fn get(url: &str, size: usize) -> Result<Answer, Fault> {
    let url = Url::parse(url).map_err(|error| Fault::Failed(format!("it is no address: {error}")))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let failed = |error: reqwest::Error| Fault::Failed(http::cause(&error, &host));
    let client = http::client(&url, redirect::Policy::none()).build().map_err(failed)?;
    let mut response = client.get(url).send().await.map_err(failed)?;
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let location = header(LOCATION).map(str::to_owned);
    let charset = header(CONTENT_TYPE).and_then(charset);
    let mut answer = Answer { status: response.status().as_u16(), location, charset, body: Vec::new() };
    while answer.body.len() < size
        && let Some(piece) = response.chunk().await.map_err(failed)?
    {
        answer.body.extend_from_slice(&piece[..piece.len().min(size - answer.body.len())]);
    }
    Ok(answer)
}

/// Reads the charset from a content type.
fn charset(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn reads_no_more_than_it_is_asked_to() {
        let server = MockServer::start().await;
        let large =
            ResponseTemplate::new(200).set_body_raw(vec![b'x'; 300_000], "text/plain; charset=\"Latin1\"");
        Mock::given(path("/large")).respond_with(large).mount(&server).await;
        let answer = fetch(&format!("{}/large", server.uri()), SOON, 1000).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 1000));
        assert_eq!(answer.charset.as_deref(), Some("Latin1"));
        let answer = fetch(&format!("{}/large", server.uri()), SOON, 0).await.unwrap();
        assert!(answer.body.is_empty());
    }

    #[tokio::test]
    async fn follows_no_redirect() {
        let server = MockServer::start().await;
        let moved = ResponseTemplate::new(302).insert_header("location", "/elsewhere");
        Mock::given(path("/")).respond_with(moved).expect(1).mount(&server).await;
        let answer = fetch(&server.uri(), SOON, 1000).await.unwrap();
        assert_eq!((answer.status, answer.location.as_deref()), (302, Some("/elsewhere")));
    }
}
