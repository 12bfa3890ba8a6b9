//! Servers that are not what they should be: no proof of who they are, another address, endless
//! answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::server::{STREAM, Scripted, Step};
use super::{Project, answer, file};
use crate::error::{Error, ModelErrorKind as Kind};

/// A server with a certificate that nobody has signed but itself; counts the bytes that a client
/// trusts it with.
async fn self_signed() -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/v1", listener.local_addr().unwrap().port());
    let (connections, bytes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, read) = (Arc::clone(&connections), Arc::clone(&bytes));
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            if let Ok(mut connection) = acceptor.accept(connection).await {
                let mut piece = [0; 4096];
                read.fetch_add(connection.read(&mut piece).await.unwrap_or(0), Ordering::SeqCst);
            }
        }
    });
    (url, connections, bytes)
}

#[tokio::test]
async fn a_certificate_that_does_not_verify() {
    let (url, connections, bytes) = self_signed().await;
    let error = Project::new(&url).one(file("a.md")).await.unwrap_err();
    assert!(matches!(error, Error::Model { kind: Kind::Connection, .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("certificate") && !message.contains("sk-hidden"), "{message}");
    // A machine without certificates of its own does not even connect.
    assert!(connections.load(Ordering::SeqCst) <= 1);
    assert_eq!(bytes.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn neither_key_nor_question_follow_a_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let other = MockServer::start().await;
        Mock::given(any()).respond_with(answer("hello")).mount(&other).await;
        let server = MockServer::start().await;
        let target = other.uri().replace("127.0.0.1", "localhost") + "/v1/chat/completions";
        let away = ResponseTemplate::new(status).insert_header("location", target.as_str());
        Mock::given(any()).respond_with(away).expect(1).mount(&server).await;
        let error = Project::new(&server.uri()).one(file("a.md")).await.unwrap_err();
        assert!(error.to_string().contains("another address"), "{error}");
        assert!(other.received_requests().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_hundred_megabytes_are_not_read() {
    const SIZE: usize = 100 << 20;
    let head = |status: &str, kind: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {SIZE}\r\n\r\n").into_bytes()
    };
    for (head, piece, kind, requests) in [
        (head("200 OK", "application/json"), "{\"a\": 0123456789", Kind::Server, 1),
        (STREAM.as_bytes().to_vec(), ": ping, ping, ping, ping\n", Kind::Server, 1),
        (STREAM.as_bytes().to_vec(), "one line that does not end", Kind::Server, 1),
        (head("401 Unauthorized", "text/html"), "<html> and so on", Kind::Authentication, 1),
    ] {
        let piece = piece.repeat(1 << 10).into_bytes();
        let times = SIZE / piece.len() + 1;
        let server = Scripted::start(vec![vec![Step::Send(head), Step::Repeat(piece, times)]]);
        let begin = Instant::now();
        let error = Project::new(&server.url).one(file("a.md")).await.unwrap_err();
        assert!(matches!(error, Error::Model { kind: found, .. } if found == kind), "{error}");
        assert!(error.to_string().len() < 900, "{error}");
        assert_eq!(server.count(), requests);
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    }
}
