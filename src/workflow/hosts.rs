//! The one session of a run.

use std::sync::Arc;

use super::Ports;
use super::options::Options;
use super::ports::{Project, Session, SessionOptions};
use super::scope::Scope;
use crate::error::Result;
use crate::intent::SecretValues;
use crate::settings::Settings;

#[expect(clippy::too_many_arguments, reason = "each is a part of the run")]
/// Opens a session, does work in it, and closes it, whichever way the work ends.
pub(super) fn in_session(
    ports: &Ports<'_>,
    options: &Options,
    project: &dyn Project,
    settings: &Settings,
    scope: &Scope,
    inventory: &str,
    redactor: &crate::redact::Redactor,
    secrets: &SecretValues,
    work: impl FnOnce(&mut dyn Session) -> Result<()>,
) -> Result<()> {
    let observer = Arc::new(crate::redact::RedactingObserver {
        inner: Arc::clone(&ports.observer),
        redactor: redactor.clone(),
    });
    let session = SessionOptions {
        inventory,
        folder: &settings.output_dir,
        fail_fast: options.fail_fast,
        lineage: &scope.state.lineage,
        secrets,
        observer,
    };
    let mut session = ports.engine.open(&session, project)?;
    let done = work(&mut *session);
    let closed = session.close();
    done.and(closed)
}
