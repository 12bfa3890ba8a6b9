//! Tests of rounds and notifications.

use super::*;
use crate::outcome::{
    ArtifactOutcome, ArtifactReport, DeployOutcome, OperationOutcome, Prior, ResourceOutcome,
};

fn resource(name: &str, host: &str, action: Action) -> ResourceOutcome {
    let operation = OperationOutcome {
        name: format!("Put {name}"),
        action,
        changed: action.is_change(),
        error: None,
        seconds: 0.1,
        diff: Some("-secret\n+other\n".to_owned()),
        replaces: false,
        intent: None,
    };
    let address = Address { kind: "FileResource".to_owned(), name: name.to_owned() };
    let mut resource = ResourceOutcome::new(address, host, vec![operation], None);
    resource.prior = Prior { settled: true, ..Prior::default() };
    resource
}

fn report(resources: Vec<ResourceOutcome>) -> Report {
    Report { deploy: DeployOutcome { resources, ..DeployOutcome::default() }, ..Report::new("plan", false) }
}

fn round(resources: Vec<ResourceOutcome>) -> Round {
    let mut round = Round::new(1, "/home/me/site".to_owned());
    round.add_plan(report(resources));
    round
}

fn away(mut round: Round, host: &str) -> Round {
    round.host_errors.push(HostError { host: host.to_owned(), error: "no answer".to_owned() });
    round
}

fn names(resources: &[ResourceOutcome]) -> Vec<&str> {
    resources.iter().map(|resource| resource.address.name.as_str()).collect()
}

fn words(notifications: &[Notification]) -> Vec<&'static str> {
    notifications.iter().map(|notifications| notifications.kind.word()).collect()
}

#[test]
fn tells_drift_from_what_main_py_wants() {
    let mut unsettled = resource("moved", "h", Action::Drifted);
    unsettled.prior.settled = false;
    let mut new_shell = resource("shell", "h", Action::Conditional);
    new_shell.prior.settled = false;
    let mut broken = resource("broken", "h", Action::Skipped);
    broken.error = Some("no Docker".to_owned());
    let mut gone = resource("gone", "h", Action::Remove);
    gone.gone = true;
    let mut plan = report(vec![
        resource("drifted", "h", Action::Drifted),
        resource("same", "h", Action::Unchanged),
        resource("always", "h", Action::Conditional),
        resource("new", "h", Action::Create),
        unsettled,
        new_shell,
        broken,
        gone,
        ResourceOutcome { error: Some("no answer".into()), ..resource("same", "away", Action::Skipped) },
    ]);
    plan.deploy.host_errors = away(round(Vec::new()), "away").host_errors;
    let address = Address { kind: "FileResource".into(), name: "unwritten".into() };
    let lacking = ArtifactOutcome { error: Some("nothing".into()), ..ArtifactOutcome::new(address) };
    plan.artifacts = vec![ArtifactReport::new(lacking)];
    let mut round = Round::new(1, String::new());
    round.add_plan(plan);
    assert_eq!(names(&round.drifted), ["drifted"]);
    assert_eq!(names(&round.pending), ["new", "moved", "shell", "gone"]);
    assert_eq!(names(&round.unknown), ["broken"]);
    assert_eq!(round.missing[0].outcome.address.name, "unwritten");
    assert_eq!(round.watched, 6);
    assert!(!round.is_well());
}

#[test]
fn the_state_tells_drift_from_what_is_pending() {
    for (action, settled, drifted, pending) in [
        (Action::Drifted, true, 1, 0),
        (Action::Drifted, false, 0, 1),
        (Action::Conditional, true, 0, 0),
        (Action::Conditional, false, 0, 1),
        (Action::Change, true, 0, 1),
        (Action::Create, false, 0, 1),
        (Action::Unchanged, true, 0, 0),
        (Action::Unchanged, false, 0, 0),
        (Action::Skipped, false, 0, 0),
    ] {
        let prior = Prior { settled, ..Prior::default() };
        let round = round(vec![ResourceOutcome { prior, ..resource("a", "h", action) }]);
        assert_eq!((round.drifted.len(), round.pending.len()), (drifted, pending), "{action:?} {settled}");
    }
}

#[test]
fn only_protected_drift_that_would_be_replaced_stays() {
    for (protected, replaces, is_repaired) in
        [(false, false, true), (false, true, true), (true, false, true), (true, true, false)]
    {
        let prior = Prior { settled: true, protected };
        let drifted = ResourceOutcome { replaces, prior, ..resource("a", "h", Action::Drifted) };
        let mut round = round(vec![drifted]);
        assert_eq!(round.repairable().len(), usize::from(is_repaired), "{protected} {replaces}");
        assert_eq!(round.notes.is_empty(), is_repaired);
    }
}

#[test]
fn what_is_protected_is_not_replaced() {
    let mut kept = resource("kept", "h", Action::Drifted);
    kept.prior.protected = true;
    let mended = kept.clone();
    kept.replaces = true;
    let mut round = round(vec![kept, ResourceOutcome { host: "other".into(), ..mended }]);
    assert_eq!(round.repairable().into_iter().map(|(_, host)| host).collect::<Vec<_>>(), ["other"]);
    assert_eq!(round.notes.len(), 1);
    assert!(round.notes[0].contains("'kept' on h is protected"));
}

