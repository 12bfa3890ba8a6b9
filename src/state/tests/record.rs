//! The effect of runs that end well, fail, are not reached, or are killed.

use super::*;

#[test]
fn what_was_begun_is_settled_only_where_it_was_not_begun_before() {
    let mut state = State::default();
    let one = [file("a", "/1")];
    run(&mut state, Action::Create, &outcome(&one[0], Action::Skipped), &one);
    assert!(state.entries.is_empty(), "it was announced, and not begun");
    run(&mut state, Action::Create, &failed(&one[0]), &one);
    run(&mut state, Action::Create, &outcome(&one[0], Action::Skipped), &one);
    assert_eq!(known(&state.entries[0]), ["/1"], "the first run may have left something");
    run(&mut state, Action::Skipped, &outcome(&one[0], Action::Skipped), &one);
    assert_eq!(known(&state.entries[0]), ["/1"], "its host is away");
    run(&mut state, Action::Create, &outcome(&one[0], Action::Create), &one);
    assert_eq!(state.entries[0].pending, None);
    assert_eq!(state.entries[0].leftovers, []);
}

#[test]
fn what_moved_and_failed_is_known_at_all_its_places() {
    let mut state = State::default();
    deploy(&mut state, &file("a", "/1"));
    for path in ["/2", "/3"] {
        run(&mut state, Action::Change, &failed(&file("a", path)), &[file("a", path)]);
    }
    let unknown = CompiledResource { removal: Removal::Unknown, destroy: None, ..file("a", "/4") };
    run(&mut state, Action::Change, &failed(&unknown), std::slice::from_ref(&unknown));
    let all = places(&state, "a");
    let at = |path: &str| (format!("path:{path}"), vec![path.to_owned()]);
    assert_eq!(all[..3], [at("/1"), at("/2"), at("/3")]);
    assert_eq!(all[3], ("path:/4".to_owned(), vec!["Unknown".to_owned()]), "it hides no other");
    for path in ["/1", "/2", "/3", "/4"] {
        run(&mut state, Action::Remove, &removal(&file("a", path), Action::Remove), &[]);
    }
    assert!(state.entries.is_empty());
}

#[test]
fn what_has_no_steps_hides_no_others_at_its_place() {
    let mut state = State::default();
    let code = |lines: &[&str]| coded("a", "code:K/a", lines);
    deploy(&mut state, &code(&["rm 1"]));
    run(&mut state, Action::Change, &failed(&code(&["rm 2"])), &[code(&["rm 2"])]);
    let secret = CompiledResource { removal: Removal::Secret, ..code(&[]) };
    run(&mut state, Action::Change, &failed(&secret), std::slice::from_ref(&secret));
    assert_eq!(state.entries[0].removal(), Removal::Secret);
    let steps: Vec<String> = kept(&state.entries[0]).into_iter().map(words).collect();
    assert_eq!(steps, ["rm 1", "rm 2"]);
    run(&mut state, Action::Change, &outcome(&code(&["rm 3"]), Action::Change), &[code(&["rm 3"])]);
    assert_eq!(known(&state.entries[0]), ["rm 3", "rm 2", "rm 1"]);
}

#[test]
fn what_it_had_before_is_kept_unless_the_new_steps_take_it_down() {
    let mut state = State::default();
    let mut change = |lines: &[&str]| {
        let resource = coded("a", "container:a", lines);
        let done = outcome(&resource, Action::Change);
        run(&mut state, Action::Change, &done, std::slice::from_ref(&resource));
        known(&state.entries[0])
    };
    change(&["rm a", "rm net 1"]);
    assert_eq!(change(&["rm a", "rm net 2"]), ["rm a", "rm net 2", "rm net 1"]);
    assert_eq!(change(&["rm a", "rm net 1", "rm net 3"]), ["rm a", "rm net 1", "rm net 3", "rm net 2"]);
    assert_eq!(change(&["rm a\n", "rm net 2", "rm net 1", "rm net 3"]).len(), 4, "nothing is there twice");
    assert_eq!(state.entries[0].leftovers, []);
    run(&mut state, Action::Remove, &removal(&coded("a", "container:a", &[]), Action::Remove), &[]);
    assert!(state.entries.is_empty());
}

#[test]
fn what_moved_stays_known_at_its_old_place_until_it_is_taken_away() {
    let mut state = State::default();
    deploy(&mut state, &file("a", "/1"));
    deploy(&mut state, &file("a", "/2"));
    assert_eq!(places(&state, "a").len(), 2);
    run(&mut state, Action::Remove, &removal(&file("a", "/1"), Action::Remove), &[file("a", "/2")]);
    assert_eq!(places(&state, "a"), [("path:/2".to_owned(), vec!["/2".to_owned()])]);
}

