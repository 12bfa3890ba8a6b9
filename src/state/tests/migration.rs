//! States of older formats, with the code that they kept.

use super::*;

/// The start of a container's removal code, as format 1 wrote it.
const ENGINE: &str = r#"# Without an engine that answers nobody can tell what is there; pyinfra would take it for nothing at all.
trouble = host.get_fact(Command, command="if command -v docker >/dev/null; then out=$(docker version 2>&1 >/dev/null) || echo \"$out\"; else echo 'Docker is not installed on this host, or not on its PATH, so nobody can tell whether the container is there'; fi")
if trouble:
    raise RuntimeError(trouble)
"#;

/// The state that Clockwork 0.1.0 wrote for one resource of each kind.
const OF_0_1_0: &str = include_str!("../../../tests/data/version_0_1_0/state.json");

/// The code of format 1 that removes a file.
fn file_code(path: &str) -> String {
    format!("files.file(name=\"Remove {path}\", path=\"{path}\", present=False)\n")
}

/// The code of format 1 that removes a container and its networks.
fn container_code(name: &str, networks: &[&str]) -> String {
    let mut code = format!(
        "{ENGINE}docker.container(\n    name=\"{name}: remove container\",\n    container=\"{name}\",\n    \
         present=False,\n    start=False,\n)\n"
    );
    for network in networks {
        code.push_str(&format!(
            r#"found = (host.get_fact(DockerNetwork, object_id="{network}") or [{{}}])[0]
if (found.get("Labels") or {{}}).get("clockwork.managed"):
    docker.network(
        name="{name}: remove network {network}",
        network="{network}",
        present=False,
        # Another container may still be attached to it; the last one takes it along.
        _if=lambda: [n["Containers"] for n in host.get_fact(DockerNetwork, object_id="{network}") or []] == [{{}}],
    )
"#
        ));
    }
    code
}

fn deployed(removal: &Value) -> Value {
    deployed_at("2026-01-01T00:00:00Z", removal)
}

fn deployed_at(at: &str, removal: &Value) -> Value {
    json!({"fingerprint": "f", "fields": {}, "removal": removal, "at": at, "by": "0.1.0"})
}

fn pending(intent: &str, removal: &Value) -> Value {
    json!({"intent": intent, "removal": removal, "at": "2026-01-02T00:00:00Z", "by": "0.1.0"})
}

fn code(code: &str) -> Value {
    json!({ "code": code })
}

/// An entry of format 1 with these parts.
fn entry(name: &str, parts: &Value) -> Value {
    let mut entry =
        json!({"kind": "K", "name": name, "host": "@local", "source": "main.py", "deployed": null});
    entry.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    entry
}

fn migrated(entries: &[Value]) -> State {
    let (_folder, store) =
        written(&json!({"format": 1, "clockwork": "0.1.0", "resources": entries}).to_string());
    store.read().unwrap()
}

/// The identities, each with what its steps take down.
fn things(state: &State) -> Vec<(&str, Vec<String>)> {
    state.entries().iter().map(|entry| (entry.identity.as_str(), known(entry))).collect()
}

fn thing<'a>(identity: &'a str, steps: &[&str]) -> (&'a str, Vec<String>) {
    (identity, steps.iter().map(|step| (*step).to_owned()).collect())
}

/// The identity and the steps of a resource that was deployed with that code.
fn read(removal: &str) -> (String, Vec<String>) {
    let state = migrated(&[entry("a", &json!({"deployed": deployed(&code(removal))}))]);
    let entry = &state.entries()[0];
    assert_eq!(state.entries().len(), 1);
    (entry.identity.clone(), known(entry))
}

#[test]
fn the_oldest_format_is_read_and_the_newest_is_written() {
    let one = entry("a", &json!({"deployed": deployed(&code(&file_code("/a")))}));
    let (_folder, store) = written(&json!({"format": 0, "resources": {"K.a@@local": one}}).to_string());
    assert_eq!(things(&store.read().unwrap()), [thing("path:/a", &["/a"])]);
    let before = fs::read_to_string(&store.path).unwrap();
    store.update(|_| ()).unwrap();
    assert_eq!(fs::read_to_string(&store.path).unwrap(), before, "what changes nothing writes nothing");
    store.update(|state| deploy(state, &file("b", "/b"))).unwrap();
    let document: Value = serde_json::from_str(&fs::read_to_string(&store.path).unwrap()).unwrap();
    assert_eq!(document["format"], 2);
    assert_eq!(document["resources"].as_array().unwrap().len(), 2);
    assert_eq!(things(&store.read().unwrap()), [thing("path:/a", &["/a"]), thing("path:/b", &["/b"])]);
}

