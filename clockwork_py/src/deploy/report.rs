//! Turns what the lanes noted down into the outcome.

use clockwork_core::compile::Script;
use clockwork_core::outcome::{Action, DeployOutcome, HostError, OperationOutcome, ResourceOutcome};

use super::Mode;
use super::lane::{Notes, Operation};
use super::session::Session;

/// A unified diff, put together from what pyinfra logs line by line.
#[derive(Debug, Default)]
pub struct Diff {
    text: String,
    /// Whether a file's header has been seen, and whether that file is new.
    created: Option<bool>,
    /// Whether the next line on an attribute tells the new value.
    new_value: bool,
}

impl Diff {
    /// Takes one log record: its message before and after its values are put in.
    pub fn hear(&mut self, message: &str, text: &str) {
        if message == "  %s" {
            let line = text.strip_prefix("  ").unwrap_or(text);
            let (mark, rest) = line.split_at(line.len().min(2));
            match mark {
                "+ " | "- " | "  " => self.line(mark.trim_end_matches(' '), rest),
                _ => self.line(line, ""),
            }
        } else if let Some((created, path)) = header(text) {
            self.created = Some(created);
            let before = if created { "/dev/null" } else { path };
            self.line(&format!("--- {before}"), "");
            self.line(&format!("+++ {path}"), "");
        } else if ["mode %s", "chown %s:%s", "mtime %s", "atime %s"].contains(&message) {
            self.line(if self.new_value { "+" } else { "-" }, text);
            self.new_value = !self.new_value;
        }
    }

    fn line(&mut self, mark: &str, rest: &str) {
        // Context has a mark of its own: a space.
        self.text.push_str(if mark.is_empty() { " " } else { mark });
        self.text.push_str(rest);
        self.text.push('\n');
    }

    /// Whether nothing has been told yet.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether the file did not exist, where one is told of.
    pub fn created(&self) -> Option<bool> {
        self.created
    }
}

/// What the line before a diff says: whether the file is new, and its path.
fn header(text: &str) -> Option<(bool, &str)> {
    let rest = text.strip_prefix("Will ")?;
    [("create ", true), ("modify ", false), ("replace lines in ", false), ("Remove lines in ", false)]
        .into_iter()
        .find_map(|(start, created)| Some((created, rest.strip_prefix(start)?)))
}

impl Operation {
    /// What the operation does where it changes something.
    fn change(&self, removes: bool) -> Action {
        if removes || self.absent {
            Action::Remove
        } else if self.idempotent && self.diff.created().or(self.missing) == Some(true) {
            Action::Create
        } else {
            Action::Change
        }
    }

    /// What the operation did, or in a plan would do. A plan does not get to all operations.
    pub fn action(&self, mode: Mode, reached: bool, removes: bool) -> Action {
        match (mode, &self.end) {
            (Mode::Execute, None) => Action::Skipped,
            (Mode::Plan, _) if !reached => Action::Skipped,
            (Mode::Plan, _) if !self.planned => Action::Unchanged,
            (Mode::Plan, _) if self.conditional => Action::Conditional,
            (Mode::Execute, Some(end)) if !end.changed && end.error.is_none() => Action::Unchanged,
            // It has run, and there is no telling what that did.
            _ if !self.idempotent && !removes => Action::Conditional,
            _ => self.change(removes),
        }
    }

    fn outcome(&self, mode: Mode, reached: bool, removes: bool) -> OperationOutcome {
        let action = self.action(mode, reached, removes);
        let changed = match (mode, &self.end) {
            (Mode::Execute, Some(end)) => end.changed,
            _ => action.is_change(),
        };
        OperationOutcome {
            name: self.name.clone(),
            action,
            changed,
            error: self.end.as_ref().and_then(|end| end.error.clone()),
            seconds: self.seconds,
            diff: (action.is_change() && !self.diff.is_empty()).then(|| self.diff.text.clone()),
            replaces: self.replaces,
        }
    }
}

/// Puts everything together: resources in order, and for each all hosts. `mode` is how far the run
/// has come.
pub fn outcome(script: &Script, session: &Session, mode: Mode) -> DeployOutcome {
    let hosts = session.hosts.iter().map(|host| host.name.clone()).collect();
    let mut outcome = DeployOutcome { hosts, ..DeployOutcome::default() };
    let mut operations: Vec<Vec<Vec<OperationOutcome>>> = Vec::new();
    for host in session.hosts.iter() {
        let notes = host.lane.get().notes();
        if let Some(error) = &notes.host_error {
            outcome.host_errors.push(HostError { host: host.name.clone(), error: error.clone() });
        }
        let mut sections = vec![Vec::new(); script.sections.len()];
        for operation in &notes.operations {
            if let Some(section) = sections.get_mut(operation.section) {
                let reached = !notes.failed.contains(&operation.section);
                section.push(operation.outcome(mode, reached, session.removes));
            }
        }
        operations.push(sections);
    }
    for (index, section) in script.sections.iter().enumerate() {
        let its_own = session.hosts.iter().zip(&mut operations);
        for (host, sections) in its_own.filter(|(host, _)| section.hosts.has(&host.name)) {
            let done = std::mem::take(&mut sections[index]);
            let notes = host.lane.get().notes();
            let error = own_error(&notes, index);
            let mut resource = ResourceOutcome::new(section.address.clone(), &host.name, done, error);
            if resource.operations.is_empty() && not_reached(&notes, index) {
                resource.action = Action::Skipped;
            }
            outcome.resources.push(resource);
        }
    }
    outcome
}

/// The error of a resource that belongs to none of its operations.
fn own_error(notes: &Notes, section: usize) -> Option<String> {
    notes.host_error.as_ref().or_else(|| notes.errors.get(&section)).cloned()
}

/// Whether the code of a section was never run to its end on a host.
fn not_reached(notes: &Notes, section: usize) -> bool {
    notes.host_error.is_some() || notes.is_out(section)
}
