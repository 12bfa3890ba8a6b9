//! Whatever runs do, and whatever fields hold.

use proptest::prelude::*;

use super::*;

/// What a run may do with one resource.
#[derive(Debug, Clone)]
struct Turn {
    place: u8,
    planned: Action,
    end: End,
    gone: bool,
    makes_way: bool,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Done,
    Failed,
    Skipped,
    Killed,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let action = prop_oneof![
        Just(Action::Create),
        Just(Action::Change),
        Just(Action::Drifted),
        Just(Action::Conditional),
        Just(Action::Unchanged),
    ];
    let end = prop_oneof![Just(End::Done), Just(End::Failed), Just(End::Skipped), Just(End::Killed)];
    let turn = (0..5_u8, action, end, any::<bool>(), any::<bool>());
    let turn = turn.prop_map(|(place, planned, end, gone, makes_way)| Turn {
        place,
        planned: if gone { Action::Remove } else { planned },
        end,
        gone,
        makes_way,
    });
    prop::collection::vec(turn, 0..12)
}

proptest! {
    /// One resource, whose place changes, is deployed and removed by runs that end in all ways there are.
    /// Wherever something may be, the state has the code that takes it down.
    #[test]
    fn nothing_that_may_be_there_is_ever_unknown(turns in turns()) {
        let mut state = State::default();
        let mut may_be_at = std::collections::BTreeSet::new();
        for Turn { place, planned, end, gone, makes_way } in turns {
            let code = format!("rm {place};");
            let mut all = vec![wanted("a", &code)];
            // At the last place it does not say how it is taken down.
            let says = place < 4;
            if !says {
                all[0].removal = Removal::Unknown;
            }
            let wanted = if gone { Vec::new() } else { all };
            let known = state.get(&address("a"), "@local").is_some();
            if gone && !known {
                continue;
            }
            let plan = made_way_for(ResourceOutcome { gone, ..outcome("a", planned) }, makes_way);
            let before = state.clone();
            begin(&mut state, std::slice::from_ref(&plan), &wanted);
            // What was begun may have come as far as that, unless it was not reached at all.
            if !gone && says && end != End::Skipped && planned.is_change() {
                may_be_at.insert(code.clone());
            }
            let done = match end {
                End::Done => Some(plan),
                End::Failed => Some(ResourceOutcome { error: Some("no".into()), ..plan }),
                End::Skipped => Some(ResourceOutcome { action: Action::Skipped, changed: false, ..plan }),
                End::Killed => None,
            };
            record(&mut state, &before, done.as_slice(), &wanted);
            if end == End::Done {
                // What was elsewhere has been taken away first, or is still there.
                if gone || makes_way {
                    may_be_at.clear();
                }
                may_be_at.extend((!gone && says).then_some(code));
            }
            let codes: String = state.entries().iter().flat_map(Entry::removals).filter_map(Removal::code).collect();
            for code in &may_be_at {
                prop_assert!(codes.contains(code), "{code} may be there, and known is {codes}");
            }
            if end == End::Done && gone {
                prop_assert!(state.entries().is_empty());
            }
        }
    }

    /// Whatever text is in the fields of a secret's name, the written file does not have it.
    #[test]
    fn no_hidden_value_is_ever_written(secret in "[a-zA-Z0-9'\"\\\\ü=]{8,40}", long in "[a-z ]{201,300}") {
        let (_folder, store) = store();
        let fields = json!({
            "api_key": secret, "env_vars": {"PLAIN": secret}, "nested": [{"token": [secret]}], "text": long,
            "content": secret,
        });
        let fields = fields.as_object().unwrap();
        // Each of these, wherever it hides, is looked for in the code that takes the resource down.
        prop_assert_eq!(hidden(fields).iter().filter(|text| **text == secret).count(), 3);
        let wanted = Wanted { fields: shown(fields), ..wanted("a", "rm") };
        store.update(|state| run(state, Action::Create, &outcome("a", Action::Create), &[wanted])).unwrap();
        let text = fs::read_to_string(&store.path).unwrap();
        let escaped = Value::String(secret.clone()).to_string();
        prop_assert!(!text.contains(escaped.trim_matches('"')) && !text.contains(&long));
    }
}
