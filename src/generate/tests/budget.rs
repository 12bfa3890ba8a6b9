//! A budget is a limit: no answer, however long, and no number of requests crosses it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::server::{STREAM, Scripted, Step};
use super::{Project, answer, bodies, file, service};
use crate::error::{Error, ModelErrorKind as Kind};
use crate::generate::prepare;
use crate::resource;

/// How long an answer takes.
const TIME: Duration = Duration::from_millis(60);
/// US dollars for a token of a question; one of an answer costs four times as much.
const PRICE: f64 = 0.001;

/// A server whose model has much to say and stops where it has to. Its tokens are as short as tokens
/// can be: each byte is one.
#[derive(Clone)]
struct Talkative {
    /// So many tokens it would like to write.
    wants: u64,
    text: &'static str,
    told: Arc<Mutex<Told>>,
}

/// What the server has told of what its answers used.
#[derive(Default)]
struct Told {
    tokens: u64,
    cost: f64,
    arrivals: Vec<Instant>,
}

impl Talkative {
    fn new(wants: u64) -> Self {
        Self { wants, text: "Some words.", told: Arc::default() }
    }

    async fn start(&self) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(self.clone()).mount(&server).await;
        list(&server, "some/model", &[prices(PRICE, 4.0 * PRICE)]).await;
        server
    }

    fn tokens(&self) -> u64 {
        self.told.lock().unwrap().tokens
    }

    /// Whether a request came in while another was being answered.
    fn overlapped(&self) -> bool {
        self.told.lock().unwrap().arrivals.windows(2).any(|pair| pair[1] - pair[0] < TIME)
    }
}

impl Respond for Talkative {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = request.body_json().unwrap();
        let messages = body["messages"].as_array().unwrap();
        let question: usize = messages.iter().map(|message| message["content"].as_str().unwrap().len()).sum();
        // What a server puts around a talk, and the schema, which it reads as well.
        let around = 100 + body.get("response_format").map_or(0, |format| format.to_string().len());
        let tokens_in = u64::try_from(question + around).unwrap();
        let most = body["max_tokens"].as_u64().unwrap_or(u64::MAX);
        let tokens_out = self.wants.min(most);
        let finish = if most < self.wants { "length" } else { "stop" };
        #[allow(clippy::cast_precision_loss)]
        let cost = PRICE * (tokens_in + 4 * tokens_out) as f64;
        let mut told = self.told.lock().unwrap();
        told.tokens += tokens_in + tokens_out;
        told.cost += cost;
        told.arrivals.push(Instant::now());
        let whole = json!({
            "choices": [{"message": {"content": self.text}, "finish_reason": finish}],
            "usage": {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "cost": cost},
        });
        ResponseTemplate::new(200).set_body_json(whole).set_delay(TIME)
    }
}

/// What a provider asks for its tokens, as OpenRouter lists it.
fn prices(question: f64, answer: f64) -> Value {
    json!({"prompt": question.to_string(), "completion": answer.to_string(), "request": "0"})
}

/// Has a server list the prices of a model's providers.
async fn list(server: &MockServer, model: &str, providers: &[Value]) {
    let providers: Vec<Value> = providers.iter().map(|prices| json!({"pricing": prices})).collect();
    let body = json!({"data": {"id": model, "endpoints": providers}});
    Mock::given(method("GET"))
        .and(path(format!("/models/{model}/endpoints")))
        .and(header("authorization", "Bearer sk-hidden"))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

/// The questions that a server got, without what else it was asked.
async fn questions(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|r| r.method == "POST").map(|r| r.body_json().unwrap()).collect()
}

fn project(server: &MockServer, tokens: impl Into<Option<u64>>, cost: impl Into<Option<f64>>) -> Project {
    let mut project = Project::new(&server.uri());
    project.settings.max_tokens_total = tokens.into();
    project.settings.max_cost = cost.into();
    project
}

fn files(count: usize) -> Vec<resource::Request> {
    (0..count).map(|n| file(&format!("{n}.txt"))).collect()
}

