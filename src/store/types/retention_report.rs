//! What retention keeps of each kind of row, how much of it is due to be pruned, and why the oldest stays.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{VariantArray, VariantNames};
use utoipa::ToSchema;

use super::RetentionPeriods;
use crate::explain::Coded;
use number_order::Time;

/// Kind of what retention prunes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema, VariantArray)]
#[serde(rename_all = "kebab-case")]
pub enum RetentionKind {
    /// Raw bodies of deliveries that are processed or recorded; the deliveries stay.
    Bodies,
    /// Deliveries that are processed or recorded.
    Deliveries,
    /// Deliveries that are parked.
    Parked,
    /// Callbacks in the quarantine.
    Quarantine,
    /// Fetches of orders that stay.
    Fetches,
    /// Orders.
    Orders,
    /// Events of orders that stay, and events about the service.
    Events,
    /// Alerts about the service.
    Alerts,
    /// Actions of operators.
    Actions,
}

impl RetentionKind {
    /// Returns the key in the configuration's section `[retention]` that has the kind's period.
    pub fn key(self) -> &'static str {
        match self {
            RetentionKind::Bodies => "bodies_days",
            RetentionKind::Deliveries | RetentionKind::Fetches => "deliveries_days",
            RetentionKind::Parked => "parked_days",
            RetentionKind::Quarantine => "quarantine_days",
            RetentionKind::Events | RetentionKind::Alerts => "events_days",
            RetentionKind::Orders | RetentionKind::Actions => "orders_days",
        }
    }

    /// Returns the kind's period.
    pub fn period(self, periods: &RetentionPeriods) -> Duration {
        match self {
            RetentionKind::Bodies => periods.bodies,
            RetentionKind::Deliveries | RetentionKind::Fetches => periods.deliveries,
            RetentionKind::Parked => periods.parked,
            RetentionKind::Quarantine => periods.quarantine,
            RetentionKind::Events | RetentionKind::Alerts => periods.events,
            RetentionKind::Orders | RetentionKind::Actions => periods.orders,
        }
    }
}

/// What retention keeps of one kind, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindReport {
    /// Kind of the rows.
    pub kind: RetentionKind,
    /// Rows that are kept.
    pub rows: RowCount,
    /// Rows that the retention worker removes or empties now, since their period is over.
    pub due: RowCount,
    /// Time from which the period of the row that came first counts; `None`: there is no row. Of an order that is not closed
    /// it is the time at which it was first seen, of an alert that is open the time at which it began.
    pub oldest_at: Option<Time>,
    /// Why that row stays although its period is over; `None`: its period is not over, or the row is due.
    pub stays: Option<StayReason>,
}

/// Number of rows, and how precise it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RowCount {
    /// Number of rows.
    pub count: u64,
    /// How precise the number is.
    pub precision: Precision,
}

/// Precision of a number of rows. A few thousand are counted; of more the number is estimated, so that no answer takes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// All rows were counted.
    Exact,
    /// The number is an estimate from a sample of the rows.
    About,
    /// That many were counted, and there are more.
    AtLeast,
}

/// Why a row stays although its period is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum StayReason {
    /// The delivery is parked.
    Parked,
    /// The delivery, or one before it, waits to be processed.
    NotProcessed,
    /// The fetch is among the ten newest of its order.
    NewestTen,
    /// The event is the newest of its order.
    NewestEvent,
    /// A target is still to be told of the event.
    NotificationWaiting,
    /// The attempts to tell a target of the event are used up.
    NotificationParked,
    /// The row had to stay when its time came; it goes with a later one of its order.
    PassedOver,
    /// The order is not closed.
    NotClosed,
    /// A number of the order is followed.
    NumberFollowed,
    /// A delivery about the order is kept.
    DeliveryKept,
    /// The alert is open.
    NotResolved,
}

impl fmt::Display for StayReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StayReason::Parked => "it is parked, and stays for retention.parked_days",
            StayReason::NotProcessed => "it, or one before it, is not processed yet",
            StayReason::NewestTen => "it is among the ten newest of its order",
            StayReason::NewestEvent => "it is the newest of its order",
            StayReason::NotificationWaiting => "a target is still to be told of it",
            StayReason::NotificationParked => {
                "a target could not be told of it: see events notifications --phase parked"
            }
            StayReason::PassedOver => {
                "it had to stay when its time came, and goes with a later one of its order, or with the order"
            }
            StayReason::NotClosed => "it is not closed",
            StayReason::NumberFollowed => "a number of it is followed until it is ready",
            StayReason::DeliveryKept => "a delivery about it is kept",
            StayReason::NotResolved => "it is not resolved",
        })
    }
}

impl Coded for StayReason {
    const NAME: &'static str = "StayReason";

    fn codes() -> Vec<&'static str> {
        StayReason::VARIANTS.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_every_reason_and_no_other() {
        let document = include_str!("../../../docs/codes.md");
        let section = document.split("## Why old rows stay\n").nth(1);
        let section = section.unwrap_or_default().split("\n## ").next();
        let rows = section.unwrap_or_default().lines();
        let rows = rows.filter_map(|line| line.strip_prefix("| `"));
        let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(listed, StayReason::VARIANTS);
    }
}
