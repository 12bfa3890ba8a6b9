//! Tests of what goes because of what main.py says now.

use super::*;
use crate::state::Rename;

/// The names of the lists, each with what is in it.
fn lists(moves: &Moves<'_>) -> Vec<String> {
    let Moves { orphans, inherited, moved, set_aside, first } = moves;
    let mut all = Vec::new();
    for (list, entries) in [("orphan", orphans), ("moved", moved), ("aside", set_aside), ("first", first)] {
        for entry in entries {
            let host = if entry.host == LOCAL { String::new() } else { format!(" on {}", entry.host) };
            all.push(format!("{list} {}{host}", entry.identity));
        }
    }
    all.extend(inherited.iter().map(|(entry, heir)| format!("{} is {}'s", entry.identity, heir.name)));
    all
}

/// Checks what goes after `before` was deployed and main.py has `wanted`. `orphans` are names.
fn check(
    why: &str,
    before: &[CompiledResource],
    wanted: &[CompiledResource],
    orphans: &[&str],
    told: &[&str],
) {
    let mut state = deployed(before);
    let orphans: Vec<Address> = orphans.iter().map(|name| address(name)).collect();
    align(&mut state, wanted);
    assert_eq!(lists(&moves(&state, wanted, &orphans)), told, "{why}");
}

fn container(name: &str, container: &str, ports: &[u16]) -> CompiledResource {
    let claims: Vec<String> = ports.iter().map(|port| format!("port:0.0.0.0:{port}/tcp")).collect();
    let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
    with_claims(resource(name, &format!("container:{container}")), &claims)
}

/// A container that only code of the user's takes down.
fn foreign(name: &str, identity: &str, claims: &[&str]) -> CompiledResource {
    with_claims(taken_down_by(resource(name, identity), vec![code("docker rm")]), claims)
}

#[test]
fn things_move_with_their_resources() {
    let at = |path: &str| resource("a", path);
    let (old, new) = (|| at("path:/old"), || at("path:/new"));
    for (why, before, wanted, told) in [
        ("it stays", vec![old()], vec![old()], vec![]),
        ("it is elsewhere", vec![old()], vec![new()], vec!["moved path:/old"]),
        ("it was elsewhere, and a run did not end", vec![old(), new()], vec![new()], vec!["moved path:/old"]),
        ("nothing is there yet", vec![], vec![new()], vec![]),
        ("a part of main.py", vec![old()], vec![resource("b", "path:/b")], vec![]),
        (
            "one takes the place of another",
            vec![old(), resource("b", "path:/new")],
            vec![new(), resource("b", "path:/b")],
            vec!["moved path:/old"],
        ),
        (
            "places swapped",
            vec![old(), resource("b", "path:/new")],
            vec![new(), resource("b", "path:/old")],
            vec![],
        ),
    ] {
        check(why, &before, &wanted, &[], &told);
    }
}

#[test]
fn things_in_the_way_are_set_aside() {
    let a = |path: &str| resource("a", path);
    let web = |name: &str, ports: &[u16]| container("web", name, ports);
    let local_port = with_claims(resource("web", "container:b"), &["port:127.0.0.1:80/tcp"]);
    let unknown = container("web", "old", &[]);
    for (why, before, wanted, told) in [
        ("a folder in place of a file", vec![a("path:/x")], vec![a("path:/x/y")], vec!["aside path:/x"]),
        ("a file in place of a folder", vec![a("path:/x/y")], vec![a("path:/x")], vec!["aside path:/x/y"]),
        (
            "another's folder",
            vec![a("path:/x")],
            vec![a("path:/z"), resource("b", "path:/x/y")],
            vec!["aside path:/x"],
        ),
        ("a like name", vec![a("path:/x")], vec![a("path:/xy")], vec!["moved path:/x"]),
        ("a renamed container", vec![web("a", &[80])], vec![web("b", &[80])], vec!["aside container:a"]),
        ("one address of its port", vec![web("a", &[80])], vec![local_port], vec!["aside container:a"]),
        ("another port", vec![web("a", &[80])], vec![web("b", &[81])], vec!["moved container:a"]),
        ("nobody knows its ports", vec![unknown.clone()], vec![web("b", &[80])], vec!["aside container:old"]),
        ("it has no ports now", vec![unknown], vec![web("b", &[])], vec!["moved container:old"]),
        (
            "its port is another's now",
            vec![web("a", &[80])],
            vec![web("b", &[]), container("db", "db", &[80])],
            vec!["aside container:a"],
        ),
        (
            "another claims its place",
            vec![a("path:/x")],
            vec![a("path:/z"), with_claims(resource("b", "unit:b"), &["path:/x"])],
            vec!["aside path:/x"],
        ),
    ] {
        check(why, &before, &wanted, &[], &told);
    }
}

