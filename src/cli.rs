//! The command line: commands and options.

mod watch;

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::graph::GraphFormat;
use crate::plan::SavedPlan;
pub use watch::Watch;

/// Infrastructure as Python: declare it, let a model fill in the rest, deploy it with pyinfra.
#[derive(Debug, Parser)]
#[command(name = "clockwork", bin_name = "clockwork", version, disable_help_subcommand = true)]
#[command(after_help = "Exit status: 0 done, 1 failed, 2 wrong usage or changes pending, 130 interrupted.")]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// The options of the output.
    #[command(flatten)]
    pub display: Display,
}

/// The options of the output.
#[derive(Debug, Clone, Copy, Args)]
pub struct Display {
    /// Use colors
    #[arg(long, value_enum, default_value_t, global = true, value_name = "WHEN")]
    pub color: Color,
    /// Print one JSON document on standard output (watch: a line for each round), and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Show more: every operation, even if nothing changed
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
}

/// The `--color` option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal that has them, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a small main.py, .env.example and .gitignore to start from
    Init {
        /// The folder to write them to
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Bring the resources up: load, generate, compile, deploy, check
    ///
    /// The path can also be a plan that `clockwork plan --out` has written: then exactly that plan is run, or none.
    Apply {
        /// The options of a run.
        #[command(flatten)]
        run: Run,
        /// The selection of resources.
        #[command(flatten)]
        part: Part,
        /// The options of a change.
        #[command(flatten)]
        change: Change,
        /// Remove what main.py no longer has
        #[arg(long)]
        prune: bool,
        /// Do not check the resources' assertions
        #[arg(long)]
        no_check: bool,
    },
    /// Let the model write what is missing, and compile, without deploying
    Generate {
        /// The options of a run.
        #[command(flatten)]
        run: Run,
        /// Print exactly what would be sent to the model, and send nothing
        #[arg(long)]
        show_prompts: bool,
    },
    /// Print what the model wrote for a resource, and where it came from
    Show {
        /// The resource: its name, or Kind.name
        name: String,
        /// The project.
        #[command(flatten)]
        place: Place,
    },
    /// Show what apply would change, on which host, and change nothing there
    Plan {
        /// The options of a run.
        #[command(flatten)]
        run: Run,
        /// The selection of resources.
        #[command(flatten)]
        part: Part,
        /// Plan to remove what main.py no longer has
        #[arg(long)]
        prune: bool,
        /// Write the plan to a file, for `clockwork apply FILE`; its name ends in .json
        #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(plan_file))]
        out: Option<PathBuf>,
        /// Exit with 2 if changes are pending
        #[arg(long)]
        detailed_exitcode: bool,
    },
    /// Take the resources down again, also where main.py is gone or broken
    Destroy {
        /// The options of a run.
        #[command(flatten)]
        run: Run,
        /// The selection of resources.
        #[command(flatten)]
        part: Part,
        /// The options of a change.
        #[command(flatten)]
        change: Change,
    },
    /// Show and correct the state, the record of what was deployed
    #[command(subcommand)]
    State(StateCommand),
    /// Check the assertions of the resources on their hosts, and change nothing there
    Check {
        /// The project.
        #[command(flatten)]
        place: Place,
        /// The selection of resources.
        #[command(flatten)]
        part: Part,
    },
    /// Watch for drift, changes that somebody else has made on the hosts; with --heal, repair it
    Watch(Watch),
    /// Draw the dependency graph
    Graph {
        /// The project.
        #[command(flatten)]
        place: Place,
        /// The output format
        #[arg(long, value_enum, default_value_t)]
        format: GraphFormat,
    },
    /// Print the version
    Version,
    /// Manage the local model, which needs no key
    #[command(subcommand)]
    Model(ModelCommand),
    /// Print a script that completes the command line in a shell
    Completion {
        /// The shell
        #[arg(value_enum)]
        shell: CompletionShell,
    },
}

/// The commands on the state.
#[derive(Debug, Clone, Subcommand)]
pub enum StateCommand {
    /// List the deployed resources with their hosts
    List {
        /// The project.
        #[command(flatten)]
        place: Place,
    },
    /// Show all details of a resource
    Show {
        /// The resource.
        #[command(flatten)]
        known: KnownAs,
    },
    /// Forget a resource, and leave it as it is on its host
    Forget {
        /// The resource.
        #[command(flatten)]
        known: KnownAs,
    },
    /// Adopt a resource of main.py that is on its host already, and leave it as it is there
    Adopt {
        /// The resource: its name, or Kind.name
        name: String,
        /// The project.
        #[command(flatten)]
        place: Place,
    },
}

