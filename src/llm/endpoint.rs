//! The server and the model that a question goes to.

use reqwest::Url;
use serde_json::{Map, Value};

use super::price::Price;
use crate::compile::literal::is_hidden;
use crate::error::{Error, ModelErrorKind, Result};
use crate::http;
use crate::settings::{Model, Secret, Settings};

/// The number of models that OpenRouter takes in one request.
const OPENROUTER_MODELS: usize = 3;

/// A model behind an OpenAI-compatible server.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The URL of the server, without a slash at its end; `/chat/completions` is below it.
    pub base_url: String,
    /// The key, if there is one.
    pub api_key: Option<Secret>,
    /// The name of the model at the server.
    pub model: String,
    /// The models to ask if that one cannot answer, in this order.
    pub fallbacks: Vec<String>,
    /// The name of the model for the user and in the lock.
    pub label: String,
    /// True if the server needs a key.
    pub needs_key: bool,
    /// True if the server runs in this process, so that asking again costs nothing.
    pub local: bool,
    /// True if the model is so small that it needs short questions.
    pub brief: bool,
    /// Further parameters of each request, such as `max_tokens`.
    pub parameters: Map<String, Value>,
    /// The highest price of its models, if the run has a limit of cost.
    pub(super) price: Option<Price>,
}

impl Endpoint {
    /// The server that the settings name; `None` if they name a local model, whose server has to be started
    /// first.
    pub fn remote(settings: &Settings) -> Option<Self> {
        let Model::Remote(models) = &settings.model else { return None };
        let mut models = models.split(',').map(str::trim).map(str::to_owned);
        let model = models.next().unwrap_or_default();
        Some(Self {
            base_url: settings.base_url.clone(),
            api_key: settings.api_key.clone(),
            label: model.clone(),
            model,
            fallbacks: models.collect(),
            needs_key: !is_loopback(&settings.base_url),
            local: false,
            brief: false,
            parameters: Map::new(),
            price: None,
        })
    }

    /// The server of a local model, in this process.
    pub fn local(base_url: &str, label: &str) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            api_key: None,
            model: "local".to_owned(),
            fallbacks: Vec::new(),
            label: label.to_owned(),
            needs_key: false,
            local: true,
            brief: false,
            parameters: Map::new(),
            price: None,
        }
    }

    /// The server of the small model that Clockwork fetches itself.
    pub fn small(base_url: &str, label: &str) -> Self {
        let mut parameters = Map::new();
        // The small model sometimes finds no end. Its useful text is shorter than this.
        parameters.insert("max_tokens".to_owned(), 900.into());
        Self { brief: true, parameters, ..Self::local(base_url, label) }
    }

    /// The model and its fall-backs.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.model.as_str()).chain(self.fallbacks.iter().map(String::as_str))
    }

    /// An endpoint for each request that is made until one is answered: one for each model. OpenRouter takes
    /// several models in one request, and looks by itself for one that answers.
    pub(super) fn each_model(&self) -> Vec<Self> {
        let at_once = if self.is_openrouter() { OPENROUTER_MODELS } else { 1 };
        let models: Vec<String> = self.models().map(str::to_owned).collect();
        let endpoints = models.chunks(at_once).enumerate().map(|(index, models)| Self {
            model: models[0].clone(),
            fallbacks: models[1..].to_vec(),
            label: if index == 0 { self.label.clone() } else { models[0].clone() },
            ..self.clone()
        });
        endpoints.collect()
    }

    /// The server's name for messages: its host and port.
    pub fn host(&self) -> String {
        Url::parse(&self.base_url).map_or_else(|_| self.base_url.clone(), |url| http::host(&url))
    }

    /// Tells whether the server is OpenRouter, which takes more parameters than others.
    pub fn is_openrouter(&self) -> bool {
        Url::parse(&self.base_url).ok().and_then(|url| url.host_str().map(|host| host == "openrouter.ai"))
            == Some(true)
    }

    /// Fails if a key is needed and there is none.
    pub(super) fn check_key(&self) -> Result<()> {
        if !self.needs_key || self.api_key.is_some() {
            return Ok(());
        }
        Err(Error::Model {
            address: None,
            kind: ModelErrorKind::MissingKey,
            message: format!(
                "something has to be generated, and there is no API key for {}. Set OPENROUTER_API_KEY in the \
                 environment or in .env, or use --model local, which needs no key.",
                self.host()
            ),
        })
    }

    /// Makes a foreign text fit for a message: one short line without the key.
    pub(super) fn quote(&self, text: &str) -> String {
        let mut text = match &self.api_key {
            Some(key) => text.replace(key.reveal(), "…"),
            None => text.to_owned(),
        };
        text = text.split(|c: char| c.is_whitespace() || is_hidden(c)).collect::<Vec<_>>().join(" ");
        text = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        if text.chars().count() > 300 {
            text = text.chars().take(299).chain(['…']).collect();
        }
        text
    }
}

fn is_loopback(base_url: &str) -> bool {
    Url::parse(base_url).is_ok_and(|url| http::is_loopback(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_foreign_text() {
        let mut endpoint = Endpoint::local("http://127.0.0.1:1/v1/", "local");
        endpoint.api_key = Some("sk-hidden".into());
        assert_eq!(endpoint.quote(" bad key\r\n\tsk-hidden\x1b[1m\0\u{202e} "), "bad key … [1m");
        assert_eq!(endpoint.quote(&"é".repeat(500)).chars().count(), 300);
        assert_eq!(endpoint.host(), "127.0.0.1:1");
    }
}
