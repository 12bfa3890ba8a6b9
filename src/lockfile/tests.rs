//! The lock gives back what was put into it, and leaves alone what it does not understand.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::resource::Artifact;

fn address(name: &str) -> Address {
    Address { kind: "FileResource".into(), name: name.into() }
}

fn entry(content: Artifact) -> Entry {
    Entry {
        fingerprint: Some("f".into()),
        sha256: digest(&content),
        content,
        model: "some/model".into(),
        provider: Some("Someone".into()),
        generated_at: "2026-08-01T12:00:00Z".into(),
        tokens_in: Some(12),
        tokens_out: None,
        cost: Some(0.0),
        stacks: Vec::new(),
        unknown: toml::Table::new(),
    }
}

fn text(text: &str) -> Entry {
    entry(Artifact::Text(text.into()))
}

fn object(value: Value) -> Entry {
    let Value::Object(object) = value else { unreachable!() };
    entry(Artifact::Object(object))
}

/// Resources that ask something, with their fingerprints.
fn wanted(names: &[(&str, &str)]) -> HashSet<(Address, Option<String>)> {
    names.iter().map(|(name, fingerprint)| (address(name), Some((*fingerprint).to_owned()))).collect()
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
    assert_eq!(again.retain(&wanted(&[("a", "f"), ("b", "f")]), None), []);
    assert_eq!(again.retain(&wanted(&[("b", "f")]), None), [address("a")]);
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

    first.retain(&wanted(&[("kept", "f"), ("edited", "f")]), None);
    first.insert(address("new"), text("mine\n"));
    first.save().unwrap();
    let lock = Lock::load(first.path()).unwrap();
    let names: Vec<&str> = lock.entries().map(|(address, _)| address.name.as_str()).collect();
    assert_eq!(names, ["edited", "kept", "new", "other"]);
    assert_eq!(lock.get(&address("edited")), Some(&text("theirs\n")));
    assert_eq!(lock, first);

    // A file that has become unreadable is not overwritten.
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
    let line = complaint("version = 1\n\n[[artifact]\n");
    assert!(line.contains("line 3"), "{line}");
    assert!(complaint("version = 3\n").contains("newer Clockwork"));
    assert!(complaint("artifact = []\n").contains("no version"));
    assert!(complaint("version = 1\nartifact = 3\n").contains("no list"));
    assert!(complaint("version = 1\n<<<<<<< HEAD\n").contains("unfinished merge"));
    assert!(complaint("version = 1\n[[artifact]]\ncontent = 'x'\n").contains("entry 1: it has no kind"));
    let (_folder, mut lock) = lock();
    lock.insert(address("a"), text("a"));
    let written = write::document(&lock.document);
    let entry = written.split_once("version = 2\n").unwrap().1;
    for version in [1, 2] {
        assert!(complaint(&format!("version = {version}\n{entry}{entry}")).contains("twice"));
    }
}

/// A lock that an earlier run left.
fn stored(text: &str) -> (tempfile::TempDir, Lock) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    fs::write(&path, text).unwrap();
    let lock = Lock::load(&path).unwrap();
    (folder, lock)
}

#[test]
fn format_1_is_read_without_its_fingerprints() {
    let (_folder, mut lock) = stored(include_str!("stored/version_1.lock"));
    let entry = lock.get(&address("a.md")).unwrap();
    assert_eq!(entry.content, Artifact::Text("# A\n\nIt's edited.\n".into()));
    assert!(entry.edited() && entry.fingerprint.is_none() && entry.cost == Some(0.25));
    assert!(!lock.find("web").unwrap().1.edited());
    // A run that changes nothing leaves the file as it is.
    lock.save().unwrap();
    assert_eq!(fs::read_to_string(lock.path()).unwrap(), include_str!("stored/version_1.lock"));
    // One that changes something writes format 2, and loses nothing of the other entries.
    lock.insert(address("b"), text("b"));
    lock.save().unwrap();
    assert!(fs::read_to_string(lock.path()).unwrap().contains("\nversion = 2\n"));
    let again = Lock::load(lock.path()).unwrap();
    assert_eq!(again, lock);
    assert_eq!(again.get(&address("a.md")).unwrap().fingerprint, None);
}

