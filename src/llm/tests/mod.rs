//! The generate stage against scripted servers: every fault that a real one can produce.

mod budget;
mod faults;
mod hostile;
mod limits;
mod price;
pub(super) mod project;
mod repair;
mod server;
mod talkative;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::fingerprint::fingerprint;
use super::*;
use crate::error::ModelErrorKind;
use crate::resource::{Artifact, ContextFile, ProjectResource, Request};
use project::{Project, answer, bodies, file, service, stream_of};
use server::{STREAM, Scripted, Step};

#[tokio::test]
async fn asks_once_and_pins() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(header("authorization", "Bearer sk-hidden"))
        .respond_with(answer("# Hello"))
        .expect(1)
        .mount(&server)
        .await;
    let project = Project::new(&format!("{}/v1/", server.uri()));
    assert_eq!(project.one(file("a.md")).await.unwrap(), Artifact::Text("# Hello\n".into()));
    assert_eq!(
        project.recorder.names(),
        ["generate_begin", "generate_start", "generate_delta", "generate_delta", "generate_end"]
    );
    let lock = project.lock();
    let entry = lock.get(&file("a.md").address).unwrap();
    assert_eq!((entry.model.as_str(), entry.provider.as_deref()), ("some/model", Some("Someone")));
    assert_eq!((entry.tokens_in, entry.tokens_out, entry.cost), (Some(7), Some(3), Some(0.25)));
    assert!(entry.generated_at.ends_with('Z') && entry.generated_at.len() == 20, "{}", entry.generated_at);
    let body = &bodies(&server).await[0];
    assert_eq!(body["model"], "some/model");
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    assert!(body.get("response_format").is_none());

    // Another model, another concurrency, no key: nothing of that is a reason to ask again.
    let mut again = project.generate(vec![file("a.md")]).await.unwrap();
    assert!(again.outcomes.remove(0).pinned);
    let mut changed = file("a.md");
    changed.description = Some("Something else".into());
    let prepared = prepare(vec![changed], &lock, &Regenerate::None).unwrap();
    assert!(prepared.missing[0].stale);
}

#[tokio::test]
async fn what_is_pinned_needs_no_key_and_no_server() {
    let mut project = Project::new("https://example.invalid/v1");
    project.endpoint.api_key = None;
    let error = project.one(file("a.md")).await.unwrap_err();
    assert!(matches!(error, Error::Model { kind: ModelErrorKind::MissingKey, .. }), "{error}");
    assert!(error.to_string().contains("OPENROUTER_API_KEY"), "{error}");
    assert!(project.generate(vec![]).await.unwrap().artifacts.is_empty());
}

#[tokio::test]
async fn asks_for_many_at_once() {
    let text = Step::Send(stream_of("hello").into_bytes());
    let server = Scripted::start(vec![vec![Step::Gather(8), Step::Send(STREAM.into()), text]]);
    let project = Project::new(&server.url);
    let requests: Vec<Request> = (0..16).rev().map(|n| file(&format!("{n:02}.txt"))).collect();
    let order: Vec<String> = requests.iter().map(|r| r.address.name.clone()).collect();
    let generation = project.generate(requests).await.unwrap();
    assert_eq!((server.count(), server.peak()), (16, project.settings.concurrency));
    let names: Vec<String> = generation.artifacts.iter().map(|(a, _)| a.name.clone()).collect();
    assert_eq!(names, order);
    assert_eq!(project.lock().entries().count(), 16);
}

#[tokio::test]
async fn room_is_made_for_no_more_than_there_is_to_ask() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    let mut project = Project::new(&server.uri());
    project.settings.concurrency = usize::MAX;
    project.one(file("a.md")).await.unwrap();
    assert_eq!(project.lock().entries().count(), 1);
}

#[tokio::test]
async fn a_structured_answer_follows_its_schema() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer(r#"{"image": "nginx:1.27"}"#)).mount(&server).await;
    let project = Project::new(&server.uri());
    let artifact = project.one(service("web")).await.unwrap();
    assert_eq!(serde_json::to_value(artifact).unwrap(), json!({"image": "nginx:1.27"}));
    let body = &bodies(&server).await[0];
    assert_eq!(body["response_format"]["json_schema"]["strict"], true);
    assert_eq!(body["response_format"]["json_schema"]["schema"]["additionalProperties"], false);
    assert!(body.get("provider").is_none());
}

#[tokio::test]
async fn does_without_what_a_server_does_not_know() {
    let server = MockServer::start().await;
    for complaint in ["stream_options: extra field", "response_format is not supported"] {
        let body = json!({"error": {"message": complaint}});
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(400).set_body_json(body))
            .up_to_n_times(1)
            .mount(&server)
            .await;
    }
    Mock::given(method("POST"))
        .respond_with(answer("Sure: {\"image\": \"nginx:1.27\"}"))
        .mount(&server)
        .await;
    let project = Project::new(&server.uri());
    project.one(service("web")).await.unwrap();
    let bodies = bodies(&server).await;
    assert_eq!(bodies.len(), 3);
    assert!(bodies[2].get("stream_options").is_none() && bodies[2].get("response_format").is_none());
    assert!(!bodies[0]["messages"][1]["content"].as_str().unwrap().contains("<schema>"));
    assert!(bodies[2]["messages"][1]["content"].as_str().unwrap().contains("<schema>"));
    assert_eq!(project.recorder.count("generate_retry"), 0);
}

