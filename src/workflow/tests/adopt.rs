//! Taking up what is there, and plans in files.

use super::project::{container, file};
use super::*;
use crate::plan::SavedPlan;

fn adopting(name: &str) -> Options {
    Options { adopts: Some(name.into()), targets: Vec::new(), ..Options::new(Verb::Plan) }
}

#[test]
fn a_thing_is_taken_up_as_it_is() {
    let bed = Bed::new();
    bed.put(HOST, "path:/a", Thing::new("as it is", None));
    let specs = [file("a", "/a", "x"), file("b", "/b", "x")];
    let report = bed.run(Some(&specs), &adopting("a"), None).unwrap();
    assert_eq!(report.failure, None);
    assert!(
        has_note(&report, "File 'a' is taken up on h1, where it differs from main.py"),
        "{:?}",
        report.notes
    );
    assert_eq!((bed.log().len(), bed.known()), (0, vec!["h1 path:/a".to_owned()]));
    assert_eq!(bed.entry(HOST, "path:/a").unwrap().pending, None);
    let (class, message) = ("StateError", "the state knows File 'a' already");
    let report = bed.run(Some(&specs), &adopting("a"), None).unwrap();
    assert_eq!(failed(&report), class);
    assert!(report.failure.unwrap().message.contains(message));
}

#[test]
fn what_cannot_be_taken_up_is_refused() {
    let cases = [
        ("nothing", false, "'nothing' is the name of no resource"),
        ("a", false, "File 'a' is not on h1"),
        ("a", true, "it cannot be told whether it is on h1"),
    ];
    for (name, is_unreadable, why) in cases {
        let bed = Bed::new();
        if is_unreadable {
            bed.world().unreadable.insert("path:/a".into());
        }
        let report = bed.run(Some(&[file("a", "/a", "x")]), &adopting(name), None).unwrap();
        assert_eq!(failed(&report), "StateError");
        assert!(report.failure.as_ref().unwrap().message.contains(why), "{report:?}");
        assert_eq!((bed.known().len(), bed.log().len()), (0, 0));
    }
}

#[test]
fn it_is_taken_up_where_it_is_not_known_yet() {
    let bed = Bed::with_hosts(&["h1", "h2"]);
    bed.apply_well(&[file("a", "/a", "x").on(&["h1"])]);
    bed.put("h2", "path:/a", Thing::new("x", None));
    let report = bed.run(Some(&[file("a", "/a", "x")]), &adopting("a"), None).unwrap();
    assert_eq!((report.failure, bed.known()), (None, vec!["h1 path:/a".to_owned(), "h2 path:/a".to_owned()]));
}

/// Writes a plan, and gives the options that run it.
fn saved(bed: &Bed, specs: &[Spec], prune: bool) -> Options {
    let out = bed.folder.path().join("plan.json");
    let options = Options { out: Some(out.clone()), prune, ..Options::new(Verb::Plan) };
    let report = bed.run(Some(specs), &options, None).unwrap();
    assert!(report.failure.is_none() && has_note(&report, "the plan is in"));
    let mut options = Options::new(Verb::Apply);
    options.run_saved(SavedPlan::read(&out).unwrap());
    options
}

#[test]
fn a_plan_in_a_file_is_run_where_it_holds() {
    let bed = Bed::new();
    bed.apply_well(&[file("gone", "/gone", "x"), container("web", "web", "v1", &[])]);
    let specs = [file("a", "/a", "x"), container("web", "web", "v2", &[])];
    let options = saved(&bed, &specs, true);
    assert_eq!(bed.run(Some(&specs), &options, None).unwrap().failure, None);
    assert_eq!(bed.things(), ["h1 container:web=v2", "h1 path:/a=x"]);
}

/// Changes something, and gives what main.py says now.
type Change<'a> = &'a dyn Fn(&Bed) -> Option<Vec<Spec>>;

#[test]
fn a_plan_that_does_not_hold_is_not_run() {
    let specs = [file("a", "/a", "x")];
    let changes: [(&str, Change); 4] = [
        ("is defined in another way", &|_| Some(vec![file("a", "/a", "y")])),
        ("File 'b' is defined now", &|_| Some(vec![file("a", "/a", "x"), file("b", "/b", "x")])),
        ("planned as create, now change", &|bed| {
            bed.put(HOST, "path:/a", Thing::new("there by now", None));
            Some(vec![file("a", "/a", "x")])
        }),
        ("main.py", &|_| None),
    ];
    for (why, change) in changes {
        let bed = Bed::new();
        let options = saved(&bed, &specs, false);
        let now = change(&bed);
        let (class, message) = refused(bed.run(now.as_deref(), &options, None));
        assert_eq!(class, "PlanMovedError");
        assert!(message.contains(why) && message.contains("nothing was done"), "{message}");
        assert_eq!((bed.log().len(), bed.known().len()), (0, 0));
    }
}

#[test]
fn a_plan_with_something_wrong_is_not_written() {
    let bed = Bed::new();
    bed.world().unreadable.insert("path:/a".into());
    let out = bed.folder.path().join("plan.json");
    let options = Options { out: Some(out.clone()), ..Options::new(Verb::Plan) };
    let report = bed.run(Some(&[file("a", "/a", "x")]), &options, None).unwrap();
    assert_eq!((failed(&report), out.exists()), ("DeployError", false));
}
