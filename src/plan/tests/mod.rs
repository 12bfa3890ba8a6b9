//! Tests of plans, and the resources, outcomes and states that they are made of.

mod compare;
mod conflicts;
mod moves;
mod removals;
mod saved;

use serde_json::{Map, Value, json};

use super::*;
use crate::compile::Hosts;
use crate::hash::sha256;
use crate::intent::Intent;
use crate::operation::{Argument, Effects, Operation, Step};
use crate::outcome::{HostError, OperationOutcome};
use crate::state::{Removal, begin, record};

const LOCAL: &str = "@local";
const LINEAGE: &str = "line";

fn address(name: &str) -> Address {
    Address { kind: "FileResource".into(), name: name.into() }
}

/// An operation of Clockwork's own that removes a thing.
fn remove(identity: &str) -> Step {
    Step::Operation(Operation {
        function: "clockwork.operations.files.file".into(),
        arguments: vec![("path".into(), Argument::Text(identity.into()))],
        state: Map::new(),
        effects: Effects::default(),
    })
}

fn code(text: &str) -> Step {
    Step::Code(text.into())
}

/// A resource that is at a place, and that operations of Clockwork's own take down.
fn resource(name: &str, identity: &str) -> CompiledResource {
    taken_down_by(CompiledResource::new(address(name), identity.into()), vec![remove(identity)])
}

fn taken_down_by(mut resource: CompiledResource, steps: Vec<Step>) -> CompiledResource {
    resource.removal = Removal::Steps(steps.clone());
    resource.destroy = Some(steps);
    resource.source = Some("main.py".into());
    resource.seal(LINEAGE, &resource.fields.clone());
    resource
}

/// A resource of a kind that returns code and says nothing of its identity.
fn of_code(name: &str, takes_down: &str) -> CompiledResource {
    let identity = crate::identity::of_code(&address(name));
    taken_down_by(CompiledResource::new(address(name), identity), vec![code(takes_down)])
}

/// A file in the group `site`.
fn file(name: &str, content: &str) -> CompiledResource {
    let mut file = resource(name, &format!("path:/k/{name}"));
    file.group = Some("site".into());
    file.fields = Map::from_iter([("content".to_owned(), json!(content)), ("mode".to_owned(), json!("644"))]);
    file.deploy = vec![code(&format!("up {content}"))];
    file.seal(LINEAGE, &file.fields.clone());
    file.content = Some(sha256(content.as_bytes()));
    file
}

fn with_claims(mut resource: CompiledResource, claims: &[&str]) -> CompiledResource {
    resource.claims = claims.iter().map(|&claim| claim.to_owned()).collect();
    resource
}

fn on(hosts: &[&str], mut resource: CompiledResource) -> CompiledResource {
    resource.hosts = Hosts::Only(hosts.iter().map(|&host| host.to_owned()).collect());
    resource
}

fn guarded(name: &str) -> CompiledResource {
    CompiledResource { protect: true, ..file(name, "one") }
}

fn outcome(name: &str, action: Action) -> ResourceOutcome {
    let changed = action.is_change();
    let identity = format!("path:/k/{name}");
    let outcome = ResourceOutcome::new(address(name), LOCAL, Vec::new(), None);
    ResourceOutcome { action, changed, identity, ..outcome }
}

fn removal(name: &str, action: Action) -> ResourceOutcome {
    ResourceOutcome { removes: true, ..outcome(name, action) }
}

fn gone(name: &str, action: Action) -> ResourceOutcome {
    ResourceOutcome { gone: true, ..removal(name, action) }
}

/// An outcome whose operation tells its intent.
fn intending(mut outcome: ResourceOutcome, intent: &Value) -> ResourceOutcome {
    let mut whole = json!({
        "action": "change", "changes": [], "replaces": null, "overwrites": null, "found": {}, "reason": null,
    });
    whole.as_object_mut().unwrap().extend(intent.as_object().unwrap().clone());
    let intent: Intent = serde_json::from_value(whole).unwrap();
    outcome.operations.push(OperationOutcome {
        name: "Put it".into(),
        action: outcome.action,
        changed: outcome.changed,
        error: None,
        seconds: 0.0,
        diff: None,
        replaces: false,
        intent: Some(intent),
    });
    outcome
}

fn planned(resources: Vec<ResourceOutcome>) -> DeployOutcome {
    DeployOutcome { resources, ..DeployOutcome::default() }
}

fn empty() -> State {
    let mut state = State::default();
    LINEAGE.clone_into(&mut state.lineage);
    state
}

/// A state in which these have been deployed, each on the hosts that it names, or else on this machine.
fn deployed(all: &[CompiledResource]) -> State {
    let mut state = empty();
    for resource in all {
        let hosts = match &resource.hosts {
            Hosts::All => vec![LOCAL.to_owned()],
            Hosts::Only(hosts) => hosts.clone(),
        };
        for host in hosts {
            let identity = resource.identity.clone();
            let done = ResourceOutcome { host, identity, ..outcome("", Action::Create) };
            let done = ResourceOutcome { address: resource.address.clone(), ..done };
            record(&mut state, &State::default(), &[done], std::slice::from_ref(resource));
        }
    }
    state
}

