//! What goes into the lock comes out of it, and what it does not understand stays as it is.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

fn address(name: &str) -> Address {
    Address { kind: "FileResource".into(), name: name.into() }
}

fn entry(content: Artifact) -> Entry {
    Entry {
        fingerprint: "f".into(),
        sha256: digest(&content),
        content,
        model: "some/model".into(),
        provider: Some("Someone".into()),
        generated_at: "2026-08-01T12:00:00Z".into(),
        tokens_in: Some(12),
        tokens_out: None,
        cost: Some(0.0),
    }
}

fn text(text: &str) -> Entry {
    entry(Artifact::Text(text.into()))
}

fn object(value: Value) -> Entry {
    let Value::Object(object) = value else { unreachable!() };
    entry(Artifact::Object(object))
}

fn lock() -> (tempfile::TempDir, Lock) {
    let folder = tempfile::tempdir().unwrap();
    let lock = Lock::load(&folder.path().join(FILE_NAME)).unwrap();
    (folder, lock)
}

fn complaint(text: &str) -> String {
    let (folder, lock) = lock();
    fs::write(lock.path(), text).unwrap();
    let error = Lock::load(lock.path()).unwrap_err();
    assert!(matches!(error, Error::Lock { .. }));
    assert_eq!(fs::read_to_string(lock.path()).unwrap(), text);
    drop(folder);
    error.to_string()
}

#[test]
fn is_readable_and_in_order() {
    let (_folder, mut lock) = lock();
    lock.insert(address("b.md"), text("# B\n\nIt's \"B\" \\o/\n"));
    lock.insert(address("a.md"), text("one line"));
    lock.insert(
        Address { kind: "DockerServiceResource".into(), name: "web".into() },
        object(json!({"ports": ["80:80"], "image": "nginx:1.27", "odd key": {"b": 1.0, "a": true}})),
    );
    lock.save().unwrap();
    insta::assert_snapshot!(fs::read_to_string(lock.path()).unwrap());
}

#[test]
fn is_written_only_where_it_changed() {
    let (_folder, mut lock) = lock();
    lock.save().unwrap();
    assert!(!lock.path().exists());
    lock.insert(address("a"), text("a"));
    lock.insert(address("b"), text("b"));
    lock.save().unwrap();
    // No temporary file is left, and what keeps runs apart is out of the way.
    assert_eq!(fs::read_dir(lock.path().parent().unwrap()).unwrap().count(), 2);

    let mut again = Lock::load(lock.path()).unwrap();
    assert_eq!(again, lock);
    assert_eq!(again.retain(&HashSet::from([address("a"), address("b")])), []);
    assert_eq!(again.retain(&HashSet::from([address("b")])), [address("a")]);
    again.save().unwrap();
    assert_eq!(Lock::load(lock.path()).unwrap().entries().count(), 1);
}

#[test]
fn runs_at_once_lose_nothing() {
    let (_folder, lock) = lock();
    std::thread::scope(|scope| {
        for run in 0..4 {
            let mut lock = lock.clone();
            scope.spawn(move || {
                for number in 0..10 {
                    lock.insert(address(&format!("{run}-{number}")), text("a\n"));
                    lock.save().unwrap();
                }
            });
        }
    });
    assert_eq!(Lock::load(lock.path()).unwrap().entries().count(), 40);
}

#[test]
fn what_others_did_meanwhile_stays() {
    let (_folder, mut first) = lock();
    for name in ["kept", "edited", "gone"] {
        first.insert(address(name), text("mine\n"));
    }
    first.save().unwrap();
    let mut second = Lock::load(first.path()).unwrap();
    second.insert(address("other"), text("theirs\n"));
    second.insert(address("edited"), text("theirs\n"));
    second.save().unwrap();

    first.retain(&HashSet::from([address("kept"), address("edited")]));
    first.insert(address("new"), text("mine\n"));
    first.save().unwrap();
    let lock = Lock::load(first.path()).unwrap();
    let names: Vec<&str> = lock.entries().map(|(address, _)| address.name.as_str()).collect();
    assert_eq!(names, ["edited", "kept", "new", "other"]);
    assert_eq!(lock.get(&address("edited")), Some(&text("theirs\n")));
    assert_eq!(lock, first);

    // What has become unreadable is not written over.
    fs::write(first.path(), "version = 9\n").unwrap();
    first.insert(address("late"), text("mine\n"));
    assert!(matches!(first.save(), Err(Error::Lock { .. })));
    assert_eq!(fs::read_to_string(first.path()).unwrap(), "version = 9\n");
}

