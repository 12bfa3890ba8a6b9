//! The workflow: one file a verb, and the steps that they share.
//!
//! It speaks to the world through [`ports`] alone, so that its rules are tested without Python, hosts or a model.

mod adopt;
mod apply;
pub mod approval;
mod check;
mod compile;
mod destroy;
mod generate;
mod hosts;
mod journal;
mod notes;
pub mod options;
pub mod ports;
mod scope;
mod set_aside;
#[cfg(test)]
mod tests;
pub mod watch;

use std::sync::Arc;
use std::time::Instant;

use crate::cli::Verb;
use crate::compile::{Deployment, Hosts};
use crate::error::{Error, Result};
use crate::event::Observer;
use crate::graph::Graph;
use crate::intent::SecretValues;
use crate::outcome::Report;
use crate::redact;
use crate::resource::{CompiledResource, DeclaredResource};
use crate::settings::Settings;
use crate::state::{Rename, Store};
use crate::suggestion;

use self::options::Options;
use self::ports::{Approver, Engine, Process, Project, Session, Source};
use self::scope::Scope;

pub use self::compile::compile_to;

/// The graph of a project's resources.
pub fn graph(resources: &[DeclaredResource]) -> Graph {
    scope::graph(resources)
}

/// The order in which resources come after what they need.
pub fn order(resources: &[DeclaredResource]) -> Result<Vec<usize>> {
    graph(resources).order()
}

/// The resources that have another name now.
pub fn renames(resources: &[DeclaredResource]) -> Vec<Rename> {
    scope::renames(resources)
}

/// The parts that a run works with.
pub struct Ports<'a> {
    /// The place where the project comes from.
    pub source: &'a dyn Source,
    /// The engine that deploys.
    pub engine: &'a dyn Engine,
    /// Shown the plan, and may say no to it. Without one, only what is safe is done.
    pub approver: Option<&'a dyn Approver>,
    /// The process.
    pub process: &'a dyn Process,
    /// Told of what happens.
    pub observer: Arc<dyn Observer>,
}

/// A compiled project, and what is known of it.
struct Run<'a> {
    ports: &'a Ports<'a>,
    options: &'a Options,
    project: &'a dyn Project,
    settings: &'a Settings,
    scope: &'a Scope,
    store: &'a Store,
    deployment: &'a Deployment,
    resources: &'a [CompiledResource],
    redactor: &'a redact::Redactor,
}

/// Runs a command as far as its verb says.
///
/// A failure before there is anything to report is an error; one that comes later stands in the report, beside
/// what had been done.
pub fn run(ports: &Ports<'_>, options: &Options) -> Result<Report> {
    let started = Instant::now();
    let mut report = Report::new(options.verb.word(), options.only_looks());
    stages(ports, options, &mut report)?;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

fn stages(ports: &Ports<'_>, options: &Options, report: &mut Report) -> Result<()> {
    let verb = options.verb;
    let opened = scope::open(ports, options, &mut report.notes)?;
    let project = &*opened;
    // A Ctrl-C may have arrived while main.py ran.
    ports.process.check_interrupt()?;
    let working_folder = std::env::current_dir().map_err(|error| Error::Settings(error.to_string()))?;
    let settings = Settings::load(project.folder(), &working_folder, &options.overrides)?;
    report.folder = project.folder().display().to_string();
    let all: Vec<usize> = (0..project.resources().len()).collect();
    let visits = match verb {
        Verb::Generate => false,
        Verb::Check => project.has_assertions(&all)?,
        _ => true,
    };
    if visits {
        ports.engine.preload()?;
    }
    let mut store = Store::new(project.folder());
    // A part of a program may deploy beside others; a project is one run's at a time.
    if let Some(command) = options.writes().filter(|_| project.source().is_some()) {
        journal::hold(ports, options, command, &mut store)?;
    }
    let mut scope = scope::select(options, project, scope::read(&store, options)?)?;

    if verb == Verb::Check {
        if !visits {
            report.notes.push(check::NO_ASSERTIONS.to_owned());
            return Ok(());
        }
        let inventory = project.inventory()?;
        let (redactor, secrets) = (redact::Redactor::default(), SecretValues::default());
        return hosts::in_session(
            ports,
            options,
            project,
            &settings,
            &scope,
            &inventory,
            &redactor,
            &secrets,
            |session| check::run(session, options, &scope, report),
        );
    }

    let artifacts = if verb == Verb::Destroy {
        generate::pinned(project, &scope)
    } else {
        generate::generate(ports, options, project, &settings, &mut scope, report)?
    };
    if report.failure.is_some() || (verb == Verb::Generate && options.dry_run) {
        return Ok(());
    }

    let inventory = project.inventory()?;
    let resources =
        compile::resources(options, project, &mut scope, &artifacts, &inventory, &mut report.notes)?;
    let deployment = compile::deployment(project, &resources, inventory, verb != Verb::Destroy)?;
    // The compiled files are those of the last apply, and whole.
    if !options.unattended {
        crate::compile::write_files(&settings.output_dir, &deployment)?;
    }
    if verb == Verb::Generate {
        return Ok(());
    }
    let redactor = redact::Redactor::new(resources.iter().flat_map(|resource| &resource.secrets));
    let run = Run {
        ports,
        options,
        project,
        settings: &settings,
        scope: &scope,
        store: &store,
        deployment: &deployment,
        resources: &resources,
        redactor: &redactor,
    };
    let named = resources.iter().flat_map(|resource| resource.named_secrets.0.clone());
    let secrets = SecretValues(named.collect());
    let inventory = &deployment.inventory;
    hosts::in_session(ports, options, project, &settings, &scope, inventory, &redactor, &secrets, |session| {
        run.deploy(session, report)
    })
}

impl Run<'_> {
    fn deploy(&self, session: &mut dyn Session, report: &mut Report) -> Result<()> {
        self.check_hosts(&session.hosts())?;
        if self.options.verb == Verb::Destroy {
            return self.destroy(session, report);
        }
        self.apply(session, report)?;
        if self.options.check && !report.dry_run {
            check::run(session, self.options, self.scope, report)?;
        }
        Ok(())
    }

    /// Fails where a resource is for a host that the inventory does not have. A repair knows the hosts by the state.
    fn check_hosts(&self, hosts: &[String]) -> Result<()> {
        if self.options.is_repair() || self.destroys() {
            return Ok(());
        }
        let known: Vec<&str> = hosts.iter().map(String::as_str).collect();
        for resource in self.resources {
            let Hosts::Only(names) = &resource.hosts else { continue };
            let Some(unknown) = names.iter().find(|name| !hosts.contains(name)) else { continue };
            let hint = suggestion::hint(unknown, &known, "It has none.");
            let reason = format!("it is for the host '{unknown}', which is not in the inventory. {hint}");
            return Err(Error::Compile { address: resource.address.clone(), reason });
        }
        Ok(())
    }

    /// True if the run takes everything down.
    fn destroys(&self) -> bool {
        self.options.verb == Verb::Destroy
    }
}
