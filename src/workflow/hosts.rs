//! The one session of a run.

use std::sync::Arc;

use super::options::Options;
use super::ports::{Project, Session, SessionOptions};
use super::scope::Scope;
use super::Ports;
use crate::error::Result;
use crate::settings::Settings;

/// Opens a session, does work in it, and closes it, whichever way the work ends.
pub(super) fn in_session(
    ports: &Ports<'_>,
    options: &Options,
    project: &dyn Project,
    settings: &Settings,
    scope: &Scope,
    inventory: &str,
    secrets: &crate::redact::Redactor,
    work: impl FnOnce(&mut dyn Session) -> Result<()>,
) -> Result<()> {
    let observer = Arc::new(crate::redact::RedactingObserver { inner: Arc::clone(&ports.observer), redactor: secrets.clone() });
    let session = SessionOptions {
        inventory,
        folder: &settings.output_dir,
        fail_fast: options.fail_fast,
        lineage: &scope.state.lineage,
        observer,
    };
    let mut session = ports.engine.open(&session, project)?;
    let done = work(&mut *session);
    let closed = session.close();
    done.and(closed)
}