#[test]
fn format_2_is_written_back_byte_by_byte() {
    let text = include_str!("stored/version_2.lock");
    let (_folder, mut lock) = stored(text);
    assert_eq!(write::document(&lock.document), text);
    // Keys that this version does not know stay, in the file and in an entry that is changed.
    let web = Address { kind: "DockerServiceResource".into(), name: "shop/web".into() };
    let entry = lock.answer(&web, "1f").unwrap().clone();
    lock.insert(web, Entry { fingerprint: Some("0f".into()), ..entry });
    lock.save().unwrap();
    let written = fs::read_to_string(lock.path()).unwrap();
    assert_eq!(written.matches("reviewer = { name = \"Ada\", on = 2030-01-02T03:04:05Z }").count(), 2);
    assert!(written.contains("later = { since = 2030-01-01"), "{written}");
}

#[test]
fn an_optional_key_of_another_type_is_kept_as_an_unknown_one() {
    let (_folder, mut lock) = lock();
    lock.insert(address("a"), text("a"));
    let written = write::document(&lock.document);
    let odd = written.replace("tokens_in = 12", "tokens_in = \"many\"\nstacks = [1]");
    let (_folder, lock) = stored(&odd);
    let entry = lock.get(&address("a")).unwrap();
    assert!(entry.tokens_in.is_none() && entry.stacks.is_empty());
    assert_eq!(read::parse(&write::document(&lock.document)).unwrap(), lock.document);
    let bad = written.replace("fingerprint = \"f\"", "fingerprint = 1");
    assert!(complaint(&bad).contains("its fingerprint is no text"));
}

fn of(fingerprint: &str, content: &str, stacks: &[&str]) -> Entry {
    Entry {
        fingerprint: Some(fingerprint.into()),
        stacks: stacks.iter().map(|stack| (*stack).to_owned()).collect(),
        ..text(content)
    }
}

#[test]
fn an_address_has_an_entry_for_each_question() {
    let (_folder, mut lock) = lock();
    lock.insert(address("a"), of("1", "one", &[]));
    lock.insert(address("a"), of("2", "two", &[]));
    lock.insert(address("a"), of("2", "second", &[]));
    assert_eq!(lock.entries().count(), 2);
    let content =
        |lock: &Lock, fingerprint| lock.answer(&address("a"), fingerprint).unwrap().content.to_text();
    assert_eq!([content(&lock, "1"), content(&lock, "2")], ["one", "second"]);
    assert_eq!(lock.answer(&address("a"), "3"), None);
    // An entry that another resource of the same address wants is not outdated.
    let both = wanted(&[("a", "1"), ("a", "2")]);
    assert_eq!(lock.outdated(&address("a"), &both), None);
    let second = lock.outdated(&address("a"), &wanted(&[("a", "1")])).unwrap();
    assert_eq!(second.fingerprint.as_deref(), Some("2"));

    assert_eq!(lock.retain(&both, None), []);
    assert_eq!(lock.retain(&wanted(&[("a", "1")]), None), [address("a")]);
    assert_eq!(lock.entries().count(), 1);
    // The only answer is kept where the resource asks another question by now, or none.
    assert_eq!(lock.retain(&wanted(&[("a", "9")]), None), []);
    assert_eq!(lock.retain(&HashSet::from([(address("a"), None)]), None), []);
    assert_eq!(lock.retain(&HashSet::new(), None), [address("a")]);
}

