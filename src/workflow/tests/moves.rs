//! Things that move, and things that are in the way of others.

use super::project::{code, container, file};
use super::*;
use crate::outcome::Action;

#[test]
fn a_thing_that_moves_is_made_before_the_old_one_goes() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x")]);
    let report = bed.apply(&[file("a", "/b", "x")]);
    assert_eq!(bed.log(), ["h1 make path:/b", "h1 remove path:/a"]);
    assert_eq!(
        (report.deploy.resources.len(), row(&report, "a").action, row(&report, "a").replaces),
        (1, Action::Change, true)
    );
    assert_eq!((bed.things(), bed.known()), (vec!["h1 path:/b=x".to_owned()], vec!["h1 path:/b".to_owned()]));
}

#[test]
fn what_moves_stays_known_until_the_new_one_is_there() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x")]);
    bed.world().failing.insert("path:/b".into());
    assert_eq!(failed(&bed.apply(&[file("a", "/b", "x")])), "DeployError");
    assert_eq!(bed.log(), ["h1 make path:/b"]);
    assert_eq!(bed.things(), ["h1 path:/a=x"]);
    assert!(bed.entry(HOST, "path:/a").is_some() && bed.entry(HOST, "path:/b").unwrap().pending.is_some());
    bed.world().failing.clear();
    assert_eq!(bed.apply(&[file("a", "/b", "x")]).failure, None);
    assert_eq!((bed.things(), bed.known()), (vec!["h1 path:/b=x".to_owned()], vec!["h1 path:/b".to_owned()]));
}

#[test]
fn an_old_place_that_cannot_be_cleared_stays_known() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x")]);
    bed.world().stuck.insert("path:/a".into());
    assert_eq!(failed(&bed.apply(&[file("a", "/b", "x")])), "DeployError");
    assert_eq!(bed.known(), ["h1 path:/a …", "h1 path:/b"]);
    bed.world().stuck.clear();
    assert_eq!(bed.apply(&[file("a", "/b", "x")]).failure, None);
    assert_eq!(bed.known(), ["h1 path:/b"]);
}

#[test]
fn a_move_is_done_on_each_host_by_itself() {
    let bed = Bed::with_hosts(&["h1", "h2"]);
    bed.apply_well(&[file("a", "/a", "x")]);
    bed.world().failing.insert("h2 path:/b".into());
    bed.apply(&[file("a", "/b", "x")]);
    assert_eq!(bed.things(), ["h1 path:/b=x", "h2 path:/a=x"]);
}

#[test]
fn what_overlaps_is_set_aside_and_dropped() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x")]);
    let report = bed.apply(&[file("a", "/a/b", "x")]);
    assert_eq!(report.failure, None);
    assert_eq!(bed.log(), ["h1 set_aside path:/a", "h1 make path:/a/b", "h1 drop path:/a"]);
    assert_eq!(
        (bed.things(), bed.known()),
        (vec!["h1 path:/a/b=x".to_owned()], vec!["h1 path:/a/b".to_owned()])
    );
    let told = &bed.world().permitted[0].1;
    assert_eq!(told.room_for.as_deref(), Some("path:/a/b"));
}

#[test]
fn what_overlaps_comes_back_where_the_new_one_fails() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x")]);
    let before = bed.entry(HOST, "path:/a");
    bed.world().failing.insert("path:/a/b".into());
    let report = bed.apply(&[file("a", "/a/b", "x")]);
    assert_eq!(failed(&report), "DeployError");
    assert_eq!(bed.log(), ["h1 set_aside path:/a", "h1 make path:/a/b", "h1 put_back path:/a"]);
    assert!(permitted(&bed)["path:/a/b"].puts_back || bed.world().aside.is_empty());
    assert_eq!((bed.things(), bed.entry(HOST, "path:/a")), (vec!["h1 path:/a=x".to_owned()], before));
    bed.world().failing.clear();
    assert_eq!(bed.apply(&[file("a", "/a/b", "x")]).failure, None);
    assert_eq!(bed.known(), ["h1 path:/a/b"]);
}

#[test]
fn files_that_swap_their_places_are_not_removed() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "one"), file("b", "/b", "two")]);
    let report = bed.apply(&[file("a", "/b", "one"), file("b", "/a", "two")]);
    assert_eq!(report.failure, None);
    assert_eq!(bed.log(), ["h1 make path:/b", "h1 make path:/a"]);
    assert_eq!(bed.things(), ["h1 path:/a=two", "h1 path:/b=one"]);
    assert_eq!(bed.entry(HOST, "path:/a").unwrap().address.name, "b");
    assert_eq!(bed.known().len(), 2);
}

/// Two containers that have swapped their ports in main.py.
fn swapping() -> (Bed, [Spec; 2]) {
    let bed = Bed::new();
    bed.apply_well(&[container("a", "a", "v1", &[80]), container("b", "b", "v1", &[81])]);
    (bed, [container("a", "a", "v2", &[81]), container("b", "b", "v2", &[80])])
}

