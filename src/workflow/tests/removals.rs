//! Orphans: what main.py no longer has.

use super::project::{Down, container, file};
use super::*;

fn prune() -> Options {
    Options { prune: true, ..Options::new(Verb::Apply) }
}

/// A bed on which main.py no longer has `b`.
fn orphaned() -> (Bed, [Spec; 1]) {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x"), file("b", "/b", "x")]);
    (bed, [file("a", "/a", "x")])
}

#[test]
fn an_orphan_is_named_and_stays() {
    let (bed, specs) = orphaned();
    let report = bed.apply(&specs);
    assert_eq!(actions(&report), ["a h1 unchanged"]);
    assert!(has_note(&report, "main.py no longer has File 'b', which is still on h1. Remove it with"));
    assert_eq!((bed.things().len(), bed.known().len(), bed.log().len()), (2, 2, 0));
}

#[test]
fn a_plan_shows_an_orphan_and_says_nothing_twice() {
    let (bed, specs) = orphaned();
    let report = bed.plan(&specs);
    assert_eq!(actions(&report), ["b h1 remove", "a h1 unchanged"]);
    assert!(row(&report, "b").gone && !has_note(&report, "no longer has"));
}

#[test]
fn an_orphan_goes_where_that_is_asked_for() {
    let (bed, specs) = orphaned();
    let report = bed.run(Some(&specs), &prune(), None).unwrap();
    assert_eq!(actions(&report), ["b h1 remove", "a h1 unchanged"]);
    assert_eq!((bed.things(), bed.known()), (vec!["h1 path:/a=x".to_owned()], vec!["h1 path:/a".to_owned()]));
    assert!(!has_note(&report, "no longer has"));
}

#[test]
fn an_answer_decides_on_orphans() {
    for (answer, goes, is_done) in [
        (Approval::Go { prune: true }, true, true),
        (Approval::Go { prune: false }, false, true),
        (Approval::Stop, false, false),
    ] {
        let (bed, specs) = orphaned();
        let approver = FakeApprover::new(answer);
        let specs = [&specs[..], &[file("new", "/new", "x")]].concat();
        let before = bed.state_file();
        let report = bed.run(Some(&specs), &Options::new(Verb::Apply), Some(&approver)).unwrap();
        let question = approver.question();
        assert_eq!((question.orphans, question.takes_away, question.defaults_to_no()), (1, false, true));
        assert_eq!(approver.asked.borrow()[0].0.deploy.resources.len(), 3, "it is shown");
        assert_eq!(bed.things().contains(&"h1 path:/b=x".to_owned()), !goes);
        assert_eq!(bed.entry(HOST, "path:/b").is_some(), !goes);
        assert_eq!(bed.things().contains(&"h1 path:/new=x".to_owned()), is_done);
        assert_eq!(failed(&report), if is_done { "" } else { "DeclinedError" });
        if !is_done {
            assert_eq!((bed.log().len(), bed.state_file()), (0, before));
        }
        assert!(bed.known().iter().all(|entry| !entry.ends_with('…')), "{:?}", bed.known());
    }
}

#[test]
fn orphans_that_are_to_go_are_asked_about_as_well() {
    let (bed, specs) = orphaned();
    let approver = FakeApprover::new(Approval::Stop);
    let report = bed.run(Some(&specs), &prune(), Some(&approver)).unwrap();
    let question = approver.question();
    assert_eq!((question.orphans, question.takes_away, question.defaults_to_no()), (0, true, true));
    assert_eq!((failed(&report), bed.things().len()), ("DeclinedError", 2));
}

#[test]
fn nobody_is_asked_where_nothing_is_at_stake() {
    let bed = Bed::new();
    let approver = FakeApprover::yes();
    bed.run(Some(&[file("a", "/a", "x")]), &Options::new(Verb::Apply), Some(&approver)).unwrap();
    assert!(!approver.question().is_needed());
}

#[test]
fn a_protected_orphan_is_refused_and_only_where_it_would_go() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x"), file("b", "/b", "x").protected()]);
    let specs = [file("a", "/a", "y")];
    let approver = FakeApprover::new(Approval::Go { prune: true });
    let report = bed.run(Some(&specs), &Options::new(Verb::Apply), Some(&approver)).unwrap();
    assert_eq!((approver.question().orphans, failed(&report)), (0, ""));
    assert!(has_note(&report, "It is protected: put it back with protect=False"), "{:?}", report.notes);
    let specs = [file("a", "/a", "z")];
    let report = bed.run(Some(&specs), &prune(), None).unwrap();
    assert_eq!((failed(&report), bed.things()[0].as_str()), ("ProtectedError", "h1 path:/a=y"));
    assert_eq!(bed.entry(HOST, "path:/b").unwrap().pending, None);
}

