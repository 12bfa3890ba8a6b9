//! The highest price of a model, as OpenRouter's list of its providers tells it.

use serde_json::{Value, json};

/// The highest prices of a model, in US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Price {
    /// The price of a token of the question.
    pub question: f64,
    /// The price of a token of the answer, thoughts included.
    pub answer: f64,
    /// The price of a request, whatever its length.
    pub request: f64,
}

impl Price {
    /// The cost of so many tokens.
    pub fn of(&self, question: u64, answer: u64) -> f64 {
        self.request + as_float(question) * self.question + as_float(answer) * self.answer
    }

    /// The number of tokens that the answer to a question may have for so many US dollars.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` stops at 0 and at u64::MAX"
    )]
    pub fn longest_answer(&self, dollars: f64, question: u64) -> u64 {
        let left = dollars - self.of(question, 0);
        if left < 0.0 {
            return 0;
        }
        // A free answer may have any length.
        let tokens = if self.answer > 0.0 { (left / self.answer) as u64 } else { u64::MAX };
        // Rounding must not buy one token too many.
        if self.of(question, tokens) > dollars { tokens.saturating_sub(1) } else { tokens }
    }

    /// The value of OpenRouter's `max_price`, which counts in millions of tokens.
    pub fn as_max_price(&self) -> Value {
        // A last digit that the multiplication loses must not exclude the provider whose price this is.
        let million = |price: f64| price * 1e6 * (1.0 + 4.0 * f64::EPSILON);
        json!({"prompt": million(self.question), "completion": million(self.answer), "request": self.request})
    }

    /// The higher of both prices.
    pub fn or_dearer(self, other: Self) -> Self {
        Self {
            question: self.question.max(other.question),
            answer: self.answer.max(other.answer),
            request: self.request.max(other.request),
        }
    }

    /// The highest price of all providers in the server's list; `None` if it does not tell.
    pub fn listed(body: &Value) -> Option<Self> {
        let providers = body.get("data")?.get("endpoints")?.as_array().filter(|list| !list.is_empty())?;
        providers
            .iter()
            .map(Self::of_provider)
            .try_fold(Self::default(), |dearest, price| Some(dearest.or_dearer(price?)))
    }

    /// The highest price of a provider: long questions and some hours have prices of their own.
    fn of_provider(provider: &Value) -> Option<Self> {
        let pricing = provider.get("pricing")?.as_object()?;
        for name in ["prompt", "completion"] {
            pricing.get(name).filter(|price| !price.is_null())?;
        }
        let tiers = match pricing.get("overrides") {
            None | Some(Value::Null) => Vec::new(),
            Some(tiers) => tiers.as_array()?.iter().map(Value::as_object).collect::<Option<Vec<_>>>()?,
        };
        let parameters = provider.get("supported_parameters").and_then(Value::as_array);
        // A model with these parameters may search the web for any question, asked to or not.
        let searches = parameters.is_some_and(|names| names.iter().any(|name| name == "web_search_options"));
        let mut dearest = Self::default();
        for (name, value) in pricing {
            dearest.take(name, value, searches, false)?;
        }
        for (name, value) in tiers.into_iter().flatten() {
            dearest.take(name, value, searches, true)?;
        }
        Some(dearest)
    }

    /// Takes one price of a list; `None` if the price is not fixed.
    fn take(&mut self, name: &str, value: &Value, searches: bool, in_tier: bool) -> Option<()> {
        let place = match name {
            _ if value.is_null() => return Some(()),
            "overrides" | "discount" => return Some(()),
            "web_search" if !searches => return Some(()),
            // Questions are text.
            _ if name.contains("image") || name.contains("audio") => return Some(()),
            "prompt" => &mut self.question,
            _ if name.starts_with("input_cache") => &mut self.question,
            "completion" | "internal_reasoning" => &mut self.answer,
            "request" | "web_search" => &mut self.request,
            // A tier also has conditions, which are numbers too: a count of tokens, a time of the day.
            _ if in_tier || amount(value).is_none() => return Some(()),
            // An unknown price may be one of the question or one of the answer.
            _ => {
                self.answer = self.answer.max(dollars(value)?);
                &mut self.question
            }
        };
        *place = place.max(dollars(value)?);
        Some(())
    }
}

/// A price of the list. A price below zero is not fixed.
fn dollars(value: &Value) -> Option<f64> {
    amount(value).filter(|amount| amount.is_finite() && *amount >= 0.0)
}

