//! A command that runs the workflow, with its output.

use clockwork_core::cli::Display;
use clockwork_core::outcome::{Failure, Report};
use clockwork_core::report;
use clockwork_core::workflow::ports::Approver;
use pyo3::prelude::*;

use super::{DONE, FAILED, ParsedRun, failed};
use crate::project::PySource;
use crate::stdio;

/// A command that runs the workflow, with its output.
pub struct WorkflowCommand {
    /// The options of the output.
    pub display: Display,
    /// The standard output, reserved for the documents of `--json`.
    pub stdout: Option<stdio::Stdout>,
}

impl WorkflowCommand {
    pub fn new(py: Python<'_>, display: Display) -> PyResult<Self> {
        let stdout = if display.json { Some(stdio::reserve_stdout(py)?) } else { None };
        Ok(Self { display, stdout })
    }

    /// Reports that a command is not run, and returns the exit status.
    pub fn refuse(self, command: &'static str, message: &str, code: u8) -> PyResult<u8> {
        eprint!("{}", report::error(message));
        if let Some(stdout) = self.stdout {
            let failure = Failure::new("UsageError", message.to_owned());
            let report = Report { failure: Some(failure), ..Report::new(command, false) };
            Python::attach(|py| stdout.write(py, &document(&report)))?;
        }
        Ok(code)
    }

    /// Runs the workflow, shows the result, and returns the exit status and the report, if there is one.
    pub(super) fn execute(
        self,
        py: Python<'_>,
        run: &ParsedRun,
        approver: Option<&dyn Approver>,
    ) -> PyResult<(u8, Option<Report>)> {
        let display = self.display;
        let verb = run.options.verb;
        let observer = report::observer(display, run.log_level()?);
        stdio::stop_on_terminate(py)?;
        let result = crate::run::run(py, &PySource::at(py, &run.path)?, &run.options, approver, &observer);
        observer.finish();
        stdio::flush(py)?;

        let report = match result {
            Ok(report) => report,
            Err(error) => {
                let code = failed(py, Display { json: false, ..display }, verb.word(), &error)?;
                if let Some(stdout) = self.stdout {
                    let failure = Some(failure_of(py, &error)?);
                    let report = Report { failure, ..Report::new(verb.word(), run.options.only_looks()) };
                    stdout.write(py, &document(&report))?;
                }
                return Ok((code, None));
            }
        };
        if let Some(stdout) = self.stdout {
            stdout.write(py, &document(&report))?;
        } else if report.failure.as_ref().is_none_or(|failure| failure.class != "DeclinedError") {
            let summary = report::summary(&report, verb, display.verbose > 0);
            if !stdio::print(&summary) {
                return Ok((FAILED, Some(report)));
            }
        }
        if let Some(failure) = &report.failure {
            // The tables have shown these failures already, by host.
            if display.json || !["DeployError", "CheckError"].contains(&&*failure.class) {
                eprint!("{}", report::error(&failure.message));
            }
            return Ok((FAILED, Some(report)));
        }
        Ok((DONE, Some(report)))
    }
}

/// The document that `--json` prints.
fn document(report: &Report) -> String {
    format!("{:#}\n", serde_json::to_value(report).unwrap_or_default())
}

/// Converts an exception to the failure of a document.
pub fn failure_of(py: Python<'_>, error: &PyErr) -> PyResult<Failure> {
    let kind = error.get_type(py).name()?.to_string();
    Ok(Failure::new(kind, error.value(py).str()?.to_string()))
}
