//! What a run may use: tokens and money, counted before they are spent.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::endpoint::Endpoint;
use super::lock::Lock;
use crate::settings::Settings;

/// What answers have used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Spent {
    /// Tokens of questions, where a server told.
    pub tokens_in: Option<u64>,
    /// Tokens of answers.
    pub tokens_out: Option<u64>,
    /// US dollars.
    pub cost: Option<f64>,
}

impl Spent {
    /// Adds what one more answer has used.
    pub fn add(&mut self, tokens_in: Option<u64>, tokens_out: Option<u64>, cost: Option<f64>) {
        fn sum<T: std::ops::Add<Output = T>>(a: Option<T>, b: Option<T>) -> Option<T> {
            match (a, b) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            }
        }
        self.tokens_in = sum(self.tokens_in, tokens_in);
        self.tokens_out = sum(self.tokens_out, tokens_out);
        self.cost = sum(self.cost, cost);
    }
}

/// The limits of a run, and how near they are.
#[derive(Debug)]
pub(super) struct Budget {
    max_tokens: Option<u64>,
    max_cost: Option<f64>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    tokens: u64,
    cost: f64,
    /// What the requests that are under way are expected to use.
    reserved: u64,
    under_way: usize,
    /// The highest price of a token so far, in US dollars.
    price: Option<f64>,
    /// The server gave an answer and did not tell what it cost.
    untold: bool,
}

/// The part of the budget that one request may use. Dropped without an answer, it gives it back.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    budget: &'a Budget,
    tokens: u64,
}

impl Budget {
    /// The limits of the settings; prices are those that the lock remembers.
    pub fn new(settings: &Settings, endpoint: &Endpoint, lock: &Lock) -> Self {
        let free = endpoint.local || endpoint.models().all(|model| model.ends_with(":free"));
        let mut prices: HashMap<&str, f64> = HashMap::new();
        for (_, entry) in lock.entries() {
            let tokens = entry.tokens_in.unwrap_or(0) + entry.tokens_out.unwrap_or(0);
            if let Some(price) = entry.cost.and_then(|cost| price(cost, tokens)) {
                let highest = prices.entry(&entry.model).or_default();
                *highest = highest.max(price);
            }
        }
        let known = endpoint.models().map(|model| prices.get(model).copied());
        // With a fall-back of unknown price the whole has none.
        let remembered = known.collect::<Option<Vec<_>>>().map(|all| all.into_iter().fold(0.0, f64::max));
        let price = if free { Some(0.0) } else { remembered };
        Self {
            max_tokens: settings.max_tokens_total,
            max_cost: settings.max_cost.filter(|_| !free),
            state: Mutex::new(State { price, ..State::default() }),
            changed: Notify::new(),
        }
    }

    /// Takes what a request is expected to use out of the budget, once it is clear that it is
    /// there; the error says why it is not.
    pub async fn reserve(&self, tokens: u64) -> Result<Reservation<'_>, String> {
        loop {
            // Made before the look at the state, so that no change in between is missed.
            let changed = self.changed.notified();
            match self.try_reserve(tokens) {
                Some(Ok(())) => return Ok(Reservation { budget: self, tokens }),
                Some(Err(reason)) => return Err(reason),
                // What is under way may use less than expected, or tell the price.
                None => changed.await,
            }
        }
    }

    /// `None`: only the end of what is under way will tell.
    fn try_reserve(&self, tokens: u64) -> Option<Result<(), String>> {
        let mut state = self.state();
        let needed = state.reserved + tokens;
        let refusal = match (self.max_tokens, self.max_cost, state.price) {
            (Some(most), ..) if state.tokens + needed > most => Some(format!(
                "it could cross the limit of {most} tokens (--max-tokens-total): {} are used, and it may need about \
                 {tokens}",
                state.tokens
            )),
            (_, Some(most), _) if state.untold => Some(format!(
                "the server does not tell what its answers cost, so the limit of ${most} (--max-cost) cannot be kept. \
                 Use --max-tokens-total instead"
            )),
            (_, Some(most), Some(price)) if state.cost + as_float(needed) * price > most => Some(format!(
                "it could cross the limit of ${most} (--max-cost): ${:.4} are spent, and it may cost about ${:.4}",
                state.cost,
                as_float(tokens) * price
            )),
            (_, Some(most), None) if state.cost >= most => {
                Some(format!("the limit of ${most} (--max-cost) leaves nothing for it"))
            }
            // One request alone finds out what the others will cost.
            (_, Some(_), None) if state.under_way > 0 => return None,
            _ => None,
        };
        match refusal {
            Some(_) if state.under_way > 0 => None,
            Some(reason) => Some(Err(reason)),
            None => {
                state.reserved += tokens;
                state.under_way += 1;
                Some(Ok(()))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation<'_> {
    /// Takes down what the answer has really used.
    pub fn settle(self, tokens: u64, cost: Option<f64>) {
        let mut state = self.budget.state();
        state.tokens += tokens;
        match cost {
            Some(cost) => {
                state.cost += cost;
                if let Some(price) = price(cost, tokens) {
                    state.price = Some(state.price.unwrap_or_default().max(price));
                }
            }
            None => state.untold = true,
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.reserved -= self.tokens;
        state.under_way -= 1;
        drop(state);
        self.budget.changed.notify_waiters();
    }
}

fn price(cost: f64, tokens: u64) -> Option<f64> {
    (tokens > 0 && cost.is_finite()).then(|| cost / as_float(tokens))
}

#[allow(clippy::cast_precision_loss, reason = "no run uses so many tokens that a float could not count them")]
fn as_float(tokens: u64) -> f64 {
    tokens as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(max_tokens: Option<u64>, max_cost: Option<f64>, price: Option<f64>) -> Budget {
        let state = Mutex::new(State { price, ..State::default() });
        Budget { max_tokens, max_cost, state, changed: Notify::new() }
    }

    #[tokio::test]
    async fn tokens_are_counted_before_they_are_spent() {
        let budget = budget(Some(1000), None, None);
        let first = budget.reserve(600).await.unwrap();
        // It waits for the first one, which uses less than expected.
        let (second, ()) = tokio::join!(budget.reserve(600), async { first.settle(300, None) });
        second.unwrap().settle(650, None);
        let refusal = budget.reserve(51).await.unwrap_err();
        assert!(refusal.contains("limit of 1000 tokens") && refusal.contains("950 are used"), "{refusal}");
        drop(budget.reserve(50).await.unwrap());
        drop(budget.reserve(50).await.unwrap());
    }

    #[tokio::test]
    async fn the_first_answer_tells_the_price() {
        let budget = budget(None, Some(1.0), None);
        let first = budget.reserve(100).await.unwrap();
        assert!(budget.try_reserve(100).is_none());
        first.settle(100, Some(0.4));
        budget.reserve(100).await.unwrap().settle(100, Some(0.4));
        assert!(budget.reserve(100).await.unwrap_err().contains("$0.8000 are spent"));
        drop(budget.reserve(50).await.unwrap());
    }

    #[tokio::test]
    async fn a_server_that_tells_no_price_cannot_be_kept_to_a_limit() {
        let budget = budget(None, Some(1.0), None);
        budget.reserve(100).await.unwrap().settle(100, None);
        assert!(budget.reserve(1).await.unwrap_err().contains("does not tell"));
    }
}
