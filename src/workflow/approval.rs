//! Approval: whether what is planned is done, and with which permissions.

use super::Run;
use super::ports::{Approval, Aside, Permission, Permissions};
use crate::compile::Script;
use crate::error::{Error, Result};
use crate::identity::overlap;
use crate::outcome::{DeployOutcome, Failure, Report, ResourceOutcome};
use crate::ownership::Ownership;
use crate::plan;
use crate::resource::CompiledResource;

/// The stakes of a plan: the reasons to ask somebody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a reason of its own")]
pub struct Question {
    /// True if it destroys all.
    pub destroys: bool,
    /// True if something is removed or replaced.
    pub takes_away: bool,
    /// True if something that is not the project's own is overwritten, replaced or removed.
    pub takes_over: bool,
    /// The number of orphans that would be removed if the answer says so.
    pub orphans: usize,
    /// True if a text is deployed that a model wrote in this run.
    pub new_texts: bool,
}

impl Question {
    /// True if somebody has to be asked.
    pub fn is_needed(&self) -> bool {
        self.destroys || self.takes_away || self.takes_over || self.orphans > 0 || self.new_texts
    }

    /// True if an answer that says nothing means no.
    pub fn defaults_to_no(&self) -> bool {
        self.destroys || self.takes_away || self.takes_over || self.orphans > 0
    }
}

/// A decision about a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Decision {
    /// Nobody was asked yet.
    #[default]
    Open,
    /// It is done.
    Go { prune: bool },
    /// It is not done: somebody said no, or it must not be done.
    Stop,
}

impl Decision {
    pub(super) fn goes(self) -> bool {
        matches!(self, Self::Go { .. })
    }

    pub(super) fn prunes(self) -> bool {
        self == Self::Go { prune: true }
    }
}

