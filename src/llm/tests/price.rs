//! The price of a model is known before the first question, or nothing is asked.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::project::totals;
use super::server::{Scripted, Step};
use super::talkative::{Talkative, files, is_budget, list, prices, project, questions};
use super::{Project, answer, file};
use crate::error::{Error, ModelErrorKind as Kind};
use crate::llm::client::Client;
use crate::llm::endpoint::Endpoint;
use crate::llm::price::Price;
use crate::llm::price_list::set_prices;

#[tokio::test]
async fn no_provider_may_be_dearer_than_the_dearest_that_is_listed() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    list(&server, "some/model", &[prices(0.000_001, 0.000_008), prices(0.000_002, 0.000_004)]).await;
    project(&server, None, 1.0).one(file("a.md")).await.unwrap();
    let cap = &questions(&server).await[0]["provider"]["max_price"];
    for (name, price) in [("prompt", 2.0), ("completion", 8.0), ("request", 0.0)] {
        let cap = cap[name].as_f64().unwrap();
        assert!(cap >= price && cap < price + 1e-9, "{name}: {cap}");
    }
}

#[tokio::test]
async fn each_model_has_its_own_price() {
    let server = MockServer::start().await;
    let gone = ResponseTemplate::new(404).set_body_json(json!({"error": {"message": "no such model"}}));
    Mock::given(method("POST")).respond_with(gone).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    list(&server, "some/model", &[prices(0.0, 0.0)]).await;
    list(&server, "other/model:dear", &[prices(0.000_5, 0.000_5)]).await;
    let mut project = project(&server, None, 1.0);
    project.endpoint.fallbacks = vec!["other/model:dear".into()];
    project.one(file("a.md")).await.unwrap();
    let sent = questions(&server).await;
    let caps = sent.iter().map(|body| body["provider"]["max_price"]["prompt"].as_f64().unwrap().round());
    assert_eq!(caps.collect::<Vec<_>>(), [0.0, 500.0]);
    assert!(
        sent[0]["max_tokens"].as_u64() > sent[1]["max_tokens"].as_u64(),
        "a dollar buys fewer of the dear"
    );
}

#[tokio::test]
async fn the_dearest_of_the_models_of_one_request_counts() {
    let server = MockServer::start().await;
    list(&server, "a", &[prices(1.0, 4.0)]).await;
    list(&server, "b", &[prices(2.0, 3.0)]).await;
    list(&server, "c", &[prices(0.5, 0.5)]).await;
    let project = project(&server, None, 1.0);
    let of = |names: &[&str]| Endpoint {
        model: names[0].into(),
        fallbacks: names[1..].iter().map(|name| (*name).to_owned()).collect(),
        ..project.endpoint.clone()
    };
    let mut endpoints = [of(&["a", "b"]), of(&["c"])];
    let client = Client::new(&project.endpoint, &project.settings.policy).unwrap();
    set_prices(&mut endpoints, &client, &project.settings.policy).await.unwrap();
    let prices = endpoints.map(|endpoint| endpoint.price);
    let price = |question, answer| Some(Price { question, answer, request: 0.0 });
    assert_eq!(prices, [price(2.0, 4.0), price(0.5, 0.5)]);
}

#[tokio::test]
async fn a_model_that_is_gone_may_have_become_too_dear() {
    let server = MockServer::start().await;
    let gone = ResponseTemplate::new(404).set_body_json(json!({"error": {"message": "no endpoints"}}));
    Mock::given(method("POST")).respond_with(gone).mount(&server).await;
    list(&server, "some/model", &[prices(0.0, 0.0)]).await;
    for (cost, told) in [(Some(1.0), true), (None, false)] {
        let message = project(&server, None, cost).one(file("a.md")).await.unwrap_err().to_string();
        assert_eq!(message.contains("no provider of it keeps to its price"), told, "{message}");
    }
}

