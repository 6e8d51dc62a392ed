//! Meaning of a fetch attempt for an order, with or without an answer.

use super::{
    Answer, Backoff, Failure, FetchOutcome, Order, Policy, Time, Transition, fail, reconcile,
};

/// A fetch that was sent, and its result.
#[derive(Clone, Copy, Debug)]
pub struct FetchAttempt<'a> {
    /// Time at which the fetch was sent.
    pub fetched_at: Time,
    /// The answer to the fetch, or the reason why there was none.
    pub result: &'a Result<Answer, Failure>,
    /// `true` if a failure is the order's own. A failure of the provider as a whole uses up none of the order's
    /// attempts.
    pub healthy: bool,
    /// Current time, from which the wait after a failure is counted.
    pub now: Time,
    /// Random number from 0 to 1, which spreads retries.
    pub jitter: f64,
}

/// Result of applying a fetch attempt to its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The order after the attempt, with the time of its next fetch.
    pub order: Order,
    /// Outcome of the attempt: what the answer meant, or why there was none.
    pub outcome: FetchOutcome,
    /// Change of the order's state that is to be recorded, if there was one.
    pub transition: Option<Transition>,
}

/// Applies a fetch attempt to its order. An answer that does not tell the order's state counts as a failure, as does no
/// answer at all.
pub fn apply_attempt(
    order: &Order,
    attempt: FetchAttempt<'_>,
    policy: &Policy,
    backoff: &Backoff,
) -> Applied {
    let (mut order, outcome, wait_min, transition) = match attempt.result {
        Ok(answer) => {
            let change = reconcile(order, answer, attempt.fetched_at, policy);
            let is_conclusive = change.outcome.is_conclusive();
            let wait_min = (!is_conclusive).then(|| policy.after_stale());
            let outcome = FetchOutcome::Answer(change.outcome);
            (change.order, outcome, wait_min, change.transition)
        }
        Err(failure) => {
            let fetched_at = Some(attempt.fetched_at);
            let order = Order {
                fetched_at,
                ..order.clone()
            };
            let outcome = FetchOutcome::NoAnswer(failure.reason.clone());
            (order, outcome, Some(failure.wait_min), None)
        }
    };
    if let Some(wait_min) = wait_min {
        let FetchAttempt {
            healthy,
            now,
            jitter,
            ..
        } = attempt;
        order = fail(&order, &outcome, wait_min, healthy, now, backoff, jitter);
    }
    fulfil_request(&mut order, &attempt);
    Applied {
        order,
        outcome,
        transition,
    }
}

/// Fulfils a requested fetch with an answer to a fetch that was sent after the request. A fetch that was sent before it
/// leaves the request as it was made: due at once, with all attempts.
fn fulfil_request(order: &mut Order, attempt: &FetchAttempt<'_>) {
    let Some(fetch_requested_at) = order.fetch_requested_at else {
        return;
    };
    if attempt.fetched_at < fetch_requested_at {
        order.attempts = 0;
        order.parked = None;
        let fetch_at = order
            .fetch_at
            .map_or(fetch_requested_at, |at| at.min(fetch_requested_at));
        order.fetch_at = Some(fetch_at);
    } else if attempt.result.is_ok() {
        order.fetch_requested_at = None;
    }
}