#[test]
fn an_edit_by_hand_is_kept_and_seen() {
    let (_folder, mut lock) = lock();
    lock.insert(address("a"), text("wrong\nwords\n"));
    lock.save().unwrap();
    assert!(!lock.get(&address("a")).unwrap().edited());
    let edited = fs::read_to_string(lock.path()).unwrap().replace("wrong", "right");
    fs::write(lock.path(), edited).unwrap();
    let mut lock = Lock::load(lock.path()).unwrap();
    lock.insert(address("b"), text("b"));
    lock.save().unwrap();
    let lock = Lock::load(lock.path()).unwrap();
    let entry = lock.get(&address("a")).unwrap();
    assert_eq!(entry.content, Artifact::Text("right\nwords\n".into()));
    assert!(entry.edited());
}

#[test]
fn line_ends_that_git_changed_do_no_harm() {
    let (_folder, mut lock) = lock();
    lock.insert(address("a"), text("one\ntwo\r\nthree\n"));
    lock.save().unwrap();
    fs::write(lock.path(), fs::read_to_string(lock.path()).unwrap().replace('\n', "\r\n")).unwrap();
    assert_eq!(Lock::load(lock.path()).unwrap().get(&address("a")), lock.get(&address("a")));
}

#[test]
fn says_what_is_wrong() {
    let text = complaint("version = 1\n\n[[artifact]\n");
    assert!(text.contains("line 3"), "{text}");
    assert!(complaint("version = 2\n").contains("newer Clockwork"));
    assert!(complaint("artifact = []\n").contains("no version"));
    assert!(complaint("version = 1\nartifact = 3\n").contains("no list"));
    assert!(complaint("version = 1\n<<<<<<< HEAD\n").contains("unfinished merge"));
    assert!(complaint("version = 1\n[[artifact]]\ncontent = 'x'\n").contains("entry 1: it has no kind"));
    let (_folder, mut lock) = lock();
    lock.insert(address("a"), super::tests::text("a"));
    let entry = lock.text().split_once("version = 1\n").unwrap().1.to_owned();
    assert!(complaint(&format!("version = 1\n{entry}{entry}")).contains("twice"));
}

#[test]
fn tells_early_that_it_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let lock = Lock::load(&folder.path().join("missing").join(FILE_NAME)).unwrap();
    assert!(matches!(lock.check_writable(), Err(Error::Write { .. })));
}

#[test]
fn values_that_toml_lacks_come_back() {
    let (_folder, mut lock) = lock();
    lock.insert(address("a"), object(json!({"big": u64::MAX, "none": null, "list": [null]})));
    lock.save().unwrap();
    assert_eq!(Lock::load(lock.path()).unwrap(), lock);
}

fn any_text() -> impl Strategy<Value = String> {
    "(?s)(.|['\"\\\\\r\n\t= ]|\\[\\[artifact\\]\\])*"
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any_text(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_artifact_comes_back(
        name in any_text(),
        content in any_text(),
        members in prop::collection::btree_map(any_text(), any_value(), 0..4),
    ) {
        let (_folder, mut lock) = lock();
        lock.insert(address(&name), text(&content));
        let object = Artifact::Object(members.into_iter().collect());
        lock.insert(Address { kind: name, name: "object".into() }, entry(object));
        let read = super::read::parse(&lock.text()).unwrap();
        prop_assert_eq!(&read, &lock.entries);
    }
}
