//! The model setting.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The model that fills in the fields that the user left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// The name of a model on the server, or several separated by commas: each further one is a fallback.
    Remote(String),
    /// A model that runs in this process: the built-in choice, or a GGUF file.
    Local(Option<PathBuf>),
}

impl Model {
    pub(super) fn parse(text: &str, working_folder: &Path, home: Option<&str>) -> Result<Self> {
        if text.contains(',') {
            return list(text);
        }
        let Some(rest) = text.strip_prefix("local") else { return Ok(Self::Remote(text.to_owned())) };
        match rest.strip_prefix(':') {
            None if rest.is_empty() => Ok(Self::Local(None)),
            None => Ok(Self::Remote(text.to_owned())),
            Some("") => Err(Error::Settings(
                "the model 'local:' names no file. Write local:/path/to/model.gguf, or local alone for the \
                 model that Clockwork fetches itself."
                    .to_owned(),
            )),
            Some(path) => Ok(Self::Local(Some(match (path.strip_prefix("~/"), home) {
                (Some(rest), Some(home)) => Path::new(home).join(rest),
                _ => working_folder.join(path),
            }))),
        }
    }
}

/// Parses a list of models of one server.
fn list(text: &str) -> Result<Model> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return Err(Error::Settings("the list of models names none".to_owned()));
    }
    if names.iter().any(|name| *name == "local" || name.starts_with("local:")) {
        return Err(Error::Settings(format!(
            "the models '{}' cannot stand in one list: the local model runs in this process, and the others behind a \
             server. Name one, or several of one server.",
            text.escape_debug()
        )));
    }
    Ok(Model::Remote(names.join(",")))
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote(name) => f.write_str(name),
            Self::Local(None) => f.write_str("local"),
            Self::Local(Some(path)) => write!(f, "local:{}", path.display()),
        }
    }
}
