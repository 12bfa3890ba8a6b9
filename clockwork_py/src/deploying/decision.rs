//! Whether what is planned is done.

use std::cell::Cell;

use clockwork_core::outcome::{DeployOutcome, Failure, Report};
use clockwork_core::plan;
use pyo3::prelude::*;

use super::Deploying;
use crate::errors;
use crate::invocation::Approval;

/// What was decided, where anything was.
#[derive(Default)]
pub(super) struct Decision(Cell<Option<Approval>>);

impl Decision {
    pub(super) fn make(&self, approval: Approval) {
        self.0.set(Some(approval));
    }

    pub(super) fn is_made(&self) -> bool {
        self.0.get().is_some()
    }

    pub(super) fn goes(&self) -> bool {
        matches!(self.0.get(), Some(Approval::Go { .. }))
    }

    pub(super) fn prunes(&self) -> bool {
        self.0.get() == Some(Approval::Go { prune: true })
    }
}

impl Deploying<'_> {
    /// Whether what is planned is done.
    pub(super) fn decide(
        &self,
        py: Python<'_>,
        report: &Report,
        planned: &DeployOutcome,
        decision: &Decision,
    ) -> PyResult<bool> {
        if self.invocation.looks() {
            return Ok(false);
        }
        self.hold_to_plan(py, planned)?;
        if self.protected(planned).is_some() {
            decision.make(Approval::Stop);
            return Ok(false);
        }
        let approval = match &self.invocation.approver {
            Some(approver) => {
                let shown = Report { deploy: planned.clone(), dry_run: true, ..report.clone() };
                approver.approve(py, &shown)?
            }
            None => Approval::Go { prune: self.invocation.prune },
        };
        decision.make(approval);
        Ok(approval != Approval::Stop)
    }

    /// Makes sure that what is planned is what a plan in a file says, where one is run.
    pub(super) fn hold_to_plan(&self, py: Python<'_>, planned: &DeployOutcome) -> PyResult<()> {
        let Some(saved) = &self.invocation.saved else { return Ok(()) };
        let moved = saved.moved(&self.wanted(), planned);
        if moved.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the plan does not hold any more, and nothing was done. Plan again.\n  {}",
            moved.join("\n  ")
        );
        Err(errors::exception(py, "PlanMovedError", &message))
    }

    /// Why a plan must not be run, where it would remove or replace what is protected.
    pub(super) fn protected(&self, planned: &DeployOutcome) -> Option<Failure> {
        let wanted = self.wanted();
        let protected = plan::protected(planned, &wanted, &self.known.state, self.destroys());
        if protected.is_empty() {
            return None;
        }
        let all_are_here = protected.iter().all(|r| self.said.iter().any(|s| s.wanted.address == r.address));
        let next = if all_are_here {
            "Take protect=True away first"
        } else {
            "Put it into main.py with protect=False, let go of it with `clockwork state forget`"
        };
        let names: Vec<String> =
            protected.into_iter().map(|r| format!("{} on {}", r.address, r.host)).collect();
        let message = format!(
            "protected, and yet to be removed or replaced: {}. Nothing was done. {next}, or leave it out with --target",
            names.join(", ")
        );
        Some(Failure::new("ProtectedError", message))
    }
}
