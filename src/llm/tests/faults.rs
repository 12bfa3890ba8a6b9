//! Each fault once: what becomes of it, how often is asked, and what the user reads.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::server::{STREAM, Scripted, Step};
use super::{Project, answer, file, service, stream_of};
use crate::error::{Error, ModelErrorKind as Kind};
use crate::resource::Artifact;

/// Asks a server that always answers in this way; gives the error and the count of requests.
async fn fail(response: ResponseTemplate) -> (Kind, String, usize) {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(response).mount(&server).await;
    let project = Project::new(&server.uri());
    let error = project.one(file("a.md")).await.unwrap_err();
    let count = server.received_requests().await.unwrap().len();
    assert_eq!(project.recorder.count("generate_retry") + 1, count);
    assert!(project.lock().entries().next().is_none());
    describe(error, count)
}

fn describe(error: Error, count: usize) -> (Kind, String, usize) {
    let message = error.to_string();
    assert!(message.starts_with("FileResource 'a.md': "), "{message}");
    assert!(!message.contains("sk-hidden") && !message.contains('\n'), "{message}");
    assert!(message.len() < 900, "{message}");
    match error {
        Error::Model { kind, .. } => (kind, message, count),
        other => panic!("{other:?}"),
    }
}

/// Asks a server that does this on each connection.
async fn fail_with(steps: Vec<Step>) -> (Kind, String, usize) {
    let server = Scripted::start(vec![steps]);
    let project = Project::new(&server.url).impatient();
    let error = project.one(file("a.md")).await.unwrap_err();
    describe(error, server.count())
}

/// Asks a server that does this on the first connection, and answers on the second.
async fn recover(steps: Vec<Step>) {
    let good = vec![send(STREAM), send(stream_of("hello"))];
    let server = Scripted::start(vec![steps, good]);
    let project = Project::new(&server.url).impatient();
    assert_eq!(project.one(file("a.md")).await.unwrap(), Artifact::Text("hello\n".into()));
    assert_eq!((server.count(), project.recorder.count("generate_retry")), (2, 1));
}

fn send(text: impl AsRef<[u8]>) -> Step {
    Step::Send(text.as_ref().to_vec())
}

fn json_body(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

fn stream(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text.to_owned(), "text/event-stream")
}

fn choice(choice: &Value) -> ResponseTemplate {
    stream(&format!("data: {}\n\ndata: [DONE]\n\n", json!({"choices": [choice]})))
}

#[tokio::test]
async fn statuses() {
    for (status, kind, requests) in [
        (400, Kind::Server, 1),
        (401, Kind::Authentication, 1),
        (402, Kind::Credits, 1),
        (403, Kind::Authentication, 1),
        (404, Kind::ModelNotFound, 1),
        (408, Kind::Timeout, 4),
        (409, Kind::Server, 4),
        (413, Kind::Answer, 1),
        (418, Kind::Server, 1),
        (425, Kind::Server, 4),
        (429, Kind::RateLimit, 4),
        (500, Kind::Server, 4),
        (502, Kind::Server, 4),
        (503, Kind::Server, 4),
        (504, Kind::Timeout, 4),
        (524, Kind::Timeout, 4),
        (529, Kind::Server, 4),
    ] {
        let body = json!({"error": {"code": status, "message": "So says\nthe server, of sk-hidden."}});
        let (found, message, count) = fail(json_body(status, &body)).await;
        assert_eq!((found, count), (kind, requests), "{status}: {message}");
        assert!(message.contains(&format!("({status}: So says the server, of ….)")), "{message}");
    }
}

