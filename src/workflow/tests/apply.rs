//! Apply and plan, where nothing has to go.

use super::project::{code, container, file};
use super::*;
use crate::outcome::Action;

#[test]
fn what_is_new_is_created_and_what_is_there_stays() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x"), container("web", "web", "v1", &[80]), code("job", "job")];
    let report = bed.apply(&specs);
    assert_eq!(actions(&report), ["a h1 create", "web h1 create", "job h1 create"]);
    assert_eq!(bed.things(), ["h1 container:web=v1", "h1 job:job=x", "h1 path:/a=x"]);
    assert_eq!(bed.known(), ["h1 path:/a", "h1 container:web", "h1 code:Job/job"]);
    bed.log();
    let again = bed.apply(&specs);
    assert_eq!(actions(&again), ["a h1 unchanged", "web h1 unchanged", "job h1 unchanged"]);
    assert_eq!(bed.log(), [""; 0]);
}

#[test]
fn a_change_of_main_py_names_its_fields() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x")]);
    let report = bed.apply(&[file("a", "/a", "y")]);
    let row = row(&report, "a");
    assert_eq!((row.action, row.changes[0].field.as_str()), (Action::Change, "content"));
    assert_eq!(bed.things(), ["h1 path:/a=y"]);
}

#[test]
fn drift_is_told_from_a_change_of_main_py() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x"), file("b", "/b", "x")];
    bed.apply_well(&specs);
    bed.put(HOST, "path:/a", Thing::new("edited", None));
    bed.take(HOST, "path:/b");
    let report = bed.plan(&specs);
    assert_eq!(actions(&report), ["a h1 drifted", "b h1 drifted"]);
    assert!(row(&report, "a").reason.as_ref().unwrap().starts_with("changed by somebody else"));
    assert!(row(&report, "b").reason.as_ref().unwrap().starts_with("removed by somebody else"));
}

#[test]
fn an_upgrade_is_told_from_a_change() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x")]);
    bed.put(HOST, "path:/a", Thing::new("older form", None));
    let report = bed.plan(&[Spec { version: 2, ..file("a", "/a", "x") }]);
    let row = row(&report, "a");
    assert_eq!(row.action, Action::Change);
    assert!(row.reason.as_ref().unwrap().starts_with("its operations are other ones now"), "{row:?}");
}

#[test]
fn a_plan_writes_nothing() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x")];
    let report = bed.plan(&specs);
    assert_eq!((actions(&report), report.dry_run), (vec!["a h1 create".to_owned()], true));
    assert_eq!((bed.state_file(), bed.things().len(), bed.log().len()), (None, 0, 0));
    bed.apply_well(&specs);
    let before = bed.state_file();
    bed.plan(&[file("a", "/b", "y")]);
    let dry = Options { dry_run: true, ..Options::new(Verb::Apply) };
    bed.run(Some(&[file("a", "/a", "y")]), &dry, None).unwrap();
    assert_eq!((bed.state_file(), bed.log().len()), (before, 0));
}

#[test]
fn a_failure_is_told_and_what_needs_it_is_left_out() {
    let bed = Bed::new();
    bed.world().failing.insert("path:/a".into());
    let specs = [file("a", "/a", "x"), file("b", "/b", "x").needs("a"), file("c", "/c", "x")];
    let report = bed.apply(&specs);
    assert_eq!(actions(&report), ["a h1 create", "b h1 skipped", "c h1 create"]);
    assert_eq!(failed(&report), "DeployError");
    assert_eq!(bed.known(), ["h1 path:/a …", "h1 path:/c"]);
}

#[test]
fn a_failure_on_one_host_stays_there() {
    let bed = Bed::with_hosts(&["h1", "h2"]);
    bed.world().failing.insert("h2 path:/a".into());
    let specs = [file("a", "/a", "x")];
    assert_eq!(failed(&bed.apply(&specs)), "DeployError");
    assert_eq!(bed.known(), ["h1 path:/a", "h2 path:/a …"]);
    bed.world().failing.clear();
    let report = bed.apply(&specs);
    assert_eq!(actions(&report), ["a h1 unchanged", "a h2 create"]);
    assert_eq!(bed.known(), ["h1 path:/a", "h2 path:/a"]);
}

#[test]
fn a_host_that_is_away_keeps_nothing_from_the_others() {
    let bed = Bed::with_hosts(&["h1", "h2"]);
    bed.world().away.insert("h2".into());
    let report = bed.apply(&[file("a", "/a", "x")]);
    assert_eq!(
        (actions(&report), failed(&report)),
        (vec!["a h1 create".into(), "a h2 skipped".into()], "DeployError")
    );
    let message = &report.failure.as_ref().unwrap().message;
    assert_eq!(message.matches("it is away").count(), 1, "{message}");
    assert_eq!((bed.things().len(), bed.known()), (1, vec!["h1 path:/a".to_owned()]));
}

#[test]
fn with_fail_fast_a_host_stops_at_its_first_failure() {
    let bed = Bed::new();
    bed.world().failing.insert("path:/a".into());
    let options = Options { fail_fast: true, ..Options::new(Verb::Apply) };
    let specs = [file("a", "/a", "x"), file("b", "/b", "x")];
    let report = bed.run(Some(&specs), &options, None).unwrap();
    assert_eq!(actions(&report), ["a h1 create", "b h1 skipped"]);
    assert_eq!(bed.known(), ["h1 path:/a …"]);
}

#[test]
fn a_target_narrows_a_run() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x"), file("b", "/b", "x").needs("a"), file("c", "/c", "x")];
    let options = Options { targets: vec!["b".into()], ..Options::new(Verb::Apply) };
    let report = bed.run(Some(&specs), &options, None).unwrap();
    assert_eq!(actions(&report), ["a h1 create", "b h1 create"]);
    assert_eq!(bed.known().len(), 2);
}

