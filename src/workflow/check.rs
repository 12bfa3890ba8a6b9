//! Check: tries the assertions of resources.

use std::collections::HashSet;

use super::options::Options;
use super::ports::Session;
use super::scope::Scope;
use crate::cli::Verb;
use crate::error::Result;
use crate::outcome::{Action, CheckOutcome, Failure, Report};
use crate::resource::Address;

/// The note of a check where there is nothing to check.
pub(super) const NO_ASSERTIONS: &str = "no resource has an assertion. Give one some: assertions=[FileExists()], with FileExists and its like from \
     clockwork.assertions, or a function of yours";

/// Tries the assertions: all of them or, where something was deployed, those of what is there now.
pub(super) fn run(
    session: &mut dyn Session,
    options: &Options,
    scope: &Scope,
    report: &mut Report,
) -> Result<()> {
    let good: HashSet<(&Address, &str)> = report
        .deploy
        .resources
        .iter()
        .filter(|resource| resource.error.is_none() && resource.action != Action::Skipped)
        .map(|resource| (&resource.address, resource.host.as_str()))
        .collect();
    let wanted =
        |address: &Address, host: &str| options.verb == Verb::Check || good.contains(&(address, host));
    let (checks, away) = session.check(&scope.places, &wanted)?;
    report.checks = checks;
    report.deploy.host_errors.extend(away);
    report.failure = report.failure.take().or_else(|| failure(report));
    Ok(())
}

/// Says what failed, briefly: the report has it all.
fn failure(report: &Report) -> Option<Failure> {
    let hosts = report.deploy.host_errors.iter().map(|host| format!("{}: {}", host.host, host.error));
    let failed: Vec<&CheckOutcome> = report.checks.iter().filter(|check| !check.ok).collect();
    let checks = failed.iter().map(|check| {
        let error = check.error.as_deref().unwrap_or_default();
        let error = error.replace('\n', "\n    ");
        format!("{} on {}: {}: {error}", check.address, check.host, check.assertion)
    });
    let told: Vec<String> = checks.chain(hosts).collect();
    let all = report.checks.len();
    let message = match (&told[..], failed.len()) {
        ([], _) => return None,
        ([one], 0) => format!("not everything could be checked: {one}"),
        (many, 0) => format!("not everything could be checked\n  {}", many.join("\n  ")),
        ([one], _) => format!("1 of {all} checks failed: {one}"),
        (many, failed) => format!("{failed} of {all} checks failed\n  {}", many.join("\n  ")),
    };
    Some(Failure::new("CheckError", message))
}