#[test]
fn an_edit_goes_only_with_its_resource() {
    let (_folder, mut lock) = lock();
    lock.insert(address("a"), Entry { sha256: "edited".into(), ..of("1", "mine", &[]) });
    lock.insert(address("a"), of("2", "two", &[]));
    assert_eq!(lock.retain(&wanted(&[("a", "2")]), None), []);
    assert_eq!(lock.retain(&wanted(&[("b", "2")]), None), [address("a"), address("a")]);
}

#[test]
fn an_entry_goes_once_no_stack_wants_it() {
    let (_folder, mut lock) = lock();
    lock.insert(address("a"), of("1", "one", &["dev"]));
    lock.insert(address("a"), of("1", "one", &["prod"]));
    assert_eq!(lock.answer(&address("a"), "1").unwrap().stacks, ["dev", "prod"]);
    lock.save().unwrap();
    let mut lock = Lock::load(lock.path()).unwrap();
    // A run without a stack, or of a third one, has no say.
    assert_eq!(lock.retain(&HashSet::new(), None), []);
    assert_eq!(lock.retain(&HashSet::new(), Some("test")), []);
    assert_eq!(lock.retain(&wanted(&[("a", "1")]), Some("dev")), []);
    assert_eq!(lock.retain(&wanted(&[("a", "2")]), Some("dev")), []);
    lock.save().unwrap();
    let mut lock = Lock::load(lock.path()).unwrap();
    assert_eq!(lock.answer(&address("a"), "1").unwrap().stacks, ["prod"]);
    assert_eq!(lock.retain(&wanted(&[("a", "2")]), Some("prod")), [address("a")]);
    assert_eq!(lock.get(&address("a")), None);
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

fn any_toml() -> impl Strategy<Value = toml::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(toml::Value::from),
        any::<i64>().prop_map(toml::Value::from),
        (-1e9..1e9).prop_map(toml::Value::from),
        any_text().prop_map(toml::Value::from),
        Just(toml::Value::Datetime("2030-01-02T03:04:05Z".parse().unwrap())),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(toml::Value::Array),
            prop::collection::btree_map(any_text(), inner, 0..4)
                .prop_map(|map| toml::Value::Table(map.into_iter().collect())),
        ]
    })
}

/// Keys that this version does not know.
fn any_unknown() -> impl Strategy<Value = toml::Table> {
    prop::collection::btree_map("x(?s).*", any_toml(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let content = prop_oneof![
        any_text().prop_map(Artifact::Text),
        prop::collection::btree_map(any_text(), any_value(), 0..4)
            .prop_map(|members| Artifact::Object(members.into_iter().collect())),
    ];
    let own = (any::<Option<String>>(), content, any_text(), any_text(), prop::option::of(any_text()));
    let counts = (prop::option::of(0..i64::MAX as u64), prop::option::of(0.0..1e9));
    (own, counts, prop::collection::vec(any_text(), 0..3), any_unknown()).prop_map(
        |((fingerprint, content, sha256, model, provider), (tokens_in, cost), stacks, unknown)| Entry {
            fingerprint,
            content,
            sha256,
            model,
            provider,
            generated_at: "2026-08-01T12:00:00Z".into(),
            tokens_in,
            tokens_out: tokens_in,
            cost,
            stacks,
            unknown,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_lock_comes_back(
        entries in prop::collection::vec((any_text(), any_text(), any_entry()), 0..6),
        unknown in any_unknown(),
    ) {
        let mut document = Document { unknown, ..Document::default() };
        for (kind, name, entry) in entries {
            document.apply(&Address { kind, name }, &Change::Insert(Box::new(entry)));
        }
        let written = write::document(&document);
        prop_assert_eq!(&read::parse(&written).unwrap(), &document);
        // Line ends that git changed do no harm.
        prop_assert_eq!(&read::parse(&written.replace('\n', "\r\n")).unwrap(), &document);
    }
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
        let read = read::parse(&write::document(&lock.document)).unwrap();
        prop_assert_eq!(&read, &lock.document);
    }
}
