//! Tests of plans in files.

use std::fs;
use std::path::Path;

use super::*;

fn saved(wanted: &[CompiledResource], plan: &DeployOutcome, prune: bool) -> SavedPlan {
    SavedPlan::new(Path::new("/site/main.py"), vec!["a".into()], prune, wanted, plan)
}

#[test]
fn a_saved_plan_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let plan = planned(vec![outcome("a", Action::Create), gone("gone", Action::Remove)]);
    let kept = saved(&[file("a", "one")], &plan, true);
    for _ in 0..2 {
        kept.write(&path).unwrap();
        assert_eq!(SavedPlan::read(&path).unwrap(), kept, "a plan may take the place of another");
    }
    assert_eq!(
        (kept.source.as_path(), kept.targets.as_slice()),
        (Path::new("/site/main.py"), &["a".to_owned()][..])
    );
    assert!(SavedPlan::can_be(&path) && !SavedPlan::can_be(Path::new("main.py")));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_saved_plan_holds_while_nothing_moves() {
    let all = [file("a", "one")];
    let plan = planned(vec![outcome("a", Action::Create), gone("gone", Action::Remove)]);
    let without = planned(vec![outcome("a", Action::Create)]);
    let mut later = outcome("a", Action::Create);
    later.seconds = 9.0;
    later.prior = Prior { settled: true, protected: true };
    later.ownership = Ownership::Edited;
    later.identity = "path:/elsewhere".into();
    let later = planned(vec![later]);
    let gone = "FileResource 'gone' on @local: planned as remove, now not in the plan";
    for (why, prune, now, moved) in [
        ("the same", true, &plan, vec![]),
        ("orphans that stay anyway", false, &without, vec![]),
        ("an orphan that is not there any more", true, &without, vec![gone]),
        ("one look and the next", false, &later, vec![]),
    ] {
        assert_eq!(saved(&all, &plan, prune).moved(&all, now), moved, "{why}");
    }
    let timed = |seconds, reason: &str| {
        let mut outcome = intending(outcome("a", Action::Create), &json!({ "reason": reason }));
        outcome.operations[0].seconds = seconds;
        planned(vec![outcome])
    };
    assert_eq!(saved(&all, &timed(1.0, "x"), false).moved(&all, &timed(2.0, "y")), [""; 0]);
}

#[test]
fn a_saved_plan_says_what_has_moved() {
    let plan = planned(vec![outcome("a", Action::Create), outcome("b", Action::Unchanged)]);
    let kept = saved(&[file("a", "one"), file("b", "one")], &plan, false);
    let another = ResourceOutcome { diff: Some("+x\n".into()), ..outcome("a", Action::Create) };
    let now = planned(vec![another, outcome("c", Action::Create)]);
    assert_eq!(
        kept.moved(&[file("a", "two"), file("c", "one")], &now),
        [
            "FileResource 'a' is defined in another way",
            "FileResource 'b' is no longer defined",
            "FileResource 'c' is defined now",
            "FileResource 'a' on @local: the create is another one now",
            "FileResource 'b' on @local: planned as unchanged, now not in the plan",
            "FileResource 'c' on @local: planned as not in the plan, now create",
        ]
    );
}

#[test]
fn a_resource_moves_on_each_of_its_hosts() {
    let both = |one: &str| [on(&["h1"], file("a", one)), on(&["h2"], file("a", "same"))];
    let kept = saved(&both("one"), &planned(Vec::new()), false);
    assert_eq!(kept.moved(&both("one"), &planned(Vec::new())), [""; 0]);
    let moved = kept.moved(&both("two"), &planned(Vec::new()));
    assert_eq!(moved, ["FileResource 'a' is defined in another way"]);
}

#[test]
fn files_that_are_no_plans_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    for (text, told) in [
        ("hello", "no plan that `clockwork plan --out` has written"),
        ("{}", "no plan that `clockwork plan --out` has written"),
        (r#"{"format": "1"}"#, "no plan that `clockwork plan --out` has written"),
        (r#"{"format": 1}"#, "no plan of Clockwork's: missing field"),
        (r#"{"format": 7}"#, "a plan of format 7"),
    ] {
        fs::write(&path, text).unwrap();
        let error = SavedPlan::read(&path).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let error = SavedPlan::read(&folder.path().join("none.json")).unwrap_err().to_string();
    assert!(error.contains("`clockwork plan --out FILE` writes a plan"), "{error}");
}

#[test]
fn a_plan_takes_the_place_of_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let kept = saved(&[], &planned(Vec::new()), false);
    let state = br#"{"format": 2, "clockwork": "0.1.0", "lineage": "", "resources": []}"#;
    for there in [&b"{}"[..], b"hello", b"", b"\xff\xfe", state] {
        fs::write(&path, there).unwrap();
        let error = kept.write(&path).unwrap_err().to_string();
        assert!(error.contains("is there already, and is no plan: give --out another name"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), there);
    }
}
