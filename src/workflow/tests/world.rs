//! Hosts in memory, and an engine that works on them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Map, Value, json};

use crate::compile::Section;
use crate::error::{Error, Result};
use crate::hash::sha256;
use crate::identity::{overlap, path_of};
use crate::intent::{Intent, IntentAction};
use crate::outcome::{Action, CheckOutcome, DeployOutcome, HostError, OperationOutcome, ResourceOutcome};
use crate::resource::Address;
use crate::workflow::ports::{
    Aside, Engine, Permission, Permissions, Project, ScriptRun, Session, SessionOptions,
};

/// A thing on a host.
#[derive(Debug, Clone, PartialEq)]
pub struct Thing {
    pub content: String,
    pub label: Option<String>,
    pub ports: Vec<String>,
}

impl Thing {
    pub fn new(content: &str, label: Option<&str>) -> Self {
        Self { content: content.into(), label: label.map(str::to_owned), ports: Vec::new() }
    }
}

pub type Things = BTreeMap<(String, String), Thing>;

/// All hosts.
#[derive(Debug, Default)]
pub struct World {
    pub hosts: Vec<String>,
    pub things: Things,
    pub aside: Things,
    /// The hosts that cannot be reached.
    pub away: BTreeSet<String>,
    /// The things that cannot be made, as `host thing`, or the thing alone for all hosts.
    pub failing: BTreeSet<String>,
    /// The things that cannot be removed.
    pub stuck: BTreeSet<String>,
    /// The things of which cannot be told how they are.
    pub unreadable: BTreeSet<String>,
    /// The thing at which the run is interrupted, before it is touched.
    pub interrupts: Option<String>,
    /// The things whose assertions fail.
    pub unwell: BTreeSet<String>,
    /// All that was executed, one line each.
    pub log: Vec<String>,
    /// The permissions that changes were executed with, by thing.
    pub permitted: Vec<(String, Permission)>,
    /// The number of sessions that were opened, and not closed.
    pub open: usize,
}

impl World {
    fn has(set: &BTreeSet<String>, host: &str, thing: &str) -> bool {
        set.contains(thing) || set.contains(&format!("{host} {thing}"))
    }
}

/// One operation, read from the code of a section.
struct Call {
    makes: bool,
    arguments: BTreeMap<String, String>,
}

impl Call {
    fn get(&self, name: &str) -> &str {
        self.arguments.get(name).map(String::as_str).unwrap_or_default()
    }
}

fn calls(section: &Section) -> Vec<Call> {
    let calls = section.code.split("fake.").skip(1).map(|code| {
        let (function, rest) = code.split_once('(').unwrap();
        let quoted: Vec<&str> = rest.split(['\'', '"']).collect();
        let name = |text: &str| text.trim_matches(|c: char| !c.is_ascii_lowercase()).to_owned();
        let pairs = quoted.chunks_exact(2).map(|pair| (name(pair[0]), pair[1].to_owned()));
        Call { makes: function == "make", arguments: pairs.collect() }
    });
    calls.collect()
}

pub struct FakeEngine(pub Rc<RefCell<World>>);

struct FakeSession {
    world: Rc<RefCell<World>>,
    lineage: String,
    fail_fast: bool,
}

impl Engine for FakeEngine {
    fn preload(&self) -> Result<()> {
        Ok(())
    }

    fn open<'a>(&'a self, options: &SessionOptions<'_>, _: &'a dyn Project) -> Result<Box<dyn Session + 'a>> {
        self.0.borrow_mut().open += 1;
        let world = Rc::clone(&self.0);
        Ok(Box::new(FakeSession { world, lineage: options.lineage.to_owned(), fail_fast: options.fail_fast }))
    }
}

impl Session for FakeSession {
    fn hosts(&self) -> Vec<String> {
        self.world.borrow().hosts.clone()
    }

    fn plan(&mut self, run: &ScriptRun<'_>) -> Result<DeployOutcome> {
        self.run(run, None)
    }

    fn execute(&mut self, run: &ScriptRun<'_>, permissions: &Permissions) -> Result<DeployOutcome> {
        self.run(run, Some(permissions))
    }

