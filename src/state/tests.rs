//! What a run may do to the state, and what it must never lose.

mod properties;

use std::fs;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::*;
use crate::error::{Error, Result};
use crate::outcome::{Action, ResourceOutcome};

fn address(name: &str) -> Address {
    Address { kind: "FileResource".into(), name: name.into() }
}

fn wanted(name: &str, code: &str) -> Wanted {
    Wanted {
        address: address(name),
        source: Some("main.py".into()),
        group: None,
        protect: false,
        needs: Vec::new(),
        fingerprint: format!("up {code}"),
        fields: Map::from_iter([("path".to_owned(), json!(code))]),
        removal: Removal::Code(code.into()),
        has_place: true,
    }
}

fn outcome(name: &str, action: Action) -> ResourceOutcome {
    let changed = action.is_change();
    ResourceOutcome { action, changed, ..ResourceOutcome::new(address(name), "@local", Vec::new(), None) }
}

/// The same, where what was there before was taken away first, or was not.
fn made_way_for(mut outcome: ResourceOutcome, made_way: bool) -> ResourceOutcome {
    outcome.standing.made_way = made_way;
    outcome
}

fn failed(name: &str) -> ResourceOutcome {
    ResourceOutcome { error: Some("no".into()), ..outcome(name, Action::Create) }
}

fn gone(name: &str, action: Action) -> ResourceOutcome {
    ResourceOutcome { gone: true, ..outcome(name, action) }
}

/// A run from its announcement to its end.
fn run(state: &mut State, planned: Action, done: &ResourceOutcome, wanted: &[Wanted]) {
    let planned = ResourceOutcome { action: planned, error: None, ..done.clone() };
    let before = state.clone();
    begin(state, &[planned], wanted);
    record(state, &before, std::slice::from_ref(done), wanted);
}

/// What is known to take down what is called `a`.
fn known(state: &State) -> Vec<&str> {
    let entries = state.of(&state.entries.first().unwrap().address);
    entries.flat_map(|entry| entry.removals()).filter_map(Removal::code).collect()
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    (folder, store)
}

fn written(text: &str) -> (tempfile::TempDir, Store) {
    let (folder, store) = store();
    fs::create_dir(folder.path().join(".clockwork")).unwrap();
    fs::write(&store.path, text).unwrap();
    (folder, store)
}

#[test]
fn what_was_deployed_is_read_as_it_was_written() {
    let (_folder, store) = store();
    assert_eq!(store.read().unwrap(), State::default());
    let change = |state: &mut State| {
        run(state, Action::Create, &outcome("a", Action::Create), &[wanted("a", "rm 1")]);
        begin(state, &[outcome("b", Action::Create)], &[wanted("b", "rm 2")]);
    };
    store.update(change).unwrap();
    let state = store.read().unwrap();
    let entry = state.get(&address("a"), "@local").unwrap();
    assert_eq!(entry.deployed.as_ref().unwrap().fingerprint, "up rm 1");
    assert_eq!(entry.pending, None);
    assert_eq!(state.entries()[1].pending.as_ref().unwrap().intent, Intent::Apply);
    let document: Value = serde_json::from_str(&fs::read_to_string(&store.path).unwrap()).unwrap();
    assert_eq!(document["format"], 1);
    assert_eq!(document["clockwork"], VERSION);
}

#[test]
#[cfg(unix)]
fn nobody_else_may_read_it_and_what_changes_nothing_writes_nothing() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let (_folder, store) = store();
    let again = |state: &mut State| {
        record(state, &State::default(), &[outcome("a", Action::Unchanged)], &[wanted("a", "rm")]);
    };
    store.update(again).unwrap();
    let before = fs::metadata(&store.path).unwrap();
    assert_eq!(before.permissions().mode() & 0o777, 0o600);
    store.update(again).unwrap();
    assert_eq!(fs::metadata(&store.path).unwrap().ino(), before.ino());
}

