//! Destroy: takes everything down, the last one first, or finds out what that would be.

use super::Run;
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
        let mut planned = marked(session.plan(&run)?);
        self.compare(&mut planned, report);
        let decision = self.decide(report, &planned)?;
        let mut outcome = planned;
        if decision.goes() {
            self.announce(&outcome)?;
            outcome = marked(session.execute(&run, &self.permissions(&script, &outcome, None))?);
            self.compare(&mut outcome, report);
            self.record(&outcome)?;
        }
        self.finish(report, outcome, decision)?;
        self.note_unremovable(report, &unremovable);
        self.note_hosts_away(report);
        Ok(())
    }
}