impl Run<'_> {
    /// Decides whether what is planned is done.
    pub(super) fn decide(&self, report: &Report, planned: &DeployOutcome) -> Result<Decision> {
        if self.options.only_looks() {
            return Ok(Decision::Open);
        }
        self.hold_to_plan(planned)?;
        if self.protected(planned).is_some() {
            return Ok(Decision::Stop);
        }
        let question = self.question(report, planned);
        let go = Decision::Go { prune: self.options.prune };
        let approver = self.ports.approver;
        let nobody =
            !self.options.yes && self.options.saved.is_none() && approver.is_none_or(|a| !a.can_ask());
        if nobody && let Some(refusal) = self.refusal(report, planned) {
            return Err(refusal);
        }
        let Some(approver) = approver else { return Ok(go) };
        let shown = Report { deploy: planned.clone(), dry_run: true, ..report.clone() };
        Ok(match approver.approve(&shown, &question)? {
            Approval::Go { prune } => Decision::Go { prune },
            Approval::Stop => Decision::Stop,
        })
    }

    fn question(&self, report: &Report, planned: &DeployOutcome) -> Question {
        let may_stay = |resource: &&ResourceOutcome| self.may_stay(resource);
        let (orphans, others): (Vec<&ResourceOutcome>, Vec<_>) = planned.resources.iter().partition(may_stay);
        let takes = |r: &&&ResourceOutcome| r.replaces || r.action == crate::outcome::Action::Remove;
        Question {
            destroys: self.destroys() && planned.changed(),
            takes_away: others.iter().any(|r| takes(&r)),
            takes_over: planned.resources.iter().any(|r| r.ownership != Ownership::Ours && r.changed),
            orphans: orphans.iter().filter(|resource| resource.changed).count(),
            new_texts: others.iter().any(|r| r.action.is_change() && report.has_written(&r.address)),
        }
    }

    /// True for an orphan that goes only if the answer says so.
    fn may_stay(&self, resource: &ResourceOutcome) -> bool {
        resource.gone && !self.options.prune && !self.destroys()
    }

    /// The reason why a plan is not done where nobody can be asked.
    fn refusal(&self, report: &Report, planned: &DeployOutcome) -> Option<Error> {
        let foreign: Vec<String> = planned
            .resources
            .iter()
            .filter(|r| r.ownership == Ownership::ForeignThing && r.action.is_change() && !self.may_stay(r))
            .map(named)
            .collect();
        if !foreign.is_empty() {
            let message = format!(
                "not this project's, and yet to be replaced or removed: {}. Nothing was done, because nobody can be \
                 asked here. Look at what is there, then run it on a terminal, or say --yes",
                foreign.join(", ")
            );
            return Some(Error::Refused { class: "OwnershipError", message });
        }
        let executes = |r: &&ResourceOutcome| {
            let compiled = self.resources.iter().find(|compiled| compiled.address == r.address);
            r.action.is_change()
                && !r.gone
                && report.has_written(&r.address)
                && compiled.is_some_and(|compiled| compiled.executes)
        };
        let written: Vec<String> = planned.resources.iter().filter(executes).map(named).collect();
        if written.is_empty() {
            return None;
        }
        let message = format!(
            "a model has just written what the host would execute: {}. It is pinned in clockwork.lock, and nothing was \
             deployed, because nobody can be asked here. Review it, then run this again, or say --yes",
            written.join(", ")
        );
        Some(Error::Refused { class: "ReviewError", message })
    }

    /// Makes sure that what is planned is what a plan in a file says, where one is run.
    pub(super) fn hold_to_plan(&self, planned: &DeployOutcome) -> Result<()> {
        let Some(saved) = &self.options.saved else { return Ok(()) };
        let moved = saved.moved(self.resources, planned);
        if moved.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the plan does not hold any more, and nothing was done. Plan again.\n  {}",
            moved.join("\n  ")
        );
        Err(Error::Refused { class: "PlanMovedError", message })
    }

    /// The reason why a plan must not be run, where it would remove or replace what is protected.
    pub(super) fn protected(&self, planned: &DeployOutcome) -> Option<Failure> {
        let protected = plan::protected(planned);
        if protected.is_empty() {
            return None;
        }
        let is_here = |r: &&ResourceOutcome| self.resources.iter().any(|c| c.address == r.address);
        let next = if protected.iter().all(is_here) {
            "Take protect=True away first"
        } else {
            "Put it into main.py with protect=False, let go of it with `clockwork state forget`"
        };
        let names: Vec<String> = protected.into_iter().map(named).collect();
        let message = format!(
            "protected, and yet to be removed or replaced: {}. Nothing was done. {next}, or leave it out with --target",
            names.join(", ")
        );
        Some(Failure::new("ProtectedError", message))
    }

    /// The permissions for the sections of a script, now that its plan is approved.
    pub(super) fn permissions(
        &self,
        script: &Script,
        planned: &DeployOutcome,
        aside: Option<Aside>,
    ) -> Permissions {
        let mut permissions = Permissions::new();
        for (place, section) in script.sections.iter().enumerate() {
            for resource in &planned.resources {
                if resource.identity != section.identity
                    || resource.address != section.address
                    || !section.hosts.has(&resource.host)
                {
                    continue;
                }
                let keep_copy = resource.ownership.keeps_copy();
                let room_for = aside.and_then(|_| self.room_for(&resource.identity));
                let permission = Permission { keep_copy, take_over: true, aside, puts_back: false, room_for };
                permissions.insert((resource.host.clone(), place), permission);
            }
        }
        permissions
    }
}

impl Run<'_> {
    /// The identity of the thing that another one makes room for.
    pub(super) fn room_for(&self, identity: &str) -> Option<String> {
        let overlaps = |c: &&CompiledResource| overlap(&c.identity, identity);
        self.resources.iter().find(overlaps).map(|compiled| compiled.identity.clone())
    }
}

fn named(resource: &ResourceOutcome) -> String {
    format!("{} on {}", resource.address, resource.host)
}
