//! The deploy stage beside the state: what was there, what is going to be done, and what came of it.

mod decision;
mod keeping;
mod telling;

use std::path::Path;

use clockwork_core::cli::Verb;
use clockwork_core::compile::{Block, Deployment, Phase, Script};
use clockwork_core::outcome::{DeployOutcome, Failure, Report};
use clockwork_core::plan::{self, Takedown, Untold, takedowns};
use clockwork_core::redact;
use clockwork_core::resource::{Address, Artifact};
use clockwork_core::state::{Entry, Removal, Store, Wanted};
use pyo3::prelude::*;

use self::decision::Decision;
use crate::compiling::{self, Said};
use crate::engine::{Approval, Session};
use crate::invocation::Invocation;
use crate::selection::Known;
use crate::{engine, errors};

/// The name that code has which takes away what main.py no longer has, or has elsewhere now.
const REMOVALS: &str = "removals.py";

/// A compiled project, and what is known of it.
pub struct Deploying<'a> {
    /// What was asked for.
    pub invocation: &'a Invocation<'a>,
    /// Where the compiled files are.
    pub folder: &'a Path,
    /// The file that defines the resources.
    pub source: Option<&'a str>,
    /// The compiled files.
    pub deployment: &'a Deployment,
    /// What each resource says.
    pub said: &'a [Said],
    /// What the state knows.
    pub known: &'a Known,
    /// Where the state is.
    pub store: &'a Store,
    /// The hosts.
    pub session: &'a Session,
}

/// One of the scripts, gone through on all hosts.
struct Pass<'a> {
    /// The name of its file.
    file: &'a str,
    script: &'a Script,
    /// Whether it takes away.
    removes: bool,
    /// The hosts that are left alone, because something has failed there already.
    stopped: Vec<String>,
}

impl<'a> Pass<'a> {
    /// Takes away what is in the way of the others, or what main.py no longer has.
    fn removals(script: &'a Script) -> Self {
        Self { file: REMOVALS, script, removes: true, stopped: Vec::new() }
    }
}