fn is_budget(error: &Error) -> bool {
    matches!(error, Error::Model { kind: Kind::Budget, .. })
}

#[tokio::test]
async fn however_long_the_answers_are_the_limit_of_tokens_holds() {
    for wants in [300, 2000, 8000, 1_000_000] {
        for most in [3500, 6000, 20_000, 70_000] {
            let model = Talkative::new(wants);
            let server = model.start().await;
            let project = project(&server, most, None);
            let generation = project.generate(files(10)).await.unwrap();
            let totals = generation.totals();
            assert_eq!(totals.tokens_in.unwrap() + totals.tokens_out.unwrap(), model.tokens());
            assert!(model.tokens() <= most, "{} of {most} tokens, wanting {wants}", model.tokens());
            assert!(bodies(&server).await.iter().all(|body| body["max_tokens"].is_u64()));
            assert_eq!(project.lock().entries().count(), totals.asked);
            match (wants, most) {
                // Where there is enough, all of it is there, and it was asked for at once.
                (300, 70_000) => assert!(totals.asked == 10 && model.overlapped()),
                (300, 20_000) => assert_eq!(totals.asked, 10),
                (_, 70_000) => {}
                _ => assert!(generation.errors.iter().any(|(_, error)| is_budget(error)), "{wants} {most}"),
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_the_budget_cuts_off_is_an_error_of_the_budget() {
    for request in [file("a.md"), service("web")] {
        let model = Talkative::new(1_000_000);
        let server = model.start().await;
        let project = project(&server, 5000, None);
        let error = project.one(request).await.unwrap_err();
        let sent = bodies(&server).await;
        assert!(is_budget(&error) && sent.len() == 1, "{error}");
        let wanted = format!(
            "what the run may use is used up: the answer was cut off after the {} tokens that the limit of 5000 \
             tokens (--max-tokens-total) left for it; it is kept in ",
            sent[0]["max_tokens"]
        );
        assert!(error.to_string().contains(&wanted), "{error}");
        assert!(error.to_string().contains("Raise the limit, or ask for a smaller size."), "{error}");
        assert!(project.lock().entries().next().is_none());
        let kept = std::fs::read_dir(project.folder.path().join(".clockwork/failed")).unwrap().next();
        assert_eq!(std::fs::read_to_string(kept.unwrap().unwrap().path()).unwrap(), "Some words.");
    }
}

#[tokio::test]
async fn a_budget_too_small_for_anything_sends_nothing() {
    let model = Talkative::new(10);
    let server = model.start().await;
    for (tokens, cost) in [(Some(1000), None), (None, Some(0.0))] {
        let generation = project(&server, tokens, cost).generate(files(3)).await.unwrap();
        let error = generation.error().unwrap();
        assert!(is_budget(&error), "{error}");
        assert!(error.to_string().contains("not asked for, because "), "{error}");
        assert!(error.to_string().contains("The limit stopped 2 more."), "{error}");
    }
    assert!(questions(&server).await.is_empty());
}

#[tokio::test]
async fn the_limit_of_cost_holds_from_the_first_answer_on() {
    for wants in [300, 2000, 1_000_000] {
        for most in [0.001, 1.0, 7.0, 30.0, 100.0, 300.0] {
            let model = Talkative::new(wants);
            let server = model.start().await;
            let project = project(&server, None, most);
            let generation = project.generate(files(8)).await.unwrap();
            let told = model.told.lock().unwrap();
            assert!(told.cost <= most, "${} of ${most}, wanting {wants}", told.cost);
            assert!((generation.totals().cost.unwrap_or(0.0) - told.cost).abs() < 1e-9);
            match (wants, most) {
                (_, ..=1.0) => assert!(told.arrivals.is_empty(), "what one may cost is more than there is"),
                (300, 300.0) => assert_eq!(told.arrivals.len(), 8, "there is enough for all"),
                _ => assert!(told.arrivals.len() > usize::from(most > 30.0), "it pays for one, or for more"),
            }
        }
    }
    // Where there is enough, nobody waits for the first to tell what it cost.
    let model = Talkative::new(300);
    let server = model.start().await;
    let generation = project(&server, None, 10_000.0).generate(files(8)).await.unwrap();
    assert!(generation.errors.is_empty());
    let arrivals = &model.told.lock().unwrap().arrivals;
    assert!(arrivals.len() == 8 && arrivals[1] - arrivals[0] < TIME, "{arrivals:?}");
}

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
    let server = Talkative::new(1).start().await;
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

    for (status, kind) in [(401, Kind::Authentication), (302, Kind::Server), (500, Kind::Server)] {
        let server = model.start().await;
        let broken = ResponseTemplate::new(status).insert_header("Location", "/elsewhere");
        Mock::given(method("GET")).respond_with(broken).with_priority(1).mount(&server).await;
        let error = project(&server, None, 100.0).generate(files(2)).await.unwrap_err();
        assert!(matches!(&error, Error::Model { kind: k, .. } if *k == kind), "{status}: {error}");
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
        assert_eq!(generation.totals().cost, Some(cost));
    }
}

#[tokio::test]
async fn repairs_end_where_the_budget_does() {
    let model = Talkative { text: "{", ..Talkative::new(400) };
    let server = model.start().await;
    let mut project = project(&server, 12_000, None);
    project.settings.max_repairs = 20;
    let error = project.one(file("a.json")).await.unwrap_err();
    assert!(is_budget(&error) && error.to_string().contains("not asked for again, because"), "{error}");
    assert!(error.to_string().contains(" The last answer is kept in "), "{error}");
    assert!((2..8).contains(&bodies(&server).await.len()) && model.tokens() <= 12_000);
}

#[tokio::test]
async fn what_broke_off_is_taken_for_all_that_it_may_have_used() {
    let begun = json!({"choices": [{"delta": {"reasoning": "Hm."}}]});
    let steps = vec![Step::Send(STREAM.into()), Step::Send(format!("data: {begun}\n\n").into_bytes())];
    let server = Scripted::start(vec![steps]);
    let mut project = Project::new(&server.url);
    project.settings.max_tokens_total = Some(20_000);
    assert!(is_budget(&project.one(file("a.md")).await.unwrap_err()));
    assert_eq!(server.count(), 3);

    // What the server turned away has used nothing.
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(3)
        .mount(&server)
        .await;
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    let mut project = Project::new(&server.uri());
    project.settings.max_tokens_total = Some(10_000);
    project.one(file("a.md")).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_fails_counts_as_well() {
    let empty = json!({
        "choices": [{"message": {"content": ""}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2000, "completion_tokens": 2500},
    });
    let server = MockServer::start().await;
    let empty = ResponseTemplate::new(200).set_body_json(empty);
    Mock::given(method("POST")).respond_with(empty).mount(&server).await;
    let project = project(&server, 10_000, None);
    assert!(is_budget(&project.one(file("a.md")).await.unwrap_err()));
    assert_eq!(bodies(&server).await.len(), 2);
}

#[tokio::test]
async fn the_longest_answer_has_the_name_that_the_server_knows() {
    let renamed = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
    let refusal = ResponseTemplate::new(400).set_body_json(json!({"error": {"message": renamed}}));
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(refusal).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    let project = project(&server, 50_000, None);
    project.one(file("a.md")).await.unwrap();
    let sent = bodies(&server).await;
    assert_eq!(
        (&sent[0]["max_tokens"], &sent[1]["max_tokens"]),
        (&sent[1]["max_completion_tokens"], &Value::Null)
    );
}

#[tokio::test]
async fn a_length_of_its_own_is_only_ever_made_shorter() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    let mut project = project(&server, 50_000, None);
    project.endpoint.parameters.insert("max_tokens".into(), 100.into());
    let prepared = prepare(files(1), &project.lock()).unwrap();
    project.generate(files(1)).await.unwrap();
    assert_eq!(bodies(&server).await[0], prepared.missing[0].messages(&project.endpoint));
}
