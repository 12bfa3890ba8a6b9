//! Destroy.

use super::project::{Down, code, container, file};
use super::*;

#[test]
fn what_needs_something_goes_before_it() {
    let bed = Bed::new();
    let specs = [
        file("a", "/a", "x"),
        file("b", "/b", "x").needs("a"),
        container("c", "c", "v", &[]).uses("path:/b"),
    ];
    bed.apply_well(&specs);
    for specs in [Some(&specs[..]), None] {
        let report = bed.run(specs, &Options { dry_run: true, ..Options::new(Verb::Destroy) }, None).unwrap();
        assert_eq!(actions(&report), ["c h1 remove", "b h1 remove", "a h1 remove"]);
    }
    let report = bed.destroy(Some(&specs));
    assert_eq!(actions(&report), ["c h1 remove", "b h1 remove", "a h1 remove"]);
    assert_eq!(bed.log(), ["h1 remove container:c", "h1 remove path:/b", "h1 remove path:/a"]);
    assert_eq!((bed.things().len(), bed.known().len(), report.failure), (0, 0, None));
}

#[test]
fn what_was_deployed_goes_as_and_where_it_was() {
    let bed = Bed::with_hosts(&["h1", "h2"]);
    bed.apply_well(&[file("a", "/a", "x").on(&["h1"])]);
    bed.put("h2", "path:/a", Thing::new("x", None));
    bed.put("h1", "path:/b", Thing::new("x", None));
    bed.destroy(Some(&[file("a", "/b", "x")]));
    assert_eq!(bed.things(), ["h1 path:/b=x", "h2 path:/a=x"]);
    assert_eq!(bed.known().len(), 0);
}

#[test]
fn what_main_py_no_longer_has_goes_too() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x"), code("job", "job")]);
    let report = bed.destroy(Some(&[file("a", "/a", "x")]));
    assert_eq!((bed.things().len(), bed.known().len(), report.deploy.resources.len()), (0, 0, 2));
    assert!(report.deploy.resources.iter().all(|resource| !resource.gone));
}

#[test]
fn it_works_without_main_py_as_far_as_the_state_knows() {
    let bed = Bed::new();
    assert!(bed.run(None, &Options::new(Verb::Destroy), None).unwrap_err().to_string().contains("main.py"));
    bed.apply_well(&[file("a", "/a", "x")]);
    assert!(bed.run(None, &Options::new(Verb::Apply), None).is_err());
    let report = bed.destroy(None);
    assert!(has_note(&report, "what is taken down is what the state knows, because"), "{:?}", report.notes);
    assert_eq!((bed.things().len(), bed.known().len()), (0, 0));
}

#[test]
fn what_nobody_can_take_down_stays_and_is_named() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x").down(Down::Unknown), file("b", "/b", "x").down(Down::Secret)];
    bed.apply_well(&specs);
    let report = bed.destroy(None);
    assert!(
        has_note(&report, "File 'a' on h1 does not say how")
            && has_note(&report, "File 'b' on h1 stays: the code")
    );
    assert_eq!((bed.known().len(), bed.things().len()), (2, 2));
    // main.py has the secret.
    let report = bed.destroy(Some(&specs));
    assert!(has_note(&report, "override to_pyinfra_destroy_operations in File"), "{:?}", report.notes);
    assert_eq!(bed.known(), ["h1 path:/a"]);
}

#[test]
fn a_host_that_left_the_inventory_fails_it() {
    let bed = Bed::with_hosts(&["h1", "h2"]);
    let specs = [file("a", "/a", "x")];
    bed.apply_well(&specs);
    bed.world().hosts.pop();
    assert!(has_note(&bed.apply(&specs), "File 'a' was deployed on h2, which is not in the inventory"));
    let report = bed.destroy(Some(&specs));
    assert_eq!(failed(&report), "DeployError");
    assert_eq!((bed.known(), bed.things()), (vec!["h2 path:/a".to_owned()], vec!["h2 path:/a=x".to_owned()]));
}

#[test]
fn what_fails_stays_known_and_what_it_needs_stays_up() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x"), file("b", "/b", "x").needs("a"), file("c", "/c", "x")];
    bed.apply_well(&specs);
    bed.world().stuck.insert("path:/b".into());
    let report = bed.destroy(Some(&specs));
    assert_eq!(actions(&report), ["c h1 remove", "b h1 remove", "a h1 skipped"]);
    assert_eq!(bed.known(), ["h1 path:/a", "h1 path:/b …"]);
    bed.world().stuck.clear();
    assert_eq!((bed.destroy(None).failure, bed.known().len()), (None, 0));
}

#[test]
fn a_target_takes_along_what_cannot_be_without_it() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x"), file("b", "/b", "x").needs("a"), file("c", "/c", "x")];
    bed.apply_well(&specs);
    let options = Options { targets: vec!["a".into()], ..Options::new(Verb::Destroy) };
    bed.run(Some(&specs), &options, None).unwrap();
    assert_eq!(bed.known(), ["h1 path:/c"]);
}

#[test]
fn what_a_resource_had_before_goes_with_it() {
    let bed = Bed::new();
    bed.apply_well(&[container("web", "web", "v1", &[]).with("network:one")]);
    bed.apply_well(&[container("web", "web", "v1", &[]).with("network:two")]);
    assert_eq!(bed.things().len(), 3, "nothing takes the old network away");
    bed.destroy(None);
    assert_eq!((bed.things().len(), bed.known().len()), (0, 0));
}

#[test]
fn somebody_is_asked_and_may_say_no() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x")];
    bed.apply_well(&specs);
    let before = bed.state_file();
    let approver = FakeApprover::new(Approval::Stop);
    let report = bed.run(Some(&specs), &Options::new(Verb::Destroy), Some(&approver)).unwrap();
    assert!(approver.question().destroys && approver.question().defaults_to_no());
    assert_eq!((failed(&report), bed.state_file(), bed.log().len()), ("DeclinedError", before, 0));
}

#[test]
fn a_destroy_that_was_killed_is_finished_by_the_next() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x"), file("b", "/b", "x")]);
    bed.world().interrupts = Some("path:/a".into());
    assert!(bed.run(None, &Options::new(Verb::Destroy), None).unwrap_err().is_interrupt());
    assert_eq!(bed.known(), ["h1 path:/a …", "h1 path:/b …"]);
    bed.world().interrupts = None;
    assert_eq!((bed.destroy(None).failure, bed.things().len(), bed.known().len()), (None, 0, 0));
}

#[test]
fn no_model_is_asked() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x")]);
    bed.destroy(Some(&[file("a", "/a", "x").asks("Anything")]));
    assert_eq!(bed.known().len(), 0);
}