#[tokio::test]
async fn a_passing_fault_is_survived() {
    for status in [408, 429, 500, 503, 529] {
        let server = MockServer::start().await;
        let busy = ResponseTemplate::new(status);
        Mock::given(method("POST")).respond_with(busy).up_to_n_times(3).mount(&server).await;
        Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
        let project = Project::new(&server.uri());
        project.one(file("a.md")).await.unwrap();
        assert_eq!(project.recorder.count("generate_retry"), 3);
    }
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "0.3");
    Mock::given(method("POST")).respond_with(busy).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    let project = Project::new(&server.uri());
    let begin = Instant::now();
    project.one(file("a.md")).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(300));

    let tomorrow = jiff::Timestamp::now().as_millisecond() + 20 * 3_600_000;
    let headers = json!({"X-RateLimit-Reset": tomorrow.to_string()});
    let body = json!({"error": {"code": 429, "message": "per day", "metadata": {"headers": headers}}});
    let (_, message, count) = fail(json_body(429, &body)).await;
    assert_eq!(count, 1);
    assert!(message.contains("come back in 20 hours"), "{message}");

    let busy = ResponseTemplate::new(429).insert_header("retry-after", "3600");
    let (kind, message, count) = fail(busy).await;
    assert_eq!((kind, count), (Kind::RateLimit, 1));
    assert!(message.contains("come back in 60 minutes"), "{message}");
}

#[tokio::test]
async fn errors_inside_a_good_status() {
    let error = |code: Value| json!({"error": {"code": code, "message": "boom"}});
    let (kind, _, count) = fail(json_body(200, &error(json!(402)))).await;
    assert_eq!((kind, count), (Kind::Credits, 1));
    let (kind, _, count) = fail(json_body(200, &error(json!("503")))).await;
    assert_eq!((kind, count), (Kind::Server, 4));
    let (kind, message, count) = fail(choice(
        &json!({"delta": {"content": "half"}, "finish_reason": "error", "error": {"message": "boom"}}),
    ))
    .await;
    assert_eq!((kind, count), (Kind::Server, 4));
    assert!(message.contains("boom"), "{message}");
    let middle = "data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\ndata: {\"error\":{\"code\":502,\"message\":\"boom\"}}\n\n";
    assert_eq!(fail(stream(middle)).await.2, 4);
    recover(vec![send(STREAM), send(middle)]).await;
}