#[test]
fn containers_that_swap_their_ports_are_set_aside_before_either_is_made() {
    let (bed, specs) = swapping();
    let report = bed.apply(&specs);
    assert_eq!(report.failure, None);
    let log = bed.log();
    assert!(log[..2].iter().all(|line| line.contains("set_aside")), "{log:?}");
    assert!(log[4..].iter().all(|line| line.contains("drop")), "{log:?}");
    assert_eq!(bed.things(), ["h1 container:a=v2", "h1 container:b=v2"]);
    assert_eq!((bed.known().len(), bed.world().aside.len()), (2, 0));
    assert_eq!(actions(&report), ["a h1 change", "b h1 change"]);
}

#[test]
fn containers_that_swap_their_ports_both_come_back_where_one_fails() {
    for failing in ["container:a", "container:b"] {
        let (bed, specs) = swapping();
        let (before, state) = (bed.as_it_is(), bed.state());
        bed.world().failing.insert(failing.into());
        let report = bed.apply(&specs);
        assert_eq!(failed(&report), "DeployError");
        assert_eq!(bed.as_it_is(), before);
        assert_eq!(bed.state(), state);
        assert!(report.deploy.resources.iter().all(|r| r.error.is_some()), "{report:?}");
        bed.world().failing.clear();
        assert_eq!(bed.apply(&specs).failure, None);
    }
}

#[test]
fn a_container_that_moves_and_keeps_its_port_comes_back_where_another_fails() {
    let bed = Bed::new();
    bed.apply_well(&[container("a", "a", "v1", &[80]), container("b", "b", "v1", &[81])]);
    let before = bed.as_it_is();
    bed.world().failing.insert("container:d".into());
    let specs = [container("a", "c", "v1", &[80]), container("b", "d", "v1", &[81])];
    let report = bed.apply(&specs);
    assert_eq!(failed(&report), "DeployError");
    assert_eq!(bed.as_it_is(), before, "{:?}", bed.log());
    bed.world().failing.clear();
    assert_eq!(bed.apply(&specs).failure, None);
    assert_eq!(sorted(bed.known()), ["h1 container:c", "h1 container:d"]);
}

#[test]
fn what_overlaps_comes_back_where_another_move_fails() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x"), file("b", "/b", "x")]);
    let before = bed.as_it_is();
    bed.world().failing.insert("path:/b/c".into());
    let specs = [file("a", "/a/c", "x"), file("b", "/b/c", "x")];
    assert_eq!(failed(&bed.apply(&specs)), "DeployError");
    assert_eq!(bed.as_it_is(), before, "{:?}", bed.log());
    assert!(bed.entry(HOST, "path:/a/c").is_none());
    bed.world().failing.clear();
    assert_eq!(bed.apply(&specs).failure, None);
    assert_eq!(sorted(bed.known()), ["h1 path:/a/c", "h1 path:/b/c"]);
}

#[test]
fn containers_that_swap_their_names_come_back_where_one_fails() {
    for failing in ["", "container:a", "container:b"] {
        let bed = Bed::new();
        bed.apply_well(&[container("a", "a", "v1", &[80]), container("b", "b", "v1", &[81])]);
        let (before, state) = (bed.as_it_is(), bed.state());
        bed.world().failing.insert(failing.into());
        let report = bed.apply(&[container("a", "b", "v1", &[80]), container("b", "a", "v1", &[81])]);
        if failing.is_empty() {
            assert_eq!((report.failure, bed.world().aside.len(), bed.known().len()), (None, 0, 2));
            assert_eq!(bed.entry(HOST, "container:a").unwrap().address.name, "b");
        } else {
            assert_eq!((failed(&report), bed.as_it_is(), bed.state()), ("DeployError", before, state));
        }
    }
}

#[test]
fn on_a_host_that_has_stopped_nothing_goes() {
    let bed = Bed::new();
    bed.apply_well(&[code("old", "old"), file("a", "/a", "x"), file("orphan", "/orphan", "x")]);
    let before = bed.as_it_is();
    bed.world().stuck.insert("path:/orphan".into());
    let options = Options { fail_fast: true, prune: true, ..Options::new(Verb::Apply) };
    let specs = [code("new", "new").was("old"), file("a", "/a/b", "x")];
    let report = bed.run(Some(&specs), &options, None).unwrap();
    assert_eq!((failed(&report), bed.as_it_is()), ("DeployError", before));
    assert_eq!(bed.log(), ["h1 remove path:/orphan"]);
}

