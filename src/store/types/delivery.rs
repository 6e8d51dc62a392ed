//! Deliveries on their way into the inbox.

use number_order::{CallbackKey, Id, NotUnderstood, OtherEvent, Status, Time};

/// An authentic callback, as it goes into the inbox.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// Project to whose path the callback was sent.
    pub project: Id,
    /// Key of the create to whose own path the callback was sent; `None`: it was sent to the project's path.
    pub callback_key: Option<CallbackKey>,
    /// Sinch's `eventId`, where the callback has one.
    pub event_id: Option<String>,
    /// Content of the delivery, as far as the store needs it.
    pub subject: DeliveryContent,
    /// Time at which the callback was received.
    pub received_at: Time,
    /// Raw body of the callback.
    pub body: bytes::Bytes,
}

/// Content of a delivery, which decides what happens to it next.
#[derive(Clone, Debug)]
pub enum DeliveryContent {
    /// A number order: the delivery waits to be processed.
    Order {
        /// Id of the order, as the callback names it.
        order: Id,
        /// State that the callback claims for the order.
        status: Status,
        /// Time stamp of the callback, by Sinch's clock.
        said_at: Option<Time>,
    },
    /// Another resource than a number order: the delivery is recorded.
    Other(OtherEvent),
    /// A delivery that is not understood: it is parked, with the reason.
    NotUnderstood(NotUnderstood),
}

/// Result of accepting a delivery; in every case it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The delivery is of an event that was not in the inbox before.
    New,
    /// The same event was in the inbox already with the same body, and has been counted again.
    Duplicate,
    /// The same event was in the inbox with another body; both are kept.
    Conflict,
}