impl Deploying<'_> {
    /// Brings everything up, or finds out what that would be.
    pub fn bring_up(&self, py: Python<'_>, report: &mut Report) -> PyResult<()> {
        let script = self.deployment.deploy.as_ref();
        let Some(script) = script else { return Ok(()) };
        let shows_gone = self.invocation.looks()
            || self.invocation.prune
            || self.invocation.approver.as_ref().is_some_and(|approver| approver.wants_gone());
        let mut untold = Vec::new();
        let moved = if self.invocation.is_repair() { Vec::new() } else { self.moved() };
        // Of these nothing stays untold: main.py has them still.
        let moved = blocks(py, &moved, &mut Vec::new())?;
        let gone = if shows_gone { blocks(py, &self.gone_here(), &mut untold)? } else { Vec::new() };
        let pass = Pass { file: "deploy.py", script, removes: false, stopped: Vec::new() };
        let pruned = if moved.is_empty() && gone.is_empty() {
            self.at_once(py, report, &pass, &self.wanted())?
        } else {
            self.after_removals(py, report, &pass, moved, gone)?
        };
        self.say_what_is_gone(report, pruned, &untold);
        self.say_what_stays(report, &untold);
        self.say_what_is_away(report);
        self.adopt(py, report)?;
        self.keep_plan(py, report)
    }

    /// Takes everything down, the last one first, or finds out what that would be.
    pub fn destroy(&self, py: Python<'_>, report: &mut Report) -> PyResult<()> {
        let mut all = self.gone();
        for said in self.said {
            all.push(compiling::takedown(said, self.known.state.of(&said.wanted.address).collect()));
        }
        let mut untold = Vec::new();
        let script = Script::assemble(Phase::Destroy, blocks(py, &all, &mut untold)?);
        let pass = Pass { file: "destroy.py", script: &script, removes: true, stopped: Vec::new() };
        // What main.py says alone is there already; the lines of an error are of what is run.
        self.write(py, &pass)?;
        self.at_once(py, report, &pass, &[])?;
        self.say_what_stays(report, &untold);
        self.say_what_is_away(report);
        Ok(())
    }

    /// What is in the way of resources that have another place or name now.
    fn moved(&self) -> Vec<Takedown<'_>> {
        let mut moved = Vec::new();
        for Said { wanted, .. } in self.said {
            let elsewhere = |entry: &&Entry| {
                if !(wanted.has_place || self.is_renamed(entry)) {
                    return false;
                }
                let mut codes = entry.removals_in_our_words().filter_map(Removal::code);
                codes.any(|code| wanted.removal.code() != Some(code)) && self.heir(entry).is_none()
            };
            let known: Vec<&Entry> = self.known.state.of(&wanted.address).filter(elsewhere).collect();
            if !known.is_empty() {
                let Wanted { address, needs, .. } = wanted.clone();
                moved.push(Takedown { address, needs, says: None, known });
            }
        }
        moved
    }

    /// The resource that stands where something was deployed, and is not taken down in this run.
    fn heir(&self, entry: &Entry) -> Option<&Address> {
        let is_said = |address: &Address| self.said.iter().any(|said| said.wanted.address == *address);
        let wanted = self.said.iter().map(|said| &said.wanted).filter(|_| !self.destroys());
        let stays = |address: &Address| !self.known.gone.contains(address) && !is_said(address);
        self.known.state.heir(entry, wanted, stays)
    }

    /// Whether it has another name than what stands there. What main.py says of that can be old news.
    fn is_renamed(&self, entry: &Entry) -> bool {
        let says_so = || self.known.renames.iter().any(|rename| rename.new == entry.address);
        self.known.renamed.contains(&entry.address) || (entry.pending.is_some() && says_so())
    }

    /// What main.py no longer has.
    fn gone(&self) -> Vec<Takedown<'_>> {
        let mut gone: Vec<Takedown<'_>> = Vec::new();
        for entry in self.known.gone().filter(|entry| self.heir(entry).is_none()) {
            match gone.iter_mut().find(|takedown| takedown.address == entry.address) {
                Some(takedown) => takedown.known.push(entry),
                None => gone.push(Takedown {
                    address: entry.address.clone(),
                    needs: entry.needs.clone(),
                    says: None,
                    known: vec![entry],
                }),
            }
        }
        gone
    }

    /// What main.py no longer has, as far as it may be removed: what is protected is only looked at
    /// where somebody wants it to be removed, to be told why not.
    fn gone_here(&self) -> Vec<Takedown<'_>> {
        let mut gone = self.gone();
        if !self.invocation.prune {
            for takedown in &mut gone {
                takedown.known.retain(|entry| !entry.protect);
            }
            gone.retain(|takedown| !takedown.known.is_empty());
        }
        gone
    }

    /// Where there is nothing to take away first, hosts are looked at once: what is planned is decided
    /// on while they wait. Returns whether what main.py no longer has was dealt with.
    fn at_once(
        &self,
        py: Python<'_>,
        report: &mut Report,
        pass: &Pass<'_>,
        wanted: &[Wanted],
    ) -> PyResult<bool> {
        let decision = Decision::default();
        let decide = |py: Python<'_>, planned: &DeployOutcome| -> PyResult<Option<engine::Decisions>> {
            let goes = self.settle(py, report, &mut planned.clone(), wanted, &decision)?;
            Ok(goes.then(engine::Decisions::default))
        };
        let mut outcome = if self.invocation.looks() {
            self.session.plan(py, &self.script_run(pass))?
        } else {
            self.session.execute(py, &self.script_run(pass), Approval::Asked(&decide))?
        };
        self.compare(&mut outcome, wanted, report);
        self.finish(py, report, outcome, wanted, &decision)
    }

    /// Where something is in the way, it goes first, and then hosts are looked at anew. Returns
    /// whether what main.py no longer has was dealt with.
    fn after_removals(
        &self,
        py: Python<'_>,
        report: &mut Report,
        deploy: &Pass<'_>,
        moved: Vec<Block>,
        gone: Vec<Block>,
    ) -> PyResult<bool> {
        let wanted = self.wanted();
        let all = Script::assemble(Phase::Destroy, gone.into_iter().chain(moved.clone()).collect());
        self.write(py, &Pass::removals(&all))?;
        let look = |pass: &Pass<'_>| self.session.plan(py, &self.script_run(pass));
        let mut planned = plan::merge(self.removed(look(&Pass::removals(&all))?), look(deploy)?);
        let decision = Decision::default();
        if !self.settle(py, report, &mut planned, &wanted, &decision)? {
            return self.finish(py, report, planned, &wanted, &decision);
        }
        let script = if decision.prunes() { all } else { Script::assemble(Phase::Destroy, moved) };
        let removed = if script.sections.is_empty() {
            DeployOutcome::default()
        } else {
            let pass = Pass::removals(&script);
            self.write(py, &pass)?;
            self.removed(self.run(py, &pass)?)
        };
        let failed = removed.resources.iter().filter(|r| self.invocation.fail_fast && r.error.is_some());
        let deploy = Pass { stopped: failed.map(|r| r.host.clone()).collect(), ..*deploy };
        let mut outcome = plan::merge(removed, self.run(py, &deploy)?);
        self.compare(&mut outcome, &wanted, report);
        self.finish(py, report, outcome, &wanted, &decision)
    }

    /// Holds what is planned against what is known, has it decided on, and writes down what is going
    /// to be done, where it is.
    fn settle(
        &self,
        py: Python<'_>,
        report: &Report,
        planned: &mut DeployOutcome,
        wanted: &[Wanted],
        decision: &Decision,
    ) -> PyResult<bool> {
        self.compare(planned, wanted, report);
        if !self.decide(py, report, planned, decision)? {
            return Ok(false);
        }
        if !decision.prunes() {
            planned.resources.retain(|resource| !resource.gone);
        }
        self.announce(py, planned, wanted)?;
        Ok(true)
    }

    /// Marks what main.py no longer has.
    fn removed(&self, mut outcome: DeployOutcome) -> DeployOutcome {
        for resource in &mut outcome.resources {
            resource.gone = self.known.gone.contains(&resource.address);
        }
        outcome
    }

    /// Whether all that the run is about is taken down.
    fn destroys(&self) -> bool {
        self.invocation.verb == Verb::Destroy
    }

    fn wanted(&self) -> Vec<Wanted> {
        self.said.iter().map(|said| said.wanted.clone()).collect()
    }

    fn secrets(&self) -> redact::Redactor {
        redact::Redactor::new(self.said.iter().flat_map(|said| &said.secrets))
    }

    /// Holds what came of a script against what is known, and leaves out what nothing may tell.
    fn compare(&self, outcome: &mut DeployOutcome, wanted: &[Wanted], report: &Report) {
        self.secrets().redact_outcome(outcome);
        let chosen = |address: &Address, field: &str| {
            let artifact = report.artifacts.iter().find(|artifact| artifact.outcome.address == *address);
            match artifact.and_then(|artifact| artifact.content.as_ref()) {
                Some(Artifact::Object(fields)) => fields.contains_key(field),
                Some(Artifact::Text(_)) => self
                    .said
                    .iter()
                    .any(|said| said.wanted.address == *address && said.text_field.as_deref() == Some(field)),
                None => false,
            }
        };
        plan::compare(outcome, wanted, &self.known.state, &chosen);
    }

    /// Ends a run. Returns whether what main.py no longer has was dealt with.
    fn finish(
        &self,
        py: Python<'_>,
        report: &mut Report,
        outcome: DeployOutcome,
        wanted: &[Wanted],
        decision: &Decision,
    ) -> PyResult<bool> {
        if self.invocation.looks() {
            self.hold_to_plan(py, &outcome)?;
        }
        if decision.is_made() && decision.goes() {
            self.record(py, &outcome, wanted)?;
        }
        self.conclude(report, outcome, decision);
        Ok(self.invocation.looks() || decision.prunes())
    }

    fn conclude(&self, report: &mut Report, outcome: DeployOutcome, decision: &Decision) {
        report.deploy = outcome;
        report.failure = telling::failure(&report.deploy, report.dry_run);
        let only_planned = self.invocation.looks() || (decision.is_made() && !decision.goes());
        if let Some(failure) = self.protected(&report.deploy).filter(|_| only_planned) {
            report.dry_run = true;
            report.failure = Some(failure);
        } else if decision.is_made() && !decision.goes() {
            report.dry_run = true;
            let message = "nothing was done, because the answer was no".to_owned();
            report.failure = Some(Failure::new("DeclinedError", message));
        }
    }

    /// Does what has been decided on.
    fn run(&self, py: Python<'_>, pass: &Pass<'_>) -> PyResult<DeployOutcome> {
        let decisions = engine::Decisions::default();
        self.session.execute(py, &self.script_run(pass), Approval::Given(&decisions))
    }

    fn script_run<'a>(&self, pass: &'a Pass<'_>) -> engine::ScriptRun<'a> {
        engine::ScriptRun {
            file: pass.file,
            script: pass.script,
            removes: pass.removes,
            stopped: &pass.stopped,
            observer: Arc::new(redact::RedactingObserver {
                inner: Arc::clone(&self.invocation.observer),
                redactor: self.secrets(),
            }),
            cancel: deploy::Cancel::default(),
            decide,
            diffs: self.invocation.saved.is_some()
                || self.invocation.approver.as_ref().is_some_and(|approver| approver.wants_diffs()),
        }
    }

    /// Writes a script to its file, where somebody looks on.
    fn write(&self, py: Python<'_>, pass: &Pass<'_>) -> PyResult<()> {
        if self.invocation.unattended {
            return Ok(());
        }
        clockwork_core::compile::write_file(&self.folder.join(pass.file), &pass.script.text)
            .map_err(|error| errors::map(py, &error))
    }
}

/// The code that takes resources down, in order.
fn blocks(py: Python<'_>, takedowns_of: &[Takedown<'_>], untold: &mut Vec<Untold>) -> PyResult<Vec<Block>> {
    takedowns(takedowns_of, untold).map_err(|error| errors::map(py, &error))
}