#[test]
fn the_state_of_a_whole_project_of_0_1_0_is_read() {
    let text = OF_0_1_0.replace("@FOLDER@", "/project").replace("@PREFIX@", "cw");
    let (_folder, store) = written(&text);
    let state = store.read().unwrap();
    assert_eq!(
        things(&state),
        [
            thing("path:/project/out/a.txt", &["/project/out/a.txt"]),
            thing("path:/project/out/od\nd\\.txt", &["/project/out/od\nd\\.txt"]),
            thing("path:/project/out/art.md", &["/project/out/art.md"]),
            thing("path:/project/out/page", &["/project/out/page"]),
            thing("code:Own/own", &["files.file(path='out/own', present=False)"]),
            thing("container:cw-web", &["cw-web", "cw-net"]),
        ]
    );
    assert_eq!(state.lineage, "");
    let entry = &state.entries()[0];
    assert_eq!((entry.group.as_deref(), entry.source.as_deref()), (Some("site"), Some("main.py")));
    let deployed = entry.deployed.as_ref().unwrap();
    assert_eq!((deployed.at.as_str(), deployed.by.as_str()), ("2026-11-25T22:14:45Z", "0.1.0"));
    assert_eq!((deployed.fields["mode"].as_str(), deployed.fields_fingerprint.as_ref()), (Some("644"), None));
}

