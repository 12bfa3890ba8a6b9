//! The budget of a run: tokens and money, reserved before they are spent.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::endpoint::Endpoint;
use super::price::Price;
use crate::settings::Settings;

/// The advice where a limit is reached.
pub(super) const RAISE: &str = "Raise the limit, or ask for a smaller size";

/// The largest count of tokens that the lock can hold.
pub(super) const MOST_TOKENS: u64 = i64::MAX.cast_unsigned();

/// The usage of answers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Spent {
    /// Tokens of questions, if a server told.
    pub tokens_in: Option<u64>,
    /// Tokens of answers.
    pub tokens_out: Option<u64>,
    /// US dollars.
    pub cost: Option<f64>,
}

impl Spent {
    /// Adds the usage of one more answer.
    pub fn add(&mut self, more: Self) {
        let tokens = |a: Option<u64>, b| [a, b].into_iter().flatten().reduce(add_tokens);
        self.tokens_in = tokens(self.tokens_in, more.tokens_in);
        self.tokens_out = tokens(self.tokens_out, more.tokens_out);
        self.cost = [self.cost, more.cost].into_iter().flatten().reduce(std::ops::Add::add);
    }
}

/// Adds two counts of tokens. The sum stays one that the lock can hold.
pub(super) fn add_tokens(a: u64, b: u64) -> u64 {
    a.saturating_add(b).min(MOST_TOKENS)
}

/// The tokens that a request may need, and their price.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// The most tokens that the question has.
    pub question: u64,
    /// The tokens of an answer of the wanted size. With less room it is not worth asking.
    pub answer: u64,
    /// The tokens that the answer gets if there are enough: a model may think before it writes.
    pub room: u64,
    /// The highest price, if there is a limit of cost.
    pub price: Option<Price>,
}

impl Need {
    /// The sum with an answer of so many tokens.
    fn with(&self, answer: u64) -> Sum {
        let cost = self.price.map_or(0.0, |price| price.of(self.question, answer));
        Sum { tokens: self.question.saturating_add(answer), cost }
    }
}

/// Tokens, and US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    tokens: u64,
    cost: f64,
}

impl std::ops::AddAssign for Sum {
    fn add_assign(&mut self, more: Self) {
        self.tokens = self.tokens.saturating_add(more.tokens);
        self.cost += more.cost;
    }
}

/// The limits of a run, and how near they are.
///
/// Before a request is sent, all that it may use is reserved, and `max_tokens` bounds its answer to that.
/// When the answer is there, the real usage takes the place of the reservation. So the limits hold for any
/// number of requests at once.
#[derive(Debug)]
pub(super) struct Budget {
    max_tokens: Option<u64>,
    max_cost: Option<f64>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    used: Sum,
    /// The sum that each request under way may use.
    reserved: Vec<Sum>,
}

impl State {
    /// The sum that is used or reserved.
    fn taken(&self) -> Sum {
        let mut sum = self.used;
        self.reserved.iter().for_each(|reserved| sum += *reserved);
        sum
    }
}

/// The part of the budget that one request may use. A reservation that is dropped goes back to the budget.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    budget: &'a Budget,
    need: Need,
    /// The question and the longest answer.
    sum: Sum,
    /// The bound of the answer; `None` if the run has no limits.
    pub bound: Option<Bound>,
}

/// The bound that a budget sets for the length of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bound {
    /// The most tokens that it may have.
    pub most: u64,
    /// The limit that leaves it less room than other answers get, if one does.
    pub limit: Option<String>,
}

/// The rest that a limit leaves for one request.
struct Left {
    /// The most tokens that its answer may have.
    answer: u64,
    limit: String,
    used: String,
    needed: String,
}

impl Left {
    /// The reason why the request is not made.
    fn refusal(&self) -> String {
        let Self { limit, used, needed, .. } = self;
        format!("it could cross the {limit}: {used}, and it needs room for {needed}. {RAISE}")
    }
}

/// The limit of cost, if one applies: a local model costs nothing.
pub(super) fn max_cost(settings: &Settings, endpoint: &Endpoint) -> Option<f64> {
    settings.max_cost.filter(|_| !endpoint.local)
}

impl Budget {
    /// The limits of the settings.
    pub fn new(settings: &Settings, endpoint: &Endpoint) -> Self {
        Self::with(settings.max_tokens_total, max_cost(settings, endpoint))
    }

    fn with(max_tokens: Option<u64>, max_cost: Option<f64>) -> Self {
        Self { max_tokens, max_cost, state: Mutex::default(), changed: Notify::new() }
    }

