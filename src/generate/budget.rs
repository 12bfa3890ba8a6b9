//! What a run may use: tokens and money, set aside before they are spent.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::endpoint::Endpoint;
use super::lock::Lock;
use super::price::{Author, Prices, affordable, as_float};
use crate::settings::Settings;

/// What the user can do where a limit is reached.
pub(super) const RAISE: &str = "Raise the limit, or ask for a smaller size";

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
    pub fn add(&mut self, more: Self) {
        fn sum<T: std::ops::Add<Output = T>>(a: Option<T>, b: Option<T>) -> Option<T> {
            match (a, b) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            }
        }
        self.tokens_in = sum(self.tokens_in, more.tokens_in);
        self.tokens_out = sum(self.tokens_out, more.tokens_out);
        self.cost = sum(self.cost, more.cost);
    }
}

/// What a request may need, in tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// The question, at most.
    pub question: u64,
    /// An answer of the size that is asked for: with less room there is no point in asking.
    pub answer: u64,
    /// The room that an answer gets where there is enough: a model may think before it writes.
    pub room: u64,
}

/// The limits of a run, and how near they are.
///
/// Before a request goes out, all that it may use is set aside, and its answer is held to that with
/// `max_tokens`; when it is back, what it has really used is taken down. So the limits hold however
/// many requests are under way. Money is counted in tokens at the dearest price so far; until there
/// is one, one request at a time goes out.
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
    /// What the requests that are under way may use.
    reserved: u64,
    under_way: usize,
    /// Those of `tokens` that broke off before anybody told what they cost.
    unpriced: u64,
    prices: Prices,
    /// The server gave an answer and did not tell what it cost.
    untold: bool,
}

/// The part of the budget that one request may use. Dropped without a word, it gives it back.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    budget: &'a Budget,
    /// The question and the longest answer.
    tokens: u64,
    question: u64,
    /// How it bounds the answer; nothing where the run has no limits.
    pub bound: Option<Bound>,
}

/// How a budget bounds the length of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bound {
    /// How many tokens it may have.
    pub most: u64,
    /// The limit that leaves it less room than answers get otherwise.
    pub limit: Option<String>,
}

/// What is left of a limit.
struct Left {
    tokens: u64,
    limit: String,
    used: String,
    /// What one token costs, where the limit is one of cost.
    price: Option<f64>,
}

impl Left {
    /// Why a request that needs so many tokens is not made.
    fn refusal(&self, tokens: u64) -> String {
        let Self { limit, used, .. } = self;
        let needed = match self.price {
            Some(price) => format!("${:.4}", as_float(tokens) * price),
            None => tokens.to_string(),
        };
        format!("it could cross the {limit}: {used}, and it needs room for {needed}. {RAISE}")
    }
}

impl Budget {
    /// The limits of the settings; prices are at first those that the lock remembers.
    pub fn new(settings: &Settings, endpoint: &Endpoint, lock: &Lock) -> Self {
        let free = endpoint.local || endpoint.models().all(|model| model.ends_with(":free"));
        let prices = Prices::remembered(endpoint, lock);
        Self::with(settings.max_tokens_total, settings.max_cost.filter(|_| !free), prices)
    }

    fn with(max_tokens: Option<u64>, max_cost: Option<f64>, prices: Prices) -> Self {
        let state = Mutex::new(State { prices, ..State::default() });
        Self { max_tokens, max_cost, state, changed: Notify::new() }
    }

