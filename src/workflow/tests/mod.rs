//! The rules of the workflow, against fakes of all its ports.

mod adopt;
mod apply;
mod destroy;
mod moves;
mod ownership;
mod project;
mod removals;
mod watch;
mod world;

use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use self::project::{FakeSource, Spec};
use self::world::{FakeEngine, Thing, Things, World};
use super::approval::Question;
use super::options::Options;
use super::ports::{Approval, Approver, Process};
use super::{Ports, run};
use crate::cli::Verb;
use crate::error::{Error, Result};
use crate::event::{Observer, Silent};
use crate::llm::Endpoint;
use crate::outcome::{Report, ResourceOutcome};
use crate::settings::Model;
use crate::state::{self, State, StateEntry, Store};

/// The host of most tests.
const HOST: &str = "h1";

/// A folder, the hosts, and what main.py says.
struct Bed {
    folder: tempfile::TempDir,
    world: Rc<RefCell<World>>,
}

impl Bed {
    fn new() -> Self {
        Self::with_hosts(&[HOST])
    }

    fn with_hosts(hosts: &[&str]) -> Self {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        let world = Rc::new(RefCell::new(World { hosts, ..World::default() }));
        Self { folder: tempfile::tempdir().unwrap(), world }
    }

    fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    /// Runs a command on what main.py says; none where it is gone.
    fn run(
        &self,
        specs: Option<&[Spec]>,
        options: &Options,
        approver: Option<&dyn Approver>,
    ) -> Result<Report> {
        self.run_observed(specs, options, approver, Arc::new(Silent))
    }

    fn run_observed(
        &self,
        specs: Option<&[Spec]>,
        options: &Options,
        approver: Option<&dyn Approver>,
        observer: Arc<dyn Observer>,
    ) -> Result<Report> {
        let source = FakeSource { folder: self.folder.path(), specs: specs.map(<[Spec]>::to_vec) };
        let engine = FakeEngine(Rc::clone(&self.world));
        let done = run(
            &Ports { source: &source, engine: &engine, approver, process: &FakeProcess, observer },
            options,
        );
        assert_eq!(self.world().open, 0, "each session is closed");
        done
    }

    /// Applies with nobody to ask.
    fn apply(&self, specs: &[Spec]) -> Report {
        self.run(Some(specs), &Options::new(Verb::Apply), None).unwrap()
    }

    /// Applies what is sure to succeed.
    fn apply_well(&self, specs: &[Spec]) -> Report {
        let report = self.apply(specs);
        assert_eq!(report.failure, None);
        self.world().log.clear();
        self.world().permitted.clear();
        report
    }

    fn plan(&self, specs: &[Spec]) -> Report {
        self.run(Some(specs), &Options::new(Verb::Plan), None).unwrap()
    }

    fn destroy(&self, specs: Option<&[Spec]>) -> Report {
        self.run(specs, &Options::new(Verb::Destroy), None).unwrap()
    }

    fn state(&self) -> State {
        Store::new(self.folder.path()).read().unwrap()
    }

    fn entry(&self, host: &str, identity: &str) -> Option<StateEntry> {
        self.state().get(host, identity).cloned()
    }

    /// The things that are known, as `host identity`, with a sign where a run did not get to its end.
    fn known(&self) -> Vec<String> {
        let entries = self.state();
        let entries = entries.entries().iter().map(|entry| {
            let sign = if entry.pending.is_some() { " …" } else { "" };
            format!("{} {}{sign}", entry.host, entry.identity)
        });
        entries.collect()
    }

    /// The things that are there, as `host identity=content`.
    fn things(&self) -> Vec<String> {
        let world = self.world();
        world.things.iter().map(|((host, thing), is)| format!("{host} {thing}={}", is.content)).collect()
    }

    /// All things, and what is set aside.
    fn as_it_is(&self) -> (Things, Things) {
        let world = self.world();
        (world.things.clone(), world.aside.clone())
    }

    fn put(&self, host: &str, thing: &str, is: Thing) {
        self.world().things.insert((host.to_owned(), thing.to_owned()), is);
    }

    fn take(&self, host: &str, thing: &str) {
        self.world().things.remove(&(host.to_owned(), thing.to_owned()));
    }

    /// The work that was executed since the last look.
    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.world().log)
    }

    /// The bytes of the state's file.
    fn state_file(&self) -> Option<Vec<u8>> {
        std::fs::read(self.folder.path().join(crate::state::FILE_NAME)).ok()
    }
}

/// The actions of a report, as `name host action`.
fn actions(report: &Report) -> Vec<String> {
    let resources = report.deploy.resources.iter();
    resources.map(|r| format!("{} {} {}", r.address.name, r.host, r.action.word(false))).collect()
}

/// The row of a resource.
fn row<'a>(report: &'a Report, name: &str) -> &'a ResourceOutcome {
    report.deploy.resources.iter().find(|resource| resource.address.name == name).unwrap()
}

/// The class of a report's failure.
fn failed(report: &Report) -> &str {
    report.failure.as_ref().map_or("", |failure| &failure.class)
}

/// The class and the message of an error.
fn refused(done: Result<Report>) -> (&'static str, String) {
    match done.unwrap_err() {
        Error::Refused { class, message } => (class, message),
        error => panic!("{error}"),
    }
}

fn has_note(report: &Report, part: &str) -> bool {
    report.notes.iter().any(|note| note.contains(part))
}

/// Somebody who gives one answer.
struct FakeApprover {
    answer: Approval,
    can_ask: bool,
    asked: RefCell<Vec<(Report, Question)>>,
}

impl FakeApprover {
    fn new(answer: Approval) -> Self {
        Self { answer, can_ask: true, asked: RefCell::default() }
    }

    fn yes() -> Self {
        Self::new(Approval::Go { prune: false })
    }

    fn question(&self) -> Question {
        self.asked.borrow().last().unwrap().1
    }
}

impl Approver for FakeApprover {
    fn can_ask(&self) -> bool {
        self.can_ask
    }

    fn approve(&self, plan: &Report, question: &Question) -> Result<Approval> {
        self.asked.borrow_mut().push((plan.clone(), *question));
        Ok(self.answer)
    }
}

/// A process that nobody interrupts.
struct FakeProcess;

impl Process for FakeProcess {
    fn check_interrupt(&self) -> Result<()> {
        Ok(())
    }

    fn sleep(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn wait_for(&self, _: &dyn Fn(), work: Box<dyn FnOnce() + Send + '_>) -> Result<()> {
        work();
        Ok(())
    }

    fn local_model(&self, _: &Model, _: &Arc<dyn Observer>) -> Result<Endpoint> {
        panic!("no local model")
    }
}

/// The permissions that things were changed with.
fn permitted(bed: &Bed) -> HashMap<String, super::ports::Permission> {
    bed.world().permitted.iter().cloned().collect()
}
