//! What a token costs at most, as far as answers have told.

use std::collections::HashMap;

use super::endpoint::Endpoint;
use super::lock::Lock;

/// Who wrote an answer: the model, and who ran it, where the server tells.
pub(super) type Author = (String, Option<String>);

/// The highest price that a token can have, in US dollars, for each author that there was.
///
/// An answer's whole cost, divided by its own tokens alone, is more than one of them costs, and no
/// provider asks more for one of a question. Of several answers by one author the lowest such price
/// is the nearest; among authors the dearest counts, for who is next is not known.
#[derive(Debug, Default)]
pub(super) struct Prices {
    known: HashMap<Author, Price>,
    /// Whether there is one to reckon with: each model had one before, or an answer has told one.
    complete: bool,
}

#[derive(Debug, Clone, Copy)]
struct Price {
    most: f64,
    /// It is from an earlier run: prices change.
    remembered: bool,
}

impl Prices {
    /// What the lock remembers of the models that may be asked.
    pub fn remembered(endpoint: &Endpoint, lock: &Lock) -> Self {
        let mut prices = Self::default();
        for (_, entry) in lock.entries().filter(|(_, entry)| endpoint.models().any(|m| m == entry.model)) {
            if let Some(most) = entry.cost.and_then(|cost| most(cost, entry.tokens_in, entry.tokens_out)) {
                let price = Price { most, remembered: true };
                let known = prices.known.entry((entry.model.clone(), entry.provider.clone()));
                known.and_modify(|known| known.most = known.most.min(most)).or_insert(price);
            }
        }
        let has_price = |model: &str| prices.known.keys().any(|(known, _)| known == model);
        prices.complete = endpoint.models().all(has_price);
        prices
    }

    /// Takes in what an answer has told.
    pub fn take(&mut self, author: Author, cost: f64, tokens_in: Option<u64>, tokens_out: Option<u64>) {
        // What is free tells nothing of the fall-back that is not; where all are free, nobody asks.
        if author.0.ends_with(":free") {
            return;
        }
        let Some(most) = most(cost, tokens_in, tokens_out) else { return };
        let price = self.known.entry(author).or_insert(Price { most, remembered: true });
        price.most = if price.remembered { most } else { price.most.min(most) };
        price.remembered = false;
        self.complete = true;
    }

    /// The price to reckon with; nothing before it can be known.
    pub fn dearest(&self) -> Option<f64> {
        self.complete.then(|| self.known.values().map(|price| price.most).fold(0.0, f64::max))
    }
}

fn most(cost: f64, tokens_in: Option<u64>, tokens_out: Option<u64>) -> Option<f64> {
    let tokens = tokens_out.filter(|tokens| *tokens > 0).or(tokens_in).filter(|tokens| *tokens > 0)?;
    (cost.is_finite() && cost >= 0.0).then(|| cost / as_float(tokens))
}

/// How many tokens some US dollars buy.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` stops at 0 and at u64::MAX")]
pub(super) fn affordable(dollars: f64, price: f64) -> u64 {
    (dollars / price) as u64
}

/// A count of tokens, to reckon with prices.
#[allow(clippy::cast_precision_loss, reason = "no run uses so many tokens that a float could not count them")]
pub(super) fn as_float(tokens: u64) -> f64 {
    tokens as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(provider: &str) -> Author {
        ("model".into(), Some(provider.into()))
    }

    #[test]
    fn goes_by_the_nearest_of_one_author_and_the_dearest_of_all() {
        let mut prices = Prices::default();
        prices.take(("model:free".into(), None), 0.0, Some(1), Some(1));
        assert_eq!(prices.dearest(), None);
        prices.take(author("a"), 0.5, Some(600), Some(100));
        prices.take(author("a"), 1.0, Some(600), Some(1000));
        assert_eq!(prices.dearest(), Some(0.001));
        prices.take(author("b"), 2.0, Some(600), Some(1000));
        assert_eq!(prices.dearest(), Some(0.002));
        // What nobody wrote anything for is divided by the question.
        prices.take(author("c"), 3.0, Some(600), Some(0));
        assert_eq!(prices.dearest(), Some(0.005));
        prices.take(author("d"), f64::NAN, Some(1), Some(1));
        prices.take(author("e"), 1.0, None, None);
        prices.take(("model:free".into(), None), 9.0, Some(1), Some(1));
        assert_eq!(prices.dearest(), Some(0.005));
    }

    #[test]
    fn a_new_price_takes_the_place_of_a_remembered_one() {
        let old = Price { most: 0.1, remembered: true };
        let mut prices = Prices { known: [(author("a"), old)].into(), complete: true };
        prices.take(author("a"), 2.0, Some(1), Some(10));
        assert_eq!(prices.dearest(), Some(0.2));
    }

    #[test]
    fn buys_no_more_than_there_is() {
        assert_eq!(affordable(1.0, 0.25), 4);
        assert_eq!(affordable(-1.0, 0.25), 0);
        assert_eq!(affordable(0.0, 0.0), 0);
        assert_eq!(affordable(1.0, 0.0), u64::MAX);
    }
}
