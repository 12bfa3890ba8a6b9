//! The log of all events, for `LOG_LEVEL`.

use std::io::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::printable;
use crate::event::{Event, Observer};
use crate::settings::LogLevel;

/// Writes a line for each event to standard error, and forwards the event to another observer.
///
/// It logs events only, and not pyinfra's own log: that has whole commands, with the secrets in them.
pub(super) struct Log {
    pub level: LogLevel,
    pub shown: Arc<dyn Observer>,
}

impl Observer for Log {
    fn observe(&self, event: &Event) {
        self.shown.observe(event);
        let (level, text) = line(event);
        if level <= self.level {
            let now = Timestamp::now();
            let _ = writeln!(std::io::stderr(), "{now:.3} {level} {}", printable(&text));
        }
    }

    fn finish(&self) {
        self.shown.finish();
    }
}

fn line(event: &Event) -> (LogLevel, String) {
    use LogLevel::{Debug, Error, Info, Warning};
    match event {
        Event::Waiting { holder } => (Info, format!("waiting for {holder}")),
        Event::Waited => (Debug, "the project is free".to_owned()),
        Event::GenerateBegin { total, pinned, model } => {
            (Info, format!("asking {model} for {total} artifacts; {pinned} are pinned"))
        }
        Event::GenerateStart { resource } => (Debug, format!("{resource}: asking")),
        Event::GenerateDelta { resource, text } => {
            (Debug, format!("{resource}: {} bytes came in", text.len()))
        }
        Event::GenerateRetry { resource, reason, seconds, .. } => {
            (Warning, format!("{resource}: {reason}; trying again in {seconds:.1} s"))
        }
        Event::GenerateRepair { resource, attempt, complaint } => {
            (Warning, format!("{resource}: repair {attempt}: {complaint}"))
        }
        Event::GenerateEnd { resource, seconds, .. } => {
            (Info, format!("{resource}: written in {seconds:.1} s"))
        }
        Event::GenerateError { error, .. } => (Error, error.clone()),
        Event::Download { what, bytes, total } => (Debug, format!("{what}: {bytes} of {total} bytes")),
        Event::HostConnected { host } => (Info, format!("{host}: connected")),
        Event::HostError { host, error } => (Error, format!("{host}: {error}")),
        Event::DeployBegin { total, hosts } => (Info, format!("{total} operations on {hosts} hosts")),
        Event::OperationStart { host, operation, .. } => (Debug, format!("{host}: {operation}")),
        Event::OperationEnd { host, operation, failed: true, .. } => {
            (Error, format!("{host}: {operation} failed"))
        }
        Event::OperationEnd { host, operation, action, seconds, .. } => {
            (Info, format!("{host}: {operation}: {} in {seconds:.1} s", action.word(true)))
        }
        Event::CheckStart { host, check, .. } => (Debug, format!("{host}: checking that {check}")),
        Event::CheckEnd { host, check, ok: true, seconds, .. } => {
            (Info, format!("{host}: {check}: holds, in {seconds:.1} s"))
        }
        Event::CheckEnd { host, check, error, .. } => {
            (Error, format!("{host}: {check}: {}", error.as_deref().unwrap_or("does not hold")))
        }
    }
}
