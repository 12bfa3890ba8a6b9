//! Apply and plan: brings everything up, or finds out what that would be.

use super::Run;
use super::approval::Decision;
use super::compile::script;
use super::notes;
use super::ports::{Aside, ScriptRun, Session};
use super::set_aside::{makes_room, named_for};
use crate::compile::{Hosts, Phase, Script, Work};
use crate::error::Result;
use crate::outcome::{Action, DeployOutcome, Failure, Report};
use crate::plan::{self, Moves, Target, Unremovable, removals};
use crate::resource::{Address, Artifact};
use crate::state::StateEntry;

/// The file of the steps that take away orphans and what has moved.
const REMOVALS: &str = "removals.py";

/// The work beside deploy.py.
#[derive(Clone)]
pub(super) struct Beside {
    /// Orphans go.
    orphans: Vec<Work>,
    /// Things that moved go when the new ones are there.
    moved: Vec<Work>,
    /// Things that are in the way are set aside.
    pub(super) set_aside: Vec<Work>,
    /// Things that cannot be put back go first.
    first: Vec<Work>,
}

impl Beside {
    fn is_empty(&self) -> bool {
        [&self.orphans, &self.moved, &self.set_aside, &self.first].into_iter().all(Vec::is_empty)
    }
}

impl Run<'_> {
    pub(super) fn apply(&self, session: &mut dyn Session, report: &mut Report) -> Result<()> {
        let Some(deploy) = self.deployment.deploy.as_ref() else { return Ok(()) };
        let moves = if self.options.is_repair() {
            Moves::default()
        } else {
            plan::moves(&self.scope.state, self.resources, &self.scope.orphans)
        };
        let mut unremovable = Vec::new();
        let beside = self.beside(&moves, &mut unremovable)?;
        let prunes = if beside.is_empty() {
            self.deploy_at_once(session, report, deploy)?
        } else {
            self.deploy_with_removals(session, report, deploy, &beside)?
        };
        self.note_orphans(report, &moves, prunes, &unremovable);
        self.note_unremovable(report, &unremovable);
        self.note_hosts_away(report);
        self.adopt(report)?;
        self.keep_plan(report)
    }

    /// Compiles what is to go.
    fn beside(&self, moves: &Moves<'_>, unremovable: &mut Vec<Unremovable>) -> Result<Beside> {
        let shows_orphans = self.options.only_looks()
            || self.options.prune
            || self.ports.approver.is_some_and(super::ports::Approver::shows_orphans);
        // A protected thing is looked at only if somebody wants it to be removed, to be told why not.
        let may_go = |entry: &&&StateEntry| self.options.prune || !entry.protect;
        let orphans = moves.orphans.iter().filter(may_go).copied();
        let orphans = Target::of_entries(orphans.filter(|_| shows_orphans));
        // These are still in main.py, so each has steps that destroy it.
        let mut known = Vec::new();
        let mut of =
            |entries: &[&StateEntry]| removals(&Target::of_entries(entries.iter().copied()), &mut known);
        Ok(Beside {
            moved: of(&moves.moved)?,
            set_aside: of(&moves.set_aside)?,
            first: of(&moves.first)?,
            orphans: removals(&orphans, unremovable)?,
        })
    }

    /// Hosts are looked at once if nothing has to go: what is planned is decided on while they wait. Returns
    /// whether orphans were dealt with.
    fn deploy_at_once(
        &self,
        session: &mut dyn Session,
        report: &mut Report,
        deploy: &Script,
    ) -> Result<bool> {
        let run = self.script_run("deploy.py", deploy, false, &[]);
        let mut planned = session.plan(&run)?;
        self.compare(&mut planned, report);
        let decision = self.decide(report, &planned)?;
        if !decision.goes() {
            self.finish(report, planned, decision)?;
            return Ok(self.options.only_looks());
        }
        self.announce(&planned)?;
        let mut outcome = session.execute(&run, &self.permissions(deploy, &planned, None))?;
        self.compare(&mut outcome, report);
        self.record(&outcome)?;
        self.finish(report, outcome, decision)?;
        Ok(decision.prunes())
    }

    /// Hosts are looked at as a whole first if things have to go. Orphans go before anything is brought up, what is
    /// in the way is set aside, and what has moved goes after the new one is there. Returns whether orphans were
    /// dealt with.
    fn deploy_with_removals(
        &self,
        session: &mut dyn Session,
        report: &mut Report,
        deploy: &Script,
        beside: &Beside,
    ) -> Result<bool> {
        let Beside { orphans, moved, set_aside, first } = beside;
        let all = orphans.iter().chain(first).chain(moved).chain(set_aside).cloned().collect::<Vec<Work>>();
        let all = script(self.project, Phase::Destroy, &all);
        self.write(REMOVALS, &all)?;
        let permissions = self.set_aside_permissions(&all, beside, session);
        let run = self.script_run(REMOVALS, &all, true, &[]);
        let run = ScriptRun { permissions: Some(&permissions), ..run };
        let mut planned_removals = self.removed(session.plan(&run)?);
        self.compare(&mut planned_removals, report);
        let mut planned_deploy = session.plan(&self.script_run("deploy.py", deploy, false, &[]))?;
        self.compare(&mut planned_deploy, report);
        // A thing that stays as it is makes no room for others.
        let set_aside =
            on_hosts(&beside.set_aside, |identity, host| makes_room(identity, host, &planned_deploy));
        let beside = &Beside { set_aside, ..beside.clone() };
        let planned = plan::merge(self.rows(planned_removals.clone(), beside), planned_deploy.clone());
        let decision = self.decide(report, &planned)?;
        if !decision.goes() {
            self.finish(report, planned, decision)?;
            return Ok(self.options.only_looks());
        }
        if !decision.prunes() {
            planned_removals.resources.retain(|resource| !resource.gone);
        }
        self.announce(&DeployOutcome {
            resources: planned_removals.resources.iter().chain(&planned_deploy.resources).cloned().collect(),
            ..DeployOutcome::default()
        })?;

        let mut stopped: Vec<String> = Vec::new();
        let mut rows = DeployOutcome::default();
        if decision.prunes() {
            let pruned = self.take_down(session, report, &beside.orphans, &planned_removals, None)?;
            self.stop_at_failures(&pruned, &mut stopped);
            rows = plan::merge(rows, pruned);
        }
        // Nothing new comes on a host that has stopped: nothing goes there either.
        let first = on_hosts(&beside.first, |_, host| !is_in(&stopped, host));
        let first = self.take_down(session, report, &first, &planned_removals, None)?;
        self.stop_at_failures(&first, &mut stopped);
        let set_aside = on_hosts(&beside.set_aside, |_, host| !is_in(&stopped, host));
        let beside = &Beside { set_aside, ..beside.clone() };
        let mut aside =
            self.take_down(session, report, &beside.set_aside, &planned_removals, Some(Aside::SetAside))?;
        // New things would be made beside one that stays in the way.
        aside.resources.retain(|resource| resource.error.is_some());
        stopped.extend(aside.resources.iter().map(|resource| resource.host.clone()));
        let run = self.script_run("deploy.py", deploy, false, &stopped);
        let mut permissions = self.permissions(deploy, &planned_deploy, None);
        for ((host, place), permission) in &mut permissions {
            let identity = &deploy.sections[*place].identity;
            permission.puts_back =
                beside.set_aside.iter().any(|work| work.identity == *identity && work.hosts.has(host));
        }
        let mut deployed = session.execute(&run, &permissions)?;
        self.compare(&mut deployed, report);
        let back = self.end_set_aside(session, report, beside, &planned_removals, &aside, &mut deployed)?;
        self.record(&deployed)?;
        let gone = self.take_moved_down(session, report, &beside.moved, &planned_removals, &deployed)?;
        let mut outcome = plan::merge(self.rows(back, beside), deployed);
        outcome = plan::merge(aside, outcome);
        outcome = plan::merge(plan::merge(first, gone), outcome);
        outcome = plan::merge(rows, outcome);
        self.finish(report, outcome, decision)?;
        Ok(decision.prunes())
    }

    /// Takes things down, or sets them aside, and writes down what is gone.
    pub(super) fn take_down(
        &self,
        session: &mut dyn Session,
        report: &Report,
        work: &[Work],
        planned: &DeployOutcome,
        aside: Option<Aside>,
    ) -> Result<DeployOutcome> {
        if work.is_empty() {
            return Ok(DeployOutcome::default());
        }
        let named: Vec<Work> = work.iter().map(|work| named_for(work, aside)).collect();
        let script = script(self.project, Phase::Destroy, &named);
        self.write(REMOVALS, &script)?;
        let permissions = self.permissions(&script, planned, aside);
        let run = self.script_run(REMOVALS, &script, aside.is_none(), &[]);
        let run = ScriptRun { permissions: Some(&permissions), ..run };
        let mut done = self.removed(session.execute(&run, &permissions)?);
        self.compare(&mut done, report);
        if aside.is_none() {
            self.record(&done)?;
        }
        Ok(done)
    }

    /// Takes down what has moved, on those hosts where the new one is there.
    fn take_moved_down(
        &self,
        session: &mut dyn Session,
        report: &Report,
        moved: &[Work],
        planned: &DeployOutcome,
        deployed: &DeployOutcome,
    ) -> Result<DeployOutcome> {
        let is_there = |address: &Address, host: &str| {
            deployed.resources.iter().any(|r| {
                r.address == *address && r.host == host && r.error.is_none() && r.action != Action::Skipped
            })
        };
        let work = moved
            .iter()
            .flat_map(|work| on_hosts(std::slice::from_ref(work), |_, host| is_there(&work.address, host)));
        self.take_down(session, report, &work.collect::<Vec<_>>(), planned, None)
    }

    fn stop_at_failures(&self, done: &DeployOutcome, stopped: &mut Vec<String>) {
        let failed = done.resources.iter().filter(|r| self.options.fail_fast && r.error.is_some());
        stopped.extend(failed.map(|r| r.host.clone()));
    }

    /// Marks removals, and the orphans among them.
    pub(super) fn removed(&self, mut outcome: DeployOutcome) -> DeployOutcome {
        for resource in &mut outcome.resources {
            resource.removes = true;
            resource.gone = self.scope.orphans.contains(&resource.address);
        }
        outcome
    }

    pub(super) fn script_run<'a>(
        &self,
        file: &'a str,
        script: &'a Script,
        removes: bool,
        stopped: &'a [String],
    ) -> ScriptRun<'a> {
        let diffs = self.options.only_looks()
            || self.options.saved.is_some()
            || self.ports.approver.is_some_and(super::ports::Approver::shows_diffs);
        ScriptRun { file, script, removes, stopped, diffs, permissions: None }
    }

    /// Compares what came of a script with what is known, and leaves out what nothing may tell.
    pub(super) fn compare(&self, outcome: &mut DeployOutcome, report: &Report) {
        let chosen = |address: &Address, field: &str| {
            let artifact = report.artifacts.iter().find(|artifact| artifact.outcome.address == *address);
            match artifact.and_then(|artifact| artifact.content.as_ref()) {
                Some(Artifact::Object(fields)) => fields.contains_key(field),
                Some(Artifact::Text(_)) => self.resources.iter().any(|resource| {
                    resource.address == *address && resource.text_field.as_deref() == Some(field)
                }),
                None => false,
            }
        };
        self.redactor.redact_outcome(outcome);
        plan::compare(outcome, self.resources, &self.scope.state, &chosen);
    }

    /// Ends a run: puts the outcome into the report, and says what failed.
    pub(super) fn finish(
        &self,
        report: &mut Report,
        outcome: DeployOutcome,
        decision: Decision,
    ) -> Result<()> {
        if self.options.only_looks() {
            self.hold_to_plan(&outcome)?;
        }
        report.deploy = outcome;
        report.failure = notes::failure(&report.deploy, report.dry_run);
        let only_planned = self.options.only_looks() || decision == Decision::Stop;
        if let Some(failure) = self.protected(&report.deploy).filter(|_| only_planned) {
            report.dry_run = true;
            report.failure = Some(failure);
        } else if decision == Decision::Stop {
            report.dry_run = true;
            let message = "nothing was done, because the answer was no".to_owned();
            report.failure = Some(Failure::new("DeclinedError", message));
        }
        Ok(())
    }

    /// Writes a script to its file, where somebody looks on.
    pub(super) fn write(&self, file: &str, script: &Script) -> Result<()> {
        if self.options.unattended {
            return Ok(());
        }
        crate::compile::write_file(&self.settings.output_dir.join(file), &script.text)
    }
}

/// Limits work to hosts.
pub(super) fn on_hosts(work: &[Work], is_chosen: impl Fn(&str, &str) -> bool) -> Vec<Work> {
    work.iter()
        .filter_map(|work| {
            let Hosts::Only(hosts) = &work.hosts else { return Some(work.clone()) };
            let hosts: Vec<String> =
                hosts.iter().filter(|host| is_chosen(&work.identity, host)).cloned().collect();
            (!hosts.is_empty()).then(|| Work { hosts: Hosts::Only(hosts), ..work.clone() })
        })
        .collect()
}

fn is_in(hosts: &[String], host: &str) -> bool {
    hosts.iter().any(|other| other == host)
}