/// A decimal number, written as a number or as a text.
fn amount(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[allow(clippy::cast_precision_loss, reason = "no run uses so many tokens that a float could not count them")]
fn as_float(tokens: u64) -> f64 {
    tokens as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(pricing: &[Value]) -> Option<Price> {
        let providers: Vec<Value> = pricing.iter().map(|pricing| json!({"pricing": pricing})).collect();
        Price::listed(&json!({"data": {"endpoints": providers}}))
    }

    #[test]
    fn the_dearest_of_all_counts() {
        let cheap = json!({"prompt": "0.000001", "completion": "0.000008", "request": "0", "discount": 0});
        let dear = json!({
            "prompt": 0.000_002, "completion": "0.000004", "request": "0.01", "image": "9", "audio": "9",
            "web_search": "9", "input_cache_read": "0.000001", "input_cache_write": "0.000003",
        });
        let price = Price { question: 0.000_003, answer: 0.000_008, request: 0.01 };
        assert_eq!(listed(&[cheap.clone(), dear]), Some(price));
        let thinks = json!({"prompt": "0", "completion": "0", "internal_reasoning": "0.5"});
        assert_eq!(listed(&[thinks]), Some(Price { answer: 0.5, ..Price::default() }));
        let tiers = json!({
            "prompt": "1", "completion": "2",
            "overrides": [{"min_prompt_tokens": 200_000, "prompt": "3", "completion": "1"}],
        });
        assert_eq!(listed(&[cheap, tiers]), Some(Price { question: 3.0, answer: 2.0, request: 0.0 }));
        let by_night = json!({
            "prompt": "1", "completion": "2", "input_cache_read": null,
            "overrides": [{"utc_start": 1630, "utc_end": 30, "completion": "3", "request": null}],
        });
        assert_eq!(listed(&[by_night]), Some(Price { question: 1.0, answer: 3.0, request: 0.0 }));
        let unknown = json!({
            "prompt": "1", "completion": "2", "moonlight": "5", "currency": "USD", "other": null, "overrides": null,
        });
        assert_eq!(listed(&[unknown]), Some(Price { question: 5.0, answer: 5.0, request: 0.0 }));
    }

    #[test]
    fn a_model_that_searches_by_itself_is_paid_for_that() {
        let pricing = json!({"prompt": "1", "completion": "1", "web_search": "0.005"});
        for (parameters, request) in [(json!(["web_search_options"]), 0.005), (json!(["tools"]), 0.0)] {
            let provider = json!({"pricing": pricing, "supported_parameters": parameters});
            let price = Price { question: 1.0, answer: 1.0, request };
            assert_eq!(Price::listed(&json!({"data": {"endpoints": [provider]}})), Some(price));
        }
    }

    #[test]
    fn what_is_not_told_is_not_guessed() {
        let good = json!({"prompt": "1", "completion": "1"});
        assert!(listed(std::slice::from_ref(&good)).is_some());
        for bad in [
            json!({}),
            json!({"prompt": "1"}),
            json!({"completion": "1"}),
            json!({"prompt": "-1", "completion": "-1"}),
            json!({"prompt": "NaN", "completion": "1"}),
            json!({"prompt": "inf", "completion": "1"}),
            json!({"prompt": "1", "completion": null}),
            json!({"prompt": "1", "completion": "1", "moonlight": "-1"}),
            json!({"prompt": "1", "completion": "1", "overrides": [{"prompt": "-1"}]}),
            json!({"prompt": "1", "completion": "1", "overrides": {}}),
            json!({"prompt": "1", "completion": "1", "overrides": ["x"]}),
        ] {
            assert_eq!(listed(&[good.clone(), bad.clone()]), None, "{bad}");
        }
        for body in [json!([]), json!({"data": []}), json!({"data": {"endpoints": []}}), json!("x")] {
            assert_eq!(Price::listed(&body), None, "{body}");
        }
    }

    #[test]
    fn buys_no_more_than_there_is() {
        let price = Price { question: 0.5, answer: 0.25, request: 1.0 };
        assert_eq!(price.longest_answer(price.of(4, 8) + 0.1, 4), 8);
        assert_eq!([price.longest_answer(3.0, 4), price.longest_answer(2.9, 4)], [0, 0]);
        assert_eq!(price.longest_answer(f64::NEG_INFINITY, 0), 0);
        assert_eq!(Price::default().longest_answer(0.0, 4), u64::MAX);
        for tokens in 1..2000 {
            let price = Price { question: 0.0, answer: 0.1, request: 0.0 };
            let bought = price.longest_answer(price.of(0, tokens), 0);
            assert!(price.of(0, bought) <= price.of(0, tokens) && bought + 1 >= tokens, "{tokens}");
        }
    }
}
