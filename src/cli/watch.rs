//! The options of `clockwork watch`.

use clap::Args;

use super::{Part, Place};

/// The options of a watch.
#[derive(Debug, Clone, Args)]
pub struct Watch {
    /// The project.
    #[command(flatten)]
    pub place: Place,
    /// Begin a round this long after the beginning of the previous one
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = interval)]
    pub interval: f64,
    /// Repair what has drifted, and nothing else
    #[arg(long)]
    pub heal: bool,
    /// Send notifications to this address; better set `CLOCKWORK_WEBHOOK`, which others cannot see
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,
    /// End after this many rounds, with 1 if the last one leaves something to repair
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: Option<u64>,
    /// The selection of resources.
    #[command(flatten)]
    pub part: Part,
}

/// Parses the interval.
fn interval(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds".to_owned())?;
    let sane = seconds > 0.0 && seconds <= 1e9;
    sane.then_some(seconds).ok_or_else(|| "seconds are a number above 0".to_owned())
}
