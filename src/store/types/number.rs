//! Numbers of completed orders, and their fetches.

use number_order::{Backoff, Failure, Following, Link, OrderKey, Policy, Time};

/// A number that is due for a fetch.
#[derive(Clone, Debug)]
pub struct DueNumber {
    /// Id of the number's row.
    pub(in crate::store) id: i64,
    /// The number in E.164, with its plus.
    pub phone_number: String,
}

/// Result of looking for a number that is due.
#[derive(Clone, Debug)]
pub enum NextNumber {
    /// No number is due.
    None,
    /// A number is due, and the project's circuit or its rate allows no fetch before the given time.
    NotBefore(Time),
    /// The number that has been due for the longest time. Its fetch counts against the project's rate.
    One {
        /// The number, which the caller must fetch.
        number: DueNumber,
        /// `true` if orders of the project are due, too.
        orders_wait: bool,
    },
}

/// Result of fetching a number that was due.
#[derive(Clone, Debug)]
pub struct NumberFetchResult {
    /// The fetched number.
    pub number: DueNumber,
    /// Time at which the fetch was sent.
    pub sent_at: Time,
    /// Links that Sinch shows, `None` if the number is not active; or the reason why there was no usable answer.
    pub result: Result<Option<Vec<Link>>, Failure>,
    /// Time at which the result is recorded.
    pub now: Time,
    /// Random number from 0 to 1, which spreads retries.
    pub jitter: f64,
    /// Policy by which the answer is applied.
    pub policy: Policy,
    /// Spacing of failed attempts.
    pub backoff: Backoff,
}

/// Effect of recording the result of a number's fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberRecorded {
    /// The result is on disk.
    Done(Box<NumberChange>),
    /// The number is not followed any more: nothing was written.
    Gone,
    /// The number's row, or its order's, is at fault: nothing was written, and the log has the reason. The number is
    /// not fetched again in this run.
    RowAtFault,
}

/// Change that the result of a fetch has made to a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberChange {
    /// Key of the number's order.
    pub key: OrderKey,
    /// All that was known of the number before the result.
    pub before: Following,
    /// All that is known of the number with the result.
    pub after: Following,
}
