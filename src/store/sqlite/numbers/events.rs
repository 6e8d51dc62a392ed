//! Events about numbers: the delivery of each is marked with the number that it names, which becomes due if it is
//! followed.

use sqlx::SqliteConnection;

use super::{number_text, write};
use crate::store::ProcessRequest;
use crate::store::UnreadableRow;
use crate::store::changes::StoredNumber;
use crate::store::sql::numbers::{at_fault, unwritable};
use crate::store::sql::unreadable::{self, Read};
use crate::store::sqlite::pending::Pending;
use crate::store::sqlite::savepoint::{begin_savepoint, end_savepoint};
use number_order::Time;

/// Marks each recorded delivery with the number that it names, so that it is found among the events of the number's
/// orders. The fields are JSON unless another program has spoilt them.
const MARK_DELIVERIES: &str = "
    UPDATE deliveries SET number = decision_fields ->> 'resource'
    WHERE id > ?1 AND id <= ?2 AND decision = 'other-resource'
        AND CASE WHEN json_valid(decision_fields) THEN decision_fields ->> 'resource' END GLOB '+[0-9]*'";

/// Selects the followed numbers that the deliveries in a range of ids name, each with the time of its latest delivery.
/// The cross joins keep SQLite from beginning with all numbers.
const SELECT_NAMED: &str = concat!(
    "SELECT json_group_array(json_array(d.heard_at, ",
    number_text!(),
    ")) FROM (SELECT project, number, max(received_at) AS heard_at FROM deliveries \
     WHERE id > ?1 AND id <= ?2 AND number IS NOT NULL GROUP BY project, number) AS d \
     CROSS JOIN order_numbers AS n ON n.project = d.project AND n.phone_number = d.number \
     CROSS JOIN orders AS o ON o.id = n.order_id CROSS JOIN projects AS p ON p.id = n.project \
     WHERE n.followed_at IS NOT NULL"
);

/// Effect of events on the followed numbers that they name.
#[derive(Default)]
pub(in crate::store::sqlite) struct EventEffect {
    /// Number of followed numbers that are due because of the events.
    pub due: usize,
    /// Rows of numbers that cannot be read or written.
    pub unreadable: Vec<UnreadableRow>,
}

/// Marks the deliveries that are being processed with the numbers that they name, and makes those of them due that are
/// followed. A number whose row is at fault holds up nothing: it is fetched by its schedule, as if no event had come.
pub(in crate::store::sqlite) async fn note_events(
    db: &mut SqliteConnection,
    pending: &Pending,
    request: &ProcessRequest,
) -> sqlx::Result<EventEffect> {
    let (after, through) = (pending.processed_through, pending.last);
    begin_savepoint(db).await?;
    let named = sqlx::query(MARK_DELIVERIES).bind(after).bind(through);
    let named = named.execute(&mut *db).await;
    if let Err(fault) = end_savepoint(db, named.map(drop)).await? {
        tracing::error!(fault, "events about numbers could not be linked to them");
        return Ok(EventEffect::default());
    }
    let found = sqlx::query(SELECT_NAMED).bind(after).bind(through);
    let found = found.fetch_one(&mut *db).await?;
    let Read { rows, unreadable } = unreadable::many::<(i64, StoredNumber)>(&found, 0)?;
    let mut heard = EventEffect { due: 0, unreadable };
    let due = rows.into_iter().map(|(heard_at, mut number)| {
        let following = &mut number.following;
        following.note_event(Time(heard_at), request.now, &request.policy);
        number
    });
    let due: Vec<StoredNumber> = due.collect();
    if write(db, &due).await?.is_ok() {
        heard.due = due.len();
        return Ok(heard);
    }
    for number in due.chunks(1) {
        match write(db, number).await? {
            Ok(()) => heard.due += 1,
            Err(fault) => heard
                .unreadable
                .extend(number.first().map(|n| at_fault(n, unwritable(&fault)))),
        }
    }
    Ok(heard)
}