    fn check(
        &mut self,
        places: &[usize],
        wanted: &dyn Fn(&Address, &str) -> bool,
    ) -> Result<(Vec<CheckOutcome>, Vec<HostError>)> {
        let _ = places;
        let world = self.world.borrow();
        let all = world.unwell.iter().filter_map(|unwell| {
            let (host, name) = unwell.split_once(' ')?;
            let address = Address { kind: "File".into(), name: name.into() };
            wanted(&address, host).then(|| CheckOutcome {
                address,
                host: host.to_owned(),
                assertion: "is well".into(),
                ok: false,
                error: Some("it is not".into()),
                attempts: 1,
                seconds: 0.0,
            })
        });
        Ok((all.collect(), Vec::new()))
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.world.borrow_mut().open -= 1;
        Ok(())
    }
}

impl FakeSession {
    fn run(&self, run: &ScriptRun<'_>, permissions: Option<&Permissions>) -> Result<DeployOutcome> {
        let world = &mut *self.world.borrow_mut();
        let mut outcome = DeployOutcome { hosts: world.hosts.clone(), ..DeployOutcome::default() };
        let away: Vec<String> =
            world.hosts.iter().filter(|host| world.away.contains(*host)).cloned().collect();
        for host in &away {
            outcome.host_errors.push(HostError { host: host.clone(), error: "it is away".into() });
        }
        // The sections that have failed or were left out, by host.
        let mut out: BTreeSet<(String, usize)> = BTreeSet::new();
        let mut failed: BTreeSet<String> = BTreeSet::new();
        for (place, section) in run.script.sections.iter().enumerate() {
            for host in world.hosts.clone().into_iter().filter(|host| section.hosts.has(host)) {
                let is_out = section.needs.iter().any(|need| out.contains(&(host.clone(), *need)))
                    || run.stopped.contains(&host)
                    || (self.fail_fast && failed.contains(&host));
                let error = away.contains(&host).then(|| "it is away".to_owned());
                let mut operations = Vec::new();
                let is_reached = error.is_none() && !is_out;
                if is_reached {
                    let permission =
                        permissions.map(|all| all.get(&(host.clone(), place)).cloned().unwrap_or_default());
                    operations = self.section(world, &host, section, permission.as_ref(), run.removes)?;
                }
                let mut resource = ResourceOutcome::new(section.address.clone(), &host, operations, error);
                resource.identity.clone_from(&section.identity);
                if !is_reached {
                    resource.action = Action::Skipped;
                }
                if !is_reached || resource.error.is_some() {
                    out.insert((host.clone(), place));
                }
                if resource.error.is_some() {
                    failed.insert(host);
                }
                outcome.resources.push(resource);
            }
        }
        Ok(outcome)
    }

    /// The operations of one section. With a permission they are executed.
    fn section(
        &self,
        world: &mut World,
        host: &str,
        section: &Section,
        permission: Option<&Permission>,
        removes: bool,
    ) -> Result<Vec<OperationOutcome>> {
        let is_code = !section.code.contains("clockwork_fake.");
        let mut operations = Vec::new();
        for call in calls(section) {
            let mut operation = self.look(world, host, &call, is_code);
            if removes && operation.action.is_change() {
                operation.action = Action::Remove;
            }
            if let Some(permission) = permission.filter(|_| operation.error.is_none()) {
                if world.interrupts.as_deref() == Some(call.get("thing")) {
                    return Err(Error::Interrupted);
                }
                match permission.aside {
                    Some(aside) if !call.makes => {
                        let changed = set_aside(world, host, &call, aside, permission, &mut operation.error);
                        operation.changed = changed;
                        operation.action = if changed { Action::Remove } else { Action::Unchanged };
                    }
                    _ if operation.changed => {
                        self.change(world, host, &call, permission, &mut operation);
                    }
                    _ => {}
                }
            }
            let is_over = operation.error.is_some();
            operations.push(operation);
            if is_over {
                break;
            }
        }
        Ok(operations)
    }

