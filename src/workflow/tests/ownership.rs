//! The table of ownership, and texts that a model has just written.

use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::project::{container, file};
use super::*;
use crate::settings::Overrides;

#[test]
fn a_file_that_is_overwritten_is_copied_where_it_is_not_ours() {
    // Known content, content that is there, and whether a copy is kept.
    let cases = [(None, "theirs", true), (Some("mine"), "mine", false), (Some("mine"), "edited", true)];
    for (known, there, copied) in cases {
        let bed = Bed::new();
        if let Some(known) = known {
            bed.apply_well(&[file("a", "/a", known)]);
        }
        bed.put(HOST, "path:/a", Thing::new(there, None));
        let report = bed.apply(&[file("a", "/a", "new")]);
        assert_eq!((report.failure, bed.things()), (None, vec!["h1 path:/a=new".to_owned()]));
        assert_eq!(permitted(&bed)["path:/a"].keep_copy, copied, "{known:?} {there}");
    }
}

#[test]
fn a_file_that_is_as_wanted_is_nobodys() {
    let bed = Bed::new();
    bed.put(HOST, "path:/a", Thing::new("x", None));
    let approver = FakeApprover::yes();
    let report = bed.run(Some(&[file("a", "/a", "x")]), &Options::new(Verb::Apply), Some(&approver)).unwrap();
    assert!(!approver.question().is_needed());
    assert_eq!((actions(&report), bed.known().len()), (vec!["a h1 unchanged".to_owned()], 1));
}

#[test]
fn a_file_that_is_removed_or_moves_is_copied_where_it_was_edited() {
    for (there, copied) in [("x", false), ("edited", true)] {
        for specs in [vec![], vec![file("a", "/b", "x")]] {
            let bed = Bed::new();
            bed.apply_well(&[file("a", "/a", "x")]);
            bed.put(HOST, "path:/a", Thing::new(there, None));
            bed.run(Some(&specs), &Options { prune: true, ..Options::new(Verb::Apply) }, None).unwrap();
            assert_eq!(permitted(&bed)["path:/a"].keep_copy, copied);
            assert!(bed.entry(HOST, "path:/a").is_none());
        }
        let bed = Bed::new();
        bed.apply_well(&[file("a", "/a", "x")]);
        bed.put(HOST, "path:/a", Thing::new(there, None));
        bed.destroy(None);
        assert_eq!(permitted(&bed)["path:/a"].keep_copy, copied);
    }
}

#[test]
fn a_thing_of_others_is_not_replaced_where_nobody_is_asked() {
    for label in [None, Some("another")] {
        for approver in [None, Some(FakeApprover { can_ask: false, ..FakeApprover::yes() })] {
            let bed = Bed::new();
            bed.apply_well(&[]);
            bed.put(HOST, "container:web", Thing::new("theirs", label));
            let before = bed.state_file();
            let specs = [file("a", "/a", "x"), container("web", "web", "v1", &[])];
            let approver = approver.as_ref().map(|approver| approver as &dyn Approver);
            let (class, message) = refused(bed.run(Some(&specs), &Options::new(Verb::Apply), approver));
            assert_eq!(class, "OwnershipError");
            assert!(message.contains("Container 'web' on h1") && message.contains("--yes"), "{message}");
            assert_eq!((bed.log().len(), bed.state_file()), (0, before));
        }
    }
}

#[test]
fn a_thing_of_others_is_replaced_where_somebody_says_so() {
    let specs = [container("web", "web", "v1", &[])];
    let bed = Bed::new();
    bed.put(HOST, "container:web", Thing::new("theirs", Some("another")));
    bed.run(Some(&specs), &Options { yes: true, ..Options::new(Verb::Apply) }, None).unwrap();
    assert_eq!(bed.things(), ["h1 container:web=v1"]);

    let bed = Bed::new();
    bed.put(HOST, "container:web", Thing::new("theirs", Some("another")));
    let approver = FakeApprover::yes();
    let report = bed.run(Some(&specs), &Options::new(Verb::Apply), Some(&approver)).unwrap();
    let question = approver.question();
    assert!(question.takes_over && question.takes_away && question.defaults_to_no());
    assert!(row(&report, "web").reason.as_ref().unwrap().contains("this project did not make what is there"));
    assert_eq!(bed.things(), ["h1 container:web=v1"]);
}

