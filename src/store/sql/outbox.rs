//! The outbox: what the database has of the orders of new events, and the rows of their notifications as JSON.

use serde::{Deserialize, Serialize};

use crate::store::outbox::{Known, KnownOrder, NotificationRow};
use number_order::{Id, OrderKey, State, Time};

/// Number of the newest event, and the orders of new events.
#[derive(Deserialize)]
struct KnownText(i64, Vec<KnownOrderText>);

/// Columns of an order of new events, in the order of [`known_columns`].
#[derive(Deserialize)]
struct KnownOrderText {
    id: i64,
    project: Id,
    sinch_id: Id,
    state: String,
    provisional_state: Option<String>,
    expires_at: Option<i64>,
    last_sequence: Option<i64>,
    details: Option<String>,
}

/// Columns of an order of new events, from `orders AS o JOIN projects AS p` and, where there is one, `order_details AS d`.
macro_rules! known_columns {
    () => {
        "o.id, p.sinch_id, o.sinch_id, o.state, o.provisional_state, o.expires_at, \
         (SELECT max(e.order_sequence) FROM events AS e WHERE e.order_id = o.id), d.details"
    };
}
pub(in crate::store) use known_columns;

/// Reads what the database has before new events are added. An order that another program has spoilt is an error; its
/// subject, which decides nothing, is left out.
pub(in crate::store) fn known(text: &[u8]) -> sqlx::Result<Known> {
    let text = String::from_utf8_lossy(text);
    let KnownText(last_sequence, orders) =
        serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let orders = orders.into_iter().map(|row| {
        let details = row
            .details
            .and_then(|details| serde_json::from_str(&details).ok());
        let order = KnownOrder {
            key: OrderKey {
                project: row.project,
                order: row.sinch_id,
            },
            last_sequence: row.last_sequence.unwrap_or(0),
            state: State::from_word(&row.state),
            confirmed: row.provisional_state.is_none(),
            expires_at: row.expires_at.map(Time),
            details,
        };
        (row.id, order)
    });
    Ok(Known {
        last_sequence,
        orders: orders.collect(),
    })
}

/// Draws the id of an event: random, so that a database that is restored gives none a second time.
pub(in crate::store) fn draw_event_id() -> String {
    format!("evt_{:032x}", fastrand::u128(..))
}

/// A notification as a statement reads it from JSON.
#[derive(Serialize)]
pub(in crate::store) struct NotificationText {
    target: i64,
    event: i64,
    subject: i64,
    due_at: i64,
}

/// Returns the rows of notifications as JSON has them, in the order of their queues and events: so replicas lock queues in
/// one order.
pub(in crate::store) fn notification_texts(rows: &[NotificationRow]) -> Vec<NotificationText> {
    let mut texts: Vec<NotificationText> = rows
        .iter()
        .map(|row| NotificationText {
            target: row.target,
            event: row.event,
            subject: row.subject,
            due_at: row.due_at,
        })
        .collect();
    texts.sort_unstable_by_key(|row| (row.target, row.subject, row.event));
    texts
}
