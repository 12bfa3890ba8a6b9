//! What is told apart, what is put together, and what keeps a plan from being run.

use std::fs;
use std::path::Path;

use serde_json::{Map, json};

use super::*;
use crate::compile::{Block, Hosts};
use crate::outcome::HostError;
use crate::state::{Removal, record};

fn address(name: &str) -> Address {
    Address { kind: "FileResource".into(), name: name.into() }
}

fn wanted(name: &str, content: &str) -> Wanted {
    Wanted {
        address: address(name),
        source: Some("main.py".into()),
        group: Some("site".into()),
        protect: false,
        needs: Vec::new(),
        fingerprint: format!("up {content}"),
        fields: Map::from_iter([("content".to_owned(), json!(content)), ("mode".to_owned(), json!("644"))]),
        removal: Removal::Code(format!("rm {name}")),
        has_place: true,
    }
}

fn outcome(name: &str, action: Action) -> ResourceOutcome {
    let changed = action.is_change();
    ResourceOutcome { action, changed, ..ResourceOutcome::new(address(name), "@local", Vec::new(), None) }
}

fn planned(resources: Vec<ResourceOutcome>) -> DeployOutcome {
    DeployOutcome { resources, ..DeployOutcome::default() }
}

/// A state in which these have been deployed.
fn deployed(all: &[Wanted]) -> State {
    let mut state = State::default();
    for wanted in all {
        record(
            &mut state,
            &State::default(),
            &[outcome(&wanted.address.name, Action::Create)],
            std::slice::from_ref(wanted),
        );
    }
    state
}

fn compared(action: Action, wanted: &Wanted, state: &State) -> ResourceOutcome {
    let mut outcome = planned(vec![outcome(&wanted.address.name, action)]);
    compare(&mut outcome, std::slice::from_ref(wanted), state, &|_, field| field == "content");
    outcome.resources.remove(0)
}

#[test]
fn what_nobody_wanted_to_change_has_drifted() {
    let a = wanted("a", "one");
    let state = deployed(std::slice::from_ref(&a));
    let changed = compared(Action::Change, &a, &state);
    assert_eq!(changed.action, Action::Drifted);
    assert!(changed.reason.unwrap().starts_with("changed by somebody else since it was deployed at 20"));
    let removed = compared(Action::Create, &a, &state);
    assert_eq!((removed.action, removed.group.as_deref()), (Action::Drifted, Some("site")));
    assert!(removed.reason.unwrap().starts_with("removed by somebody else"));
    for action in [Action::Conditional, Action::Unchanged, Action::Skipped, Action::Remove] {
        assert_eq!(compared(action, &a, &state).action, action);
    }
    assert_eq!(compared(Action::Create, &a, &State::default()).action, Action::Create);
}

#[test]
fn where_the_user_changed_how_it_is_taken_down_nobody_else_is_blamed() {
    let before = wanted("a", "one");
    let after = Wanted { removal: Removal::Code("rm -f a".into()), ..before.clone() };
    let changed = compared(Action::Change, &after, &deployed(&[before]));
    assert_eq!(changed.action, Action::Change);
    assert!(!changed.reason.unwrap().contains("somebody else"));
}

#[test]
fn what_the_user_changed_is_told_field_by_field() {
    let state = deployed(&[wanted("a", "one")]);
    let changed = compared(Action::Change, &wanted("a", "two"), &state);
    assert_eq!(changed.action, Action::Change);
    let (before, after) = (json!("one"), json!("two"));
    let change = FieldChange { field: "content".into(), before, after, by_model: true };
    assert_eq!(changed.changes, [change]);

    let mut hidden = wanted("a", "one");
    hidden.fingerprint = "another".into();
    let changed = compared(Action::Change, &hidden, &state);
    assert!(changed.changes.is_empty() && changed.reason.unwrap().contains("a secret"));
}

#[test]
fn of_what_was_not_finished_nobody_else_is_blamed() {
    let a = wanted("a", "one");
    let mut state = deployed(std::slice::from_ref(&a));
    crate::state::begin(&mut state, &[outcome("a", Action::Change)], std::slice::from_ref(&a));
    let changed = compared(Action::Change, &a, &state);
    assert_eq!(changed.action, Action::Change);
    assert_eq!(changed.reason.unwrap(), "an earlier run did not get to its end");
}

