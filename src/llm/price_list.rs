//! Asks a server for the prices of its models, before the first question.
//!
//! OpenRouter lists at `GET /models/{model}/endpoints` the price of each provider of a model, and skips
//! providers that are dearer than `provider.max_price`. Both together make a cost a limit.
//! <https://openrouter.ai/docs/guides/routing/provider-selection>

use serde_json::Value;

use super::attempt_error::{AttemptError, RetryDecision};
use super::client::Client;
use super::endpoint::Endpoint;
use super::price::Price;
use crate::error::ModelErrorKind;
use crate::settings::Policy;

/// Sets the highest price of each endpoint's models.
///
/// Fails if the server cannot be asked, or does not tell the price of a model: no limit of cost could be
/// kept then.
pub(super) async fn set_prices(
    endpoints: &mut [Endpoint],
    client: &Client<'_>,
    policy: &Policy,
) -> Result<(), AttemptError> {
    let models = endpoints.iter().flat_map(Endpoint::models).map(|model| of_model(model, client, policy));
    let mut prices = futures_util::future::try_join_all(models).await?.into_iter();
    for endpoint in endpoints {
        let count = endpoint.models().count();
        // Any of the models of one request may answer it.
        endpoint.price = prices.by_ref().take(count).reduce(Price::or_dearer);
    }
    Ok(())
}

async fn of_model(model: &str, client: &Client<'_>, policy: &Policy) -> Result<Price, AttemptError> {
    // A model that searches the web for each question costs more than the list says.
    let searches = model.ends_with(":online");
    // The URL would drop such a part of a name, and be that of another model.
    let is_address = model.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let list = if searches || !is_address { None } else { list(model, client, policy).await? };
    list.as_ref().and_then(Price::listed).ok_or_else(|| {
        let message = format!(
            "the model server {} does not tell what the model '{}' costs, so that no limit of cost (--max-cost) can \
             be kept. Check the model's name, or use --max-tokens-total instead.",
            client.endpoint().host(),
            client.endpoint().quote(model)
        );
        AttemptError::new(ModelErrorKind::Budget, RetryDecision::Stop, message)
    })
}

/// The server's list of the providers of a model; `None` if it has no such list.
async fn list(model: &str, client: &Client<'_>, policy: &Policy) -> Result<Option<Value>, AttemptError> {
    let path: Vec<&str> = ["models"].into_iter().chain(model.split('/')).chain(["endpoints"]).collect();
    let mut attempts = 1;
    loop {
        let error = match client.get(&path).await {
            Ok(body) => return Ok(serde_json::from_slice(&body).ok()),
            Err(error) => error,
        };
        // These statuses mean that there is no list. The others are about the key, the account, or too many
        // requests.
        if let Some(400 | 403..=407 | 409..=424 | 426..=428 | 430..=499) = error.status {
            return Ok(None);
        }
        let (wait, _) = error.wait(attempts, policy).map_err(|error| {
            let model = client.endpoint().quote(model);
            let message = format!("asking for the price of '{model}' (for --max-cost): {}", error.message);
            AttemptError { message, ..error }
        })?;
        attempts += 1;
        tokio::time::sleep(wait).await;
    }
}
