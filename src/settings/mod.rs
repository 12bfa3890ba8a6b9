//! The settings. Precedence: command line or argument, environment, `.env` beside main.py, `.env` in the
//! working folder, default.

mod dotenv;
mod model;
mod number;
mod policy;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;

use crate::error::{Error, Result};
pub use model::Model;
pub use policy::Policy;

/// The default model.
pub const DEFAULT_MODEL: &str = "openai/gpt-oss-20b:free";
/// The default model server.
pub const DEFAULT_BASE_URL: &str = "https://openrouter.ai/api/v1";
/// The default folder of the compiled files, relative to the folder of main.py.
pub const DEFAULT_OUTPUT_DIR: &str = ".clockwork/pyinfra";
/// The default number of concurrent requests.
pub const DEFAULT_CONCURRENCY: usize = 8;
/// The default number of repairs of an answer.
pub const DEFAULT_MAX_REPAIRS: u32 = 2;

/// A text that is never shown in a message, log or debug output.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for sending only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The settings from the command line or from arguments; absent and empty values fall back to the
/// environment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// The model.
    pub model: Option<String>,
    /// The key for the model server.
    pub api_key: Option<Secret>,
    /// The address of the model server.
    pub base_url: Option<String>,
    /// The number of concurrent requests.
    pub concurrency: Option<usize>,
    /// The folder of the compiled files.
    pub output_dir: Option<PathBuf>,
    /// The number of repairs of an answer that fails a check.
    pub max_repairs: Option<u32>,
    /// The token budget of a run.
    pub max_tokens_total: Option<u64>,
    /// The cost budget of a run, in US dollars.
    pub max_cost: Option<f64>,
    /// Allows images chosen by a model that are not Docker official images.
    pub allow_unverified_images: Option<bool>,
}

/// The log level of stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// Failures only.
    Error,
    /// Warnings and failures.
    #[default]
    Warning,
    /// The steps of a run as well.
    Info,
    /// All events.
    Debug,
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
        })
    }
}

impl FromStr for LogLevel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "error" | "critical" | "fatal" => Ok(Self::Error),
            "warning" | "warn" => Ok(Self::Warning),
            "info" | "notset" => Ok(Self::Info),
            "debug" | "trace" => Ok(Self::Debug),
            _ => Err(Error::Settings(format!(
                "LOG_LEVEL is '{}', which is none of DEBUG, INFO, WARNING and ERROR",
                text.escape_debug()
            ))),
        }
    }
}

/// The validated settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The key for the model server; `OPENROUTER_API_KEY`.
    pub api_key: Option<Secret>,
    /// The model; `OPENROUTER_MODEL`.
    pub model: Model,
    /// The address of the model server, without a trailing slash; `OPENROUTER_BASE_URL`.
    pub base_url: String,
    /// The number of concurrent requests; `CLOCKWORK_CONCURRENCY`.
    pub concurrency: usize,
    /// The folder of the compiled files, relative to the folder of main.py; `PYINFRA_OUTPUT_DIR`.
    pub output_dir: PathBuf,
    /// The log level; `LOG_LEVEL`.
    pub log_level: LogLevel,
    /// The timeouts and retries of requests; `CLOCKWORK_TIMEOUT` sets the read timeout, in seconds.
    pub policy: Policy,
    /// The number of repairs of an answer that fails a check; `CLOCKWORK_MAX_REPAIRS`.
    pub max_repairs: u32,
    /// The token budget of a run, prompts and answers; `CLOCKWORK_MAX_TOKENS_TOTAL`.
    pub max_tokens_total: Option<u64>,
    /// The cost budget of a run, in US dollars; `CLOCKWORK_MAX_COST`.
    pub max_cost: Option<f64>,
    /// Allows images chosen by a model that are not Docker official images;
    /// `CLOCKWORK_ALLOW_UNVERIFIED_IMAGES`.
    pub allow_unverified_images: bool,
    /// The address that a watch sends notifications to; `CLOCKWORK_WEBHOOK`. It is a secret.
    pub webhook: Option<Secret>,
}

impl Settings {
    /// Reads the settings of a project whose main.py is in `folder`.
    pub fn load(folder: &Path, working_folder: &Path, overrides: &Overrides) -> Result<Self> {
        Self::load_from(folder, working_folder, overrides, &|name| {
            std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        })
    }