#[test]
fn an_orphan_whose_place_another_has_is_inherited() {
    let bed = Bed::new();
    bed.apply_well(&[container("old", "web", "v1", &[])]);
    let report = bed.run(Some(&[container("new", "web", "v1", &[])]), &prune(), None).unwrap();
    assert_eq!(actions(&report), ["new h1 unchanged"]);
    assert!(has_note(&report, "no longer has Container 'old', whose place on h1 is Container 'new''s now"));
    assert_eq!((bed.things().len(), bed.known()), (1, vec!["h1 container:web".to_owned()]));
    assert_eq!(bed.entry(HOST, "container:web").unwrap().address.name, "new");
}

#[test]
fn a_resource_that_is_for_fewer_hosts_leaves_orphans() {
    let bed = Bed::with_hosts(&["h1", "h2"]);
    bed.apply_well(&[file("a", "/a", "x")]);
    let specs = [file("a", "/a", "x").on(&["h1"])];
    assert!(has_note(&bed.apply(&specs), "File 'a', which is still on h2"));
    bed.run(Some(&specs), &prune(), None).unwrap();
    assert_eq!((bed.things(), bed.known()), (vec!["h1 path:/a=x".to_owned()], vec!["h1 path:/a".to_owned()]));
}

#[test]
fn what_nobody_can_take_down_is_named_and_stays_known() {
    for (down, why) in
        [(Down::Unknown, "does not say how it is taken down"), (Down::Secret, "holds a secret")]
    {
        let bed = Bed::new();
        bed.apply_well(&[file("a", "/a", "x").down(down), file("b", "/b", "x")]);
        let report = bed.run(Some(&[file("b", "/b", "x")]), &prune(), None).unwrap();
        assert!(has_note(&report, why), "{:?}", report.notes);
        assert_eq!((bed.known().len(), bed.things().len()), (2, 2));
    }
}

#[test]
fn an_orphan_that_cannot_go_stays_pending() {
    let (bed, specs) = orphaned();
    bed.world().stuck.insert("path:/b".into());
    let report = bed.run(Some(&specs), &prune(), None).unwrap();
    assert_eq!(failed(&report), "DeployError");
    assert_eq!(bed.known(), ["h1 path:/a", "h1 path:/b …"]);
    bed.world().stuck.clear();
    bed.run(Some(&specs), &prune(), None).unwrap();
    assert_eq!(bed.known(), ["h1 path:/a"]);
}

#[test]
fn with_fail_fast_a_removal_that_fails_stops_its_host() {
    let bed = Bed::with_hosts(&["h1", "h2"]);
    bed.apply_well(&[file("b", "/b", "x")]);
    bed.world().stuck.insert("h1 path:/b".into());
    let options = Options { fail_fast: true, ..prune() };
    let report = bed.run(Some(&[file("a", "/a", "x")]), &options, None).unwrap();
    assert_eq!(bed.things(), ["h1 path:/b=x", "h2 path:/a=x"]);
    assert!(actions(&report).contains(&"a h1 skipped".to_owned()));
    assert_eq!(bed.known(), ["h1 path:/b …", "h2 path:/a"]);
}

#[test]
fn orphans_go_before_what_they_needed() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x"), file("b", "/b", "x").needs("a"), file("c", "/c", "x").needs("b")]);
    bed.run(Some(&[]), &prune(), None).unwrap();
    assert_eq!(bed.log(), ["h1 remove path:/c", "h1 remove path:/b", "h1 remove path:/a"]);
}

#[test]
fn a_target_prunes_that_alone() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x"), file("b", "/b", "x"), file("c", "/c", "x")]);
    let options = Options { targets: vec!["b".into()], ..prune() };
    let report = bed.run(Some(&[file("a", "/a", "y")]), &options, None).unwrap();
    assert_eq!(actions(&report), ["b h1 remove"]);
    assert_eq!(bed.known(), ["h1 path:/a", "h1 path:/c"]);
}

#[test]
fn a_thing_that_is_gone_already_is_forgotten() {
    let (bed, specs) = orphaned();
    bed.take(HOST, "path:/b");
    let report = bed.run(Some(&specs), &prune(), None).unwrap();
    assert_eq!((report.failure, bed.known()), (None, vec!["h1 path:/a".to_owned()]));
}

#[test]
fn an_orphan_of_another_owner_by_now_is_not_removed_unasked() {
    let bed = Bed::new();
    bed.apply_well(&[container("web", "web", "v1", &[])]);
    bed.put(HOST, "container:web", Thing::new("v1", Some("another")));
    let (class, message) = refused(bed.run(Some(&[]), &prune(), None));
    assert_eq!(class, "OwnershipError");
    assert!(message.contains("Container 'web' on h1"), "{message}");
    assert_eq!(bed.things().len(), 1);
}
