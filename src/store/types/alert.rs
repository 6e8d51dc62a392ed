//! Alerts: orders that need an operator's attention before it is too late.

use serde::Serialize;

use crate::explain::explained;
use number_order::{AlertKind, OrderKey, Time};

/// An order with an alert that fires.
#[derive(Clone, Debug, Serialize)]
pub struct AlertRow {
    /// Sinch's project id.
    pub project: String,
    /// Sinch's order id.
    pub order: String,
    /// The confirmed state.
    pub state: Option<&'static str>,
    /// Kind of the alert.
    #[serde(serialize_with = "explained")]
    pub alert: AlertKind,
    /// Sinch's `expireTime` of the order.
    pub expires_at: Option<Time>,
    /// Seconds left until `expires_at`; `null` if it has passed, or if there is none.
    pub left_secs: Option<u64>,
    /// Time, by Sinch's clock, since which the order is in its state.
    pub since: Option<Time>,
    #[serde(skip)]
    pub(in crate::store) id: i64,
    #[serde(skip)]
    pub(in crate::store) key: OrderKey,
}

impl AlertRow {
    /// Key of the order.
    pub fn key(&self) -> &OrderKey {
        &self.key
    }
}

/// Alerts to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertFilter {
    /// Every alert that fires.
    All,
    /// Alerts that were not reported yet.
    New,
}
