//! Names, and things that get another name, another identity or another resource.

use super::*;

#[test]
fn a_name_follows_its_resource_unless_there_is_one_of_that_name() {
    let mut state = State::default();
    for name in ["a", "b", "c"] {
        deploy(&mut state, &file(name, &format!("/{name}")));
    }
    state.entries[1].needs.push(address("a"));
    let rename = |old: &str, new: &str| Rename { old: address(old), new: address(new) };
    let renames = [rename("a", "new"), rename("b", "c"), rename("nothing", "d")];
    assert_eq!(state.rename(&renames), [address("new")]);
    assert_eq!(state.rename(&renames), [], "it has its new name by now");
    let names: Vec<&str> = state.entries().iter().map(|entry| entry.address.name.as_str()).collect();
    assert_eq!(names, ["new", "b", "c"]);
    assert_eq!(state.entries[1].needs, [address("new")]);
    assert_eq!(places(&state, "new"), [("path:/a".to_owned(), vec!["/a".to_owned()])]);
}

#[test]
fn a_name_that_is_not_known_is_told_with_what_may_be_meant() {
    let mut state = State::default();
    assert_eq!(state.find("a", None).unwrap_err(), "the state knows nothing called 'a'. It is empty.");
    deploy(&mut state, &file("web.conf", "/web.conf"));
    assert_eq!(state.find("FileResource.web.conf", Some("@local")).unwrap().len(), 1);
    assert!(state.find("web.cnf", None).unwrap_err().ends_with("Did you mean 'web.conf'?"));
    assert!(state.find("web.conf", Some("db1")).unwrap_err().contains("called 'web.conf' on db1"));
}

#[test]
fn an_identity_changes_only_where_no_other_thing_has_it() {
    let mut state = State::default();
    deploy(&mut state, &file("a", "/a"));
    deploy(&mut state, &file("b", "/b"));
    state.change_identity("@local", "path:/a", "path:/b");
    state.change_identity("elsewhere", "path:/a", "path:/c");
    assert!(state.get("@local", "path:/a").is_some());
    state.change_identity("@local", "path:/a", "path:/c");
    assert_eq!(places(&state, "a"), [("path:/c".to_owned(), vec!["/a".to_owned()])]);
    assert_eq!(state.by_identity()[&("@local", "path:/b")].address, address("b"));
}

#[test]
fn orphans_are_of_the_same_file() {
    let mut state = State::default();
    for (name, source) in
        [("a", Some("main.py")), ("b", Some("main.py")), ("c", Some("other.py")), ("d", None)]
    {
        let mut resource = file(name, &format!("/{name}"));
        resource.source = source.map(str::to_owned);
        deploy(&mut state, &resource);
    }
    let orphans = |source: Option<&str>, defined: &[Address]| -> Vec<String> {
        state.orphans(source, defined).iter().map(|entry| entry.address.name.clone()).collect()
    };
    assert_eq!(orphans(Some("main.py"), &[address("a")]), ["b"]);
    assert_eq!(orphans(None, &[]), [""; 0], "a program that passes its resources defines no others");
}

#[test]
fn a_thing_belongs_to_the_resource_that_has_its_identity() {
    let mut state = State::default();
    let both = [file("a", "/1"), file("b", "/1")];
    run(&mut state, Action::Create, &outcome(&both[0], Action::Create), &both);
    run(&mut state, Action::Unchanged, &outcome(&both[1], Action::Unchanged), &both);
    assert_eq!(state.entries().len(), 1, "one thing has one entry");
    assert_eq!(places(&state, "b"), [("path:/1".to_owned(), vec!["/1".to_owned()])]);
    // The former owner is elsewhere: neither has steps of the other's.
    deploy(&mut state, &file("a", "/2"));
    assert_eq!(places(&state, "a"), [("path:/2".to_owned(), vec!["/2".to_owned()])]);
    assert_eq!(places(&state, "b"), [("path:/1".to_owned(), vec!["/1".to_owned()])]);
    // Both change places.
    deploy(&mut state, &file("a", "/1"));
    deploy(&mut state, &file("b", "/2"));
    let entries: Vec<(&str, Vec<String>)> =
        state.entries().iter().map(|entry| (entry.address.name.as_str(), known(entry))).collect();
    assert_eq!(entries, [("a", vec!["/1".to_owned()]), ("b", vec!["/2".to_owned()])]);
    forget(&mut state, &address("a"), Some("elsewhere"));
    assert_eq!(state.entries().len(), 2);
    forget(&mut state, &address("a"), None);
    assert_eq!(places(&state, "a"), []);
}

#[test]
fn one_identity_on_two_hosts_is_two_things() {
    let mut state = State::default();
    let a = file("a", "/1");
    let there = |host: &str| ResourceOutcome { host: host.into(), ..outcome(&a, Action::Create) };
    record(&mut state, &State::default(), &[there("one"), there("two")], std::slice::from_ref(&a));
    assert_eq!(state.entries().len(), 2);
    let gone = ResourceOutcome { host: "one".into(), ..removal(&a, Action::Remove) };
    record(&mut state, &State::default(), &[gone], &[]);
    assert_eq!(state.entries()[0].host, "two");
}