#[test]
fn what_is_seen_to_be_the_same_keeps_its_time_and_who_did_it() {
    let mut state = State::default();
    let mut one = file("a", "/1");
    deploy(&mut state, &one);
    let deployed = state.entries[0].deployed.as_mut().unwrap();
    (deployed.by, deployed.at) = ("0.0.9".into(), "then".into());
    let see = |state: &mut State, one: &CompiledResource, action: Action| {
        run(state, action, &outcome(one, action), std::slice::from_ref(one));
        let deployed = state.entries[0].deployed.as_ref().unwrap();
        (deployed.by.clone(), deployed.at.clone())
    };
    assert_eq!(see(&mut state, &one, Action::Unchanged), ("0.0.9".into(), "then".into()));
    one.steps_fingerprint = "other steps".into();
    let ours = (VERSION.to_owned(), "then".to_owned());
    assert_eq!(see(&mut state, &one, Action::Unchanged), ours, "these are our words now");
    assert_eq!(state.entries[0].deployed.as_ref().unwrap().difference(&one), Difference::None);
    one.fields_fingerprint = "other fields".into();
    assert_eq!(state.entries[0].deployed.as_ref().unwrap().difference(&one), Difference::Fields);
    assert_ne!(see(&mut state, &one, Action::Unchanged).1, "then", "other fields are another deploy");
    state.entries[0].deployed.as_mut().unwrap().at = "then".into();
    assert_ne!(see(&mut state, &one, Action::Drifted).1, "then");
}

#[test]
fn steps_alone_differ_where_the_fields_are_the_same() {
    let mut state = State::default();
    let mut one = file("a", "/1");
    deploy(&mut state, &one);
    one.steps_fingerprint = "other steps".into();
    assert_eq!(state.entries[0].deployed.as_ref().unwrap().difference(&one), Difference::Steps);
}

#[test]
fn a_removal_that_fails_or_is_not_reached_forgets_nothing() {
    let mut state = State::default();
    let one = file("a", "/1");
    deploy(&mut state, &one);
    let before = state.clone();
    run(&mut state, Action::Remove, &removal(&one, Action::Skipped), &[]);
    assert_eq!(state, before, "it was not begun");
    let failed = ResourceOutcome { error: Some("no".into()), ..removal(&one, Action::Remove) };
    run(&mut state, Action::Remove, &failed, &[]);
    assert_eq!(known(&state.entries[0]), ["/1"]);
    assert_eq!(state.entries[0].pending.as_ref().unwrap().intent, PendingAction::Remove);
    run(&mut state, Action::Change, &outcome(&one, Action::Change), std::slice::from_ref(&one));
    assert_eq!((state.entries[0].pending.as_ref(), state.entries[0].leftovers.len()), (None, 0));
}

#[test]
fn what_is_announced_and_not_begun_is_as_it_was() {
    let mut state = State::default();
    let mut one = coded("a", "container:a", &["rm a"]);
    one.claims = vec!["port:tcp/80".into()];
    deploy(&mut state, &one);
    let before = state.clone();
    let mut other = coded("b", "container:a", &["rm a", "rm net"]);
    other.claims = vec!["port:tcp/81".into()];
    run(&mut state, Action::Change, &outcome(&other, Action::Skipped), &[other]);
    assert_eq!(state, before);
}

#[test]
fn what_a_broken_off_run_may_have_given_up_or_taken_is_claimed() {
    let mut state = State::default();
    let mut one = coded("a", "container:a", &["rm a"]);
    one.claims = vec!["port:tcp/80".into(), "port:tcp/90".into()];
    deploy(&mut state, &one);
    one.claims = vec!["port:tcp/81".into(), "port:tcp/90".into()];
    run(&mut state, Action::Change, &failed(&one), std::slice::from_ref(&one));
    let mut claims = state.entries[0].claims.clone();
    claims.sort();
    assert_eq!(claims, ["port:tcp/80", "port:tcp/81", "port:tcp/90"]);
    deploy(&mut state, &one);
    assert_eq!(state.entries[0].claims, one.claims);
}

#[test]
fn what_is_put_back_is_known_as_it_was_before_the_run() {
    let mut state = State::default();
    deploy(&mut state, &file("a", "/1"));
    deploy(&mut state, &file("b", "/2"));
    let before = state.clone();
    let changed = CompiledResource { protect: true, ..file("a", "/1") };
    run(&mut state, Action::Change, &failed(&changed), &[changed]);
    run(&mut state, Action::Change, &failed(&file("b", "/2")), &[file("b", "/2")]);
    state.restore(&before, &[("@local", "path:/1"), ("@local", "path:/nothing")]);
    assert_eq!(state.entries[0], before.entries[0]);
    assert!(state.entries[1].pending.is_some(), "the other stays as it is");
}
