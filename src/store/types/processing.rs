//! Processing of pending deliveries.

use std::time::Duration;

use super::UnreadableRow;
use number_order::{DeliveryDecision, Id, OrderKey, Policy, Time};

/// Request to process the pending deliveries that have waited longest.
#[derive(Clone, Debug)]
pub struct ProcessRequest {
    /// Maximum number of deliveries to process at once.
    pub deliveries_max: u32,
    /// Time at which the deliveries are processed.
    pub now: Time,
    /// Policy by which the deliveries' events are applied.
    pub policy: Policy,
    /// Projects whose orders may not be fetched.
    pub api_off: Vec<Id>,
}

/// A delivery that has been processed.
#[derive(Clone, Debug)]
pub struct Processed {
    /// Id of the delivery's row.
    pub delivery: i64,
    /// Key by which duplicates of the delivery are recognised: the event's id where it has one.
    pub dedup_key: String,
    /// Key of the delivery's order.
    pub key: OrderKey,
    /// Decision on the delivery.
    pub decision: DeliveryDecision,
    /// `true` if the delivery is parked, and an operator must look at it.
    pub parked: bool,
    /// `true` if the delivery is parked because its order's row cannot be read or written.
    pub row_at_fault: bool,
    /// Time from the delivery's receipt to its processing.
    pub age: Duration,
}

/// Result of processing the pending deliveries.
#[derive(Clone, Debug, Default)]
pub struct ProcessReport {
    /// Number of pending deliveries that were taken, including those that need no processing.
    pub taken: usize,
    /// Time for which callbacks waited for it, as there is one writer; `None`: they did not have to.
    pub held: Option<Duration>,
    /// `true` if there were as many as were asked for, so that more are likely to wait.
    pub more_wait: bool,
    /// Number of deliveries that have arrived since the last report.
    pub arrived: u32,
    /// Deliveries that were processed.
    pub processed: Vec<Processed>,
    /// Number of followed numbers that events have made due.
    pub numbers_due: usize,
    /// Rows that could not be read: numbers, deliveries, which are parked, and orders, whose deliveries are parked.
    pub unreadable: Vec<UnreadableRow>,
}