#[test]
fn a_new_container_gives_back_the_port_that_another_one_needs_to_come_back() {
    let bed = Bed::new();
    bed.apply_well(&[container("a", "a", "v1", &[80])]);
    let (before, state) = (bed.as_it_is(), bed.state());
    bed.world().failing.insert("container:a".into());
    let specs = [container("new", "new", "v1", &[80]), container("a", "a", "v2", &[81])];
    let report = bed.apply(&specs);
    assert_eq!(failed(&report), "DeployError");
    assert_eq!((bed.as_it_is(), bed.state()), (before, state), "{:?}", bed.log());
    assert!(row(&report, "new").error.as_ref().unwrap().contains("was put back"), "{report:?}");
    bed.world().failing.clear();
    assert_eq!(bed.apply(&specs).failure, None);
    assert_eq!(bed.things(), ["h1 container:a=v2", "h1 container:new=v1"]);
}

#[test]
fn what_cannot_be_set_aside_comes_back_with_the_rest() {
    let (bed, specs) = swapping();
    bed.world().stuck.insert("container:b".into());
    let before = bed.as_it_is();
    assert_eq!(failed(&bed.apply(&specs)), "DeployError");
    assert_eq!(bed.as_it_is(), before, "{:?}", bed.log());
}

#[test]
fn what_a_renamed_kind_of_code_had_goes_first() {
    let bed = Bed::new();
    bed.apply_well(&[code("old", "old")]);
    let report = bed.apply(&[code("new", "new").was("old")]);
    assert_eq!(report.failure, None);
    assert_eq!(bed.log(), ["h1 remove job:old", "h1 make job:new"]);
    assert_eq!(
        (bed.things(), bed.known()),
        (vec!["h1 job:new=x".to_owned()], vec!["h1 code:Job/new".to_owned()])
    );
}

#[test]
fn a_renamed_kind_of_code_that_has_the_same_thing_keeps_it() {
    let bed = Bed::new();
    bed.apply_well(&[code("old", "same")]);
    let report = bed.apply(&[code("new", "same").was("old")]);
    assert_eq!((report.failure, bed.log().len()), (None, 0));
    assert_eq!(bed.known(), ["h1 code:Job/new"]);
}

#[test]
fn a_resource_with_another_name_keeps_its_thing() {
    let bed = Bed::new();
    bed.apply_well(&[container("old", "web", "v1", &[80]).protected()]);
    let specs = [container("new", "web", "v1", &[80]).was("old")];
    let report = bed.apply(&specs);
    assert_eq!((actions(&report), bed.log().len()), (vec!["new h1 unchanged".to_owned()], 0));
    assert!(!has_note(&report, "no longer has"));
    let entry = bed.entry(HOST, "container:web").unwrap();
    assert_eq!((entry.address.name.as_str(), entry.protect), ("new", false));
}

#[test]
fn what_cannot_come_back_and_is_in_the_way_goes_first() {
    let bed = Bed::new();
    // Its steps are code, and yet its place is known.
    bed.apply_well(&[Spec { foreign_steps: true, ..container("a", "a", "v1", &[80]) }]);
    let report = bed.apply(&[container("a", "b", "v1", &[80])]);
    assert_eq!(report.failure, None);
    assert_eq!(bed.log(), ["h1 remove container:a", "h1 make container:b"]);
    assert_eq!(bed.known(), ["h1 container:b"]);
}

#[test]
fn what_is_protected_neither_moves_nor_is_replaced_nor_destroyed() {
    let cases = [
        ("moved", file("a", "/b", "x").protected()),
        ("replaced", container("web", "web", "v2", &[]).protected()),
    ];
    for (how, changed) in cases {
        let bed = Bed::new();
        bed.apply_well(&[file("a", "/a", "x").protected(), container("web", "web", "v1", &[]).protected()]);
        let (world, state) = (bed.things(), bed.state_file());
        let report = bed.apply(&[changed, file("new", "/new", "x")]);
        assert_eq!(failed(&report), "ProtectedError", "{how}");
        assert!(report.dry_run && report.failure.unwrap().message.contains("Take protect=True away"));
        let planned = bed.destroy(None);
        assert_eq!(failed(&planned), "ProtectedError");
        assert_eq!((bed.things(), bed.state_file(), bed.log().len()), (world, state, 0), "{how}");
    }
}

#[test]
fn a_protected_file_may_get_another_content() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x").protected()]);
    assert_eq!(bed.apply(&[file("a", "/a", "y").protected()]).failure, None);
    assert_eq!(bed.things(), ["h1 path:/a=y"]);
}

#[test]
fn a_plan_of_a_move_says_that_something_goes() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x")]);
    let approver = FakeApprover::new(Approval::Stop);
    let report = bed.run(Some(&[file("a", "/b", "x")]), &Options::new(Verb::Apply), Some(&approver)).unwrap();
    assert!(approver.question().takes_away && approver.question().defaults_to_no());
    assert_eq!(
        (failed(&report), bed.log().len(), bed.known()),
        ("DeclinedError", 0, vec!["h1 path:/a".to_owned()])
    );
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}