#[tokio::test]
async fn answers_that_are_none() {
    let delta = |content: Value, finish: &str| {
        choice(&json!({"delta": {"content": content}, "finish_reason": finish}))
    };
    for (response, kind, requests, words) in [
        (json_body(200, &json!({})), Kind::Server, 4, "sent no answer"),
        (json_body(200, &json!({"choices": []})), Kind::Server, 4, "sent no answer"),
        (json_body(200, &json!([1])), Kind::Server, 4, "no JSON object"),
        (stream("data: [DONE]\n\n"), Kind::Server, 4, "sent no answer"),
        (stream("data: {broken\n\n"), Kind::Server, 4, "no JSON object"),
        (stream(""), Kind::Server, 4, "sent no answer"),
        (ResponseTemplate::new(200).set_body_string("<html>"), Kind::Server, 1, "web page"),
        (ResponseTemplate::new(200), Kind::Server, 4, "no JSON object"),
        (delta(Value::Null, "stop"), Kind::Answer, 4, "empty"),
        (delta(json!(" \n"), "stop"), Kind::Answer, 4, "empty"),
        (delta(json!("```\n```"), "stop"), Kind::Answer, 1, "empty"),
        (delta(json!("half a"), "length"), Kind::Answer, 2, "cut off"),
        // It thought until its room was full.
        (delta(Value::Null, "length"), Kind::Answer, 2, "cut off"),
        (delta(json!("half a"), "content_filter"), Kind::Answer, 1, "content filter"),
        (
            choice(&json!({"delta": {"refusal": "I won't."}, "finish_reason": "stop"})),
            Kind::Answer,
            1,
            "I won't.",
        ),
        (
            stream("data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\n"),
            Kind::Server,
            4,
            "in the middle",
        ),
    ] {
        let (found, message, count) = fail(response).await;
        assert_eq!((found, count), (kind, requests), "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream() {
    let body = json!({
        "choices": [{"message": {"content": [{"type": "text", "text": "hello"}]}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    });
    let wrong_type = ResponseTemplate::new(200).set_body_raw(stream_of("hello"), "text/plain");
    for response in [json_body(200, &body), wrong_type] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(response).mount(&server).await;
        let project = Project::new(&server.uri());
        assert_eq!(project.one(file("a.md")).await.unwrap(), Artifact::Text("hello\n".into()));
    }
}

#[tokio::test]
async fn an_object_of_the_wrong_shape() {
    for text in ["nginx:1.27", r#"{"image": 3}"#, "{}"] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(answer(text)).expect(1).mount(&server).await;
        let error = Project::new(&server.uri()).one(service("web")).await.unwrap_err();
        assert!(matches!(error, Error::Model { kind: Kind::Answer, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_huge_body_is_not_read_to_its_end() {
    let (kind, message, count) = fail(ResponseTemplate::new(200).set_body_string("{".repeat(1 << 20))).await;
    assert_eq!((kind, count), (Kind::Server, 1));
    assert!(message.contains("more than 65536 bytes"), "{message}");
    let endless = stream(&": ping\n\n".repeat(1 << 17));
    assert_eq!(fail(endless).await.2, 1);
    assert_eq!(fail(ResponseTemplate::new(500).set_body_string("x".repeat(1 << 20))).await.0, Kind::Server);
}

#[tokio::test]
async fn silence() {
    let pause = || Step::Pause(Duration::from_secs(3));
    recover(vec![pause()]).await;
    recover(vec![send(STREAM), send(&stream_of("hello")[..200]), pause()]).await;
    let (kind, message, count) = fail_with(vec![send(STREAM), send(": ping\n\n"), pause()]).await;
    assert_eq!((kind, count), (Kind::Timeout, 4));
    assert!(message.contains("silent for 0.5 seconds"), "{message}");
}

#[tokio::test]
async fn a_stream_without_an_end_to_it() {
    // The text is whole, but the server forgets to close: what counts is there.
    let text = stream_of("hello").replace("data: [DONE]\n\n", "");
    let server = Scripted::start(vec![vec![send(STREAM), send(text), Step::Pause(Duration::from_secs(3))]]);
    Project::new(&server.url).impatient().one(file("a.md")).await.unwrap();
    assert_eq!(server.count(), 1);
    // Pings for ever are no answer either.
    let mut steps = vec![send(STREAM)];
    steps.extend((0..60).flat_map(|_| [send(": ping\n\n"), Step::Pause(Duration::from_millis(20))]));
    let server = Scripted::start(vec![steps]);
    let mut project = Project::new(&server.url);
    project.settings.policy.total = Duration::from_millis(300);
    let (kind, _, count) = describe(project.one(file("a.md")).await.unwrap_err(), server.count());
    assert_eq!((kind, count), (Kind::Timeout, 1));
}

#[tokio::test]
async fn broken_connections() {
    recover(vec![]).await;
    recover(vec![send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:",
    )])
    .await;
    recover(vec![send("nonsense\r\n\r\n")]).await;
    recover(vec![send(STREAM), send(&stream_of("hello")[..200])]).await;
    // Nobody listens there.
    let project = Project::new("http://127.0.0.1:9");
    let (kind, message, _) = describe(project.one(file("a.md")).await.unwrap_err(), 4);
    assert_eq!(kind, Kind::Connection);
    assert!(message.contains("127.0.0.1:9 cannot be reached"), "{message}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let project = Project::new(&format!("https://{}", listener.local_addr().unwrap()));
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut hello = [0; 512];
            let _ = std::io::Read::read(&mut connection, &mut hello);
            let _ = std::io::Write::write_all(&mut connection, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let error = project.one(file("a.md")).await.unwrap_err();
    assert!(matches!(error, Error::Model { kind: Kind::Connection, .. }), "{error}");
}

#[tokio::test]
async fn characters_cut_in_two() {
    let text = stream_of("grün 😀");
    let steps = [send(STREAM)].into_iter().chain(text.bytes().map(|byte| send([byte]))).collect();
    let server = Scripted::start(vec![steps]);
    let artifact = Project::new(&server.url).one(file("a.md")).await.unwrap();
    assert_eq!(artifact, Artifact::Text("grün 😀\n".into()));
    let (kind, message, count) = fail_with(vec![send(STREAM), send(b"data: \xff\xfe\n\n")]).await;
    assert_eq!((kind, count), (Kind::Server, 4));
    assert!(message.contains("UTF-8"), "{message}");
}
