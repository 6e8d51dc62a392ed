//! Removal of orders and projects.

use serde::Serialize;
use utoipa::ToSchema;

/// Result of a request to remove an order that was named by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwatched {
    /// The order was removed, with its fetches, transitions and alerts.
    Gone,
    /// The order is not known, so there was nothing to remove.
    Unknown,
    /// The order stays: Sinch has shown it.
    Shown,
    /// The order stays: a callback has named it.
    Named,
}

/// Number of a project's orders, deliveries, quarantined callbacks and placements, or of those that a step has removed. What
/// there is of a kind is counted up to 10,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Holdings {
    /// Number of the project's orders.
    pub orders: u64,
    /// Number of the project's deliveries of every kind.
    pub deliveries: u64,
    /// Number of callbacks of the project in the quarantine.
    pub quarantined: u64,
    /// Number of placements: of references that the journal knows.
    pub placements: u64,
}

impl Holdings {
    /// Number up to which the rows of a kind are counted: to count on takes too long.
    pub const COUNT_MAX: u64 = 10_000;
}
