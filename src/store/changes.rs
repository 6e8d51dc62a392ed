//! Changes: all that one commit records about orders, as a value. [`super::apply`] makes it, a backend writes it.

use std::time::Duration;

use super::Processed;
use notifications::ServiceAlert;
use number_order::{
    AlertKind, FetchOutcome, Following, Id, Order, OrderDetails, OrderKey, Readiness, Status, Time,
    Transition,
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
    /// Time at which an operator last dismissed the order. Nothing that is written of an order changes it.
    pub dismissed_at: Option<Time>,
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
    /// Events that tell others of these changes, in the sequence in which they happened.
    pub events: Vec<NewEvent>,
}

impl Changes {
    /// Adds a change of an order's state, and the event that tells of it.
    pub(super) fn move_order(&mut self, transition: NewTransition) {
        self.events.push(transition.event());
        self.transitions.push(transition);
    }
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

/// An event of which others are told, before it has its number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NewEvent {
    pub recorded_at: Time,
    /// Row of the order that the event is about, if any.
    pub order_id: Option<i64>,
    pub subject: EventSubject,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum EventSubject {
    /// The state of the order changed.
    Moved(Transition),
    /// A number of the order is ready.
    NumberReady { phone_number: String },
    /// Sinch could not link a number of the order.
    NumberFailed {
        phone_number: String,
        readiness: Readiness,
    },
    /// The reservation of the order runs out.
    Expiring { kind: AlertKind, fired_at: Time },
    /// An alert about the order fires.
    AlertFired { kind: AlertKind, fired_at: Time },
    /// An alert about the order does not fire any more.
    AlertResolved { kind: AlertKind, fired_at: Time },
    /// An alert about the service fires.
    ServiceAlertFired {
        project: Option<Id>,
        alert: ServiceAlert,
        fired_at: Time,
    },
    /// An alert about the service does not fire any more.
    ServiceAlertResolved {
        project: Option<Id>,
        alert: ServiceAlert,
        fired_at: Time,
    },
}

impl NewTransition {
    /// Returns the event that tells of the change.
    pub(super) fn event(&self) -> NewEvent {
        NewEvent {
            recorded_at: self.recorded_at,
            order_id: Some(self.order_id),
            subject: EventSubject::Moved(self.transition.clone()),
        }
    }
}