#[test]
fn a_resource_for_an_unknown_host_is_an_error() {
    let bed = Bed::with_hosts(&["h1", "h2"]);
    let error =
        bed.run(Some(&[file("a", "/a", "x").on(&["h3"])]), &Options::new(Verb::Apply), None).unwrap_err();
    assert!(error.to_string().contains("the host 'h3', which is not in the inventory"), "{error}");
    assert_eq!((bed.known().len(), bed.log().len()), (0, 0));
}

#[test]
fn resources_are_deployed_where_they_are_for() {
    let bed = Bed::with_hosts(&["h1", "h2"]);
    bed.apply_well(&[file("a", "/a", "x").on(&["h2"]), file("b", "/b", "y")]);
    assert_eq!(bed.things(), ["h1 path:/b=y", "h2 path:/a=x", "h2 path:/b=y"]);
}

#[test]
fn what_a_killed_run_may_have_left_is_known() {
    let bed = Bed::new();
    let specs = [file("a", "/a", "x"), file("b", "/b", "x")];
    bed.world().interrupts = Some("path:/b".into());
    let error = bed.run(Some(&specs), &Options::new(Verb::Apply), None).unwrap_err();
    assert!(error.is_interrupt());
    assert_eq!(bed.known(), ["h1 path:/a …", "h1 path:/b …"]);
    bed.world().interrupts = None;
    let report = bed.destroy(None);
    assert_eq!((report.failure, bed.things().len(), bed.known().len()), (None, 0, 0));
}

#[test]
fn no_secret_is_told() {
    let bed = Bed::new();
    let secret = "hunter2-and-more";
    bed.world().failing.insert("path:/a".into());
    bed.world().unreadable.insert("path:/b".into());
    let spec = |name: &str, path: &str| Spec { secret: Some(secret.into()), ..file(name, path, secret) };
    let specs = [spec("a", "/a"), spec("b", "/b")];
    for report in [bed.apply(&specs), bed.plan(&specs)] {
        let told = serde_json::to_string(&report).unwrap();
        assert!(!told.contains(secret) && told.contains("cannot be"), "{told}");
    }
}

#[test]
fn a_run_whose_work_breaks_off_closes_its_session() {
    let bed = Bed::new();
    bed.world().interrupts = Some("path:/a".into());
    // The bed looks that each session is closed.
    assert!(bed.run(Some(&[file("a", "/a", "x")]), &Options::new(Verb::Apply), None).is_err());
}

#[test]
fn two_resources_at_one_place_are_refused_before_any_host() {
    let bed = Bed::new();
    for other in [file("b", "/x/../a", "y"), container("b", "web", "v", &[80])] {
        let specs = [file("a", "/a", "x"), container("web", "other", "v", &[80]), other];
        let error = bed.run(Some(&specs), &Options::new(Verb::Apply), None).unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{error}");
        assert_eq!((bed.log().len(), bed.known().len()), (0, 0));
    }
}

#[test]
fn what_is_used_comes_first_and_a_plan_says_so() {
    let bed = Bed::new();
    let specs = [container("web", "web", "v", &[]).uses("path:/a"), file("a", "/a", "x")];
    assert!(has_note(&bed.plan(&specs), "Container 'web' comes after File 'a', because it uses /a"));
    bed.apply(&specs);
    assert_eq!(bed.log(), ["h1 make path:/a", "h1 make container:web"]);
}

#[test]
fn what_is_deployed_is_checked_where_it_is_there() {
    let bed = Bed::new();
    bed.world().unwell.extend(["h1 a".to_owned(), "h1 b".to_owned()]);
    bed.world().failing.insert("path:/b".into());
    let options = Options { check: true, ..Options::new(Verb::Apply) };
    let specs = [file("a", "/a", "x"), file("b", "/b", "x")];
    let report = bed.run(Some(&specs), &options, None).unwrap();
    assert_eq!((report.checks.len(), failed(&report)), (1, "DeployError"));
    bed.world().failing.clear();
    let report = bed.run(Some(&specs), &options, None).unwrap();
    assert_eq!((report.checks.len(), failed(&report)), (2, "CheckError"));
}

#[test]
fn assertions_alone_are_checked_and_nothing_else_is_done() {
    let bed = Bed::new();
    let plain = [file("a", "/a", "x")];
    let check = Options::new(Verb::Check);
    assert!(has_note(&bed.run(Some(&plain), &check, None).unwrap(), "no resource has an assertion"));
    bed.world().unwell.insert("h1 a".into());
    let specs = [Spec { asserts: true, ..file("a", "/a", "x") }];
    let report = bed.run(Some(&specs), &check, None).unwrap();
    assert_eq!((failed(&report), bed.log().len(), bed.state_file()), ("CheckError", 0, None));
}

#[test]
fn what_a_killed_run_left_is_brought_up_by_the_next() {
    let bed = Bed::new();
    bed.apply_well(&[file("a", "/a", "x")]);
    bed.world().interrupts = Some("path:/a".into());
    let specs = [file("a", "/a", "y")];
    assert!(bed.run(Some(&specs), &Options::new(Verb::Apply), None).is_err());
    bed.world().interrupts = None;
    let report = bed.apply(&specs);
    assert_eq!(row(&report, "a").reason.as_deref(), Some("an earlier run did not get to its end"));
    assert_eq!((bed.known(), bed.things()), (vec!["h1 path:/a".to_owned()], vec!["h1 path:/a=y".to_owned()]));
}