#[test]
fn a_thing_that_somebody_else_has_replaced_is_theirs_also_at_a_destroy() {
    let bed = Bed::new();
    bed.apply_well(&[container("web", "web", "v1", &[])]);
    bed.put(HOST, "container:web", Thing::new("v1", Some("another")));
    let (class, _) = refused(bed.run(None, &Options::new(Verb::Destroy), None));
    assert_eq!(
        (class, bed.things().len(), bed.known()),
        ("OwnershipError", 1, vec!["h1 container:web".to_owned()])
    );
}

#[test]
fn a_thing_that_carries_our_label_is_ours_although_nobody_knows_it() {
    let bed = Bed::new();
    bed.apply_well(&[container("web", "web", "v1", &[])]);
    Store::new(bed.folder.path())
        .update(|state| state::forget(state, &container("web", "web", "v1", &[]).address, None))
        .unwrap();
    assert_eq!(bed.apply(&[container("web", "web", "v2", &[])]).failure, None);
}

/// A server that writes one text, and the options that ask it.
fn model(text: &str) -> (MockServer, Options) {
    let runtime = crate::runtime::get().unwrap();
    let chunk = serde_json::json!({
        "model": "some/model", "choices": [{"delta": {"content": text}, "finish_reason": "stop"}],
    });
    let body = format!("data: {chunk}\n\ndata: [DONE]\n\n");
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(200).set_body_raw(body, "text/event-stream");
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        server
    });
    let overrides = Overrides {
        base_url: Some(format!("{}/v1", server.uri())),
        model: Some("some/model".into()),
        ..Overrides::default()
    };
    (server, Options { overrides, ..Options::new(Verb::Apply) })
}

#[test]
fn what_a_model_has_just_written_and_the_host_executes_is_reviewed_first() {
    let (_server, options) = model("run me");
    let bed = Bed::new();
    let specs = [Spec { executes: true, ..file("a.sh", "/a", "").asks("A script") }];
    let (class, message) = refused(bed.run(Some(&specs), &options, None));
    assert_eq!((class, bed.log().len()), ("ReviewError", 0));
    assert!(message.contains("File 'a.sh' on h1") && message.contains("clockwork.lock"), "{message}");
    // It is pinned by now, and was there to be reviewed.
    assert_eq!(bed.run(Some(&specs), &options, None).unwrap().failure, None);
    assert_eq!(bed.things(), ["h1 path:/a=run me"]);
}

#[test]
fn what_the_host_executes_goes_where_somebody_says_so() {
    let (_server, options) = model("run me");
    let bed = Bed::new();
    let specs = [Spec { executes: true, ..file("a.sh", "/a", "").asks("A script") }];
    bed.run(Some(&specs), &Options { yes: true, ..options }, None).unwrap();
    assert_eq!(bed.things(), ["h1 path:/a=run me"]);
}

#[test]
fn other_texts_are_shown_and_go_where_nobody_is_asked() {
    let (_server, options) = model("read me");
    let specs = [file("a.txt", "/a", "").asks("A text")];
    let bed = Bed::new();
    let approver = FakeApprover::yes();
    bed.run(Some(&specs), &options, Some(&approver)).unwrap();
    let question = approver.question();
    assert!(question.new_texts && question.is_needed() && !question.defaults_to_no());
    bed.run(Some(&specs), &options, Some(&approver)).unwrap();
    assert!(!approver.question().is_needed(), "it is pinned");

    let bed = Bed::new();
    assert_eq!(bed.run(Some(&specs), &options, None).unwrap().failure, None);
    assert_eq!(bed.things(), ["h1 path:/a=read me"]);
}

#[test]
fn a_text_that_the_model_cannot_write_stops_a_run_before_any_host() {
    let bed = Bed::new();
    let overrides = Overrides { base_url: Some("http://127.0.0.1:1/v1".into()), ..Overrides::default() };
    let locked = Options { locked: true, overrides, ..Options::new(Verb::Apply) };
    let specs = [file("a.txt", "/a", "").asks("A text"), file("b", "/b", "x")];
    assert!(matches!(bed.run(Some(&specs), &locked, None), Err(Error::Locked { .. })));
    assert_eq!((bed.log().len(), bed.known().len()), (0, 0));
}