#[test]
fn removals_of_moved_things_are_part_of_their_resources_rows() {
    let away = HostError { host: "db".into(), error: "away".into() };
    let with_errors = |resources| DeployOutcome { host_errors: vec![away.clone()], ..planned(resources) };
    let removals = with_errors(vec![
        removal("a", Action::Remove),
        removal("b", Action::Unchanged),
        removal("c", Action::Remove),
        gone("old", Action::Remove),
        gone("a", Action::Remove),
        ResourceOutcome { host: "other".into(), ..removal("a", Action::Remove) },
    ]);
    let main = with_errors(vec![
        outcome("a", Action::Create),
        outcome("b", Action::Unchanged),
        outcome("c", Action::Unchanged),
    ]);
    let merged = merge(removals, main);
    let all: Vec<_> = merged
        .resources
        .iter()
        .map(|r| (r.address.name.as_str(), r.host.as_str(), r.action, r.replaces))
        .collect();
    assert_eq!(
        all,
        [
            ("old", LOCAL, Action::Remove, false),
            ("a", LOCAL, Action::Remove, false),
            ("a", "other", Action::Remove, false),
            ("a", LOCAL, Action::Change, true),
            ("b", LOCAL, Action::Unchanged, false),
            ("c", LOCAL, Action::Change, true),
        ],
        "orphans come first, and a resource that stays is never a removal"
    );
    assert_eq!(merged.host_errors, [away], "an error is told once");
}

#[test]
fn rows_keep_all_that_a_removal_tells() {
    let telling = |outcome: ResourceOutcome, diff: &str| ResourceOutcome {
        diff: Some(diff.into()),
        seconds: 1.0,
        ..intending(outcome, &json!({}))
    };
    let mut old = telling(removal("a", Action::Remove), "-old\n");
    old.ownership = Ownership::Edited;
    old.prior.protected = true;
    old.reason = Some("it was edited".into());
    let merged = merge(planned(vec![old]), planned(vec![telling(outcome("a", Action::Create), "+new\n")]));
    let [row] = merged.resources.as_slice() else { panic!("{merged:?}") };
    assert_eq!((row.diff.as_deref(), row.seconds, row.operations.len()), (Some("-old\n+new\n"), 2.0, 2));
    assert_eq!((row.ownership, row.prior.protected), (Ownership::Edited, true));
    assert_eq!(row.reason.as_deref(), Some("it was edited"));
}

#[test]
fn a_removal_that_does_not_happen_is_a_failure() {
    let failed = || ResourceOutcome { error: Some("busy".into()), ..removal("a", Action::Remove) };
    let broken = || ResourceOutcome { error: Some("no room".into()), ..outcome("a", Action::Create) };
    for (why, removal, main, told) in [
        ("it failed", failed(), outcome("a", Action::Create), Some("busy")),
        ("the resource failed first", failed(), broken(), Some("no room")),
        (
            "it was not reached",
            removal("a", Action::Skipped),
            outcome("a", Action::Create),
            Some("its old place"),
        ),
        ("the resource failed, so it stays", removal("a", Action::Skipped), broken(), Some("no room")),
        ("the host is away", removal("a", Action::Skipped), outcome("a", Action::Skipped), None),
        ("nothing was left", removal("a", Action::Unchanged), outcome("a", Action::Create), None),
    ] {
        let error = merge(planned(vec![removal]), planned(vec![main])).resources.remove(0).error;
        let is_told = |told: &str| error.as_ref().is_some_and(|error| error.contains(told));
        assert!(told.map_or(error.is_none(), is_told), "{why}: {error:?}");
    }
}

#[test]
fn a_plan_takes_away_by_removals_and_replacements() {
    let replaced = ResourceOutcome { replaces: true, ..outcome("a", Action::Change) };
    for (takes, resource) in [
        (true, removal("a", Action::Remove)),
        (true, gone("a", Action::Remove)),
        (true, outcome("a", Action::Remove)),
        (true, replaced),
        (false, outcome("a", Action::Change)),
        (false, outcome("a", Action::Create)),
        (false, outcome("a", Action::Drifted)),
        (false, removal("a", Action::Unchanged)),
    ] {
        assert_eq!(takes_away(&planned(vec![resource.clone()])), takes, "{resource:?}");
    }
}

#[test]
fn protected_resources_are_neither_removed_nor_replaced() {
    let state = deployed(&[guarded("gone"), guarded("a"), guarded("freed"), file("b", "one")]);
    let wanted = [guarded("a"), file("freed", "one"), file("b", "one"), guarded("new")];
    let replaced = |name: &str| ResourceOutcome { replaces: true, ..outcome(name, Action::Change) };
    for (why, is_kept, resource) in [
        ("prune", true, gone("gone", Action::Remove)),
        ("prune, which depends on a condition", true, gone("gone", Action::Conditional)),
        ("nothing is left to prune", false, gone("gone", Action::Unchanged)),
        ("a replacement", true, replaced("a")),
        ("main.py says that it is free", false, replaced("freed")),
        ("a removal of one that is free", false, removal("freed", Action::Remove)),
        ("one that never was protected", false, replaced("b")),
        ("a change", false, outcome("a", Action::Change)),
        ("a condition that brings it up", false, outcome("a", Action::Conditional)),
        ("destroy", true, removal("a", Action::Remove)),
        ("destroy of what was never deployed", true, removal("new", Action::Conditional)),
        ("a destroy that depends on a condition", true, removal("a", Action::Conditional)),
        ("destroy of an orphan", true, removal("gone", Action::Remove)),
        ("an operation that removes it", true, outcome("a", Action::Remove)),
        ("a host that is away", false, removal("a", Action::Skipped)),
    ] {
        let mut plan = planned(vec![resource]);
        compare(&mut plan, &wanted, &state, &|_, _| false);
        assert_eq!(protected(&plan).len(), usize::from(is_kept), "{why}");
    }
    // The removal of its old place is part of the row of a resource that moves.
    let mut old =
        planned(vec![ResourceOutcome { identity: "path:/old".into(), ..removal("a", Action::Remove) }]);
    compare(&mut old, &wanted, &state, &|_, _| false);
    let mut new = planned(vec![outcome("a", Action::Create)]);
    compare(&mut new, &wanted, &state, &|_, _| false);
    assert_eq!(protected(&merge(old, new)).len(), 1);
}
