//! All that runs may do, and all that fields may hold.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// One run over one resource.
#[derive(Debug, Clone)]
struct Turn {
    place: u8,
    /// The network that it has at its place.
    network: u8,
    planned: Action,
    end: End,
    removes: bool,
}

/// The end of a run.
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
    let turn = (0..4_u8, 0..4_u8, action, end, any::<bool>());
    let turn = turn.prop_map(|(place, network, planned, end, removes)| Turn {
        place,
        network,
        planned: if removes { Action::Remove } else { planned },
        end,
        removes,
    });
    prop::collection::vec(turn, 0..16)
}

/// A thing at a place. With the last network it does not say how it is taken down.
fn thing(place: u8, network: u8) -> CompiledResource {
    let lines = [format!("rm {place}"), format!("rm {place} net {network}")];
    let thing = coded("a", &format!("container:{place}"), &lines.each_ref().map(String::as_str));
    if network < 3 { thing } else { CompiledResource { removal: Removal::Unknown, destroy: None, ..thing } }
}

proptest! {
    /// One resource, whose place and parts change, is deployed and removed by runs that end in all ways there
    /// are. For all that may be there the state keeps the steps that take it down, at its place.
    #[test]
    fn nothing_that_may_be_there_is_ever_unknown(turns in turns()) {
        let mut state = State::default();
        let mut may_be_there: BTreeSet<(String, String)> = BTreeSet::new();
        for Turn { place, network, planned, end, removes } in turns {
            let resource = thing(place, network);
            let host_has_it = state.get("@local", &resource.identity).is_some();
            if removes && !host_has_it {
                continue;
            }
            let plan = ResourceOutcome { removes, ..outcome(&resource, planned) };
            let wanted = if removes { Vec::new() } else { vec![resource.clone()] };
            let before = state.clone();
            begin(&mut state, std::slice::from_ref(&plan), &wanted);
            let steps: Vec<String> = resource.removal.steps().unwrap_or_default().iter().map(words).collect();
            let parts = || steps.iter().map(|step| (resource.identity.clone(), step.clone()));
            // It may have come as far as that, unless it was not reached at all.
            if !removes && planned.is_change() && end != End::Skipped {
                may_be_there.extend(parts());
            }
            let done = match end {
                End::Done => Some(plan),
                End::Failed => Some(ResourceOutcome { error: Some("no".into()), ..plan }),
                End::Skipped => Some(ResourceOutcome { action: Action::Skipped, changed: false, ..plan }),
                End::Killed => None,
            };
            record(&mut state, &before, done.as_slice(), &wanted);
            if end == End::Done && removes {
                may_be_there.retain(|(identity, _)| *identity != resource.identity);
                prop_assert!(state.get("@local", &resource.identity).is_none());
            } else if end == End::Done {
                may_be_there.extend(parts());
                let entry = state.get("@local", &resource.identity).unwrap();
                prop_assert!(entry.deployed.is_some() && entry.pending.is_none());
            } else if end == End::Skipped {
                prop_assert_eq!(&state, &before, "it was not begun");
            }
            let identities: BTreeSet<&str> = state.entries().iter().map(|entry| entry.identity.as_str()).collect();
            prop_assert_eq!(identities.len(), state.entries().len(), "one thing has one entry");
            for (identity, step) in &may_be_there {
                let entry = state.get("@local", identity);
                let steps: Vec<String> = entry.into_iter().flat_map(kept).map(words).collect();
                prop_assert!(steps.contains(step), "{step} takes down what may be there, and known is {steps:?}");
                let removal = entry.map(StateEntry::removal);
                let in_use = match removal {
                    Some(Removal::Steps(steps)) => steps.iter().any(|other| words(other) == *step),
                    other => other == Some(Removal::Unknown),
                };
                prop_assert!(in_use, "{step} is a part of the removal, unless a part is not known at all");
            }
        }
    }

    /// A state that runs have made is read as it was written.
    #[test]
    fn a_state_comes_back_from_its_file(turns in turns()) {
        let mut state = State { lineage: "line".into(), ..State::default() };
        for Turn { place, network, planned, end, removes } in turns {
            let resource = thing(place, network);
            let error = (end == End::Failed).then(|| "no".to_owned());
            let done = ResourceOutcome { error, removes, ..outcome(&resource, planned) };
            run(&mut state, planned, &done, std::slice::from_ref(&resource));
        }
        let (_folder, store) = new_store();
        store.update(|stored| *stored = state.clone()).unwrap();
        prop_assert_eq!(store.read().unwrap(), state);
    }

    /// A text in the fields of a secret's name, a content and a long text are in no written file.
    #[test]
    fn no_hidden_value_is_ever_written(secret in "[a-zA-Z0-9'\"\\\\ü=]{8,40}", long in "[a-z ]{201,300}") {
        let (_folder, store) = new_store();
        let fields = json!({
            "api_key": secret, "env_vars": {"PLAIN": secret}, "nested": [{"token": [secret]}], "text": long,
            "content": secret,
        });
        let fields = fields.as_object().unwrap();
        // Each of these, wherever it hides, is looked for in the steps that take the resource down.
        prop_assert_eq!(hidden(fields).iter().filter(|text| **text == secret).count(), 3);
        store.ensure_lineage().unwrap();
        let lineage = store.read().unwrap().lineage;
        let password = Argument::Deferred(crate::operation::Deferred::Secret("PASSWORD".into()));
        let step = Step::Operation(Operation {
            function: "own.remove".into(),
            arguments: vec![("password".into(), password)],
            state: Map::new(),
            effects: Effects::default(),
        });
        let mut wanted = with_steps("a", "path:/a", vec![step]);
        wanted.fields = shown(fields);
        wanted.secrets = vec![secret.clone()];
        wanted.named_secrets.0.insert("PASSWORD".into(), secret.clone());
        wanted.seal(&lineage, fields);
        wanted.content = Some(crate::hash::sha256(secret.as_bytes()));
        store.update(|state| deploy(state, &wanted)).unwrap();
        let text = fs::read_to_string(&store.path).unwrap();
        let escaped = Value::String(secret.clone()).to_string();
        prop_assert!(!text.contains(escaped.trim_matches('"')) && !text.contains(&long));
        prop_assert!(!text.contains(&crate::hash::sha256(secret.as_bytes())), "its hash could be guessed from");
    }
}