#[test]
fn the_oldest_format_is_read_and_the_newest_is_written() {
    let deployed =
        json!({"fingerprint": "f", "fields": {}, "removal": {"code": "rm"}, "at": "then", "by": "0"});
    let entry = json!({"kind": "FileResource", "name": "a", "host": "@local", "deployed": deployed});
    let document = json!({"format": 0, "resources": {"FileResource.a@@local": entry}});
    let (_folder, store) = written(&document.to_string());
    assert_eq!(known(&store.read().unwrap()), ["rm"]);
    store
        .update(|state| {
            record(state, &State::default(), &[outcome("b", Action::Create)], &[wanted("b", "rm 2")]);
        })
        .unwrap();
    let document: Value = serde_json::from_str(&fs::read_to_string(&store.path).unwrap()).unwrap();
    assert_eq!(document["format"], 1);
    assert_eq!(document["resources"].as_array().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_understood_is_an_error_and_stays() {
    for (text, told) in [
        ("", "cannot be understood"),
        ("{", "cannot be understood"),
        ("[]", "does not say which format"),
        (r#"{"format": 1}"#, "missing field `resources`"),
        (r#"{"format": 0, "resources": []}"#, "there is no format 0"),
        (r#"{"format": 1, "resources": [{"name": "a"}]}"#, "missing field"),
        (r#"{"format": 2, "clockwork": "9.9", "resources": []}"#, "newer Clockwork (9.9, format 2)"),
    ] {
        let (_folder, store) = written(text);
        let error = store.read().unwrap_err();
        assert!(matches!(error, Error::State { .. }));
        assert!(error.to_string().contains(told), "{error}");
        let change = |state: &mut State| {
            record(state, &State::default(), &[outcome("a", Action::Create)], &[wanted("a", "rm")]);
        };
        store.update(change).unwrap_err();
        assert_eq!(fs::read_to_string(&store.path).unwrap(), text);
    }
}

#[test]
fn one_run_at_a_time_and_the_other_is_told_who_it_is() {
    let (folder, mut one) = store();
    let mut nobody = |_: &str| panic!("it is free");
    one.hold("apply", &mut Wait { timeout: Duration::ZERO, waiting: &mut nobody }).unwrap();
    let mut two = Store::new(folder.path());
    let mut held = |timeout, waiting: &mut dyn FnMut(&str) -> Result<()>| {
        two.hold("destroy", &mut Wait { timeout, waiting })
    };
    let error = held(Duration::ZERO, &mut |_| Ok(())).unwrap_err().to_string();
    let process = format!("`clockwork apply` (process {}", std::process::id());
    assert!(error.starts_with(&process) && error.contains("--lock-timeout"), "{error}");
    let stopped = held(Duration::from_secs(60), &mut |_| Err(Error::Interrupted));
    assert!(matches!(stopped, Err(Error::Interrupted)));
    let mut one = Some(one);
    let freed = held(Duration::from_secs(60), &mut |_| {
        one.take();
        Ok(())
    });
    freed.unwrap();
}

#[test]
fn several_at_once_lose_nothing_of_one_another() {
    let (folder, _) = store();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = Store::new(folder.path());
            scope.spawn(move || {
                for turn in 0..5 {
                    let name = format!("{thread}-{turn}");
                    let done = outcome(&name, Action::Create);
                    store
                        .update(|state| record(state, &State::default(), &[done], &[wanted(&name, "rm")]))
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(Store::new(folder.path()).read().unwrap().entries().len(), 40);
}

#[test]
fn what_was_begun_is_settled_only_where_it_was_not_begun_before() {
    let mut state = State::default();
    let one = [wanted("a", "rm 1")];
    run(&mut state, Action::Create, &outcome("a", Action::Skipped), &one);
    assert!(state.entries.is_empty(), "it was announced, and not begun");
    run(&mut state, Action::Create, &failed("a"), &one);
    run(&mut state, Action::Create, &outcome("a", Action::Skipped), &one);
    assert_eq!(known(&state), ["rm 1"], "the first run may have left something");
    run(&mut state, Action::Skipped, &outcome("a", Action::Skipped), &one);
    assert_eq!(known(&state), ["rm 1"], "its host is away");
    run(&mut state, Action::Create, &outcome("a", Action::Create), &one);
    assert_eq!(state.entries[0].pending, None);
}

#[test]
fn what_moved_and_failed_is_known_at_all_its_places() {
    let mut state = State::default();
    run(&mut state, Action::Create, &outcome("a", Action::Create), &[wanted("a", "rm 1")]);
    run(&mut state, Action::Change, &failed("a"), &[wanted("a", "rm 2")]);
    run(&mut state, Action::Change, &failed("a"), &[wanted("a", "rm 3")]);
    assert_eq!(known(&state), ["rm 1", "rm 3", "rm 2"]);
    run(
        &mut state,
        Action::Change,
        &failed("a"),
        &[Wanted { removal: Removal::Unknown, ..wanted("a", "4") }],
    );
    assert_eq!(known(&state), ["rm 1", "rm 2", "rm 3"], "what has no code hides no other");
    run(&mut state, Action::Remove, &gone("a", Action::Remove), &[]);
    assert!(state.entries.is_empty());
}

#[test]
fn what_it_had_before_is_kept_unless_it_was_taken_away() {
    let mut state = State::default();
    let change = |state: &mut State, code: &str, made_way: bool| {
        let done = made_way_for(outcome("a", Action::Change), made_way);
        run(state, Action::Change, &done, &[wanted("a", code)]);
    };
    change(&mut state, "rm 1", false);
    change(&mut state, "rm 2", false);
    assert_eq!(known(&state), ["rm 2", "rm 1"]);
    change(&mut state, "rm 1\nrm 3", false);
    assert_eq!(known(&state), ["rm 1\nrm 3", "rm 2"], "the new code has the first");
    change(&mut state, "rm 4", true);
    assert_eq!(known(&state), ["rm 4"]);
    // The same code has brought it up: this is only another way to take it down.
    let better = Wanted { removal: Removal::Code("rm -f 4".into()), ..wanted("a", "rm 4") };
    run(&mut state, Action::Change, &outcome("a", Action::Change), &[better]);
    assert_eq!(known(&state), ["rm -f 4"]);
}

#[test]
fn what_another_version_wrote_is_in_our_words_once_it_is_seen_to_be_the_same() {
    let mut state = State::default();
    let one = [wanted("a", "rm 1")];
    run(&mut state, Action::Create, &outcome("a", Action::Create), &one);
    state.entries[0].deployed.as_mut().unwrap().by = "0.0.9".into();
    let at = state.entries[0].at().to_owned();
    assert_eq!(state.entries[0].removals_in_our_words().count(), 0);
    run(&mut state, Action::Unchanged, &outcome("a", Action::Unchanged), &one);
    assert_eq!(state.entries[0].removals_in_our_words().count(), 1);
    assert_eq!(state.entries[0].at(), at);
}

#[test]
fn what_another_resource_stands_on_is_its_own() {
    let mut state = State::default();
    let both = [wanted("a", "rm 1"), wanted("b", "rm 1")];
    run(&mut state, Action::Create, &outcome("a", Action::Create), &both);
    let a = state.entries[0].clone();
    let heir = |state: &State, wanted: &[Wanted]| {
        state.heir(&a, wanted.iter(), |_| true).map(|address| address.name.clone())
    };
    assert_eq!(heir(&state, &both), Some("b".to_owned()));
    assert_eq!(heir(&state, &[wanted("b", "rm 2")]), None);
    hand_over(&mut state, &[address("a")]);
    assert_eq!(state.entries().len(), 1, "nobody has it yet");
    run(&mut state, Action::Create, &outcome("b", Action::Create), &both);
    assert_eq!(heir(&state, &[]), Some("b".to_owned()));
    hand_over(&mut state, &[]);
    assert_eq!(state.entries().len(), 2, "both are wanted");
    run(&mut state, Action::Change, &outcome("a", Action::Change), &[wanted("a", "rm 2")]);
    assert_eq!(known(&state), ["rm 2", "rm 1"]);
    hand_over(&mut state, &[]);
    assert_eq!(known(&state), ["rm 2"]);
    hand_over(&mut state, &[address("a"), address("b")]);
    assert_eq!(state.entries().len(), 2, "the one is no heir of the other");
    let back = made_way_for(outcome("a", Action::Change), true);
    run(&mut state, Action::Change, &back, &[wanted("a", "rm 1")]);
    hand_over(&mut state, &[address("a")]);
    assert_eq!(state.entries()[0].address.name, "b");
}

#[test]
fn a_removal_that_fails_or_is_not_reached_forgets_nothing() {
    let mut state = State::default();
    run(&mut state, Action::Create, &outcome("a", Action::Create), &[wanted("a", "rm 1")]);
    for done in [
        gone("a", Action::Skipped),
        ResourceOutcome { error: Some("no".into()), ..gone("a", Action::Remove) },
    ] {
        run(&mut state, Action::Remove, &done, &[]);
        assert_eq!(known(&state)[0], "rm 1");
    }
}

#[test]
fn a_name_follows_its_resource_unless_there_is_one_of_that_name() {
    let mut state = State::default();
    for name in ["a", "b", "c"] {
        record(&mut state, &State::default(), &[outcome(name, Action::Create)], &[wanted(name, name)]);
    }
    state.entries[1].needs.push(address("a"));
    let rename = |old: &str, new: &str| Rename { old: address(old), new: address(new) };
    let renames = [rename("a", "new"), rename("b", "c"), rename("nothing", "d")];
    assert_eq!(state.rename(&renames), [address("new")]);
    assert_eq!(state.rename(&renames), [], "it has its new name by now");
    let names: Vec<&str> = state.entries().iter().map(|entry| entry.address.name.as_str()).collect();
    assert_eq!(names, ["new", "b", "c"]);
    assert_eq!(state.entries[1].needs, [address("new")]);
    assert_eq!(known(&state), ["a"]);
}

#[test]
fn a_name_that_is_not_known_is_told_with_what_may_be_meant() {
    let mut state = State::default();
    assert_eq!(state.find("a", None).unwrap_err(), "the state knows nothing called 'a'. It is empty.");
    record(
        &mut state,
        &State::default(),
        &[outcome("web.conf", Action::Create)],
        &[wanted("web.conf", "rm")],
    );
    assert_eq!(state.find("FileResource.web.conf", Some("@local")).unwrap().len(), 1);
    assert!(state.find("web.cnf", None).unwrap_err().ends_with("Did you mean 'web.conf'?"));
    assert!(state.find("web.conf", Some("db1")).unwrap_err().contains("called 'web.conf' on db1"));
}

#[test]
fn fields_are_kept_without_secrets_and_without_long_texts() {
    let fields = json!({
        "content": "hunter2", "password": "hunter2", "env_vars": {"A": "hunter2"}, "path": "/a",
        "notes": "hunter2 ".repeat(100),
    });
    let fields = fields.as_object().unwrap();
    let kept = Value::Object(shown(fields));
    assert!(!kept.to_string().contains("hunter2"), "{kept}");
    assert_eq!(kept["path"], "/a");
    let other = shown(json!({"content": "hunter3"}).as_object().unwrap());
    assert_ne!(kept["content"], other["content"], "a content of the same length is another one");
    assert_eq!(hidden(fields), ["hunter2", "hunter2"]);
    let whole = json!({"api_key": "aHVudGVyMg==", "tokens": ["one", {"b": 2}], "environment": ["A=three"]});
    let whole = hidden(whole.as_object().unwrap());
    assert_eq!(whole, ["=", "aHVudGVyMg==", "one", "2", "three", "A=three"], "a secret can hold a sign too");
}
