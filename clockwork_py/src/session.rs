//! The ports `Engine` and `Session` of the core.

use std::any::Any;
use std::sync::Arc;

use clockwork_core::compile::Script;
use clockwork_core::error::Result;
use clockwork_core::event::Observer;
use clockwork_core::intent::Context;
use clockwork_core::outcome::{CheckOutcome, DeployOutcome, HostError};
use clockwork_core::resource::Address;
use clockwork_core::workflow::ports::{self, Engine, Permissions, Project, ScriptRun, SessionOptions};
use pyo3::prelude::*;

use crate::engine::{self, Cancel, Decisions, Options, Prepared};
use crate::project::PyProject;
use crate::{check, errors, user_code};

/// The engine, which drives pyinfra in this process.
pub struct PyEngine;

/// A session of the engine for one project.
struct PySession<'a> {
    session: engine::Session,
    project: &'a dyn Project,
    context: Context,
    observer: Arc<dyn Observer>,
    /// The last script that was planned, by its text.
    prepared: Option<(String, Prepared)>,
}

impl Engine for PyEngine {
    fn preload(&self) -> Result<()> {
        errors::attached(engine::preload)
    }

    fn open<'a>(
        &'a self,
        options: &SessionOptions<'_>,
        project: &'a dyn Project,
    ) -> Result<Box<dyn ports::Session + 'a>> {
        let folder = project.folder().file_name().map(|name| name.to_string_lossy().into_owned());
        let context = Context {
            project: (!options.lineage.is_empty()).then(|| options.lineage.to_owned()),
            folder,
            secrets: options.secrets.clone(),
            backup_folder: Some(project.folder().join(".clockwork/backup").display().to_string()),
            ..Context::default()
        };
        let engine = Options {
            inventory: options.inventory,
            folder: options.folder,
            observer: Arc::clone(&options.observer),
            cancel: Cancel::default(),
            fail_fast: options.fail_fast,
            context: context.clone(),
        };
        let session = errors::attached(|py| engine::Session::open(py, &engine))?;
        let observer = Arc::clone(&options.observer);
        Ok(Box::new(PySession { session, project, context, observer, prepared: None }))
    }
}

impl PySession<'_> {
    /// Runs `work`. Modules of the user's own can be imported if the script uses any.
    fn with_modules<T>(&self, script: &Script, work: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T> {
        errors::attached(|py| {
            if script.uses_own_modules {
                user_code::with_folder(py, self.project.folder(), false, || work(py))
            } else {
                work(py)
            }
        })
    }

    fn decisions(&self, permissions: Permissions) -> Decisions {
        let context = |permission: ports::Permission| Context {
            keep_copy: permission.keep_copy,
            take_over: permission.take_over,
            aside: permission.aside.map(ports::Aside::word),
            puts_back: permission.puts_back,
            room_for: permission.room_for,
            ..self.context.clone()
        };
        permissions.into_iter().map(|(place, permission)| (place, context(permission))).collect()
    }
}

fn engine_run<'a>(run: &ScriptRun<'a>, contexts: &'a Decisions) -> engine::ScriptRun<'a> {
    let ScriptRun { file, script, removes, stopped, diffs, .. } = *run;
    engine::ScriptRun { file, script, removes, stopped, diffs, contexts }
}

impl ports::Session for PySession<'_> {
    fn hosts(&self) -> Vec<String> {
        self.session.hosts().to_vec()
    }

    fn plan(&mut self, run: &ScriptRun<'_>) -> Result<DeployOutcome> {
        let contexts = self.decisions(run.permissions.cloned().unwrap_or_default());
        let run = engine_run(run, &contexts);
        let (prepared, planned) = self.with_modules(run.script, |py| self.session.plan(py, &run))?;
        self.prepared = Some((run.script.text.clone(), prepared));
        Ok(planned)
    }

    fn execute(&mut self, run: &ScriptRun<'_>, permissions: &Permissions) -> Result<DeployOutcome> {
        let planned = self.prepared.take().filter(|(text, _)| *text == run.script.text);
        let contexts = self.decisions(run.permissions.cloned().unwrap_or_default());
        let decisions = self.decisions(permissions.clone());
        let run = engine_run(run, &contexts);
        self.with_modules(run.script, |py| {
            let prepared = match planned {
                Some((_, prepared)) => prepared,
                None => self.session.plan(py, &run)?.0,
            };
            self.session.execute(py, &run, prepared, &decisions)
        })
    }

    fn check(
        &mut self,
        places: &[usize],
        wanted: &dyn Fn(&Address, &str) -> bool,
    ) -> Result<(Vec<CheckOutcome>, Vec<HostError>)> {
        let project: &dyn Any = self.project.as_any();
        let Some(project) = project.downcast_ref::<PyProject>() else { return Ok((Vec::new(), Vec::new())) };
        self.prepared = None;
        errors::attached(|py| check::run(py, project, places, &self.session, wanted, &self.observer))
    }

    fn close(self: Box<Self>) -> Result<()> {
        errors::attached(|py| self.session.close(py))
    }
}
