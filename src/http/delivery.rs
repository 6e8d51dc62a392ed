//! Deliveries: genuine callbacks as they go into the inbox.

use bytes::Bytes;

use crate::sinch::callback::{self, Content};
use crate::store::{DeliveryContent, NewDelivery};
use number_order::{CallbackKey, Id, Time};

/// A genuine callback, with what is to be said of it.
pub(super) struct ReadDelivery {
    /// The callback, as it goes into the inbox.
    pub delivery: NewDelivery,
    /// The beginning of a time stamp that is there and cannot be read.
    pub unreadable_timestamp: Option<String>,
}

/// Reads a genuine callback to a project's path. One that is not understood is a delivery as well.
pub(super) fn read(
    project: Id,
    callback_key: Option<CallbackKey>,
    received_at: Time,
    body: Bytes,
) -> ReadDelivery {
    let callback = callback::read(&body, &project);
    let (subject, unreadable_timestamp) = match callback.content {
        Content::Order {
            order,
            status,
            said_at,
            unreadable_timestamp,
        } => {
            let subject = DeliveryContent::Order {
                order,
                status,
                said_at,
            };
            (subject, unreadable_timestamp)
        }
        Content::Other(event) => (DeliveryContent::Other(event), None),
        Content::NotUnderstood(reason) => (DeliveryContent::NotUnderstood(reason), None),
    };
    ReadDelivery {
        delivery: NewDelivery {
            project,
            callback_key,
            event_id: callback.event_id,
            subject,
            received_at,
            body,
        },
        unreadable_timestamp,
    }
}