    /// Finds out what an operation would do.
    fn look(&self, world: &World, host: &str, call: &Call, is_code: bool) -> OperationOutcome {
        let thing = call.get("thing");
        let place = (host.to_owned(), thing.to_owned());
        let found = world.things.get(&place).or_else(|| world.aside.get(&place).filter(|_| call.makes));
        let wanted = self.wanted(call);
        let action = match (call.makes, found) {
            (true, None) => Action::Create,
            (true, Some(found)) if found.content == wanted.content && found.ports == wanted.ports => {
                Action::Unchanged
            }
            (true, Some(_)) => Action::Change,
            (false, Some(_)) => Action::Remove,
            (false, None) => Action::Unchanged,
        };
        let is_file = path_of(thing).is_some();
        let replaces = action == Action::Change && !is_file && !is_code;
        let sign = |found: &Thing| {
            if is_file {
                ("sha256".to_owned(), json!(sha256(found.content.as_bytes())))
            } else {
                ("project".to_owned(), json!(found.label))
            }
        };
        let intent = |action: IntentAction| Intent {
            action,
            changes: Vec::new(),
            replaces: replaces.then(|| thing.to_owned()),
            overwrites: (action == IntentAction::Change && is_file).then(|| thing.to_owned()),
            found: found.map(sign).into_iter().collect::<Map<String, Value>>(),
            reason: None,
        };
        let intent = match action {
            Action::Create => Some(intent(IntentAction::Create)),
            Action::Change => Some(intent(IntentAction::Change)),
            Action::Remove => Some(intent(IntentAction::Remove)),
            _ => None,
        };
        let unreadable = World::has(&world.unreadable, host, thing);
        OperationOutcome {
            name: call.get("name").to_owned(),
            action,
            changed: action.is_change(),
            error: unreadable.then(|| format!("{thing} cannot be read: {}", call.get("content"))),
            seconds: 0.0,
            diff: None,
            replaces,
            intent: intent.filter(|_| !is_code),
        }
    }

    fn wanted(&self, call: &Call) -> Thing {
        let ports = call.get("ports").split_whitespace().map(str::to_owned).collect();
        Thing { content: call.get("content").to_owned(), label: Some(self.lineage.clone()), ports }
    }

    fn change(
        &self,
        world: &mut World,
        host: &str,
        call: &Call,
        permission: &Permission,
        operation: &mut OperationOutcome,
    ) {
        let thing = call.get("thing");
        let place = (host.to_owned(), thing.to_owned());
        world.permitted.push((thing.to_owned(), permission.clone()));
        let verb = if call.makes { "make" } else { "remove" };
        world.log.push(format!("{host} {verb} {thing}"));
        if !permission.take_over {
            operation.error = Some("it must not be taken over".into());
        } else if call.makes {
            let wanted = self.wanted(call);
            operation.error = obstacle(world, host, thing, &wanted);
            if operation.error.is_none() {
                world.things.insert(place, wanted);
            }
        } else if World::has(&world.stuck, host, thing) {
            operation.error = Some("it is stuck".into());
        } else {
            world.things.remove(&place);
        }
        if operation.error.is_some() {
            operation.changed = false;
        }
    }
}

/// The reason why a thing cannot be there together with the others.
fn obstacle(world: &World, host: &str, thing: &str, wanted: &Thing) -> Option<String> {
    if World::has(&world.failing, host, thing) {
        return Some(format!("it cannot be made: {}", wanted.content));
    }
    let others = world.things.iter().filter(|((on, other), _)| on == host && other != thing);
    for ((_, other), Thing { ports, content, .. }) in others {
        if overlap(other, thing) && content != "folder" {
            return Some(format!("{other} is in the way"));
        }
        if ports.iter().any(|port| wanted.ports.contains(port)) {
            return Some(format!("{other} has the port"));
        }
    }
    None
}

/// Does a part of a removal. Returns whether anything changed.
fn set_aside(
    world: &mut World,
    host: &str,
    call: &Call,
    aside: Aside,
    permission: &Permission,
    error: &mut Option<String>,
) -> bool {
    let thing = call.get("thing");
    let place = (host.to_owned(), thing.to_owned());
    let is_aside = world.aside.contains_key(&place);
    let changed = match aside {
        Aside::SetAside if World::has(&world.stuck, host, thing) => {
            *error = Some("it is stuck".into());
            false
        }
        Aside::SetAside => {
            let taken = world.things.remove(&place);
            taken.map(|taken| world.aside.insert(place, taken)).is_some()
        }
        // Only a new thing of the same name is found: one elsewhere has removals of its own.
        Aside::Clear if is_aside && path_of(thing).is_none() => world.things.remove(&place).is_some(),
        Aside::Clear => false,
        Aside::PutBack => match world.aside.remove(&place) {
            Some(back) => {
                *error = obstacle(&World { failing: BTreeSet::new(), ..shallow(world) }, host, thing, &back);
                if error.is_none() {
                    world.things.insert(place, back);
                } else {
                    world.aside.insert(place, back);
                }
                error.is_none()
            }
            None => false,
        },
        Aside::Drop => world.aside.remove(&place).is_some(),
    };
    if changed || error.is_some() {
        world.log.push(format!("{host} {} {thing}", aside.word()));
        world.permitted.push((thing.to_owned(), permission.clone()));
    }
    changed
}

fn shallow(world: &World) -> World {
    World { things: world.things.clone(), ..World::default() }
}
