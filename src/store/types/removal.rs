//! Removal of orders and projects.

use serde::Serialize;

/// Result of a request to forget an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgot {
    /// The order was removed, with its fetches, transitions and alerts.
    Gone,
    /// The order is not known.
    Unknown,
    /// The order stays: Sinch has shown it.
    Shown,
    /// The order stays: a callback has named it.
    Named,
}

/// Number of a project's orders and deliveries, or of those that a step has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// Number of orders.
    pub orders: u64,
    /// Number of deliveries of every kind.
    pub deliveries: u64,
}
