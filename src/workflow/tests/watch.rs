//! Watch: rounds that look, and rounds that repair.

use super::project::{container, file};
use super::*;
use crate::settings::Overrides;
use crate::state::Wait;
use crate::watch::Round;
use crate::workflow::watch::Watch;

/// One round on what main.py says.
fn round(bed: &Bed, specs: &[Spec], heal: bool) -> Round {
    let source = FakeSource { folder: bed.folder.path(), specs: Some(specs.to_vec()) };
    let engine = FakeEngine(Rc::clone(&bed.world));
    let ports = Ports {
        source: &source,
        engine: &engine,
        approver: None,
        process: &FakeProcess,
        observer: Arc::new(Silent),
    };
    let mut watch = Watch::new(bed.folder.path().to_path_buf(), Overrides::default(), heal, Vec::new());
    watch.round(&ports).unwrap().0
}

fn names(resources: &[ResourceOutcome]) -> Vec<&str> {
    resources.iter().map(|resource| resource.address.name.as_str()).collect()
}

#[test]
fn a_round_looks_and_changes_nothing() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x"), file("b", "/b", "x")];
    bed.apply_well(&specs);
    assert!(round(&bed, &specs, false).is_well());
    bed.take(HOST, "path:/a");
    let before = bed.state_file();
    let seen = round(&bed, &specs, false);
    assert_eq!((names(&seen.drifted), seen.watched, seen.is_well()), (vec!["a"], 2, false));
    assert_eq!((bed.log().len(), bed.state_file()), (0, before));
}

#[test]
fn drift_is_repaired_and_nothing_else_is_done() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x"), file("b", "/b", "x"), file("gone", "/gone", "x")]);
    bed.put(HOST, "path:/a", Thing::new("edited", None));
    let specs = [file("a", "/a", "x"), file("b", "/b", "y"), file("new", "/new", "x")];
    let seen = round(&bed, &specs, true);
    assert_eq!((names(&seen.healed), names(&seen.failed).len()), (vec!["a"], 0));
    assert_eq!(names(&seen.pending), ["gone", "b", "new"]);
    assert_eq!(bed.log(), ["h1 make path:/a"]);
    assert!(permitted(&bed)["path:/a"].keep_copy);
    assert!(seen.is_well());
}

#[test]
fn what_has_changed_in_main_py_too_is_not_repaired() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x")]);
    bed.take(HOST, "path:/a");
    let seen = round(&bed, &[file("a", "/a", "y")], true);
    assert_eq!((names(&seen.pending), seen.drifted.len(), bed.log().len()), (vec!["a"], 0, 0));
}

#[test]
fn what_is_protected_or_of_others_is_not_replaced() {
    let bed = Bed::new();
    let specs = [container("kept", "kept", "v1", &[]).protected(), container("web", "web", "v1", &[])];
    bed.apply_well(&specs);
    bed.put(HOST, "container:kept", Thing::new("edited", None));
    let seen = round(&bed, &specs, true);
    assert!(seen.notes[0].contains("Container 'kept' on h1 is protected"), "{:?}", seen.notes);
    bed.put(HOST, "container:web", Thing::new("theirs", Some("another")));
    let seen = round(&bed, &specs, true);
    assert_eq!((seen.healed.len(), bed.log().len()), (0, 0));
    assert!(!seen.is_well());
}

#[test]
fn a_thing_of_others_keeps_no_other_from_being_repaired() {
    let bed = Bed::new();
    let specs = [container("web", "web", "v1", &[]), file("a", "/a", "x")];
    bed.apply_well(&specs);
    bed.put(HOST, "container:web", Thing::new("theirs", Some("another")));
    bed.take(HOST, "path:/a");
    let seen = round(&bed, &specs, true);
    assert_eq!((names(&seen.healed), bed.log()), (vec!["a"], vec!["h1 make path:/a".to_owned()]));
    assert!(seen.notes.iter().any(|note| note.contains("Container 'web' on h1")), "{:?}", seen.notes);
}

#[test]
fn a_repair_that_fails_keeps_what_is_known() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x")];
    bed.apply_well(&specs);
    bed.take(HOST, "path:/a");
    bed.world().failing.insert("path:/a".into());
    let seen = round(&bed, &specs, true);
    assert_eq!((names(&seen.failed), bed.known()), (vec!["a"], vec!["h1 path:/a".to_owned()]));
    bed.world().failing.clear();
    assert_eq!(names(&round(&bed, &specs, true).healed), ["a"]);
}

#[test]
fn what_is_repaired_is_checked() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x")];
    bed.apply_well(&specs);
    bed.take(HOST, "path:/a");
    bed.world().unwell.insert("h1 a".into());
    let seen = round(&bed, &specs, true);
    assert!(seen.failed[0].error.as_ref().unwrap().contains("a check fails: is well: it is not"));
}

#[test]
fn a_run_that_is_at_work_puts_a_repair_off() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x")];
    bed.apply_well(&specs);
    bed.take(HOST, "path:/a");
    let mut store = Store::new(bed.folder.path());
    store.hold("apply", &mut Wait { timeout: Duration::ZERO, waiting: &mut |_| Ok(()) }).unwrap();
    let seen = round(&bed, &specs, true);
    assert!(
        seen.notes[0].starts_with("nothing is repaired in this round: `clockwork apply`"),
        "{:?}",
        seen.notes
    );
    assert_eq!((bed.log().len(), names(&seen.drifted)), (0, vec!["a"]));
    // An apply does not wait unless it is told to.
    let held = bed.run(Some(&specs), &Options::new(Verb::Apply), None).unwrap_err();
    assert!(matches!(held, Error::Held { .. }));
}

#[test]
fn what_the_lock_lacks_is_left_out() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x"), file("b.txt", "/b", "").asks("A text")];
    bed.apply_well(&specs[..1]);
    let seen = round(&bed, &specs, true);
    assert_eq!((seen.missing.len(), seen.watched, seen.error), (1, 1, None));
}

#[test]
fn an_error_ends_the_round_and_not_the_watch() {
    let bed = Bed::new();
    let seen = round(&bed, &[file("a", "/a", "x").on(&["h9"])], true);
    assert!(seen.error.unwrap().message.contains("h9"));
}