#[test]
fn takers_and_givers_of_a_claim_are_set_aside_together() {
    let one = |ports: &[u16]| container("one", "one", ports);
    let two = |ports: &[u16]| container("two", "two", ports);
    let far = |resource| on(&["far"], resource);
    for (why, before, wanted, told) in [
        (
            "swapped",
            vec![one(&[80]), two(&[81])],
            vec![one(&[81]), two(&[80])],
            vec!["aside container:one", "aside container:two"],
        ),
        (
            "given and taken",
            vec![one(&[80]), two(&[])],
            vec![one(&[]), two(&[80])],
            vec!["aside container:one", "aside container:two"],
        ),
        (
            "taken by one that is new",
            vec![one(&[80])],
            vec![one(&[]), two(&[80])],
            vec!["aside container:one"],
        ),
        ("given up only", vec![one(&[80]), two(&[81])], vec![one(&[]), two(&[81])], vec![]),
        ("taken only", vec![one(&[80]), two(&[])], vec![one(&[80]), two(&[81])], vec![]),
        (
            "on other hosts",
            vec![one(&[80]), far(two(&[]))],
            vec![on(&[LOCAL], one(&[])), far(two(&[80]))],
            vec![],
        ),
        (
            "the giver has another name now",
            vec![one(&[80]), two(&[])],
            vec![container("one", "uno", &[]), two(&[80])],
            vec!["aside container:one", "aside container:two"],
        ),
        (
            "they cannot come back",
            vec![foreign("one", "container:one", &["c"]), foreign("two", "container:two", &[])],
            vec![foreign("one", "container:one", &[]), foreign("two", "container:two", &["c"])],
            vec![],
        ),
    ] {
        check(why, &before, &wanted, &[], &told);
    }
}

#[test]
fn things_that_nothing_puts_back_go_first() {
    let unknown = CompiledResource { removal: Removal::Unknown, ..container("a", "a", &[80]) };
    for (why, before, wanted, told) in [
        (
            "code takes it down",
            foreign("a", "container:a", &["c"]),
            foreign("a", "container:b", &["c"]),
            "first container:a",
        ),
        ("nothing takes it down", unknown, container("a", "b", &[80]), "first container:a"),
        (
            "not in the way",
            foreign("a", "container:a", &[]),
            foreign("a", "container:b", &[]),
            "moved container:a",
        ),
    ] {
        check(why, &[before], &[wanted], &[], &[told]);
    }
    // A kind that returns code says nothing of a place: it may be anywhere.
    let renamed = |takes_down: &str| {
        let mut state = deployed(&[of_code("old", "rm x")]);
        state.rename(&[Rename { old: address("old"), new: address("new") }]);
        let wanted = [of_code("new", takes_down)];
        align(&mut state, &wanted);
        lists(&moves(&state, &wanted, &[]))
    };
    assert_eq!(renamed("rm x"), [""; 0], "it is the same thing");
    assert_eq!(renamed("rm y"), ["first code:FileResource/old"]);
}

