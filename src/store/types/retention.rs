//! Periods of retention, and the steps of the worker that prunes.

use std::time::Duration;

/// Retention period of each kind of data in the store.
#[derive(Clone, Debug)]
pub struct RetentionPeriods {
    /// Period for raw bodies of deliveries that are processed or recorded, from their receipt on.
    pub bodies: Duration,
    /// Period for deliveries that are processed or recorded, during which a duplicate is recognised. Fetches are kept
    /// for as long, and always the newest ten of an order.
    pub deliveries: Duration,
    /// Period for deliveries that are parked, with their bodies.
    pub parked: Duration,
    /// Period for callbacks in the quarantine, since they were first received.
    pub quarantine: Duration,
    /// Period for events and the notifications of them that were delivered. The newest event of each order is always kept,
    /// and an event of which a target is still to be told. Alerts about the service are kept for as long, once they are
    /// resolved.
    pub events: Duration,
    /// Period for orders that are closed, with their fetches, transitions and alerts, since the last event or fetch. It
    /// is not less than the period of any delivery: no order is pruned before its deliveries.
    pub orders: Duration,
}

/// Result of one step of pruning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Number of rows that the step handled; zero if nothing is left to prune for now.
    pub taken: usize,
    /// Number of bodies that were emptied.
    pub bodies: u64,
    /// Number of processed or recorded deliveries that were removed.
    pub deliveries: u64,
    /// Number of parked deliveries that were removed.
    pub parked: u64,
    /// Number of callbacks that were removed from the quarantine.
    pub quarantined: u64,
    /// Number of fetches that were removed while their orders stay.
    pub fetches: u64,
    /// Number of events that were removed while their orders stay.
    pub events: u64,
    /// Number of resolved alerts about the service that were removed.
    pub alerts: u64,
    /// Number of recorded actions that were removed.
    pub actions: u64,
    /// Number of closed orders that were removed.
    pub orders: u64,
    /// Number of placements whose ordered number was forgotten, since none of their orders is kept any more.
    pub numbers: u64,
    /// Number of bytes that were returned to the disk. Only a step that finds nothing to prune returns any.
    pub released_bytes: u64,
}
