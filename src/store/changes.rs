//! Changes: all that one commit records about orders, as a value. [`super::apply`] makes it, a backend writes it.

use std::time::Duration;

use super::Processed;
use number_order::{
    FetchOutcome, Following, Order, OrderDetails, OrderKey, Status, Time, Transition,
};

/// An order as the store keeps it, with its row and its lease.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StoredOrder {
    pub id: i64,
    pub key: OrderKey,
    /// Id of the order's lease, and the time until which it lasts.
    pub lease: Option<(i64, Time)>,
    /// Time of receipt of the order's newest delivery that was processed.
    pub heard_at: Option<Time>,
    pub order: Order,
}

/// A number that is followed, with its place in the store.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StoredNumber {
    pub id: i64,
    /// Row of the number's order, and the order's key.
    pub order_id: i64,
    pub key: OrderKey,
    pub phone_number: String,
    pub following: Following,
}

/// All that one commit records about orders.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Orders as events have left them; events change a part of an order only.
    pub processed: Vec<StoredOrder>,
    /// Orders as fetches have left them.
    pub fetched: Vec<StoredOrder>,
    /// Time of the decisions on deliveries; `None`: there are none.
    pub decided_at: Option<Time>,
    /// Decisions on deliveries, each with its order's row.
    pub decisions: Vec<Decided>,
    /// Fetches to be recorded, with their outcomes.
    pub fetches: Vec<NewFetch>,
    /// Subjects of orders, as answers show them.
    pub details: Vec<NewDetails>,
    /// Changes of orders' states.
    pub transitions: Vec<NewTransition>,
    /// Orders of which an answer shows COMPLETED, with the time: their numbers are followed from then on.
    pub completed: Vec<(i64, Time)>,
}

/// A decision on a delivery, as it is recorded.
#[derive(Debug)]
pub(super) struct Decided {
    pub order_id: i64,
    pub processed: Processed,
}

/// A fetch, as it is recorded.
#[derive(Debug, PartialEq)]
pub(super) struct NewFetch {
    pub order_id: i64,
    pub fetched_at: Time,
    /// State of the order in the answer, as Sinch said it.
    pub state: Option<Status>,
    /// Sinch's `updateTime` of the order in the answer.
    pub updated_at: Option<Time>,
    pub outcome: FetchOutcome,
    /// Beginning of the order's `expireTime`, if it could not be read.
    pub unreadable_expiry: Option<String>,
}

/// Subject of an order, as an answer shows it.
#[derive(Debug, PartialEq)]
pub(super) struct NewDetails {
    pub order_id: i64,
    pub details: OrderDetails,
}

/// A change of an order's state, as it is recorded.
#[derive(Debug, PartialEq)]
pub(super) struct NewTransition {
    pub order_id: i64,
    pub recorded_at: Time,
    pub transition: Transition,
    /// `true` if an event had announced the change; `None` unless Sinch has said when the state changed.
    pub announced: Option<bool>,
    /// Time from the change, as far as this program could have known of it, to its confirmation; `None` unless Sinch
    /// has said when the state changed.
    pub latency: Option<Duration>,
}
