//! The file, the lock, and the fields that the file keeps.

use std::time::Duration;

use super::*;
use crate::error::{Error, Result};

/// Records a file as it is deployed.
fn put(state: &mut State, name: &str, action: Action) {
    let resource = file(name, &format!("/{name}"));
    record(state, &State::default(), &[outcome(&resource, action)], &[resource]);
}

#[test]
fn what_was_deployed_is_read_as_it_was_written() {
    let (_folder, store) = new_store();
    assert_eq!(store.read().unwrap(), State::default());
    store.ensure_lineage().unwrap();
    let State { lineage, key, .. } = store.read().unwrap();
    assert_eq!((lineage.len(), key.len()), (32, 32));
    let change = |state: &mut State| {
        let mut a = file("a", "/1");
        a.claims = vec!["port:tcp/80".into()];
        a.content = Some("sha".into());
        deploy(state, &a);
        begin(state, &[outcome(&file("b", "/2"), Action::Create)], &[file("b", "/2")]);
    };
    store.update(change).unwrap();
    store.ensure_lineage().unwrap();
    let state = store.read().unwrap();
    assert_eq!((&state.lineage, &state.key), (&lineage, &key), "a lineage and its key stay");
    let entry = state.get("@local", "path:/1").unwrap();
    let deployed = entry.deployed.as_ref().unwrap();
    assert_eq!(deployed.fields_fingerprint.as_deref(), Some("fields of a at path:/1"));
    assert_eq!(deployed.removal, Removal::Steps(vec![remove("/1")]));
    let content = crate::hash::keyed_sha256(key.as_bytes(), b"sha");
    assert_eq!(deployed.content, Some(content));
    assert_eq!(
        (entry.pending.as_ref(), entry.claims.as_slice()),
        (None, ["port:tcp/80".to_owned()].as_slice())
    );
    assert_eq!(state.entries()[1].pending.as_ref().unwrap().intent, PendingAction::Apply);
    let document: Value = serde_json::from_str(&fs::read_to_string(&store.path).unwrap()).unwrap();
    assert_eq!(document["format"], 2);
    assert_eq!(document["clockwork"], VERSION);
}

#[test]
#[cfg(unix)]
fn nobody_else_may_read_it_and_what_changes_nothing_writes_nothing() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let (_folder, store) = new_store();
    store.update(|state| put(state, "a", Action::Unchanged)).unwrap();
    let before = fs::metadata(&store.path).unwrap();
    assert_eq!(before.permissions().mode() & 0o777, 0o600);
    store.update(|state| put(state, "a", Action::Unchanged)).unwrap();
    assert_eq!(fs::metadata(&store.path).unwrap().ino(), before.ino());
}

#[test]
fn what_cannot_be_understood_is_an_error_and_stays() {
    for (text, told) in [
        ("", "cannot be understood"),
        ("{", "cannot be understood"),
        ("[]", "does not say which format"),
        (r#"{"format": "2", "resources": []}"#, "does not say which format"),
        (r#"{"format": 2}"#, "missing field `resources`"),
        (r#"{"format": 1}"#, "missing field `resources`"),
        (r#"{"format": 1, "resources": {}}"#, "`resources` is no list"),
        (r#"{"format": 1, "resources": [1]}"#, "an entry is no object"),
        (r#"{"format": 1, "resources": [{"name": "a"}]}"#, "missing field `kind`"),
        (r#"{"format": 0, "resources": []}"#, "there is no format 0"),
        (r#"{"format": 2, "resources": [{"name": "a"}]}"#, "missing field"),
        (r#"{"format": 3, "clockwork": "9.9", "resources": []}"#, "newer Clockwork (9.9, format 3)"),
        (r#"{"format": 3, "something": "else"}"#, "newer Clockwork (another version, format 3)"),
    ] {
        let (_folder, store) = written(text);
        let error = store.read().unwrap_err();
        assert!(matches!(error, Error::State { .. }));
        assert!(error.to_string().contains(told), "{error}");
        store.update(|state| put(state, "a", Action::Create)).unwrap_err();
        assert_eq!(fs::read_to_string(&store.path).unwrap(), text);
    }
}

#[test]
fn one_run_at_a_time_and_the_other_is_told_who_it_is() {
    let (folder, mut one) = new_store();
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
    let (folder, _) = new_store();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = Store::new(folder.path());
            scope.spawn(move || {
                for turn in 0..5 {
                    let name = format!("{thread}-{turn}");
                    store.update(|state| put(state, &name, Action::Create)).unwrap();
                }
            });
        }
    });
    assert_eq!(Store::new(folder.path()).read().unwrap().entries().len(), 40);
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
    assert!(stands_in(&kept["content"]) && stands_in(&kept["notes"]) && !stands_in(&kept["path"]));
    assert_eq!(hidden(fields), ["hunter2", "hunter2"]);
    let whole = json!({"api_key": "aHVudGVyMg==", "tokens": ["one", {"b": 2}], "environment": ["A=three"]});
    let whole = hidden(whole.as_object().unwrap());
    assert_eq!(whole, ["=", "aHVudGVyMg==", "one", "2", "three", "A=three"], "a secret can hold a sign too");
}