/// A resource in the state.
#[derive(Debug, Clone, Args)]
pub struct KnownAs {
    /// The resource: its name, or Kind.name
    pub name: String,
    /// The project.
    #[command(flatten)]
    pub place: Place,
    /// On this host only
    #[arg(long)]
    pub host: Option<String>,
}

/// The location of a project.
#[derive(Debug, Clone, Default, Args)]
pub struct Place {
    /// A main.py, or the folder that holds it
    #[arg(default_value = "main.py", value_hint = clap::ValueHint::AnyPath)]
    pub path: String,
}

/// The selection of resources.
#[derive(Debug, Clone, Default, Args)]
pub struct Part {
    /// Only this resource or group, and what it needs; for destroy, and what needs it. Can be given several times
    #[arg(long = "target", value_name = "NAME")]
    pub targets: Vec<String>,
}

/// The options of commands that change something.
#[derive(Debug, Clone, Copy, Args)]
pub struct Change {
    /// Ask nothing
    #[arg(long, short)]
    pub yes: bool,
    /// Wait this long for another run on the same project
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = seconds)]
    pub lock_timeout: f64,
}

/// Parses a duration in seconds.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds".to_owned())?;
    let sane = (0.0..=1e9).contains(&seconds);
    sane.then_some(seconds).ok_or_else(|| "seconds are a number from 0 on".to_owned())
}

/// Checks the name of a plan file.
fn plan_file(path: PathBuf) -> Result<PathBuf, &'static str> {
    if SavedPlan::can_be(&path) { Ok(path) } else { Err("the name of a plan ends in .json") }
}

/// The commands on the local model.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ModelCommand {
    /// Fetch it, so that it is there when it is needed
    Pull,
}

/// The shells with a completion script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    /// The Bourne-again shell
    Bash,
    /// The Z shell
    Zsh,
    /// The friendly interactive shell
    Fish,
}

/// The options that the commands of a run share, so that a command line can be repeated with another verb.
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that can be typed")]
pub struct Run {
    /// The project.
    #[command(flatten)]
    pub place: Place,
    /// The model; `local` needs no key, `local:FILE` is a GGUF model of your own; `a,b` falls back to b
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// The key of the model server; better set `OPENROUTER_API_KEY`, which others cannot see
    #[arg(long, value_name = "KEY")]
    pub api_key: Option<String>,
    /// The address of an OpenAI-compatible server
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// The number of concurrent requests [default: 8]
    #[arg(long, value_name = "N")]
    pub concurrency: Option<usize>,
    /// Report what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Stop a host at its first failure, also for resources that do not depend on the failed one
    #[arg(long)]
    pub fail_fast: bool,
    /// Ask the model anew for these resources, or for all; put the path before it
    #[arg(long, value_name = "NAME", num_args = 0..)]
    pub regenerate: Option<Vec<String>>,
    /// Ask no model: fail if clockwork.lock lacks something
    #[arg(long, conflicts_with = "regenerate")]
    pub locked: bool,
    /// Send an answer that fails a check back to the model so many times at most [default: 2]
    #[arg(long, value_name = "N")]
    pub max_repairs: Option<u32>,
    /// Stop before the run uses more tokens than this
    #[arg(long, value_name = "N")]
    pub max_tokens_total: Option<u64>,
    /// Stop before the run costs more US dollars than this, at the prices that OpenRouter lists
    #[arg(long, value_name = "USD")]
    pub max_cost: Option<f64>,
    /// Use images that the model names, even if they are not Docker official images
    #[arg(long)]
    pub allow_unverified_images: bool,
}

impl Run {
    /// The options of a run with all defaults.
    pub fn of(place: Place) -> Self {
        Self { place, ..Self::default() }
    }
}

/// A command that runs main.py.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Brings resources up.
    Apply,
    /// Generates and compiles without deploying.
    Generate,
    /// Compares, and changes nothing.
    Plan,
    /// Takes resources down.
    Destroy,
    /// Checks assertions.
    Check,
}

impl Verb {
    /// The verb as typed on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Generate => "generate",
            Self::Plan => "plan",
            Self::Destroy => "destroy",
            Self::Check => "check",
        }
    }

    /// The verb that is typed as `word`.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Apply, Self::Generate, Self::Plan, Self::Destroy, Self::Check]
            .into_iter()
            .find(|verb| verb.word() == word)
    }
}

/// Writes the completion script for a shell.
pub fn completion(shell: CompletionShell) -> String {
    let shell = match shell {
        CompletionShell::Bash => Shell::Bash,
        CompletionShell::Zsh => Shell::Zsh,
        CompletionShell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut <Cli as clap::CommandFactory>::command(), "clockwork", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn completes_for_every_shell() {
        for shell in [CompletionShell::Bash, CompletionShell::Zsh, CompletionShell::Fish] {
            assert!(completion(shell).contains("detailed-exitcode"));
        }
    }
}
