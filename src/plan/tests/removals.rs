//! Tests of the work that takes resources down.

use super::*;
use crate::compile::Work;

fn needing(mut resource: CompiledResource, needs: &[&str]) -> CompiledResource {
    resource.needs = needs.iter().map(|name| address(name)).collect();
    resource
}

/// A resource that is taken down on all hosts where it was deployed.
fn target<'a>(state: &'a State, name: &str, declared: Option<&'a CompiledResource>) -> Target<'a> {
    let entries: Vec<&StateEntry> =
        state.entries().iter().filter(|entry| entry.address.name == name).collect();
    let needs = entries.first().map(|entry| entry.needs.clone()).unwrap_or_default();
    Target { address: address(name), needs, declared, entries }
}

fn work(all: &[Target<'_>]) -> (Vec<Work>, Vec<Unremovable>) {
    let mut unremovable = Vec::new();
    (super::removals(all, &mut unremovable).unwrap(), unremovable)
}

fn codes(work: &[Work]) -> Vec<String> {
    let code = |step: &Step| match step {
        Step::Code(code) => code.clone(),
        Step::Operation(operation) => format!("{:?}", operation.arguments[0].1),
    };
    work.iter().map(|work| work.steps.iter().map(code).collect::<Vec<_>>().join("; ")).collect()
}

fn only(hosts: &[&str]) -> Hosts {
    Hosts::Only(hosts.iter().map(|&host| host.to_owned()).collect())
}

fn undeclared(mut resource: CompiledResource, removal: Removal) -> CompiledResource {
    resource.removal = removal;
    resource.destroy = None;
    resource
}

#[test]
fn things_are_taken_down_before_what_they_need() {
    let state = deployed(&[
        of_code("a", "rm a"),
        needing(of_code("b", "rm b"), &["a"]),
        needing(of_code("c", "rm c"), &["b", "elsewhere"]),
        of_code("d", "rm d"),
    ]);
    let all = Target::of_entries(state.entries().iter());
    let (work, unremovable) = work(&all);
    assert_eq!(codes(&work), ["rm d", "rm c", "rm b", "rm a"]);
    let needs: Vec<&[Address]> = work.iter().map(|work| work.needs.as_slice()).collect();
    assert_eq!(needs, [&[][..], &[], &[address("c")], &[address("b")]]);
    assert_eq!(unremovable, []);
}

#[test]
fn things_are_taken_down_as_and_where_they_were_deployed() {
    let now = on(&["h1", "h2", "h3"], of_code("a", "rm now"));
    let one = on(&["h1"], of_code("a", "rm 1"));
    let same = on(&["h1", "h2"], of_code("a", "rm 1"));
    let other = on(&["h2"], of_code("a", "rm 2"));
    let elsewhere = on(&["h1"], taken_down_by(resource("a", "path:/a"), vec![code("rm 1")]));
    for (why, before, declared, expected) in [
        ("an orphan", vec![one.clone()], None, vec![("rm 1", only(&["h1"]))]),
        ("main.py says something else", vec![one.clone()], Some(&now), vec![("rm 1", only(&["h1"]))]),
        ("alike on both hosts", vec![same], None, vec![("rm 1", only(&["h1", "h2"]))]),
        (
            "another way on each",
            vec![one.clone(), other],
            None,
            vec![("rm 1", only(&["h1"])), ("rm 2", only(&["h2"]))],
        ),
        ("at two places", vec![one, elsewhere], None, vec![("rm 1", only(&["h1"])), ("rm 1", only(&["h1"]))]),
        ("nobody knows where it is", vec![], Some(&now), vec![("rm now", now.hosts.clone())]),
    ] {
        let state = deployed(&before);
        let (work, unremovable) = work(&[target(&state, "a", declared)]);
        let found = work.iter().zip(codes(&work)).map(|(work, code)| (code, work.hosts.clone()));
        let expected: Vec<(String, Hosts)> =
            expected.into_iter().map(|(code, hosts)| (code.to_owned(), hosts)).collect();
        assert_eq!(found.collect::<Vec<_>>(), expected, "{why}");
        assert_eq!(unremovable, [], "{why}");
    }
}

#[test]
fn steps_that_are_not_known_come_from_main_py_or_the_thing_stays() {
    let says = of_code("a", "rm");
    let says_nothing = undeclared(of_code("a", ""), Removal::Unknown);
    for removal in [Removal::Unknown, Removal::Secret] {
        let state = deployed(&[on(&["h"], undeclared(of_code("a", ""), removal.clone()))]);
        for declared in [None, Some(&says_nothing)] {
            let (work, unremovable) = work(&[target(&state, "a", declared)]);
            assert_eq!(work, []);
            let expected =
                Unremovable { address: address("a"), host: Some("h".into()), removal: removal.clone() };
            assert_eq!(unremovable, [expected]);
            assert_eq!(unremovable[0].to_string(), "FileResource 'a' on h");
        }
        let (work, unremovable) = work(&[target(&state, "a", Some(&says))]);
        assert_eq!((codes(&work), &work[0].hosts), (vec!["rm".to_owned()], &only(&["h"])));
        assert_eq!(unremovable, []);
    }
    let (work, unremovable) = work(&[target(&State::default(), "a", Some(&says_nothing))]);
    assert_eq!(work, []);
    assert_eq!(unremovable[0].to_string(), "FileResource 'a'");
}

#[test]
fn one_host_that_is_not_known_keeps_nothing_from_the_others() {
    let state = deployed(&[
        on(&["h1"], of_code("a", "rm")),
        on(&["h2"], undeclared(of_code("a", ""), Removal::Secret)),
    ]);
    let (work, unremovable) = work(&[target(&state, "a", None)]);
    assert_eq!((work.len(), &work[0].hosts), (1, &only(&["h1"])));
    assert_eq!(unremovable[0].host.as_deref(), Some("h2"));
}

#[test]
fn things_known_in_part_are_taken_down_as_a_whole_or_not_at_all() {
    let mut state = deployed(&[of_code("a", "rm a")]);
    let secret = undeclared(of_code("a", ""), Removal::Secret);
    begin(&mut state, &[outcome("a", Action::Change)], &[secret]);
    let (none, unremovable) = work(&[target(&state, "a", None)]);
    assert_eq!(none, []);
    assert_eq!(unremovable[0].removal, Removal::Secret);
    let says = of_code("a", "rm b");
    let (whole, unremovable) = work(&[target(&state, "a", Some(&says))]);
    assert_eq!((codes(&whole), unremovable), (vec!["rm a; rm b".to_owned()], vec![]));
}

#[test]
fn leftovers_go_along() {
    let before = deployed(&[of_code("a", "rm network")]);
    let mut state = before.clone();
    let identity = crate::identity::of_code(&address("a"));
    let done = ResourceOutcome { identity, ..outcome("a", Action::Change) };
    let now = of_code("a", "rm container");
    record(&mut state, &before, std::slice::from_ref(&done), std::slice::from_ref(&now));
    let (once, _) = work(&[target(&state, "a", None)]);
    assert_eq!(codes(&once), ["rm container; rm network"]);
    // A kind that hides its steps from now on has left something all the same.
    let secret = undeclared(of_code("a", ""), Removal::Secret);
    let mut hidden = state.clone();
    record(&mut hidden, &state, &[done], &[secret]);
    let says = of_code("a", "rm now");
    let (whole, _) = work(&[target(&hidden, "a", Some(&says))]);
    let whole = &codes(&whole)[0];
    assert!(
        whole.contains("rm now") && whole.contains("rm network") && whole.contains("rm container"),
        "{whole}"
    );
}

#[test]
fn entries_are_grouped_by_their_resource() {
    let state = deployed(&[
        on(&["h1"], resource("a", "path:/a")),
        on(&["h1"], resource("b", "path:/b")),
        on(&["h2"], resource("a", "path:/a")),
    ]);
    let targets = Target::of_entries(state.entries().iter());
    let found: Vec<_> =
        targets.iter().map(|target| (target.address.name.as_str(), target.entries.len())).collect();
    assert_eq!(found, [("a", 2), ("b", 1)]);
}
