//! Tests of the comparison with the state: drift, changes, upgrades and owners.

use super::*;

fn compared(outcome: ResourceOutcome, wanted: &CompiledResource, state: &State) -> ResourceOutcome {
    let mut plan = planned(vec![outcome]);
    compare(&mut plan, std::slice::from_ref(wanted), state, &|_, field| field == "content");
    plan.resources.remove(0)
}

/// The entry of a deployed resource, with something changed in it.
fn altered(resource: &CompiledResource, change: impl FnOnce(&mut Deployed)) -> StateEntry {
    let state = deployed(std::slice::from_ref(resource));
    let mut entry = state.entries()[0].clone();
    change(entry.deployed.as_mut().unwrap());
    entry
}

/// The outcome of comparing with one entry only.
fn against_entry(action: Action, wanted: &CompiledResource, entry: &StateEntry) -> ResourceOutcome {
    let mut outcome = outcome(&wanted.address.name, action);
    against(&mut outcome, wanted, entry, &|_, _| false);
    outcome
}

#[test]
fn a_difference_that_nobody_wanted_is_drift() {
    let a = file("a", "one");
    let state = deployed(std::slice::from_ref(&a));
    for (action, expected, told) in [
        (Action::Change, Action::Drifted, Some("changed by somebody else since it was deployed at 20")),
        (Action::Create, Action::Drifted, Some("removed by somebody else since it was deployed at 20")),
        (Action::Conditional, Action::Conditional, None),
        (Action::Unchanged, Action::Unchanged, None),
        (Action::Skipped, Action::Skipped, None),
        (Action::Remove, Action::Remove, None),
    ] {
        let compared = compared(outcome("a", action), &a, &state);
        assert_eq!((compared.action, compared.group.as_deref()), (expected, Some("site")), "{action:?}");
        let reason = compared.reason.as_deref();
        assert!(told.map_or(reason.is_none(), |told| reason.unwrap().starts_with(told)), "{reason:?}");
    }
    let unknown = compared(outcome("a", Action::Create), &a, &State::default());
    assert_eq!((unknown.action, unknown.reason), (Action::Create, None));
    let failed = ResourceOutcome { error: Some("no".into()), ..outcome("a", Action::Change) };
    assert_eq!(compared(failed, &a, &state).action, Action::Change, "its error tells enough");
}

#[test]
fn drift_lists_the_fields_of_the_intent_but_no_content() {
    let a = file("a", "one");
    let state = deployed(std::slice::from_ref(&a));
    let field = |field: &str, before: Value| json!({"field": field, "before": before, "after": "644"});
    let changes =
        json!([field("mode", json!("600")), field("content", json!("x")), field("owner", Value::Null)]);
    let intent = json!({ "changes": changes });
    let change =
        FieldChange { field: "mode".into(), before: json!("600"), after: json!("644"), by_model: false };
    let drifted = compared(intending(outcome("a", Action::Change), &intent), &a, &state);
    assert_eq!(drifted.changes, [change]);
    let fresh = compared(intending(outcome("a", Action::Create), &intent), &a, &State::default());
    assert_eq!(fresh.changes, [], "a resource that is new has drifted from nothing");
}

#[test]
fn changes_of_main_py_are_told_field_by_field() {
    let state = deployed(&[file("a", "one")]);
    let mut without_mode = file("a", "two");
    without_mode.fields.shift_remove("mode");
    let change = |field: &str, before: Value, after: Value, by_model| FieldChange {
        field: field.into(),
        before,
        after,
        by_model,
    };
    let content = || change("content", json!("one"), json!("two"), true);
    for (wanted, changes) in [
        (file("a", "two"), vec![content()]),
        (without_mode, vec![content(), change("mode", json!("644"), Value::Null, false)]),
    ] {
        let compared = compared(outcome("a", Action::Change), &wanted, &state);
        assert_eq!((compared.action, compared.reason), (Action::Change, None));
        assert_eq!(compared.changes, changes);
    }
}

#[test]
fn reasons_tell_changes_from_drift_and_upgrades() {
    let a = file("a", "one");
    let known = altered(&a, |_| {});
    let taken_down_otherwise = taken_down_by(a.clone(), vec![code("rm -f a")]);
    let secret = CompiledResource { fields_fingerprint: "of another secret".into(), ..a.clone() };
    let mut brought_up_otherwise = a.clone();
    brought_up_otherwise.deploy.push(code("more"));
    brought_up_otherwise.seal(LINEAGE, &a.fields);
    let older = altered(&a, |deployed| deployed.by = "0.0.1".into());
    let format_1 = altered(&a, |deployed| deployed.fields_fingerprint = None);
    let upgrade = format!("an upgrade: Clockwork {VERSION} deploys it in another way than 0.0.1 did");
    for (why, wanted, entry, action, told) in [
        ("a takedown", &taken_down_otherwise, &known, Action::Change, "its operations are other ones now"),
        ("a deploy", &brought_up_otherwise, &known, Action::Change, "its operations are other ones now"),
        ("a new version", &brought_up_otherwise, &older, Action::Change, upgrade.as_str()),
        ("a secret", &secret, &known, Action::Change, "what differs is not kept, such as a secret"),
        ("an old state", &a, &format_1, Action::Drifted, "changed by somebody else"),
        (
            "an old state knows no steps",
            &brought_up_otherwise,
            &format_1,
            Action::Drifted,
            "changed by somebody",
        ),
    ] {
        let compared = against_entry(Action::Change, wanted, entry);
        assert_eq!(compared.action, action, "{why}");
        let reason = compared.reason.unwrap();
        assert!(reason.starts_with(told), "{why}: {reason}");
        assert_eq!(compared.changes, [], "{why}");
        let unchanged = against_entry(Action::Unchanged, wanted, entry);
        assert_eq!(unchanged.reason, None, "{why}: nothing is done");
    }
}

