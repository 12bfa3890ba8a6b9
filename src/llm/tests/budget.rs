//! A budget is a limit: no answer, however long, and no number of requests crosses it.

use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::project::totals;
use super::server::{STREAM, Scripted, Step};
use super::talkative::{Talkative, files, is_budget, project, questions};
use super::{Project, answer, bodies, file, service};
use crate::llm::{Regenerate, prepare};

#[tokio::test]
async fn however_long_the_answers_are_the_limit_of_tokens_holds() {
    for wants in [300, 2000, 8000, 1_000_000] {
        for most in [3500, 6000, 20_000, 70_000] {
            let model = Talkative::new(wants);
            let server = model.start().await;
            let project = project(&server, most, None);
            let generation = project.generate(files(10)).await.unwrap();
            let totals = totals(&generation);
            assert_eq!(totals.tokens_in.unwrap() + totals.tokens_out.unwrap(), model.tokens());
            assert!(model.tokens() <= most, "{} of {most} tokens, wanting {wants}", model.tokens());
            assert!(bodies(&server).await.iter().all(|body| body["max_tokens"].is_u64()));
            assert_eq!(project.lock().entries().count(), totals.asked);
            match (wants, most) {
                // With enough tokens, all artifacts are there, and were asked for at once.
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
            assert!((totals(&generation).cost.unwrap_or(0.0) - told.cost).abs() < 1e-9);
            match (wants, most) {
                (_, ..=1.0) => assert!(told.arrivals.is_empty(), "what one may cost is more than there is"),
                (300, 300.0) => assert_eq!(told.arrivals.len(), 8, "there is enough for all"),
                _ => assert!(told.arrivals.len() > usize::from(most > 30.0), "it pays for one, or for more"),
            }
        }
    }
    // With enough money, no request waits for the cost of the first.
    let model = Talkative::new(300);
    let server = model.start().await;
    let generation = project(&server, None, 10_000.0).generate(files(8)).await.unwrap();
    assert!(generation.errors.is_empty());
    assert!(model.told.lock().unwrap().arrivals.len() == 8 && model.overlapped());
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

    // The usage that it told before it broke off is not all that it used.
    let begun = json!({"choices": [{"delta": {"content": "Hm"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}});
    let steps = vec![Step::Send(STREAM.into()), Step::Send(format!("data: {begun}\n\n").into_bytes())];
    let server = Scripted::start(vec![steps]);
    let mut project = Project::new(&server.url);
    project.settings.max_tokens_total = Some(20_000);
    assert!(is_budget(&project.one(file("a.md")).await.unwrap_err()));
    assert_eq!(server.count(), 3);

    // A model was at work where the server gave up waiting for it.
    for status in [408, 504, 524] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
        let error = self::project(&server, 20_000, None).one(file("a.md")).await.unwrap_err();
        assert!(is_budget(&error), "{status}: {error}");
    }

    // A request that the server rejected has used nothing.
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
async fn what_one_question_finds_out_the_next_one_knows() {
    let renamed = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
    let server = MockServer::start().await;
    for (name, message) in [("max_tokens", renamed), ("stream_options", "stream_options: extra field")] {
        let refusal = ResponseTemplate::new(400).set_body_json(json!({"error": {"message": message}}));
        let named = body_string_contains(format!("\"{name}\""));
        Mock::given(named).respond_with(refusal).with_priority(1).mount(&server).await;
    }
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    let mut project = project(&server, 50_000, None);
    project.settings.concurrency = 1;
    let generation = project.generate(files(3)).await.unwrap();
    assert_eq!((generation.artifacts.len(), bodies(&server).await.len()), (3, 5));
}

#[tokio::test]
async fn where_there_is_no_room_for_thoughts_the_answer_alone_will_do() {
    let too_large = "'max_tokens' or 'max_completion_tokens' is too large: 5496. This model's maximum context length \
                     is 4096 tokens.";
    let refusal = || ResponseTemplate::new(400).set_body_json(json!({"error": {"message": too_large}}));
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(refusal()).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(answer("{")).up_to_n_times(1).mount(&server).await;
    // The talk about the answer is too long once more, and so begins anew.
    Mock::given(method("POST")).respond_with(refusal()).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(answer("{}")).mount(&server).await;
    let mut project = project(&server, 50_000, None);
    project.settings.max_repairs = 1;
    project.one(file("a.json")).await.unwrap();
    let sent = bodies(&server).await;
    let told =
        |body: &Value| (body["max_tokens"].as_u64().unwrap(), body["messages"].as_array().unwrap().len());
    assert_eq!(sent.iter().map(told).collect::<Vec<_>>(), [(5496, 2), (700, 2), (700, 4), (700, 2)]);
}

#[tokio::test]
async fn what_waits_for_room_is_told_that_it_is_in_vain() {
    let server = MockServer::start().await;
    let gone = ResponseTemplate::new(402).set_delay(std::time::Duration::from_millis(50));
    Mock::given(method("POST")).respond_with(gone).mount(&server).await;
    let generation = project(&server, 9000, None).generate(files(4)).await.unwrap();
    assert_eq!((bodies(&server).await.len(), generation.errors.len(), generation.outcomes.len()), (1, 1, 4));
    assert!(generation.error().unwrap().to_string().contains("out of credits"));
}

#[tokio::test]
async fn a_length_of_its_own_is_only_ever_made_shorter() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer("hello")).mount(&server).await;
    let mut project = project(&server, 50_000, None);
    project.endpoint.parameters.insert("max_tokens".into(), 100.into());
    let prepared = prepare(files(1), &project.lock(), &Regenerate::None).unwrap();
    project.generate(files(1)).await.unwrap();
    assert_eq!(bodies(&server).await[0], prepared.missing[0].messages(&project.endpoint));
}