#[tokio::test]
async fn one_failure_does_not_lose_the_others() {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::body_string_contains("bad"))
        .respond_with(ResponseTemplate::new(400).set_body_string("no"))
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    let project = Project::new(&server.uri());
    let requests = || ["a", "bad1", "b", "bad2", "c"].map(file).to_vec();
    let generation = project.generate(requests()).await.unwrap();
    assert_eq!((generation.artifacts.len(), generation.errors.len(), generation.outcomes.len()), (3, 2, 5));
    let error = generation.error().unwrap().to_string();
    assert!(error.starts_with("2 of 5 artifacts could not be generated.\nFileResource 'bad1': "), "{error}");
    assert_eq!(project.lock().entries().count(), 3);
    assert_eq!(prepare(requests(), &project.lock(), &Regenerate::None).unwrap().missing.len(), 2);
}

#[tokio::test]
async fn a_failure_that_concerns_all_stops_all() {
    let server = MockServer::start().await;
    let rejected = json!({"error": {"code": 401, "message": "No such user: sk-hidden"}});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(401).set_body_json(rejected))
        .expect(1)
        .mount(&server)
        .await;
    let mut project = Project::new(&server.uri());
    project.settings.concurrency = 1;
    let generation = project.generate(["a", "b", "c"].map(file).to_vec()).await.unwrap();
    assert_eq!((generation.errors.len(), generation.outcomes.len()), (1, 3));
    let error = generation.error().unwrap();
    assert!(matches!(error, Error::Model { kind: ModelErrorKind::Authentication, .. }));
    assert!(error.to_string().starts_with("3 of 3 artifacts"), "{error}");
    assert!(!error.to_string().contains("sk-hidden"), "{error}");
}

#[tokio::test]
async fn cancelling_keeps_what_is_finished() {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::body_string_contains("slow"))
        .respond_with(answer("late").set_delay(Duration::from_secs(30)))
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    let project = Project::new(&server.uri());
    let begin = Instant::now();
    let cancel = async {
        while project.recorder.count("generate_end") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        project.cancel.cancel();
    };
    let (result, ()) = tokio::join!(project.generate(["slow", "fast"].map(file).to_vec()), cancel);
    assert!(matches!(result, Err(Error::Interrupted)));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(project.lock().get(&file("fast").address).is_some());
}

#[test]
fn the_stage_can_be_run_on_any_thread() {
    fn is_send<T: Send>(_: T) {}
    let project = Project::new("http://127.0.0.1:9");
    is_send(project.generate(vec![]));
}

/// The entry of a lock, edited by hand.
fn edit(project: &Project, from: &str, to: &str) {
    let path = project.lock().path().to_path_buf();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

/// A lock as an older Clockwork wrote it.
fn make_old(project: &Project) {
    edit(project, "version = 2", "version = 1");
}

#[tokio::test]
async fn entries_of_an_older_clockwork_are_kept_as_they_are() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer("hello")).expect(3).mount(&server).await;
    let project = Project::new(&server.uri());
    project.generate(["a", "b", "not asked for"].map(file).to_vec()).await.unwrap();
    make_old(&project);
    edit(&project, "fingerprint = \"", "fingerprint = \"old");

    let mut lock = project.lock();
    let mut renamed = file("c");
    renamed.renamed_from = Some("b".into());
    let requests = || vec![file("a"), renamed.clone()];
    let mut prepared = prepare(requests(), &lock, &Regenerate::None).unwrap();
    prepared.ensure_complete().unwrap();
    assert_eq!(prepared.migrated, [file("a").address, renamed.address.clone()]);
    assert!(prepared.pinned.iter().all(|pinned| !pinned.stale && !pinned.edited));
    assert_eq!(
        prepared.notes(),
        [
            "clockwork.lock was written by an older Clockwork: its 2 entries are kept as they are, and no model is asked \
          for them."
        ]
    );
    prepared.take_over(&mut lock).unwrap();
    lock.retain(&prepared.wanted(), None);
    lock.save().unwrap();

    // It is said once, and from now on the question counts.
    let lock = project.lock();
    let prepared = prepare(requests(), &lock, &Regenerate::None).unwrap();
    assert!(prepared.migrated.is_empty() && prepared.notes().is_empty() && prepared.missing.is_empty());
    let changed = Request { description: Some("Something else".into()), ..file("a") };
    assert!(prepare(vec![changed], &lock, &Regenerate::None).unwrap().missing[0].stale);
    assert_eq!(lock.entries().count(), 2);
}