#[test]
fn nobody_is_blamed_for_a_run_that_did_not_end() {
    let a = file("a", "one");
    let mut state = deployed(std::slice::from_ref(&a));
    begin(&mut state, &[outcome("a", Action::Change)], std::slice::from_ref(&a));
    for action in [Action::Create, Action::Change, Action::Conditional] {
        let compared = compared(outcome("a", action), &a, &state);
        assert_eq!(compared.action, action);
        assert_eq!(compared.reason.unwrap(), "an earlier run did not get to its end");
        assert!(!compared.prior.settled);
    }
    assert_eq!(compared(outcome("a", Action::Unchanged), &a, &state).reason, None);
}

#[test]
fn resources_are_settled_as_they_were_deployed_and_protected_as_main_py_says() {
    let state = deployed(&[file("a", "one"), guarded("kept")]);
    let mut begun = state.clone();
    begin(&mut begun, &[outcome("a", Action::Change)], &[file("a", "one")]);
    let away = on(&["elsewhere"], file("kept", "one"));
    for (why, outcome, wanted, state, expected) in [
        ("as it was", outcome("a", Action::Unchanged), file("a", "one"), &state, (true, false)),
        ("other fields", outcome("a", Action::Change), file("a", "two"), &state, (false, false)),
        ("not to its end", outcome("a", Action::Change), file("a", "one"), &begun, (false, false)),
        ("never", outcome("n", Action::Create), guarded("n"), &state, (false, true)),
        ("freed", outcome("kept", Action::Change), file("kept", "one"), &state, (true, false)),
        ("guarded now", outcome("a", Action::Change), guarded("a"), &state, (true, true)),
        ("an orphan", gone("kept", Action::Remove), file("a", "one"), &state, (false, true)),
        ("on a host that it is no longer for", removal("kept", Action::Remove), away, &state, (false, true)),
        ("a removal", removal("kept", Action::Remove), file("kept", "one"), &state, (true, false)),
    ] {
        let prior = compared(outcome, &wanted, state).prior;
        assert_eq!((prior.settled, prior.protected), expected, "{why}");
    }
}

#[test]
fn groups_are_those_of_main_py_or_else_of_the_state() {
    let state = deployed(&[file("a", "one")]);
    let moved = CompiledResource { group: Some("web".into()), ..file("a", "one") };
    for (why, outcome, state, group) in [
        ("main.py has it", outcome("a", Action::Change), &state, "web"),
        ("its old thing goes", removal("a", Action::Remove), &state, "site"),
        ("it is gone", gone("a", Action::Remove), &state, "site"),
        ("it was never deployed", removal("a", Action::Remove), &State::default(), "web"),
    ] {
        assert_eq!(compared(outcome, &moved, state).group.as_deref(), Some(group), "{why}");
    }
}

#[test]
fn sentences_tell_whose_a_thing_is() {
    let one = || sha256(b"one");
    let overwrites = |found: String| json!({"overwrites": "path:/k/a", "found": {"sha256": found}});
    let removes = |found: String| json!({"action": "remove", "found": {"sha256": found}});
    let theirs = || json!({"replaces": "path:/k/a", "found": {"project": "theirs"}});
    let mut copied = overwrites("by hand".into());
    copied["reason"] = json!("a copy is in /var/backups");
    let state = deployed(&[file("a", "one")]);
    let empty = empty();
    let drifted = "since it was deployed at 20";
    for (why, outcome, intent, state, wanted, told) in [
        ("ours", Action::Change, overwrites(one()), &state, "two", vec![]),
        (
            "edited and changed",
            Action::Change,
            overwrites("by hand".into()),
            &state,
            "two",
            vec!["it was edited since it was deployed: a copy of it is kept"],
        ),
        ("drifted, but not in its content", Action::Change, overwrites(one()), &state, "one", vec![drifted]),
        (
            "drifted",
            Action::Change,
            overwrites("by hand".into()),
            &state,
            "one",
            vec![drifted, "; a copy of it is kept"],
        ),
        (
            "the operation knows where",
            Action::Change,
            copied,
            &state,
            "one",
            vec![drifted, "; a copy is in /var/backups"],
        ),
        (
            "foreign",
            Action::Change,
            overwrites("theirs".into()),
            &empty,
            "one",
            vec!["this project did not write the file that is there: a copy of it is kept"],
        ),
        (
            "a thing of somebody's",
            Action::Change,
            theirs(),
            &empty,
            "one",
            vec!["this project did not make what is there"],
        ),
        ("removal of ours", Action::Remove, removes(one()), &state, "one", vec![]),
        (
            "removal of an edited one",
            Action::Remove,
            removes("by hand".into()),
            &state,
            "one",
            vec!["it was edited since it was deployed: a copy of it is kept"],
        ),
    ] {
        let outcome = match outcome {
            Action::Remove => removal("a", Action::Remove),
            action => super::outcome("a", action),
        };
        let reason = compared(intending(outcome, &intent), &file("a", wanted), state).reason;
        assert_eq!(reason.is_some(), !told.is_empty(), "{why}: {reason:?}");
        for told in told {
            assert!(reason.as_ref().unwrap().contains(told), "{why}: {reason:?}");
        }
    }
}
