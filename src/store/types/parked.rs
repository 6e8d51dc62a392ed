//! Parked deliveries and orders, and what is kept about an order: what operators do with them.

use serde::Serialize;
use utoipa::ToSchema;

use number_order::{CallbackKey, Id, Time};

/// A parked delivery, as far as its content is read again.
#[derive(Clone, Debug, PartialEq)]
pub struct ParkedDelivery {
    /// Project to whose path the callback was sent.
    pub project: Id,
    /// Key of the create to whose own path the callback was sent.
    pub callback_key: Option<CallbackKey>,
    /// Time at which the callback was received, on the clock of the database.
    pub received_at: Time,
    /// Raw body of the callback.
    pub body: Vec<u8>,
}

/// What is there under the id of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub enum ParkedFound {
    /// A parked delivery.
    Parked(ParkedDelivery),
    /// A delivery that is not parked.
    NotParked,
    /// Nothing.
    Unknown,
}

/// Result of a request to dismiss something that is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dismissed {
    /// An operator has seen to it: it needs no attention any more.
    Done,
    /// It is not parked.
    NotParked,
    /// It is not known.
    Unknown,
}

impl std::ops::AddAssign for Kept {
    fn add_assign(&mut self, other: Kept) {
        let Kept {
            deliveries,
            quarantined,
            fetches,
            transitions,
            alerts,
            numbers,
            events,
            notifications,
        } = other;
        self.deliveries += deliveries;
        self.quarantined += quarantined;
        self.fetches += fetches;
        self.transitions += transitions;
        self.alerts += alerts;
        self.numbers += numbers;
        self.events += events;
        self.notifications += notifications;
    }
}

/// Number of rows of each kind that are kept about an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Kept {
    /// Callbacks about the order, and about numbers that no other order has.
    pub deliveries: u64,
    /// Callbacks in the quarantine that claim to be about the order, or about numbers that no other order has.
    pub quarantined: u64,
    /// Results of fetches.
    pub fetches: u64,
    /// Changes of state.
    pub transitions: u64,
    /// Alerts.
    pub alerts: u64,
    /// Numbers of the order.
    pub numbers: u64,
    /// Events of which other systems are told.
    pub events: u64,
    /// Notifications of these events.
    pub notifications: u64,
}
