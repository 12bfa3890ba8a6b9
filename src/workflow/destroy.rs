//! Destroy: takes everything down, the last one first, or finds out what that would be.

use super::Run;
use super::approval::Decision;
use super::compile::{script, target};
use super::ports::Session;
use crate::compile::Phase;
use crate::error::Result;
use crate::outcome::{DeployOutcome, Report};
use crate::plan::{Target, removals};

impl Run<'_> {
    pub(super) fn destroy(&self, session: &mut dyn Session, report: &mut Report) -> Result<()> {
        let mut all = Target::of_entries(self.scope.orphaned());
        for resource in self.resources {
            all.push(target(resource, self.scope.state.of(&resource.address).collect()));
        }
        let mut unremovable = Vec::new();
        let work = removals(&all, &mut unremovable)?;
        let script = script(self.project, Phase::Destroy, &work);
        // The lines of an error are those of what is run.
        self.write("destroy.py", &script)?;
        let run = self.script_run("destroy.py", &script, true, &[]);
        let marked = |outcome: DeployOutcome| {
            let mut outcome = self.removed(outcome);
            outcome.resources.iter_mut().for_each(|resource| resource.gone = false);
            outcome
        };
        let mut decision = Decision::Open;
        let outcome = if self.options.only_looks() {
            let mut planned = marked(session.plan(&run)?);
            self.compare(&mut planned, report);
            planned
        } else {
            let mut decide = |planned: &DeployOutcome| {
                let mut planned = marked(planned.clone());
                self.compare(&mut planned, report);
                decision = self.decide(report, &planned)?;
                if !decision.goes() {
                    return Ok(None);
                }
                self.announce(&planned)?;
                Ok(Some(self.permissions(&script, &planned, None)))
            };
            let mut outcome = marked(session.execute(&run, &mut decide)?);
            self.compare(&mut outcome, report);
            if decision.goes() {
                self.record(&outcome)?;
            }
            outcome
        };
        self.finish(report, outcome, decision)?;
        self.note_unremovable(report, &unremovable);
        self.note_hosts_away(report);
        Ok(())
    }
}
