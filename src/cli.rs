//! The command line: what can be typed.

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
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to show it.
    #[command(flatten)]
    pub display: Display,
}

/// How to show what happens.
#[derive(Debug, Clone, Copy, Args)]
pub struct Display {
    /// Whether to use colors
    #[arg(long, value_enum, default_value_t, global = true, value_name = "WHEN")]
    pub color: Color,
    /// Print one JSON document on standard output (watch: a line for each round), and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Show more: every operation, also where nothing changed
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
}

/// Whether to use colors.
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

/// What to do.
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
        /// What to bring up.
        #[command(flatten)]
        run: Run,
        /// Which part of it.
        #[command(flatten)]
        part: Part,
        /// How to change things.
        #[command(flatten)]
        change: Change,
        /// Remove what main.py no longer has
        #[arg(long)]
        prune: bool,
        /// Leave the resources' assertions untried
        #[arg(long)]
        no_check: bool,
    },
    /// Let the model write what is missing, and compile, without deploying
    Generate {
        /// What to generate.
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
        /// Where.
        #[command(flatten)]
        place: Place,
    },
    /// Show what apply would change, on which host, and change nothing there
    Plan {
        /// What to plan.
        #[command(flatten)]
        run: Run,
        /// Which part of it.
        #[command(flatten)]
        part: Part,
        /// Plan to remove what main.py no longer has
        #[arg(long)]
        prune: bool,
        /// Write the plan to a file, for `clockwork apply FILE`; its name ends in .json
        #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(plan_file))]
        out: Option<PathBuf>,
        /// Exit with 2 where changes are pending
        #[arg(long)]
        detailed_exitcode: bool,
    },
    /// Take the resources down again, also where main.py is gone or broken
    Destroy {
        /// What to take down.
        #[command(flatten)]
        run: Run,
        /// Which part of it.
        #[command(flatten)]
        part: Part,
        /// How to change things.
        #[command(flatten)]
        change: Change,
    },
    /// Look at what Clockwork knows of what it has deployed, and mend it
    #[command(subcommand)]
    State(StateCommand),
    /// Try the assertions of the resources, on their hosts, and change nothing there
    Check {
        /// Where.
        #[command(flatten)]
        place: Place,
        /// Which part of it.
        #[command(flatten)]
        part: Part,
    },
    /// Look again and again whether somebody else has changed what was deployed; with --heal, repair it
    Watch(Watch),
    /// Draw which resource needs which
    Graph {
        /// Where.
        #[command(flatten)]
        place: Place,
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: GraphFormat,
    },
    /// Print the version
    Version,
    /// Look after the local model, which needs no key
    #[command(subcommand)]
    Model(ModelCommand),
    /// Print a script that completes the command line in a shell
    Completion {
        /// The shell
        #[arg(value_enum)]
        shell: CompletionShell,
    },
}

/// What to do with the state.
#[derive(Debug, Clone, Subcommand)]
pub enum StateCommand {
    /// List what was deployed where
    List {
        /// Where.
        #[command(flatten)]
        place: Place,
    },
    /// Show all that is known of a resource
    Show {
        /// Which.
        #[command(flatten)]
        known: KnownAs,
    },
    /// Forget a resource, and leave it as it is on its host
    Forget {
        /// Which.
        #[command(flatten)]
        known: KnownAs,
    },
    /// Take up a resource of main.py that is on its host already, and leave it as it is there
    Adopt {
        /// The resource: its name, or Kind.name
        name: String,
        /// Where.
        #[command(flatten)]
        place: Place,
    },
}

/// A resource that the state knows.
#[derive(Debug, Clone, Args)]
pub struct KnownAs {
    /// The resource: its name, or Kind.name
    pub name: String,
    /// Where.
    #[command(flatten)]
    pub place: Place,
    /// On this host only
    #[arg(long)]
    pub host: Option<String>,
}

/// Where a project is.
#[derive(Debug, Clone, Default, Args)]
pub struct Place {
    /// A main.py, or the folder that holds it
    #[arg(default_value = "main.py", value_hint = clap::ValueHint::AnyPath)]
    pub path: String,
}

/// Which part of a project a command is about.
#[derive(Debug, Clone, Default, Args)]
pub struct Part {
    /// Only this resource or group, and what it needs; for destroy, and what needs it. Can be given several times
    #[arg(long = "target", value_name = "NAME")]
    pub targets: Vec<String>,
}

/// How a command changes things.
#[derive(Debug, Clone, Copy, Args)]
pub struct Change {
    /// Ask nothing
    #[arg(long, short)]
    pub yes: bool,
    /// How long to wait for another run on the same project
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = seconds)]
    pub lock_timeout: f64,
}

/// Reads a length of time.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds".to_owned())?;
    let sane = (0.0..=1e9).contains(&seconds);
    sane.then_some(seconds).ok_or_else(|| "seconds are a number from 0 on".to_owned())
}

/// Takes the name of a file for a plan.
fn plan_file(path: PathBuf) -> Result<PathBuf, &'static str> {
    if SavedPlan::can_be(&path) { Ok(path) } else { Err("the name of a plan ends in .json") }
}

/// What to do with the local model.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ModelCommand {
    /// Fetch it, so that it is there when it is needed
    Pull,
}

/// The shells that a completion can be had for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    /// The Bourne-again shell
    Bash,
    /// The Z shell
    Zsh,
    /// The friendly interactive shell
    Fish,
}

/// What the commands that deploy have in common. It is one set for all of them, so that a line that was
/// typed can be typed again with another verb.
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that can be typed")]
pub struct Run {
    /// Where.
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
    /// How many requests to make at once [default: 8]
    #[arg(long, value_name = "N")]
    pub concurrency: Option<usize>,
    /// Find out what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Stop a host at its first failure, also for resources that do not depend on the failed one
    #[arg(long)]
    pub fail_fast: bool,
    /// Ask the model anew for these resources, or for all; put the path before it
    #[arg(long, value_name = "NAME", num_args = 0..)]
    pub regenerate: Option<Vec<String>>,
    /// Ask no model: fail where clockwork.lock lacks something
    #[arg(long, conflicts_with = "regenerate")]
    pub locked: bool,
    /// How often an answer that fails a check goes back to the model [default: 2]
    #[arg(long, value_name = "N")]
    pub max_repairs: Option<u32>,
    /// Stop before the run uses more tokens than this
    #[arg(long, value_name = "N")]
    pub max_tokens_total: Option<u64>,
    /// Stop before the run costs more US dollars than this, at the prices that OpenRouter lists
    #[arg(long, value_name = "USD")]
    pub max_cost: Option<f64>,
    /// Use images that the model names, also where they are none of Docker's official ones
    #[arg(long)]
    pub allow_unverified_images: bool,
}

impl Run {
    /// A run of a project with nothing else said.
    pub fn of(place: Place) -> Self {
        Self { place, ..Self::default() }
    }
}

/// A command that runs main.py.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Bring up.
    Apply,
    /// All but deploy.
    Generate,
    /// Find out what would change.
    Plan,
    /// Take down.
    Destroy,
    /// Try what has to hold.
    Check,
}

impl Verb {
    /// The verb as it is typed.
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

/// Writes the script that completes the command line in a shell.
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