#[test]
fn orphans_go_where_main_py_has_them_no_longer() {
    let a = |hosts: &[&str]| on(hosts, resource("a", "path:/a"));
    for (why, before, wanted, orphans, told) in [
        ("it is gone", vec![resource("a", "path:/a")], vec![], vec!["a"], vec!["orphan path:/a"]),
        ("another file has it", vec![resource("a", "path:/a")], vec![], vec![], vec![]),
        ("one host less", vec![a(&["h1", "h2"])], vec![a(&["h1"])], vec![], vec!["orphan path:/a on h2"]),
        ("no host", vec![a(&["h1"])], vec![a(&[])], vec![], vec!["orphan path:/a on h1"]),
        ("one more", vec![a(&["h1"])], vec![a(&["h1", "h2"])], vec![], vec![]),
        (
            "another has it",
            vec![resource("a", "path:/a")],
            vec![resource("b", "path:/a")],
            vec!["a"],
            vec!["path:/a is b's"],
        ),
        (
            "another has it on one host",
            vec![a(&["h1", "h2"])],
            vec![on(&["h2"], resource("b", "path:/a"))],
            vec!["a"],
            vec!["orphan path:/a on h1", "path:/a is b's"],
        ),
        (
            "code that takes down the same",
            vec![of_code("a", "rm x")],
            vec![of_code("b", "rm x")],
            vec!["a"],
            vec!["orphan code:FileResource/a"],
        ),
        (
            "another has it, and gives up a port",
            vec![container("a", "x", &[80])],
            vec![container("b", "x", &[]), container("c", "c", &[80])],
            vec!["a"],
            vec!["aside container:x", "container:x is b's"],
        ),
    ] {
        check(why, &before, &wanted, &orphans, &told);
    }
}

#[test]
fn identities_are_brought_into_line_where_only_their_wording_changed() {
    let placed = |hosts: &[&str], path: &str| on(hosts, resource("a", path));
    let coded = |hosts: &[&str]| on(hosts, of_code("a", "rm x"));
    let both = ["h1", "h2"];
    for (why, before, wanted, identities) in [
        (
            "a kind that got identities",
            vec![coded(&both)],
            vec![placed(&both, "path:/a")],
            vec!["path:/a", "path:/a"],
        ),
        (
            "a kind that lost them",
            vec![placed(&["h1"], "path:/a")],
            vec![coded(&["h1"])],
            vec!["code:FileResource/a"],
        ),
        (
            "a thing that moved",
            vec![placed(&["h1"], "path:/a")],
            vec![placed(&["h1"], "path:/b")],
            vec!["path:/a"],
        ),
        (
            "another at each host",
            vec![coded(&both)],
            vec![placed(&["h1"], "path:/1"), placed(&["h2"], "path:/2")],
            vec!["path:/1", "path:/2"],
        ),
        (
            "it is known under the new one too",
            vec![coded(&["h1"]), placed(&["h1"], "path:/a")],
            vec![placed(&["h1"], "path:/a")],
            vec!["code:FileResource/a", "path:/a"],
        ),
        (
            "the place is another's",
            vec![coded(&["h1"]), on(&["h1"], resource("b", "path:/a"))],
            vec![placed(&["h1"], "path:/a")],
            vec!["code:FileResource/a", "path:/a"],
        ),
    ] {
        let mut state = deployed(&before);
        align(&mut state, &wanted);
        let found: Vec<&str> = state.entries().iter().map(|entry| entry.identity.as_str()).collect();
        assert_eq!(found, identities, "{why}");
    }
}

#[test]
fn renamed_code_is_the_same_thing_where_it_is_taken_down_alike() {
    let secret = |mut resource: CompiledResource| {
        resource.destroy = None;
        resource.removal = Removal::Unknown;
        resource
    };
    for (why, before, wanted, is_same) in [
        ("the same code", of_code("old", "rm x"), of_code("new", "rm x\n"), true),
        (
            "more code",
            of_code("old", "rm x"),
            taken_down_by(of_code("new", ""), vec![code("rm x"), code("rm y")]),
            true,
        ),
        ("other code", of_code("old", "rm x"), of_code("new", "rm y"), false),
        ("it never said how", secret(of_code("old", "")), of_code("new", "rm x"), true),
        ("it says no longer how", of_code("old", "rm x"), secret(of_code("new", "")), true),
    ] {
        let mut state = deployed(&[before]);
        state.rename(&[Rename { old: address("old"), new: address("new") }]);
        align(&mut state, &[wanted]);
        let expected = if is_same { "code:FileResource/new" } else { "code:FileResource/old" };
        assert_eq!(state.entries()[0].identity, expected, "{why}");
    }
}
