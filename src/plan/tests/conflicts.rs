//! Tests of conflicts inside a project, and of the order that comes from what resources use.

use std::fs;

use super::super::conflicts::{ProjectFiles, check, order_by_uses};
use super::*;

/// The message of a conflict, or nothing.
fn told(all: &[CompiledResource], is_local: bool) -> String {
    check(all, None, is_local).map_or_else(|error| error.to_string(), |()| String::new())
}

fn publishing(name: &str, port: &str) -> CompiledResource {
    with_claims(resource(name, &format!("container:{name}")), &[&format!("port:{port}")])
}

fn using(mut resource: CompiledResource, uses: &[&str]) -> CompiledResource {
    resource.uses = uses.iter().map(|&used| used.to_owned()).collect();
    resource
}

fn needing(mut resource: CompiledResource, needs: &[&str]) -> CompiledResource {
    resource.needs = needs.iter().map(|name| address(name)).collect();
    resource
}

#[test]
fn one_place_has_one_resource_in_all_spellings() {
    let two = |one: &str, other: &str| [resource("a", one), resource("b", other)];
    for (one, other, place) in [
        ("path:/k/x", "path:/k/x", "/k/x"),
        ("path:/k/x", "path:/k//x", "/k//x"),
        ("path:/k/x", "path:/k/../k/./x", "/k/../k/./x"),
        ("path:/k/x/", "path:/k/x", "/k/x"),
        ("path:/k/x", "path:/k/y", ""),
        ("path:/k", "path:/k/x", ""),
    ] {
        for is_local in [false, true] {
            let told = told(&two(one, other), is_local);
            let is_told = told.contains(&format!("are at the same place, {place}: give one of them another"));
            assert!(if place.is_empty() { told.is_empty() } else { is_told }, "{one} {other}: {told}");
        }
    }
    let container = told(&two("container:web", "container:web"), false);
    assert_eq!(
        container,
        "FileResource 'a' and FileResource 'b' are both the container 'web': give one of them another"
    );
    let [mut a, b] = two("path:/a", "path:/b");
    a.defined_at = Some("main.py:3".into());
    let claimed = told(&[a, with_claims(b, &["path:/a"])], false);
    assert!(claimed.starts_with("FileResource 'a' (main.py:3) and FileResource 'b' are at"), "{claimed}");
    let bare =
        [with_claims(resource("a", "path:/a"), &["dns"]), with_claims(resource("b", "path:/b"), &["dns"])];
    assert!(told(&bare, false).contains("both claim 'dns'"));
}

#[test]
#[cfg(unix)]
fn links_are_followed_on_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir(root.join("real")).unwrap();
    std::os::unix::fs::symlink("real", root.join("link")).unwrap();
    let at = |name: &str, path: &str| resource(name, &format!("path:{}/{path}", root.display()));
    for (one, other) in [("real/x", "link/x"), ("real/new/x", "link/new/x"), ("real//x", "link/./x")] {
        let both = [at("a", one), at("b", other)];
        assert!(told(&both, true).contains("are at the same place"), "{one} {other}");
        assert_eq!(told(&both, false), "", "links of this machine say nothing of others");
    }
    assert_eq!(told(&[at("a", "link"), at("b", "real")], true), "", "a link is a place of its own");
}

#[test]
fn resources_may_share_a_place_on_different_hosts() {
    let a = |hosts: &[&str]| on(hosts, resource("a", "path:/a"));
    let b = |hosts: &[&str]| on(hosts, resource("b", "path:/a"));
    for (why, one, other, is_conflict) in [
        ("disjoint", a(&["h1"]), b(&["h2"]), false),
        ("one in common", a(&["h1", "h2"]), b(&["h2"]), true),
        ("all hosts", a(&["h1"]), resource("b", "path:/a"), true),
        ("no host", a(&[]), resource("b", "path:/a"), false),
        ("one resource", a(&["h1"]), a(&["h1"]), false),
    ] {
        assert_eq!(check(&[one, other], None, false).is_err(), is_conflict, "{why}");
    }
    // A third one meets the second, but not the first.
    assert!(check(&[a(&["h1"]), b(&["h2"]), on(&["h2"], resource("c", "path:/a"))], None, false).is_err());
}

#[test]
fn ports_of_all_addresses_are_ports_of_each() {
    for (one, other, is_conflict) in [
        ("0.0.0.0:80/tcp", "0.0.0.0:80/tcp", true),
        ("0.0.0.0:80/tcp", "127.0.0.1:80/tcp", true),
        ("127.0.0.1:80/tcp", "0.0.0.0:80/tcp", true),
        ("[::]:80/tcp", "[::1]:80/tcp", true),
        ("127.0.0.1:80/tcp", "127.0.0.1:80/tcp", true),
        ("127.0.0.1:80/tcp", "192.168.0.1:80/tcp", false),
        ("0.0.0.0:53/tcp", "0.0.0.0:53/udp", false),
        ("0.0.0.0:80/tcp", "127.0.0.1:81/tcp", false),
    ] {
        let (a, b) = (publishing("a", one), publishing("b", other));
        let told = told(&[a.clone(), b.clone()], false);
        assert_eq!(told.contains("both publish the port"), is_conflict, "{one} {other}: {told}");
        assert!(check(&[on(&["h1"], a), on(&["h2"], b)], None, false).is_ok(), "{one} {other} on two hosts");
    }
    let both = ["port:0.0.0.0:80/tcp", "port:127.0.0.1:80/tcp"];
    assert_eq!(told(&[with_claims(resource("a", "container:a"), &both)], false), "", "one resource has both");
}

