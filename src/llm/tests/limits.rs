//! Fall-backs, and what is asked for again or not at all.

use std::fs;

use serde_json::json;
use wiremock::matchers::{body_string_contains, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::project::totals;
use super::{Project, answer, file};
use crate::error::Error;
use crate::llm::{Endpoint, Regenerate, generate, prepare};
use crate::resource::Artifact;
use crate::settings::Model;

#[tokio::test]
async fn falls_back_on_another_model() {
    let unknown = ResponseTemplate::new(404).set_body_string("no such model");
    for broken in [unknown, ResponseTemplate::new(429), ResponseTemplate::new(503)] {
        let server = MockServer::start().await;
        Mock::given(body_string_contains("\"first\"")).respond_with(broken).mount(&server).await;
        Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
        let mut project = Project::new(&server.uri());
        project.settings.model = Model::Remote("first,second".into());
        project.endpoint = Endpoint::remote(&project.settings).unwrap();
        project.one(file("a.txt")).await.unwrap();
        assert_eq!(project.lock().get(&file("a.txt").address).unwrap().model, "second");
    }
    // An error that another model would meet too is no reason to ask it.
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(401)).expect(1).mount(&server).await;
    let mut project = Project::new(&server.uri());
    project.endpoint.fallbacks = vec!["second".into()];
    project.one(file("a.txt")).await.unwrap_err();
}

#[test]
fn openrouter_takes_the_whole_list() {
    let mut project = Project::new("https://openrouter.ai/api/v1");
    project.settings.model = Model::Remote("a,b,c,d".into());
    let endpoint = Endpoint::remote(&project.settings).unwrap();
    let prepared = prepare(vec![file("a.txt")], &project.lock(), &Regenerate::None).unwrap();
    let body = prepared.missing[0].messages(&endpoint);
    let models = endpoint.each_model();
    assert_eq!((models.len(), models[1].label.as_str()), (2, "d"));
    assert_eq!((&body["model"], &body["models"]), (&json!("a"), &json!(["a", "b", "c"])));
}

#[tokio::test]
async fn asks_anew_where_the_user_wants_it() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer("one")).up_to_n_times(2).mount(&server).await;
    Mock::given(method("POST")).respond_with(answer("two")).mount(&server).await;
    let project = Project::new(&server.uri());
    let requests = || vec![file("a.txt"), file("b.txt")];
    project.generate(requests()).await.unwrap();

    let lock = project.lock();
    let again = |regenerate| prepare(requests(), &lock, &regenerate);
    let names = |names: &[&str]| Regenerate::Names(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(again(Regenerate::All).unwrap().missing.len(), 2);
    assert_eq!(again(names(&["FileResource.b.txt"])).unwrap().missing[0].request.address.name, "b.txt");
    let error = again(names(&["a.tx"])).unwrap_err();
    assert!(matches!(error, Error::Settings(_)));
    assert!(error.to_string().ends_with("Did you mean 'a.txt'?"), "{error}");

    // The user's edit is kept aside.
    let edited = fs::read_to_string(lock.path()).unwrap().replacen("\none\n", "\nmine\n", 1);
    fs::write(lock.path(), edited).unwrap();
    let mut lock = project.lock();
    let prepared = prepare(requests(), &lock, &names(&["a.txt"])).unwrap();
    assert!(prepared.pinned.len() == 1 && !prepared.missing[0].stale);
    let check = |_: &_, artifact: &Artifact| Ok(artifact.clone());
    let (endpoint, settings) = (&project.endpoint, &project.settings);
    let generation =
        generate(prepared, endpoint, settings, &mut lock, &check, &project.recorder, &project.cancel).await;
    let generation = generation.unwrap();
    let old = Artifact::Text("mine\n".into());
    assert_eq!(generation.replaced, [(file("a.txt").address, old)]);
    let backup = generation.outcomes[0].backup.as_ref().unwrap();
    assert_eq!(fs::read_to_string(backup).unwrap(), "mine\n");
    let artifacts: Vec<_> = generation.artifacts.iter().map(|(_, artifact)| artifact.clone()).collect();
    assert_eq!(artifacts, [Artifact::Text("two\n".into()), Artifact::Text("one\n".into())]);
}

#[tokio::test]
async fn tells_what_is_missing_where_nothing_may_be_asked() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer("one")).mount(&server).await;
    let project = Project::new(&server.uri());
    project.generate(vec![file("a"), file("b")]).await.unwrap();
    let mut stale = file("b");
    stale.description = Some("Something else".into());
    let lock = project.lock();
    prepare(vec![file("a"), file("b")], &lock, &Regenerate::None).unwrap().ensure_complete().unwrap();
    let error = prepare(vec![file("a"), stale, file("c")], &lock, &Regenerate::None)
        .unwrap()
        .ensure_complete()
        .unwrap_err();
    let message = error.to_string();
    let wanted = "missing FileResource 'c'; out of date FileResource 'b'. Run `clockwork generate`";
    assert!(message.contains(wanted), "{message}");
}

#[tokio::test]
async fn of_twenty_three_fail_and_the_next_run_asks_for_three() {
    let server = MockServer::start().await;
    Mock::given(body_string_contains("bad")).respond_with(ResponseTemplate::new(500)).mount(&server).await;
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    let project = Project::new(&server.uri());
    let requests: Vec<_> =
        (0..20).map(|n| file(&if n % 7 == 3 { format!("bad{n}") } else { format!("{n}.txt") })).collect();
    let generation = project.generate(requests.clone()).await.unwrap();
    let sums = totals(&generation);
    assert_eq!((sums.asked, sums.failed, project.lock().entries().count()), (17, 3, 17));

    server.reset().await;
    Mock::given(method("POST")).respond_with(answer("hello")).expect(3).mount(&server).await;
    let sums = totals(&project.generate(requests).await.unwrap());
    assert_eq!((sums.asked, sums.pinned, sums.failed), (3, 17, 0));
}