#[tokio::test]
async fn an_edit_is_replaced_only_where_the_user_says_so() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer("theirs")).up_to_n_times(1).mount(&server).await;
    let project = Project::new(&server.uri());
    project.one(file("a")).await.unwrap();
    edit(&project, "theirs", "mine");
    Mock::given(method("POST")).respond_with(answer("new")).expect(1).mount(&server).await;

    let changed = || Request { description: Some("Something else".into()), ..file("a") };
    let renamed = || {
        let mut request = changed();
        request.address.name = "b".into();
        Request { renamed_from: Some("a".into()), ..request }
    };
    for request in [changed(), renamed()] {
        let name = request.address.name.clone();
        let mut lock = project.lock();
        let mut prepared = prepare(vec![request], &lock, &Regenerate::None).unwrap();
        prepared.ensure_complete().unwrap();
        let note = prepared.notes().remove(0);
        assert!(note.contains("answers an older question"), "{note}");
        assert!(note.contains(&format!("`--regenerate {name}`")), "{note}");
        prepared.take_over(&mut lock).unwrap();
        let wanted = prepared.wanted();
        let generation = prepared.into_generation();
        assert_eq!(generation.artifacts[0].1, Artifact::Text("mine\n".into()));
        let outcome = &generation.outcomes[0];
        assert!(outcome.pinned && outcome.edited && outcome.stale);
        if name == "a" {
            // A whole run keeps it as well.
            lock.retain(&wanted, None);
            lock.save().unwrap();
        }
    }

    let mut lock = project.lock();
    let prepared = prepare(vec![changed()], &lock, &Regenerate::All).unwrap();
    let check = |_: &_, artifact: &Artifact| Ok(artifact.clone());
    let (endpoint, settings) = (&project.endpoint, &project.settings);
    let generation =
        generate(prepared, endpoint, settings, &mut lock, &check, &project.recorder, &project.cancel).await;
    let backup = generation.unwrap().outcomes[0].backup.clone().unwrap();
    assert_eq!(std::fs::read_to_string(backup).unwrap(), "mine\n");
    let entries: Vec<_> =
        project.lock().entries().map(|(a, e)| (a.name.clone(), e.content.to_text())).collect();
    assert_eq!(entries, [("a".to_owned(), "new\n".to_owned()), ("b".to_owned(), "mine\n".to_owned())]);
}

#[tokio::test]
async fn an_answer_goes_with_a_new_name_if_its_format_stays() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer("hello")).expect(1).mount(&server).await;
    let project = Project::new(&server.uri());
    project.one(file("a.txt")).await.unwrap();
    for (name, missing) in [("b.txt", 0), ("a.json", 1)] {
        let address = file(name).address;
        let renamed = Request { address, renamed_from: Some("a.txt".into()), ..file("a.txt") };
        let prepared = prepare(vec![renamed], &project.lock(), &Regenerate::None).unwrap();
        assert_eq!(prepared.missing.len(), missing, "{name}");
    }
}

#[tokio::test]
async fn two_resources_may_share_an_address() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer("hello")).expect(3).mount(&server).await;
    let project = Project::new(&server.uri());
    let other = |description: &str| Request { description: Some(description.into()), ..file("blog/a") };
    project.generate(vec![file("blog/a"), other("for the other host")]).await.unwrap();
    let generation = project.generate(vec![file("blog/a"), other("for the other host")]).await.unwrap();
    assert!(generation.outcomes.iter().all(|outcome| outcome.pinned));
    // The new answer takes the place of the one that nobody wants any more.
    project.generate(vec![other("for a third host"), file("blog/a")]).await.unwrap();
    assert_eq!(project.lock().entries().count(), 2);
}

#[test]
fn a_fingerprint_is_made_from_the_question_alone() {
    let with = |fields: Value| {
        let mut request = file("a");
        request.fields = fields.as_object().unwrap().clone();
        fingerprint(&request)
    };
    assert_eq!(with(json!({"a": 1, "b": 2})), with(json!({"b": 2, "a": 1})));
    assert_ne!(with(json!({"a": 1})), with(json!({"a": 2})));
    assert_eq!(with(json!({"password": "x"})), with(json!({"password": "y"})));
    assert_ne!(fingerprint(&file("a")), fingerprint(&service("a")));

    let with = |text: &str, description: &str, connected| {
        let mut request = file("a");
        request.context = vec![ContextFile { path: "a.yaml".into(), text: text.into() }];
        let (kind, name) = ("FileResource".into(), "b".into());
        request.project = vec![ProjectResource {
            kind,
            name,
            description: Some(description.into()),
            connected,
            ..ProjectResource::default()
        }];
        fingerprint(&request)
    };
    let one = with("a: 1", "x", false);
    assert_eq!(one, with("a: 1", "y", false));
    assert_ne!(one, with("a: 2", "x", false));
    assert_ne!(with("a: 1", "x", true), with("a: 1", "y", true));
    assert_eq!(with("password: x", "", false), with("password: y", "", false));
}
