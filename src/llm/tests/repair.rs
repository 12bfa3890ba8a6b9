//! Answers that cannot be used: given back with the complaint, continued, and kept in the end.

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::project::totals;
use super::{Project, answer, bodies, file, service};
use crate::error::{Error, ModelErrorKind as Kind};
use crate::llm::{Generation, Regenerate, prepare};
use crate::resource::{Artifact, Request};

/// A server that answers so, one after the other, and then always with the last.
async fn server(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let last = answers.len() - 1;
    for (index, answer) in answers.into_iter().enumerate() {
        let mock = Mock::given(method("POST")).respond_with(answer);
        if index < last { mock.up_to_n_times(1) } else { mock }.mount(&server).await;
    }
    server
}

fn cut(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "choices": [{"message": {"content": text}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.5},
    }))
}

async fn generate(project: &Project, request: Request) -> Generation {
    project.generate(vec![request]).await.unwrap()
}

fn text(generation: &Generation) -> &str {
    match &generation.artifacts[0].1 {
        Artifact::Text(text) => text,
        Artifact::Object(_) => panic!("an object"),
    }
}

#[tokio::test]
async fn the_complaint_goes_back_to_the_model() {
    let server = server(vec![answer("{\"a\": }"), answer("{\"a\": 1")]).await;
    let good = answer("```json\n{\"a\": 1}\n```");
    let mut project = Project::new(&server.uri());
    project.settings.max_repairs = 1;
    let error = project.one(file("a.json")).await.unwrap_err();
    assert!(matches!(error, Error::Model { kind: Kind::Answer, .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("(also after one repair): it is no valid JSON: line 1, column 7"), "{message}");
    let kept = project.folder.path().join(".clockwork/failed/FileResource-a.json.txt");
    assert!(message.contains(&kept.display().to_string()), "{message}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "{\"a\": 1");
    assert!(project.lock().entries().next().is_none());

    server.reset().await;
    Mock::given(method("POST")).respond_with(answer("{\"a\": }")).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(good).mount(&server).await;
    let generation = generate(&project, file("a.json")).await;
    assert_eq!(text(&generation), "{\"a\": 1}\n");
    let bodies = bodies(&server).await;
    let messages = bodies[1]["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 4);
    assert_eq!(messages[..2], bodies[0]["messages"].as_array().unwrap()[..]);
    assert_eq!(messages[2], json!({"role": "assistant", "content": "{\"a\": }"}));
    let complaint = messages[3]["content"].as_str().unwrap();
    assert!(complaint.contains("line 1, column 7: expected value"), "{complaint}");
    assert!(!kept.exists());

    let outcome = &generation.outcomes[0];
    assert_eq!((outcome.repairs, outcome.tokens_in, outcome.cost), (1, Some(14), Some(0.5)));
    let lock = project.lock();
    let entry = lock.get(&file("a.json").address).unwrap();
    assert_eq!((entry.tokens_out, entry.cost), (Some(6), Some(0.5)));
    let totals = totals(&generation);
    assert_eq!((totals.asked, totals.repaired, totals.tokens_out), (1, 1, Some(6)));
    assert_eq!(project.recorder.count("generate_repair"), 2);
}

#[tokio::test]
async fn the_resources_own_check_comes_last() {
    let server = server(vec![answer("{\"image\": \"me/app\"}"), answer("{\"image\": \"nginx:1.27\"}")]).await;
    let mut project = Project::new(&server.uri());
    project.settings.max_repairs = 2;
    let seen = std::sync::Mutex::new(Vec::new());
    let mut lock = project.lock();
    let prepared = prepare(vec![service("web")], &lock, &Regenerate::None).unwrap();
    let check = |_: &_, artifact: &Artifact| {
        let mut seen = seen.lock().unwrap();
        seen.push(serde_json::to_value(artifact).unwrap());
        if seen.len() == 1 { Err("it listens on no port".to_owned()) } else { Ok(artifact.clone()) }
    };
    let generation = crate::llm::generate(
        prepared,
        &project.endpoint,
        &project.settings,
        &mut lock,
        &check,
        &project.recorder,
        &project.cancel,
    )
    .await
    .unwrap();
    assert_eq!(generation.outcomes[0].repairs, 2);
    // The image that is not official never got as far.
    assert_eq!(*seen.lock().unwrap(), vec![json!({"image": "nginx:1.27"}); 2]);
    let bodies = bodies(&server).await;
    let last = |index: usize| bodies[index]["messages"][3]["content"].as_str().unwrap().to_owned();
    assert!(last(1).contains("not one of Docker's official images"), "{}", last(1));
    assert!(last(2).contains("it listens on no port"), "{}", last(2));
}

#[tokio::test]
async fn what_was_never_left_to_the_model_is_not_taken_from_it() {
    let more = r#"{"image": "nginx:1.27", "volumes": ["/:/host"], "networks": ["x"], "present": false}"#;
    let server = server(vec![answer(more)]).await;
    let project = Project::new(&server.uri());
    let wanted = Artifact::Object(json!({"image": "nginx:1.27"}).as_object().unwrap().clone());
    assert_eq!(project.one(service("web")).await.unwrap(), wanted);
    assert_eq!(project.lock().get(&service("web").address).unwrap().content, wanted);
}

#[tokio::test]
async fn unverified_images_can_be_allowed_and_are_marked() {
    let server = server(vec![answer("{\"image\": \"me/app:1\"}")]).await;
    let mut project = Project::new(&server.uri());
    assert!(project.one(service("web")).await.unwrap_err().to_string().contains("allow-unverified-images"));
    project.settings.allow_unverified_images = true;
    assert!(generate(&project, service("web")).await.outcomes[0].unverified);
    let pinned = generate(&project, service("web")).await;
    assert!(pinned.outcomes[0].unverified && pinned.outcomes[0].pinned);
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_gone_on_with() {
    let server = server(vec![cut("# A\n\nThe quick br"), answer("own fox.")]).await;
    let project = Project::new(&server.uri());
    let generation = generate(&project, file("a.md")).await;
    assert_eq!(text(&generation), "# A\n\nThe quick brown fox.\n");
    let bodies = bodies(&server).await;
    assert_eq!(bodies[1]["messages"][2]["content"], "# A\n\nThe quick br");
    assert_eq!(generation.outcomes[0].tokens_out, Some(5));
    assert_eq!(generation.outcomes[0].repairs, 0);
}

#[tokio::test]
async fn what_stays_cut_off_is_never_pinned() {
    let half = server(vec![cut("# A half")]).await;
    let mut project = Project::new(&half.uri());
    let message = project.one(file("a.md")).await.unwrap_err().to_string();
    assert!(message.contains("cut off") && message.contains("failed"), "{message}");
    assert!(project.lock().entries().next().is_none());
    assert_eq!(bodies(&half).await.len(), 2);

    // A length that is a parameter grows.
    project.endpoint.parameters.insert("max_tokens".into(), 100.into());
    project.one(file("a.md")).await.unwrap_err();
    let lengths: Vec<Value> =
        bodies(&half).await[2..].iter().map(|body| body["max_tokens"].clone()).collect();
    assert_eq!(lengths, [json!(100), json!(200), json!(400)]);

    // A local model gets a length of its own, and twice that once.
    project.endpoint.parameters.clear();
    project.endpoint.local = true;
    project.one(file("a.md")).await.unwrap_err();
    let lengths: Vec<Value> =
        bodies(&half).await[5..].iter().map(|body| body["max_tokens"].clone()).collect();
    assert_eq!(lengths, [json!(1400), json!(2800)]);

    // Half an object cannot be gone on with.
    let object = server(vec![cut("{\"image\": \"ngi"), answer("{\"image\": \"nginx\"}")]).await;
    let project = Project::new(&object.uri());
    project.one(service("web")).await.unwrap();
    assert_eq!(bodies(&object).await[1]["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_talk_that_grows_too_long_begins_anew() {
    let too_long = ResponseTemplate::new(400).set_body_string("exceeds the available context size");
    let server = server(vec![answer("{"), too_long, answer("{}")]).await;
    let mut project = Project::new(&server.uri());
    project.settings.max_repairs = 2;
    generate(&project, file("a.json")).await;
    let bodies = bodies(&server).await;
    assert_eq!(bodies.len(), 3);
    let question = |index: usize| bodies[index]["messages"][1]["content"].as_str().unwrap();
    assert_eq!(bodies[2]["messages"].as_array().unwrap().len(), 2);
    let note = question(2).strip_prefix(question(0)).unwrap();
    assert!(note.starts_with("\n\nAn earlier answer could not be used: it is no valid JSON"), "{note}");
}

#[tokio::test]
async fn the_last_answer_is_kept_whatever_ends_the_talk() {
    let gone = || ResponseTemplate::new(402);
    for (first, name, words) in [(answer("{"), "a.json", "{"), (cut("# A half"), "a.md", "# A half")] {
        let server = server(vec![first, gone()]).await;
        let mut project = Project::new(&server.uri());
        project.settings.max_repairs = 1;
        let message = project.one(file(name)).await.unwrap_err().to_string();
        assert!(message.contains("out of credits"), "{message}");
        let kept = project.folder.path().join(format!(".clockwork/failed/FileResource-{name}.txt"));
        assert!(message.ends_with(&format!("The last answer is kept in {}.", kept.display())), "{message}");
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), words);
    }
}

#[tokio::test]
async fn a_small_model_is_asked_anew_and_held_to_the_grammar() {
    let server = server(vec![answer("words"), answer("{}")]).await;
    let mut project = Project::new(&server.uri());
    project.endpoint.local = true;
    project.settings.max_repairs = 1;
    generate(&project, file("a.json")).await;
    let bodies = bodies(&server).await;
    assert_eq!(bodies[0]["response_format"], json!({"type": "json_object"}));
    assert_eq!(bodies[1]["messages"].as_array().unwrap().len(), 2);
    assert!(bodies[1]["messages"][1]["content"].as_str().unwrap().contains("could not be used"));
}

#[tokio::test]
async fn what_is_shown_is_what_is_sent() {
    let server = server(vec![answer("{\"image\": \"nginx\"}")]).await;
    let mut project = Project::new(&server.uri());
    for local in [false, true] {
        project.endpoint.local = local;
        let prepared = prepare(vec![service("web")], &project.lock(), &Regenerate::None).unwrap();
        let shown = prepared.missing[0].messages(&project.endpoint);
        project.one(service("web")).await.unwrap();
        assert_eq!(bodies(&server).await.last(), Some(&shown));
        assert!(!shown.to_string().contains("sk-hidden"));
        let image = &shown["response_format"]["json_schema"]["schema"]["properties"]["image"];
        assert_eq!(image["enum"].as_array().is_some_and(|names| names.len() > 100), local);
        std::fs::remove_file(project.lock().path()).unwrap();
    }
}