    /// Sets aside what a request may use, once it is clear that it is there; the error says why it
    /// is not.
    pub async fn reserve(&self, need: Need) -> Result<Reservation<'_>, String> {
        loop {
            // Made before the look at the state, so that no change in between is missed.
            let changed = self.changed.notified();
            match self.try_reserve(need) {
                Some(result) => return result,
                // What is under way may use less than it could, or tell the price.
                None => changed.await,
            }
        }
    }

    /// `None`: only the end of what is under way will tell.
    fn try_reserve(&self, need: Need) -> Option<Result<Reservation<'_>, String>> {
        let mut state = self.state();
        let bound = match self.bound(&state, need) {
            Ok(bound) => bound,
            Err(_) if state.under_way > 0 => return None,
            Err(reason) => return Some(Err(reason)),
        };
        let tokens = need.question + bound.as_ref().map_or(0, |bound| bound.most);
        state.reserved += tokens;
        state.under_way += 1;
        Some(Ok(Reservation { budget: self, tokens, question: need.question, bound }))
    }

    /// How the answer to a request has to be bounded; the error says why there is no asking, as
    /// long as no more is left.
    fn bound(&self, state: &State, need: Need) -> Result<Option<Bound>, String> {
        if let Some(most) = self.max_cost {
            let limit = limit_of_cost(most);
            if state.untold {
                return Err(format!(
                    "the server does not tell what its answers cost, so the {limit} cannot be kept. Use \
                     --max-tokens-total instead"
                ));
            }
            // One request alone finds out what the others will cost.
            if state.prices.dearest().is_none() && (state.under_way > 0 || state.cost >= most) {
                return Err(format!("the {limit} leaves nothing for it. {RAISE}"));
            }
        }
        if self.max_tokens.is_none() && self.max_cost.is_none() {
            return Ok(None);
        }
        match self.left(state) {
            Some(left) if left.tokens < need.question + need.room => {
                let needed = need.question + need.answer;
                // Beside others it waits until there is room enough; alone it takes what there is.
                if state.under_way == 0 && left.tokens >= needed {
                    return Ok(Some(Bound { most: left.tokens - need.question, limit: Some(left.limit) }));
                }
                Err(left.refusal(needed))
            }
            _ => Ok(Some(Bound { most: need.room, limit: None })),
        }
    }

    /// What is left of the limit that is nearest; nothing where there is none to reckon with.
    fn left(&self, state: &State) -> Option<Left> {
        let tokens = self.max_tokens.map(|most| Left {
            tokens: most.saturating_sub(state.tokens + state.reserved),
            limit: format!("limit of {most} tokens (--max-tokens-total)"),
            used: format!("{} are used", state.tokens),
            price: None,
        });
        let price = state.prices.dearest().filter(|price| *price > 0.0);
        let cost = self.max_cost.zip(price).map(|(most, price)| Left {
            tokens: affordable(most - state.cost, price).saturating_sub(state.unpriced + state.reserved),
            limit: limit_of_cost(most),
            used: format!("${:.4} are spent", state.cost),
            price: Some(price),
        });
        [tokens, cost].into_iter().flatten().min_by_key(|left| left.tokens)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn limit_of_cost(most: f64) -> String {
    format!("limit of ${most} (--max-cost)")
}

impl Reservation<'_> {
    /// Takes down what an answer has used. What the server does not tell is taken for as much as it
    /// may have been: a model may have thought a lot before it wrote a little.
    pub fn settle(self, spent: Spent, author: Author, whole: bool) {
        let answer = self.bound.as_ref().map_or(0, |bound| bound.most);
        let tokens = spent.tokens_in.unwrap_or(self.question) + spent.tokens_out.unwrap_or(answer);
        let mut state = self.budget.state();
        state.tokens += tokens;
        match spent.cost {
            Some(cost) => {
                state.cost += cost;
                state.prices.take(author, cost, spent.tokens_in, spent.tokens_out);
            }
            None if whole => state.untold = true,
            // It broke off before the server came to the cost.
            None => state.unpriced += tokens,
        }
    }

    /// Takes down that an answer broke off, and nobody told what it had used by then.
    pub fn lose(self) {
        let mut state = self.budget.state();
        state.tokens += self.tokens;
        state.unpriced += self.tokens;
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

#[cfg(test)]
mod tests {
    use super::*;

    const NEED: Need = Need { question: 100, answer: 200, room: 500 };

    fn spent(tokens_in: u64, tokens_out: u64, cost: impl Into<Option<f64>>) -> Spent {
        Spent { tokens_in: Some(tokens_in), tokens_out: Some(tokens_out), cost: cost.into() }
    }

    fn author() -> Author {
        ("some/model".into(), None)
    }

    fn budget(max_tokens: Option<u64>, max_cost: Option<f64>) -> Budget {
        Budget::with(max_tokens, max_cost, Prices::default())
    }

    #[tokio::test]
    async fn without_a_limit_nothing_is_bounded() {
        let budget = budget(None, None);
        let (one, two) = (budget.reserve(NEED).await.unwrap(), budget.reserve(NEED).await.unwrap());
        assert_eq!((&one.bound, &two.bound), (&None, &None));
        one.settle(spent(1, 1_000_000, None), author(), true);
        drop(two);
        assert!(budget.reserve(NEED).await.is_ok());
    }

    #[tokio::test]
    async fn tokens_are_set_aside_before_they_are_spent() {
        let budget = budget(Some(1000), None);
        let first = budget.reserve(NEED).await.unwrap();
        assert_eq!(first.bound, Some(Bound { most: 500, limit: None }));
        // It waits for the first one, which uses less than it could.
        let (second, ()) =
            tokio::join!(budget.reserve(NEED), async { first.settle(spent(50, 350, None), author(), true) });
        let second = second.unwrap();
        assert_eq!(second.bound.as_ref().map(|bound| bound.most), Some(500));
        assert!(budget.try_reserve(NEED).is_none());
        second.settle(spent(50, 250, None), author(), true);
        // Alone it takes what there is.
        let third = budget.reserve(NEED).await.unwrap();
        let limit = Some("limit of 1000 tokens (--max-tokens-total)".to_owned());
        assert_eq!(third.bound, Some(Bound { most: 200, limit }));
        third.settle(spent(1, 0, None), author(), true);
        let refusal = budget.reserve(NEED).await.unwrap_err();
        assert!(
            refusal.contains("(--max-tokens-total): 701 are used, and it needs room for 300."),
            "{refusal}"
        );
    }

    #[tokio::test]
    async fn what_nobody_tells_is_taken_for_the_most() {
        let budget = budget(Some(1200), None);
        budget.reserve(NEED).await.unwrap().settle(Spent::default(), author(), true);
        assert_eq!(budget.state().tokens, 600);
        budget.reserve(NEED).await.unwrap().lose();
        assert_eq!(budget.state().tokens, 1200);
        assert_eq!(budget.state().reserved, 0);
        assert!(budget.reserve(NEED).await.is_err());
    }

    #[tokio::test]
    async fn the_first_answer_tells_the_price() {
        let budget = budget(None, Some(1000.0));
        let first = budget.reserve(NEED).await.unwrap();
        assert_eq!(first.bound, Some(Bound { most: 500, limit: None }));
        assert!(budget.try_reserve(NEED).is_none());
        first.settle(spent(100, 400, 400.0), author(), true);
        // 600 tokens are left at $1: enough for one, and not for another beside it.
        let second = budget.reserve(NEED).await.unwrap();
        assert!(budget.try_reserve(NEED).is_none());
        second.settle(spent(100, 200, 200.0), author(), true);
        let third = budget.reserve(NEED).await.unwrap();
        let limit = Some("limit of $1000 (--max-cost)".to_owned());
        assert_eq!(third.bound, Some(Bound { most: 300, limit }));
        third.lose();
        let refusal = budget.reserve(NEED).await.unwrap_err();
        assert!(
            refusal.contains("(--max-cost): $600.0000 are spent, and it needs room for $300.0000."),
            "{refusal}"
        );
    }

    #[tokio::test]
    async fn the_nearer_limit_counts() {
        for (tokens, cost, nearer) in [(650, 10.0, "--max-tokens-total"), (10_000, 0.6, "--max-cost")] {
            let budget = budget(Some(tokens), Some(cost));
            budget.reserve(NEED).await.unwrap().settle(spent(100, 200, 0.2), author(), true);
            let limit = budget.reserve(NEED).await.unwrap().bound.clone().unwrap().limit.unwrap();
            assert!(limit.contains(nearer), "{limit}");
        }
        assert!(budget(None, Some(0.0)).reserve(NEED).await.unwrap_err().contains("leaves nothing"));
    }

    #[tokio::test]
    async fn a_server_that_tells_no_price_cannot_be_kept_to_a_limit() {
        let budget = budget(None, Some(1.0));
        // One that broke off is not yet a sign of it.
        budget.reserve(NEED).await.unwrap().settle(spent(100, 100, None), author(), false);
        budget.reserve(NEED).await.unwrap().settle(spent(100, 100, None), author(), true);
        assert!(budget.reserve(NEED).await.unwrap_err().contains("does not tell"));
    }
}