    fn load_from(
        folder: &Path,
        working_folder: &Path,
        overrides: &Overrides,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let beside = dotenv::read(&folder.join(".env"))?;
        let working = dotenv::read(&working_folder.join(".env"))?;
        let get = |name: &str| {
            let found = [environment(name), beside.get(name).cloned(), working.get(name).cloned()];
            found.into_iter().flatten().map(|value| value.trim().to_owned()).find(|value| !value.is_empty())
        };
        let given = |value: &Option<String>| {
            value.as_deref().map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
        };

        let api_key = overrides.api_key.as_ref().map(|key| key.reveal().trim().to_owned());
        let api_key = api_key.filter(|key| !key.is_empty()).or_else(|| get("OPENROUTER_API_KEY"));
        if api_key.as_ref().is_some_and(|key| !key.chars().all(|c| c.is_ascii_graphic())) {
            return Err(Error::Settings(
                "the API key holds characters that no key has (blanks, line breaks or letters outside ASCII). \
                 Copy it again."
                    .to_owned(),
            ));
        }
        let name = "OPENROUTER_MODEL";
        let typed =
            given(&overrides.model).or_else(|| environment(name).filter(|model| !model.trim().is_empty()));
        // A relative path of a model file is relative to the `.env` that names it, else to the working folder.
        let models = if typed.is_none() && beside.contains_key(name) { folder } else { working_folder };
        let model = typed.or_else(|| get(name));
        let home = environment("HOME").filter(|home| !home.is_empty());
        let base_url = given(&overrides.base_url).or_else(|| get("OPENROUTER_BASE_URL"));
        let output_dir = overrides.output_dir.clone().filter(|path| !path.as_os_str().is_empty());
        let output_dir = output_dir.or_else(|| get("PYINFRA_OUTPUT_DIR").map(PathBuf::from));

        let mut policy = Policy::default();
        if let Some(seconds) = number::number(&get, None, &number::TIMEOUT)? {
            policy.idle = Duration::from_secs_f64(seconds);
        }
        let allow = "CLOCKWORK_ALLOW_UNVERIFIED_IMAGES";
        let allow_unverified_images = match overrides.allow_unverified_images {
            Some(allowed) => allowed,
            None => get(allow).map_or(Ok(false), |text| number::switch(allow, &text))?,
        };
        Ok(Self {
            api_key: api_key.map(Secret),
            model: Model::parse(model.as_deref().map_or(DEFAULT_MODEL, str::trim), models, home.as_deref())?,
            base_url: check_base_url(base_url.as_deref().unwrap_or(DEFAULT_BASE_URL))?,
            concurrency: number::number(&get, overrides.concurrency, &number::CONCURRENCY)?
                .unwrap_or(DEFAULT_CONCURRENCY),
            output_dir: folder.join(output_dir.as_deref().unwrap_or(Path::new(DEFAULT_OUTPUT_DIR))),
            log_level: get("LOG_LEVEL").as_deref().map_or(Ok(LogLevel::default()), str::parse)?,
            policy,
            max_repairs: number::number(&get, overrides.max_repairs, &number::MAX_REPAIRS)?
                .unwrap_or(DEFAULT_MAX_REPAIRS),
            max_tokens_total: number::number(&get, overrides.max_tokens_total, &number::MAX_TOKENS)?,
            max_cost: number::number(&get, overrides.max_cost, &number::MAX_COST)?,
            allow_unverified_images,
            webhook: get("CLOCKWORK_WEBHOOK").map(Secret),
        })
    }
}

/// Validates and normalizes the address of a model server.
fn check_base_url(text: &str) -> Result<String> {
    // An error does not show an address that may contain a password or a key.
    let is_plain = !text.contains(['@', '?', '#']);
    let shown = if is_plain { &format!("the base URL '{}'", text.escape_debug()) } else { "the base URL" };
    let bad = |reason: &str| {
        Error::Settings(format!(
            "{shown} {reason}. It has to be like {DEFAULT_BASE_URL} or http://localhost:8080/v1."
        ))
    };
    let url = Url::parse(text).map_err(|error| bad(&format!("cannot be used: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("begins with neither http:// nor https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("holds a user name or a password; a key belongs into OPENROUTER_API_KEY"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("has a '?' or a '#' in it"));
    }
    let trimmed = url.as_str().trim_end_matches('/');
    Ok(trimmed.strip_suffix("/chat/completions").unwrap_or(trimmed).to_owned())
}

#[cfg(test)]
mod tests;
