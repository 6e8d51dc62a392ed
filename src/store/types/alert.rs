//! Alerts: orders that need an operator's attention before it is too late.

use serde::Serialize;
use utoipa::ToSchema;

use crate::explain::explained;
use number_order::{AlertKind, OrderKey, State, Time};

/// An order with an alert that fires.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertRow {
    /// Sinch's id of the order's project.
    pub project: String,
    /// Sinch's id of the order.
    pub order: String,
    /// Confirmed state of the order.
    #[schema(value_type = Option<State>)]
    pub state: Option<&'static str>,
    /// Kind of the alert, with its threshold.
    #[serde(serialize_with = "explained")]
    #[schema(schema_with = crate::explain::coded::<AlertKind>)]
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
    /// Returns the key of the order that has the alert.
    pub fn key(&self) -> &OrderKey {
        &self.key
    }
}

/// Changes of orders' alerts since they were last recorded.
#[derive(Clone, Debug, Default)]
pub struct AlertChanges {
    /// Orders, each with the alert that has begun to fire.
    pub fired: Vec<AlertRow>,
    /// Alerts that no longer fire.
    pub resolved: Vec<ResolvedAlert>,
}

impl AlertChanges {
    /// Returns `true` if no alert has changed.
    pub fn is_empty(&self) -> bool {
        self.fired.is_empty() && self.resolved.is_empty()
    }
}

/// An alert that no longer fires.
#[derive(Clone, Debug)]
pub struct ResolvedAlert {
    /// Key of the alert's order.
    pub key: OrderKey,
    /// Kind of the alert, with its threshold.
    pub alert: AlertKind,
    /// Id of the alert's row.
    pub(in crate::store) id: i64,
}

/// An alert of an order, as it is recorded.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordedAlert {
    /// Kind of the alert, with its threshold.
    #[serde(serialize_with = "explained")]
    #[schema(schema_with = crate::explain::coded::<AlertKind>)]
    pub alert: AlertKind,
    /// Time at which the alert began to fire, as the alert worker saw it.
    pub fired_at: Time,
    /// Time at which the alert ceased to fire; `null`: it is open.
    pub resolved_at: Option<Time>,
}