#[test]
fn a_file_is_known_by_its_path_and_removed_as_it_would_be_today() {
    let state = migrated(&[entry("a", &json!({"deployed": deployed(&code(&file_code("/k//x/../y")))}))]);
    assert_eq!(state.entries()[0].identity, "path:/k/y");
    assert_eq!(state.entries()[0].removal(), Removal::Steps(vec![remove("/k//x/../y")]));
    for (written, path) in [
        (r#"/a \"b\" 'c'"#, r#"/a "b" 'c'"#),
        (r"/\t\r", "/\t\r"),
        (r"/\x00\u202e\U000e0041ü", "/\u{0}\u{202e}\u{e0041}ü"),
    ] {
        assert_eq!(read(&file_code(written)), (format!("path:{path}"), vec![path.to_owned()]));
    }
}

#[test]
fn a_path_with_a_backslash_or_a_newline_is_read_from_its_shell_command() {
    let odd = r#"# pyinfra's own facts cannot read a path with a backslash or a newline in it.
if host.get_fact(Command, command="test ! -e '/tmp/a\\b\nc'\\''d' || echo there"):
    server.shell(name="Remove /tmp/a\\b\nc'd", commands=["rm -f '/tmp/a\\b\nc'\\''d'"])
"#;
    assert_eq!(read(odd), ("path:/tmp/a\\b\nc'd".to_owned(), vec!["/tmp/a\\b\nc'd".to_owned()]));
    for other in [
        odd.replace("rm -f '/tmp", "rm -f '/etc"),
        odd.replace("test ! -e '/tmp", "test ! -e '/etc"),
        odd.replace("Remove /tmp", "Remove /etc"),
    ] {
        assert_eq!(read(&other).0, "code:K/a");
    }
}

#[test]
fn a_container_is_known_by_its_name_and_takes_its_networks_along() {
    for networks in [&[][..], &["front"], &["front", "back"]] {
        let (identity, steps) = read(&container_code("web", networks));
        assert_eq!(identity, "container:web");
        assert_eq!(steps, [&["web"], networks].concat());
    }
    let state =
        migrated(&[entry("web", &json!({"deployed": deployed(&code(&container_code("web", &["net"])))}))]);
    let Removal::Steps(steps) = state.entries()[0].removal() else { panic!("it has steps") };
    let wanted = json!([
        {"operation": {
            "function": "clockwork.operations.docker.container",
            "arguments": [["name", "web: remove container"], ["container", "web"], ["present", false]],
        }},
        {"operation": {
            "function": "clockwork.operations.docker.network",
            "arguments": [["name", "web: remove network net"], ["network", "net"], ["present", false]],
        }},
    ]);
    assert_eq!(serde_json::to_value(steps).unwrap(), wanted);
}

#[test]
fn code_of_a_users_kind_stays_code() {
    let network = container_code("web", &["net"]);
    for own in [
        "files.file(path='/a', present=False)".to_owned(),
        "files.file(name=\"Mine\", path=\"/a\", present=False)".to_owned(),
        "files.file(name=\"Remove /a\", path=\"/a\", present=True)".to_owned(),
        "files.file(name=\"Remove /a\", path=\"/a".to_owned(),
        "files.file(name=\"Remove /\\q\", path=\"/\\q\", present=False)".to_owned(),
        format!("{}server.shell(commands=[\"true\"])\n", file_code("/a")),
        format!("{}{}", file_code("/a"), file_code("/b")),
        container_code("web", &[]).replace("web: remove", "mine: remove"),
        format!("{network}server.shell(commands=[\"true\"])\n"),
        network.replace("        present=False,\n", "        present=True,\n"),
        network.replace("    docker.network(", "    print(1)\n    docker.network("),
        network.replace("object_id=\"net\") or []]", "object_id=\"other\") or []]"),
        network.replace(ENGINE, ""),
    ] {
        assert_eq!(read(&own), ("code:K/a".to_owned(), vec![own.clone()]));
    }
}

#[test]
fn what_cannot_be_taken_down_says_so_as_before() {
    for (old, removal) in [("unknown", Removal::Unknown), ("secret", Removal::Secret)] {
        let state = migrated(&[entry("a", &json!({"deployed": deployed(&json!(old))}))]);
        let entry = &state.entries()[0];
        assert_eq!((entry.identity.as_str(), entry.removal()), ("code:K/a", removal));
    }
}

#[test]
fn work_that_was_begun_is_where_it_was_begun() {
    let begun = |deployed_as: Option<&str>, pending_as: &str| {
        let deployed = deployed_as.map(|removal| deployed(&code(removal)));
        migrated(&[entry(
            "a",
            &json!({"deployed": deployed, "pending": pending("apply", &code(pending_as))}),
        )])
    };
    let state = begun(Some(&container_code("web", &["one"])), &container_code("web", &["two"]));
    assert_eq!(things(&state), [thing("container:web", &["web", "one", "two"])]);
    let state = begun(Some(&file_code("/a")), &file_code("/b"));
    assert_eq!(things(&state), [thing("path:/a", &["/a"]), thing("path:/b", &["/b"])]);
    assert_eq!(state.entries()[0].pending, None);
    assert!(state.entries()[1].deployed.is_none() && state.entries()[1].pending.is_some());
    assert_eq!(things(&begun(None, &file_code("/b"))), [thing("path:/b", &["/b"])]);
    assert_eq!(things(&begun(Some("mine 1"), "mine 2")), [thing("code:K/a", &["mine 1", "mine 2"])]);
    let removal = code(&file_code("/a"));
    let parts = json!({"deployed": deployed(&removal), "pending": pending("remove", &removal)});
    let state = migrated(&[entry("a", &parts)]);
    assert_eq!(things(&state), [thing("path:/a", &["/a"])]);
    assert_eq!(state.entries()[0].pending.as_ref().unwrap().intent, PendingAction::Remove);
}

#[test]
fn leftovers_are_things_of_their_own_where_their_place_is_known() {
    let leftovers = |deployed_as: Option<&str>, codes: &[&str]| {
        let deployed = deployed_as.map(|removal| deployed(&code(removal)));
        let leftovers: Vec<Value> =
            codes.iter().map(|text| json!({"removal": code(text), "by": "0.1.0"})).collect();
        migrated(&[entry("a", &json!({"deployed": deployed, "leftovers": leftovers}))])
    };
    let state =
        leftovers(Some(&file_code("/a")), &[&file_code("/b"), "mine", &file_code("/c"), &file_code("/b")]);
    assert_eq!(
        things(&state),
        [thing("path:/a", &["/a", "mine"]), thing("path:/b", &["/b"]), thing("path:/c", &["/c"])]
    );
    assert!(state.entries().iter().all(|entry| entry.address.name == "a"));
    let state = leftovers(Some(&container_code("web", &["new"])), &[&container_code("web", &["old"])]);
    assert_eq!(things(&state), [thing("container:web", &["web", "new", "old"])]);
    assert_eq!(things(&leftovers(None, &["mine"])), [thing("code:K/a", &["mine"])]);
}

#[test]
fn the_last_of_two_resources_at_one_place_has_it_and_no_step_is_lost() {
    let web = |name: &str, at: &str, network: &str| {
        entry(name, &json!({"deployed": deployed_at(at, &code(&container_code("web", &[network])))}))
    };
    for (first, second, owner) in [("1", "2", "b"), ("2", "1", "a"), ("1", "1", "b")] {
        let state = migrated(&[web("a", first, "one"), web("b", second, "two")]);
        assert_eq!(state.entries().len(), 1);
        assert_eq!(state.entries()[0].address.name, owner);
        let mut steps = known(&state.entries()[0]);
        steps.sort();
        assert_eq!(steps, ["one", "two", "web"]);
    }
    // Work that was begun does not take a thing from the one that has deployed it, but it may have changed it.
    let has = entry("a", &json!({"deployed": deployed(&code(&file_code("/x")))}));
    let begins = entry("b", &json!({"pending": pending("apply", &code(&file_code("/x")))}));
    for entries in [[has.clone(), begins.clone()], [begins, has.clone()]] {
        let state = migrated(&entries);
        assert_eq!(things(&state), [thing("path:/x", &["/x"])]);
        assert_eq!(state.entries()[0].address.name, "a");
        assert!(state.entries()[0].pending.is_some());
    }
    let moved = json!({
        "deployed": deployed(&code(&file_code("/y"))),
        "leftovers": [{"removal": code(&file_code("/x")), "by": "0.1.0"}],
    });
    let state = migrated(&[entry("b", &moved), has.clone()]);
    assert_eq!(things(&state), [thing("path:/y", &["/y"]), thing("path:/x", &["/x"])]);
    assert_eq!((state.entries()[1].address.name.as_str(), state.entries()[1].leftovers.len()), ("a", 0));
    let mut elsewhere = has.clone();
    elsewhere["host"] = json!("db1");
    assert_eq!(migrated(&[has, elsewhere]).entries().len(), 2, "another host has another thing");
}

#[test]
fn fields_tell_the_difference_to_what_format_1_deployed() {
    let (_folder, store) = written(OF_0_1_0);
    let state = store.read().unwrap();
    let deployed = state.entries()[0].deployed.as_ref().unwrap();
    let mut wanted = CompiledResource::new(address("a.txt"), "path:/a".into());
    wanted.fields_fingerprint = "new".into();
    wanted.steps_fingerprint = "new".into();
    wanted.fields.clone_from(&deployed.fields);
    wanted.given = ["name", "directory", "content"].map(str::to_owned).into();
    assert_eq!(deployed.difference(&wanted), Difference::None, "other steps are no difference");
    wanted.fields.insert("owner".into(), Value::Null);
    assert_eq!(deployed.difference(&wanted), Difference::None, "a later field has its default");
    wanted.fields.insert("owner".into(), json!("root"));
    wanted.given.insert("owner".into());
    assert_eq!(deployed.difference(&wanted), Difference::Fields, "a later field is given");
    wanted.given.remove("owner");
    wanted.fields.insert("mode".into(), json!("600"));
    assert_eq!(deployed.difference(&wanted), Difference::Fields);
    wanted.fields.shift_remove("mode");
    assert_eq!(deployed.difference(&wanted), Difference::Fields, "a field that is gone had a value");
}

#[test]
fn code_tells_the_difference_by_the_fingerprint_of_format_1() {
    let (_folder, store) = written(OF_0_1_0);
    let state = store.read().unwrap();
    let own = state.entries().iter().find(|entry| entry.address.kind == "Own").unwrap();
    let deployed = own.deployed.as_ref().unwrap();
    let mut wanted = CompiledResource::new(own.address.clone(), own.identity.clone());
    wanted.fields.insert("where".into(), json!("elsewhere"));
    wanted.code_fingerprint = Some("c6af0c9bd9255d49b01539e7309ba622a2f8f06a4463ff17f64d22142d4461f7".into());
    assert_eq!(deployed.difference(&wanted), Difference::None);
    wanted.code_fingerprint = Some("0".into());
    assert_eq!(deployed.difference(&wanted), Difference::Fields);
}

#[test]
fn what_is_seen_to_be_the_same_gets_its_fingerprints_and_keeps_its_time() {
    let removal = code(&container_code("web", &["net"]));
    let mut state = migrated(&[entry("web", &json!({"deployed": deployed(&removal)}))]);
    let Removal::Steps(steps) = state.entries()[0].removal() else { panic!("it has steps") };
    let wanted = with_steps("web", "container:web", steps);
    run(&mut state, Action::Unchanged, &outcome(&wanted, Action::Unchanged), std::slice::from_ref(&wanted));
    let entry = &state.entries()[0];
    let deployed = entry.deployed.as_ref().unwrap();
    assert_eq!((entry.leftovers.len(), deployed.at.as_str()), (0, "2026-01-01T00:00:00Z"));
    assert_eq!(deployed.difference(&wanted), Difference::None);
    assert_eq!(deployed.fields_fingerprint.as_ref(), Some(&wanted.fields_fingerprint));
}