#[test]
fn what_came_of_a_repair() {
    let all = ["good", "bad", "quick", "unwell"];
    let mut round = round(all.iter().map(|name| resource(name, "h", Action::Drifted)).collect());
    let mut done = report(all.iter().map(|name| resource(name, "h", Action::Drifted)).collect());
    done.deploy.resources[1].error = Some("read-only".to_owned());
    done.deploy.resources[2].action = Action::Unchanged;
    done.checks.push(CheckOutcome {
        address: done.deploy.resources[3].address.clone(),
        host: "h".to_owned(),
        assertion: "port 80 is open".to_owned(),
        ok: false,
        error: Some("nothing listens there".to_owned()),
        attempts: 1,
        seconds: 0.0,
    });
    round.add_repair(done);
    assert_eq!(names(&round.healed), ["good"]);
    assert_eq!(names(&round.failed), ["bad", "unwell"]);
    assert_eq!(
        round.failed[1].error.as_deref(),
        Some("it is repaired, but a check fails: port 80 is open: nothing listens there")
    );
    let unhealed: Vec<&str> = round.unhealed().map(|resource| resource.address.name.as_str()).collect();
    assert_eq!(unhealed, ["bad", "unwell"]);
}

#[test]
fn the_same_drift_is_told_once_and_again_when_it_changes_or_comes_back() {
    let mut log = NotificationLog::default();
    let drift = || round(vec![resource("a", "h", Action::Drifted), resource("b", "h", Action::Unchanged)]);
    assert_eq!(words(&log.notifications(&drift())), ["drift"]);
    assert_eq!(log.notifications(&drift()), []);
    let mut changed = drift();
    changed.drifted[0].diff = Some("another".to_owned());
    changed.drifted[0].seconds = 9.0;
    assert_eq!(words(&log.notifications(&changed)), ["drift"]);
    assert_eq!(log.notifications(&changed), []);
    assert_eq!(log.notifications(&round(Vec::new())), []);
    assert_eq!(words(&log.notifications(&changed)), ["drift"]);
    // The notification has only the new resource.
    let two = round(vec![changed.drifted[0].clone(), resource("b", "h", Action::Drifted)]);
    let notifications = log.notifications(&two);
    assert_eq!(names(&notifications[0].resources), ["b"]);
}

#[test]
fn what_is_healed_may_drift_again() {
    let mut log = NotificationLog::default();
    let mut healed = round(vec![resource("a", "h", Action::Drifted)]);
    healed.add_repair(report(vec![resource("a", "h", Action::Drifted)]));
    for _ in 0..2 {
        assert_eq!(words(&log.notifications(&healed)), ["drift", "healed"]);
    }
    let mut failed = round(vec![resource("a", "h", Action::Drifted)]);
    let places = failed.repairable();
    failed.add_failed_repair(&places, "disk full");
    assert_eq!(words(&log.notifications(&failed)), ["drift", "failed"]);
    assert_eq!(log.notifications(&failed), []);
}

#[test]
fn what_is_not_seen_is_not_forgotten() {
    let mut log = NotificationLog::default();
    let drift = || round(vec![resource("a", "h", Action::Drifted)]);
    log.notifications(&drift());
    let notifications = log.notifications(&away(round(Vec::new()), "h"));
    assert_eq!(words(&notifications), ["host_away"]);
    assert_eq!(notifications[0].message, "site: away: h (no answer)");
    assert_eq!(log.notifications(&away(round(Vec::new()), "h")), []);
    let mut broken = round(Vec::new());
    let message = "main.py stopped with an error\n  File main.py, line 1\nNameError: x".to_owned();
    broken.error = Some(Failure::new("LoadError", message));
    let notifications = log.notifications(&broken);
    assert_eq!(words(&notifications), ["round_failed"]);
    assert_eq!(
        notifications[0].message,
        "site: the round failed: main.py stopped with an error: NameError: x"
    );
    assert_eq!(log.notifications(&broken), []);
    // The host is back, and its earlier findings still hold.
    assert_eq!(words(&log.notifications(&drift())), ["host_back"]);
    assert_eq!(words(&log.notifications(&broken)), ["round_failed"]);
}

#[test]
fn a_document_holds_no_diff() {
    let many = (0..7).map(|number| resource(&format!("f{number}\n"), "h", Action::Drifted)).collect();
    let round = round(many);
    let notifications = NotificationLog::default().notifications(&round);
    let document = notifications[0].document(&round);
    assert!(!document.to_string().contains("secret"));
    assert_eq!(document["event"], "drift");
    assert_eq!(document["hosts"], serde_json::json!(["h"]));
    assert_eq!(document["resources"].as_array().map(Vec::len), Some(7));
    assert_eq!(document["resources"][0]["kind"], "FileResource");
    let text = document["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("site: drift: FileResource 'f0\\n' on h, "), "{text}");
    assert!(text.ends_with(" and 2 more"), "{text}");
    assert!(!text.contains('\n'));
}