#[test]
fn what_makes_way_is_part_of_what_takes_its_place() {
    let gone = ResourceOutcome { gone: true, ..outcome("old", Action::Remove) };
    let away = HostError { host: "db".into(), error: "away".into() };
    let removals = DeployOutcome {
        resources: vec![outcome("a", Action::Remove), outcome("b", Action::Unchanged), gone],
        host_errors: vec![away.clone()],
        ..DeployOutcome::default()
    };
    let main = DeployOutcome {
        resources: vec![outcome("a", Action::Create), outcome("b", Action::Unchanged)],
        host_errors: vec![away.clone()],
        ..DeployOutcome::default()
    };
    let merged = merge(removals, main);
    let all: Vec<_> =
        merged.resources.iter().map(|r| (r.address.name.as_str(), r.action, r.replaces)).collect();
    assert_eq!(
        all,
        [("old", Action::Remove, false), ("a", Action::Change, true), ("b", Action::Unchanged, false)]
    );
    assert_eq!(merged.host_errors, [away]);
    assert!(takes_away(&merged));
}

#[test]
fn what_could_not_make_way_is_a_failure() {
    let failed = ResourceOutcome { error: Some("busy".into()), ..outcome("a", Action::Remove) };
    let main = || planned(vec![outcome("a", Action::Create)]);
    let merged = merge(planned(vec![failed]), main());
    assert_eq!(merged.resources[0].error.as_deref(), Some("busy"));
    let skipped = || planned(vec![outcome("a", Action::Skipped)]);
    let merged = merge(skipped(), main());
    assert!(merged.resources[0].error.as_ref().unwrap().contains("its old place"));
    assert_eq!(merge(skipped(), skipped()).resources[0].error, None, "the host is away");
}

#[test]
fn what_is_protected_is_neither_removed_nor_replaced() {
    let guarded = |name: &str| Wanted { protect: true, ..wanted(name, "one") };
    let state = deployed(&[guarded("gone"), guarded("a"), guarded("freed"), wanted("b", "one")]);
    let replaced = |name: &str| ResourceOutcome { replaces: true, ..outcome(name, Action::Change) };
    let plan = planned(vec![
        ResourceOutcome { gone: true, ..outcome("gone", Action::Remove) },
        replaced("a"),
        replaced("freed"),
        replaced("b"),
        outcome("a", Action::Change),
    ]);
    let wanted = [guarded("a"), wanted("freed", "one"), wanted("b", "one")];
    let names: Vec<_> =
        protected(&plan, &wanted, &state, false).into_iter().map(|r| r.address.name.as_str()).collect();
    assert_eq!(names, ["gone", "a"], "main.py says whether it still is, and the state where it is gone");

    let maybe = |gone| ResourceOutcome { gone, ..outcome("gone", Action::Conditional) };
    for (gone, destroys, expected) in [(true, false, 1), (false, true, 1), (false, false, 0)] {
        let plan = planned(vec![maybe(gone)]);
        assert_eq!(protected(&plan, &[guarded("gone")], &state, destroys).len(), expected);
    }
}

fn saved(wanted: &[Wanted], plan: &DeployOutcome, prune: bool) -> SavedPlan {
    SavedPlan::new(Path::new("/site/main.py"), vec!["a".into()], prune, wanted, plan)
}

#[test]
fn a_saved_plan_is_read_as_it_was_written_and_holds_while_nothing_moves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let all = [wanted("a", "one")];
    let gone = ResourceOutcome { gone: true, ..outcome("gone", Action::Remove) };
    let plan = planned(vec![outcome("a", Action::Create), gone.clone()]);
    let kept = saved(&all, &plan, false);
    kept.write(&path).unwrap();
    let read = SavedPlan::read(&path).unwrap();
    assert_eq!(read, kept);
    // How long it took is nothing of the plan, nor is what it leaves alone.
    let slower = ResourceOutcome { seconds: 9.0, ..outcome("a", Action::Create) };
    assert_eq!(read.moved(&all, &planned(vec![slower])), [""; 0]);
    assert_eq!(
        saved(&all, &plan, true).moved(&all, &planned(vec![outcome("a", Action::Create)])),
        ["FileResource 'gone' on @local: planned as remove, now not in the plan"]
    );
}

#[test]
fn a_saved_plan_says_what_has_moved() {
    let plan = planned(vec![outcome("a", Action::Create), outcome("b", Action::Unchanged)]);
    let kept = saved(&[wanted("a", "one"), wanted("b", "one")], &plan, false);
    let another = ResourceOutcome { diff: Some("+x\n".into()), ..outcome("a", Action::Create) };
    let now = planned(vec![another, outcome("c", Action::Create)]);
    assert_eq!(
        kept.moved(&[wanted("a", "two"), wanted("c", "one")], &now),
        [
            "FileResource 'a' is defined in another way",
            "FileResource 'b' is no longer defined",
            "FileResource 'c' is defined now",
            "FileResource 'a' on @local: the create is another one now",
            "FileResource 'b' on @local: planned as unchanged, now not in the plan",
            "FileResource 'c' on @local: planned as not in the plan, now create",
        ]
    );
}

