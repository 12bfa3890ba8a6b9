//! Watch: a plan in each round, a repair of what has drifted where that is asked for, and notifications of both.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::approval::Question;
use super::options::Options;
use super::ports::{Approval, Approver};
use super::{Ports, run};
use crate::cli::Verb;
use crate::error::{Error, Origin, Result};
use crate::outcome::{Failure, Report};
use crate::ownership::Ownership;
use crate::settings::Overrides;
use crate::watch::{Notification, NotificationLog, Place, Round};

/// A project that is watched.
pub struct Watch {
    /// The folder of the project, for the rounds' reports.
    pub folder: PathBuf,
    /// The settings that the caller gives.
    pub overrides: Overrides,
    /// True if drift is repaired.
    pub heal: bool,
    /// The resources and groups that it is limited to.
    pub targets: Vec<String>,
    log: NotificationLog,
    number: u64,
}

impl Watch {
    /// A watch before its first round.
    pub fn new(folder: PathBuf, overrides: Overrides, heal: bool, targets: Vec<String>) -> Self {
        Self { folder, overrides, heal, targets, log: NotificationLog::default(), number: 0 }
    }

    /// Looks once, and repairs where that is asked for. Whatever goes wrong stands in the round; an
    /// error is an interrupt, after everything has been stopped.
    pub fn round(&mut self, ports: &Ports<'_>) -> Result<(Round, Vec<Notification>)> {
        let began = Instant::now();
        self.number += 1;
        let mut round = Round::new(self.number, self.folder.display().to_string());
        match run(ports, &self.options(Verb::Plan, None)) {
            Ok(report) => {
                round.add_plan(report);
                self.repair(ports, &mut round)?;
            }
            Err(error) => round.error = Some(problem(error)?),
        }
        ports.observer.finish();
        round.seconds = began.elapsed().as_secs_f64();
        let notifications = self.log.notifications(&round);
        Ok((round, notifications))
    }

    fn repair(&self, ports: &Ports<'_>, round: &mut Round) -> Result<()> {
        let places = if self.heal { round.repairable() } else { Vec::new() };
        if places.is_empty() {
            return Ok(());
        }
        let ports = Ports { approver: Some(&Repairer), observer: Arc::clone(&ports.observer), ..*ports };
        match run(&ports, &self.options(Verb::Apply, Some(places.clone()))) {
            Ok(report) if report.dry_run => {
                let why = "what is to be repaired has changed meanwhile: the next round looks again";
                round.notes.push(why.to_owned());
            }
            Ok(report) => round.add_repair(report),
            Err(Error::Held { holder }) => {
                let why = Error::Held { holder };
                round.notes.push(format!("nothing is repaired in this round: {why}"));
            }
            Err(error) => round.add_failed_repair(&places, &problem(error)?.message),
        }
        Ok(())
    }

    /// The options of a plan of everything, or of an apply of what is to be repaired.
    fn options(&self, verb: Verb, only: Option<Vec<Place>>) -> Options {
        Options {
            overrides: self.overrides.clone(),
            unattended: true,
            // A repair takes nothing else along.
            targets: if only.is_some() { Vec::new() } else { self.targets.clone() },
            check: only.is_some(),
            only,
            ..Options::new(verb)
        }
    }
}

/// Says yes to a repair that repairs and does nothing else.
struct Repairer;

impl Approver for Repairer {
    fn can_ask(&self) -> bool {
        true
    }

    fn shows_orphans(&self) -> bool {
        false
    }

    fn approve(&self, plan: &Report, _: &Question) -> Result<Approval> {
        let repairs = plan.deploy.resources.iter().all(|resource| {
            let kept = resource.prior.protected && resource.replaces;
            let foreign = resource.ownership == Ownership::ForeignThing;
            !resource.action.is_change() || (resource.prior.settled && !kept && !foreign)
        });
        Ok(if repairs { Approval::Go { prune: false } } else { Approval::Stop })
    }
}

/// The failure that a round reports, unless the error is to end the watch.
fn problem(error: Error) -> Result<Failure> {
    if error.is_interrupt() {
        return Err(error);
    }
    Ok(match &error {
        Error::Foreign { class, message, origin: Origin::Other, .. } => {
            Failure::new(class.clone(), format!("{class}: {message}"))
        }
        error => Failure::of(error),
    })
}