#[tokio::test]
async fn where_no_price_is_told_nothing_is_sent() {
    let variable = prices(-1.0, -1.0);
    let incomplete = json!({"prompt": "1"});
    for providers in [vec![], vec![variable.clone()], vec![prices(1.0, 1.0), variable], vec![incomplete]] {
        let server = MockServer::start().await;
        list(&server, "some/model", &providers).await;
        refuses_the_limit(&project(&server, None, 1.0), &server).await;
    }
    // A server without such a list; a page instead; a model that searches; a fall-back without a price.
    let server = MockServer::start().await;
    refuses_the_limit(&project(&server, None, 1.0), &server).await;
    let page = ResponseTemplate::new(200).set_body_string("<html>");
    Mock::given(method("GET")).respond_with(page).mount(&server).await;
    refuses_the_limit(&project(&server, None, 1.0), &server).await;
    // Whatever else it makes of a path that it does not know.
    for status in [400, 403, 405, 422] {
        let server = MockServer::start().await;
        Mock::given(method("GET")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
        refuses_the_limit(&project(&server, None, 1.0), &server).await;
    }
    let server = Talkative::new(1).start().await;
    // The server also lists the model that a name with dots could be taken for.
    list(&server, "other", &[prices(0.0, 0.0)]).await;
    list(&server, "some/other", &[prices(0.0, 0.0)]).await;
    list(&server, "some/model:online", &[prices(0.0, 0.0)]).await;
    for name in ["some/model:online", "some/../other", "some/unknown"] {
        let mut project = project(&server, None, 1.0);
        project.endpoint.fallbacks = vec![name.into()];
        let message = refuses_the_limit(&project, &server).await;
        assert!(message.contains(&format!("what the model '{name}' costs")), "{message}");
    }
}

async fn refuses_the_limit(project: &Project, server: &MockServer) -> String {
    let error = project.generate(files(3)).await.unwrap_err();
    assert!(is_budget(&error), "{error}");
    let message = error.to_string();
    assert!(
        message.contains("does not tell what the model '") && message.contains("--max-tokens-total"),
        "{message}"
    );
    assert!(questions(server).await.is_empty());
    message
}

#[tokio::test]
async fn prices_are_asked_for_as_patiently_as_answers() {
    let model = Talkative::new(1);
    let server = model.start().await;
    for status in [503, 429] {
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(status))
            .with_priority(1)
            .up_to_n_times(1)
            .mount(&server)
            .await;
    }
    project(&server, None, 100.0).one(file("a.md")).await.unwrap();

    for (status, kind) in
        [(401, Kind::Authentication), (402, Kind::Credits), (302, Kind::Server), (500, Kind::Server)]
    {
        let server = model.start().await;
        let broken = ResponseTemplate::new(status).insert_header("Location", "/elsewhere");
        Mock::given(method("GET")).respond_with(broken).with_priority(1).mount(&server).await;
        let error = project(&server, None, 100.0).generate(files(2)).await.unwrap_err();
        assert!(matches!(&error, Error::Model { kind: k, .. } if *k == kind), "{status}: {error}");
        let message = error.to_string();
        assert!(message.starts_with("asking for the price of 'some/model' (for --max-cost): "), "{message}");
        assert!(questions(&server).await.is_empty());
    }
    // One that never answers is not waited for once the user has had enough.
    let silent = Scripted::start(vec![vec![Step::Pause(Duration::from_secs(60))]]);
    let mut project = Project::new(&silent.url);
    project.settings.max_cost = Some(1.0);
    let cancel = project.cancel.clone();
    let (result, ()) = tokio::join!(project.generate(files(1)), async {
        while silent.count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    });
    assert!(matches!(result, Err(Error::Interrupted)));
}

#[tokio::test]
async fn nobody_asks_for_prices_without_need() {
    let model = Talkative::new(1);
    let server = model.start().await;
    let requests = async || server.received_requests().await.unwrap().len();
    project(&server, 100_000, None).one(file("a.md")).await.unwrap();
    assert_eq!(requests().await, 1, "no limit of cost");
    let paid = project(&server, None, 100.0);
    paid.one(file("a.md")).await.unwrap();
    assert_eq!(requests().await, 3);
    paid.one(file("a.md")).await.unwrap();
    assert_eq!(requests().await, 3, "all is pinned");
    let mut local = project(&server, None, 0.0);
    local.endpoint.local = true;
    local.one(file("a.md")).await.unwrap();
    assert_eq!(requests().await, 4, "this machine asks no money");
}

#[tokio::test]
async fn a_key_of_ones_own_is_paid_for_elsewhere() {
    let told = |usage: Value| json!({"choices": [{"message": {"content": "Hi."}}], "usage": usage});
    for (own, cost) in [(true, 0.5), (false, 0.25)] {
        let usage = json!({
            "prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25, "is_byok": own,
            "cost_details": {"upstream_inference_cost": 0.25},
        });
        let server = MockServer::start().await;
        let whole = ResponseTemplate::new(200).set_body_json(told(usage));
        Mock::given(method("POST")).respond_with(whole).mount(&server).await;
        let generation = Project::new(&server.uri()).generate(files(1)).await.unwrap();
        assert_eq!(totals(&generation).cost, Some(cost));
    }
}
