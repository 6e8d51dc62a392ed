//! Fetches as they are recorded, and orders to fetch.

use std::time::Duration;

use super::Claim;
use number_order::{Answer, Backoff, Failure, FetchOutcome, Id, ParkReason, Policy, Time};

/// Result of fetching a claimed order.
#[derive(Clone, Debug)]
pub struct FetchResult {
    /// Claim of the fetched order.
    pub claim: Claim,
    /// Time at which the fetch was sent.
    pub fetched_at: Time,
    /// Sinch's answer, or the reason why there was none.
    pub result: Result<Answer, Failure>,
    /// `true` if a failure is the order's own. A failure of the provider as a whole uses up none of the order's
    /// attempts.
    pub healthy: bool,
    /// Time at which the result is recorded.
    pub now: Time,
    /// Random number from 0 to 1, which spreads retries.
    pub jitter: f64,
    /// Policy by which the answer is applied.
    pub policy: Policy,
    /// Spacing of the attempts to fetch the order.
    pub backoff: Backoff,
}

/// Effect of recording the result of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The result of the fetch is on disk.
    Done {
        /// Outcome of the fetch: what the answer meant, or why there was none.
        outcome: FetchOutcome,
        /// `true` if an operator should learn of the outcome because it ought not to happen.
        anomaly: bool,
        /// Reason why the order is parked; `None` if it is not.
        parked: Option<ParkReason>,
        /// Time from Sinch's own change of the state, or from when the order was first heard of, to its confirmation by this
        /// fetch; `None` if the answer shows no change, or if the result was on disk already.
        converged: Option<Duration>,
    },
    /// The order's lease had run out and the order has another holder: nothing was written.
    Fenced,
    /// The order's row cannot be read or written. The order is parked, and Sinch's answer was not applied.
    RowAtFault {
        /// Fault of the order's row, in words.
        reason: String,
    },
}

/// Orders to make known, even if no callback ever named them. It has no `Clone`, so that a long list is not copied by
/// accident.
#[derive(Debug)]
pub struct WatchRequest {
    /// Project of the orders to make known.
    pub project: Id,
    /// Ids of the orders to make known.
    pub orders: Vec<Id>,
    /// Time from which the orders are known, and due for a fetch.
    pub now: Time,
}
