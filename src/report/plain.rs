//! Plain lines, for a pipe or a log.

use std::io::Write as _;

use super::printable;
use crate::event::{Event, Observer};
use crate::outcome::Action;

/// Prints a line on standard output for each step that begins or ends.
pub(super) struct Plain {
    verbose: bool,
}

impl Plain {
    pub(super) fn new(verbose: bool) -> Self {
        Self { verbose }
    }
}

impl Observer for Plain {
    fn observe(&self, event: &Event) {
        let line = match event {
            Event::GenerateBegin { total, pinned, model } if *total > 0 => {
                format!("asking {model} for {total} of {} artifacts", total + pinned)
            }
            Event::GenerateRetry { resource, seconds, reason, .. } => {
                format!("{resource}: {}; trying again in {seconds:.1} s", printable(reason))
            }
            Event::GenerateRepair { resource, complaint, .. } => {
                format!("{resource}: {}; asking the model to mend it", printable(complaint))
            }
            Event::GenerateEnd { resource, seconds, .. } => format!("{resource}: written in {seconds:.1} s"),
            Event::GenerateError { error, .. } => printable(error),
            Event::Waiting { holder } => format!("waiting for {}", printable(holder)),
            Event::Download { what, bytes, total } if bytes == total => format!("{what}: fetched"),
            Event::HostError { host, error } => format!("{host}: {}", printable(error)),
            Event::OperationEnd { host, operation, action, failed, seconds, .. }
                if *failed || self.verbose || *action != Action::Unchanged =>
            {
                let word = if *failed { "failed" } else { action.word(true) };
                format!("{host}: {} – {word} in {seconds:.1} s", printable(operation))
            }
            // The table has the assertions that hold.
            Event::CheckEnd { host, check, ok: false, seconds, .. } => {
                format!("{host}: {} – failed in {seconds:.1} s", printable(check))
            }
            Event::CheckEnd { host, check, seconds, .. } if self.verbose => {
                format!("{host}: {} – holds, in {seconds:.1} s", printable(check))
            }
            _ => return,
        };
        // A closed pipe does not stop a deploy.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}