    /// Reserves all that a request may use, and waits until there is room for it. The error says why there is
    /// none.
    pub async fn reserve(&self, need: Need) -> Result<Reservation<'_>, String> {
        loop {
            // The future is made before the state is read, so that no change in between is missed.
            let changed = self.changed.notified();
            match self.try_reserve(need) {
                Some(result) => return result,
                // A request under way may use less than its reservation.
                None => changed.await,
            }
        }
    }

    /// `None` means that the requests under way decide whether there is room.
    fn try_reserve(&self, need: Need) -> Option<Result<Reservation<'_>, String>> {
        let mut state = self.state();
        let bound = match self.bound(&state, need) {
            Ok(bound) => bound,
            Err(_) if !state.reserved.is_empty() => return None,
            Err(reason) => return Some(Err(reason)),
        };
        let sum = need.with(bound.as_ref().map_or(0, |bound| bound.most));
        state.reserved.push(sum);
        Some(Ok(Reservation { budget: self, need, sum, bound }))
    }

    /// The bound for the answer to a request. The error says why there is not enough left.
    fn bound(&self, state: &State, need: Need) -> Result<Option<Bound>, String> {
        if let (Some(most), None) = (self.max_cost, need.price) {
            return Err(format!(
                "nobody tells what it costs, so that the limit of ${most} (--max-cost) cannot be kept. Use \
                 --max-tokens-total instead"
            ));
        }
        let nearest = self.left(state, need).into_iter().flatten().min_by_key(|left| left.answer);
        let Some(left) = nearest else { return Ok(None) };
        if left.answer >= need.room {
            return Ok(Some(Bound { most: need.room, limit: None }));
        }
        // Beside other requests it waits until there is room enough. Alone it takes the room that there is.
        if state.reserved.is_empty() && left.answer >= need.answer {
            return Ok(Some(Bound { most: left.answer, limit: Some(left.limit) }));
        }
        Err(left.refusal())
    }

    /// The rest that each limit leaves for a request.
    fn left(&self, state: &State, need: Need) -> [Option<Left>; 2] {
        let taken = state.taken();
        let needed = need.with(need.answer);
        let tokens = self.max_tokens.map(|most| Left {
            answer: most.saturating_sub(taken.tokens).saturating_sub(need.question),
            limit: format!("limit of {most} tokens (--max-tokens-total)"),
            used: format!("{} are used", state.used.tokens),
            needed: needed.tokens.to_string(),
        });
        let cost = self.max_cost.zip(need.price).map(|(most, price)| Left {
            answer: price.longest_answer(most - taken.cost, need.question),
            limit: format!("limit of ${most} (--max-cost)"),
            used: format!("{} are spent", dollars(state.used.cost)),
            needed: dollars(needed.cost),
        });
        [tokens, cost]
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An amount for a message, with as many digits as small ones need.
fn dollars(amount: f64) -> String {
    if amount > 0.0 && amount < 0.001 { format!("${amount:.8}") } else { format!("${amount:.4}") }
}

impl Reservation<'_> {
    /// Counts the usage of an answer. For a number that the server does not tell, the highest possible one
    /// counts: a model may have thought a lot before it wrote a little.
    pub fn settle(self, spent: Spent) {
        self.budget.state().used += self.used(spent);
    }

    /// Counts the whole reservation for an answer that broke off, whose usage is not known.
    pub fn lose(self, told: Spent) {
        let told = self.used(told);
        let Sum { tokens, cost } = self.sum;
        self.budget.state().used += Sum { tokens: tokens.max(told.tokens), cost: cost.max(told.cost) };
    }

    fn used(&self, spent: Spent) -> Sum {
        let longest = self.bound.as_ref().map_or(0, |bound| bound.most);
        let question = spent.tokens_in.unwrap_or(self.need.question);
        let used = Need { question, ..self.need }.with(spent.tokens_out.unwrap_or(longest));
        Sum { cost: spent.cost.unwrap_or(used.cost), ..used }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        // Reservations of the same sum are interchangeable.
        if let Some(place) = state.reserved.iter().position(|reserved| *reserved == self.sum) {
            state.reserved.swap_remove(place);
        }
        drop(state);
        self.budget.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEED: Need = Need { question: 100, answer: 200, room: 500, price: None };
    /// A dollar for each token.
    const DEAR: Need = Need { price: Some(Price { question: 1.0, answer: 1.0, request: 0.0 }), ..NEED };

    fn spent(tokens_in: u64, tokens_out: u64, cost: impl Into<Option<f64>>) -> Spent {
        Spent { tokens_in: Some(tokens_in), tokens_out: Some(tokens_out), cost: cost.into() }
    }

    #[tokio::test]
    async fn without_a_limit_nothing_is_bounded() {
        let budget = Budget::with(None, None);
        let (one, two) = (budget.reserve(NEED).await.unwrap(), budget.reserve(NEED).await.unwrap());
        assert_eq!((&one.bound, &two.bound), (&None, &None));
        one.settle(spent(1, 1_000_000, None));
        drop(two);
        assert!(budget.reserve(NEED).await.is_ok());
    }

    #[tokio::test]
    async fn tokens_are_set_aside_before_they_are_spent() {
        let budget = Budget::with(Some(1000), None);
        let first = budget.reserve(NEED).await.unwrap();
        assert_eq!(first.bound, Some(Bound { most: 500, limit: None }));
        // It waits for the first one, which uses less than it could.
        let (second, ()) = tokio::join!(budget.reserve(NEED), async { first.settle(spent(50, 350, None)) });
        let second = second.unwrap();
        assert_eq!(second.bound.as_ref().map(|bound| bound.most), Some(500));
        assert!(budget.try_reserve(NEED).is_none());
        second.settle(spent(50, 250, None));
        // Alone it takes what there is.
        let third = budget.reserve(NEED).await.unwrap();
        let limit = Some("limit of 1000 tokens (--max-tokens-total)".to_owned());
        assert_eq!(third.bound, Some(Bound { most: 200, limit }));
        third.settle(spent(1, 0, None));
        let refusal = budget.reserve(NEED).await.unwrap_err();
        assert!(
            refusal.contains("(--max-tokens-total): 701 are used, and it needs room for 300."),
            "{refusal}"
        );
    }

    #[tokio::test]
    async fn what_nobody_tells_is_taken_for_the_most() {
        let budget = Budget::with(Some(1200), Some(1200.0));
        budget.reserve(DEAR).await.unwrap().settle(Spent::default());
        assert_eq!(budget.state().used, Sum { tokens: 600, cost: 600.0 });
        budget.reserve(DEAR).await.unwrap().lose(Spent { tokens_in: Some(1), ..Spent::default() });
        assert_eq!(budget.state().used, Sum { tokens: 1200, cost: 1200.0 });
        assert!(budget.state().reserved.is_empty());
        assert!(budget.reserve(DEAR).await.is_err());
    }

    #[tokio::test]
    async fn money_is_set_aside_before_it_is_spent() {
        let budget = Budget::with(None, Some(1300.0));
        let first = budget.reserve(DEAR).await.unwrap();
        assert_eq!(first.bound, Some(Bound { most: 500, limit: None }));
        let second = budget.reserve(DEAR).await.unwrap();
        // 100 are left beside the two: not enough for an answer.
        assert!(budget.try_reserve(DEAR).is_none());
        // It has cost less than it might have, and told so, or has not.
        first.settle(spent(100, 400, 400.0));
        second.settle(spent(100, 300, None));
        let third = budget.reserve(DEAR).await.unwrap();
        let limit = Some("limit of $1300 (--max-cost)".to_owned());
        assert_eq!(third.bound, Some(Bound { most: 400, limit }));
        third.settle(spent(100, 300, 350.0));
        let refusal = budget.reserve(DEAR).await.unwrap_err();
        assert!(
            refusal.contains("(--max-cost): $1150.0000 are spent, and it needs room for $300.0000."),
            "{refusal}"
        );
        // A free model is still asked.
        let free = Need { price: Some(Price::default()), ..NEED };
        assert_eq!(budget.reserve(free).await.unwrap().bound, Some(Bound { most: 500, limit: None }));
    }

    #[tokio::test]
    async fn no_limit_of_cost_is_kept_without_a_price() {
        let refusal = Budget::with(None, Some(1000.0)).reserve(NEED).await.unwrap_err();
        assert!(refusal.contains("the limit of $1000 (--max-cost) cannot be kept"), "{refusal}");
    }

    #[tokio::test]
    async fn the_nearer_limit_counts() {
        for (tokens, cost, nearer) in [(550, 10_000.0, "--max-tokens-total"), (10_000, 550.0, "--max-cost")] {
            let budget = Budget::with(Some(tokens), Some(cost));
            let limit = budget.reserve(DEAR).await.unwrap().bound.clone().unwrap().limit.unwrap();
            assert!(limit.contains(nearer), "{limit}");
        }
        let refusal = Budget::with(None, Some(0.0)).reserve(DEAR).await.unwrap_err();
        assert!(
            refusal.contains("it could cross the limit of $0 (--max-cost): $0.0000 are spent"),
            "{refusal}"
        );
    }

    #[test]
    fn the_lock_can_hold_all_sums() {
        let mut sum = Spent::default();
        for _ in 0..3 {
            sum.add(spent(MOST_TOKENS, 1, 0.5));
        }
        assert_eq!(sum, spent(MOST_TOKENS, 3, 1.5));
    }

    #[test]
    fn small_amounts_are_not_shown_as_nothing() {
        assert_eq!([0.0, 0.000_012, 0.25].map(dollars), ["$0.0000", "$0.00001200", "$0.2500"]);
    }
}