#[test]
fn no_resource_writes_the_projects_own_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let files = ProjectFiles { folder: folder.path(), source: "main.py" };
    for (path, is_own) in [
        ("main.py", true),
        ("./sub/../main.py", true),
        (crate::lockfile::FILE_NAME, true),
        (".clockwork/state.json", true),
        (".clockwork", true),
        ("other.py", false),
        ("sub/main.py", false),
        (".clockwork.txt", false),
    ] {
        let identity = format!("path:{}/{path}", root.display());
        let claiming = with_claims(resource("a", "unit:a"), &[&identity]);
        for resource in [resource("a", &identity), claiming] {
            let checked = check(std::slice::from_ref(&resource), Some(&files), true);
            assert_eq!(checked.is_err(), is_own, "{path}");
            if let Err(error) = checked {
                assert!(
                    error.to_string().contains("which is the project's own. Give it another path"),
                    "{error}"
                );
            }
            assert!(check(&[resource], Some(&files), false).is_ok(), "{path} of another host");
        }
    }
    assert!(check(&[resource("a", "path:main.py")], Some(&files), true).is_ok(), "nobody knows from where");
}

#[test]
fn resources_come_after_what_they_use() {
    let container = |uses: &[&str]| using(resource("web", "container:web"), uses);
    let page = || resource("page", "path:/srv/www/index.html");
    let far = || on(&["far"], page());
    for (why, all, needs, notes) in [
        (
            "a file",
            vec![container(&["path:/srv/www/index.html"]), page()],
            vec!["web: page"],
            vec!["FileResource 'web' comes after FileResource 'page', because it uses /srv/www/index.html"],
        ),
        (
            "a folder",
            vec![container(&["path:/srv/www"]), page()],
            vec!["web: page"],
            vec!["FileResource 'web' comes after FileResource 'page', because it uses /srv/www"],
        ),
        (
            "a claim",
            vec![container(&["net:a"]), with_claims(resource("n", "unit:n"), &["net:a"])],
            vec!["web: n"],
            vec!["FileResource 'web' comes after FileResource 'n', because it uses a"],
        ),
        ("the order of definition", vec![page(), container(&["path:/srv/www"])], vec!["web: page"], vec![]),
        (
            "a file in a folder",
            vec![page(), resource("dir", "path:/srv")],
            vec!["page: dir"],
            vec!["FileResource 'page' comes after FileResource 'dir', because it lies in /srv"],
        ),
        (
            "said already",
            vec![needing(container(&["path:/srv/www"]), &["page"]), page()],
            vec!["web: page"],
            vec![],
        ),
        (
            "said already of another",
            vec![
                needing(container(&["path:/srv/www"]), &["x"]),
                needing(resource("x", "unit:x"), &["page"]),
                page(),
            ],
            vec!["web: x, page", "x: page"],
            vec![],
        ),
        ("nothing provides it", vec![container(&["path:/etc"]), page()], vec![], vec![]),
        ("a like name", vec![container(&["path:/srv/ww"]), page()], vec![], vec![]),
        ("itself", vec![using(page(), &["path:/srv"])], vec![], vec![]),
        ("on other hosts", vec![on(&["near"], container(&["path:/srv/www"])), far()], vec![], vec![]),
        (
            "on some hosts",
            vec![container(&["path:/srv/www"]), far()],
            vec!["web: page"],
            vec!["FileResource 'web' comes after FileResource 'page', because it uses /srv/www"],
        ),
    ] {
        let mut all = all;
        assert_eq!(order_by_uses(&mut all), notes, "{why}");
        assert_eq!(needed(&all), needs, "{why}");
    }
}

fn needed(all: &[CompiledResource]) -> Vec<String> {
    let names = |needs: &[Address]| needs.iter().map(|need| need.name.clone()).collect::<Vec<_>>().join(", ");
    let some = all.iter().filter(|resource| !resource.needs.is_empty());
    some.map(|resource| format!("{}: {}", resource.address.name, names(&resource.needs))).collect()
}

#[test]
fn uses_make_no_cycle() {
    let uses =
        |name: &str, used: &str| using(resource(name, &format!("path:/{name}")), &[&format!("path:/{used}")]);
    for (why, all, needs) in [
        ("the other needs it", vec![uses("a", "b"), needing(resource("b", "path:/b"), &["a"])], vec!["b: a"]),
        (
            "the other needs it through a third",
            vec![
                uses("a", "b"),
                needing(resource("b", "path:/b"), &["c"]),
                needing(resource("c", "path:/c"), &["a"]),
            ],
            vec!["b: c", "c: a"],
        ),
        ("each uses the other", vec![uses("a", "b"), uses("b", "a")], vec!["a: b"]),
        ("a ring", vec![uses("a", "b"), uses("b", "c"), uses("c", "a")], vec!["a: b", "b: c"]),
    ] {
        let mut all = all;
        order_by_uses(&mut all);
        assert_eq!(needed(&all), needs, "{why}");
    }
}