#[test]
fn what_is_no_plan_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    for (text, told) in [
        ("hello", "no plan that `clockwork plan --out` has written"),
        ("{}", "no plan that `clockwork plan --out` has written"),
        (r#"{"format": 1}"#, "no plan of Clockwork's: missing field"),
        (r#"{"format": 7}"#, "a plan of format 7"),
    ] {
        fs::write(&path, text).unwrap();
        let error = SavedPlan::read(&path).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let error = SavedPlan::read(&folder.path().join("none.json")).unwrap_err().to_string();
    assert!(error.contains("`clockwork plan --out FILE` writes a plan"), "{error}");
}

fn takedown<'a>(name: &str, needs: &[&str], says: Option<&str>, known: Vec<&'a Entry>) -> Takedown<'a> {
    let needs = needs.iter().map(|name| address(name)).collect();
    Takedown { address: address(name), needs, says: says.map(str::to_owned), known }
}

#[test]
fn what_needs_something_is_taken_down_before_it() {
    let state = deployed(&[wanted("a", "one"), wanted("b", "one"), wanted("c", "one")]);
    let of = |name| vec![state.entries().iter().find(|entry| entry.address.name == name).unwrap()];
    let all = [
        takedown("a", &[], None, of("a")),
        takedown("b", &["a"], None, of("b")),
        takedown("c", &["b", "elsewhere"], None, of("c")),
    ];
    let mut untold = Vec::new();
    let blocks = takedowns(&all, &mut untold).unwrap();
    let codes: Vec<_> = blocks.iter().map(|block| block.code.as_str()).collect();
    assert_eq!(codes, ["rm c", "rm b", "rm a"]);
    assert_eq!(blocks[1].needs, [address("c")]);
    assert_eq!(untold, []);
}

#[test]
fn what_was_deployed_is_taken_down_as_it_was_deployed() {
    let state = deployed(&[wanted("a", "one")]);
    let known = || state.entries().iter().collect::<Vec<_>>();
    let blocks = |says| takedowns(&[takedown("a", &[], says, known())], &mut Vec::new()).unwrap();
    let codes = |blocks: &[Block]| -> Vec<String> { blocks.iter().map(|b| b.code.clone()).collect() };
    assert_eq!(codes(&blocks(None)), ["rm a"]);
    let blocks = blocks(Some("rm b"));
    assert_eq!(codes(&blocks), ["rm a"]);
    assert_eq!(blocks[0].hosts, Hosts::Only(vec!["@local".into()]), "and nowhere else");
    let unknown = takedowns(&[takedown("a", &[], Some("rm b"), Vec::new())], &mut Vec::new()).unwrap();
    assert_eq!((codes(&unknown), &unknown[0].hosts), (vec!["rm b".to_owned()], &Hosts::All));
}

#[test]
fn what_does_not_say_how_it_is_taken_down_is_told() {
    let with = |removal| deployed(&[Wanted { removal, ..wanted("a", "one") }]);
    for removal in [Removal::Unknown, Removal::Secret] {
        let state = with(removal.clone());
        let known = || state.entries().iter().collect::<Vec<_>>();
        let mut untold = Vec::new();
        assert!(takedowns(&[takedown("a", &[], None, known())], &mut untold).unwrap().is_empty());
        assert_eq!(untold, [Untold { address: address("a"), host: Some("@local".into()), removal }]);
        untold.clear();
        assert_eq!(takedowns(&[takedown("a", &[], Some("rm"), known())], &mut untold).unwrap().len(), 1);
        assert_eq!(untold, []);
    }
}

#[test]
fn what_is_told_in_part_is_taken_down_as_a_whole_or_not_at_all() {
    let mut state = deployed(&[wanted("a", "one")]);
    let secret = Wanted { removal: Removal::Secret, ..wanted("a", "two") };
    crate::state::begin(&mut state, &[outcome("a", Action::Change)], &[secret]);
    let known = || state.entries().iter().collect::<Vec<_>>();
    let mut untold = Vec::new();
    assert!(takedowns(&[takedown("a", &[], None, known())], &mut untold).unwrap().is_empty());
    assert_eq!(untold[0].removal, Removal::Secret);
    let blocks = takedowns(&[takedown("a", &[], Some("rm b"), known())], &mut Vec::new()).unwrap();
    assert_eq!(blocks[0].code, "rm a\nrm b");
}
