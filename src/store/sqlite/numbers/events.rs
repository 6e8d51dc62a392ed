//! Events about numbers: each is linked to the numbers that it names, and makes those due that are followed.

use sqlx::SqliteConnection;

use super::{number_text, write};
use crate::store::ProcessRequest;
use crate::store::changes::StoredNumber;
use crate::store::sqlite::pending::Pending;
use crate::store::sqlite::savepoint::{begin_savepoint, end_savepoint};
use crate::store::sqlite::unreadable::{self, JsonRow, Read, UnreadableRow};
use number_order::Time;

/// Fills in the number that a recorded delivery names, by which it is found with the number's orders. The fields are
/// JSON unless another program has spoilt them.
const NAME: &str = "
    UPDATE deliveries SET number = decision_fields ->> 'resource'
    WHERE id > ?1 AND id <= ?2 AND decision = 'other-resource'
        AND CASE WHEN json_valid(decision_fields) THEN decision_fields ->> 'resource' END GLOB '+[0-9]*'";

/// Followed numbers that the deliveries in a range of ids name, each with the latest receipt. The cross joins keep
/// SQLite from beginning with all numbers.
const NAMED: &str = concat!(
    "SELECT json_group_array(json_array(d.heard_at, ",
    number_text!(),
    ")) FROM (SELECT project, number, max(received_at) AS heard_at FROM deliveries \
     WHERE id > ?1 AND id <= ?2 AND number IS NOT NULL GROUP BY project, number) AS d \
     CROSS JOIN order_numbers AS n ON n.project = d.project AND n.phone_number = d.number \
     CROSS JOIN orders AS o ON o.id = n.order_id CROSS JOIN projects AS p ON p.id = n.project \
     WHERE n.followed_at IS NOT NULL"
);

/// Result of linking events to numbers.
#[derive(Default)]
pub(in crate::store::sqlite) struct Heard {
    /// Number of followed numbers that are due because of the events.
    pub due: usize,
    /// Rows of numbers that cannot be read or written.
    pub unreadable: Vec<UnreadableRow>,
}

/// Links the deliveries that are being processed to the numbers that they name, and makes those due that are followed.
/// A row that is at fault holds up nothing: its number is fetched by its schedule, as if the event had not come.
pub(in crate::store::sqlite) async fn hear(
    db: &mut SqliteConnection,
    pending: &Pending,
    request: &ProcessRequest,
) -> sqlx::Result<Heard> {
    let (after, through) = (pending.processed_through, pending.last);
    begin_savepoint(db).await?;
    let named = sqlx::query(NAME).bind(after).bind(through);
    let named = named.execute(&mut *db).await;
    if let Err(fault) = end_savepoint(db, named.map(drop)).await? {
        tracing::error!(fault, "events about numbers could not be linked to them");
        return Ok(Heard::default());
    }
    let found = sqlx::query(NAMED).bind(after).bind(through);
    let found = found.fetch_one(&mut *db).await?;
    let Read { rows, unreadable } = unreadable::many::<(i64, StoredNumber)>(&found, 0)?;
    let mut heard = Heard { due: 0, unreadable };
    let due = rows.into_iter().map(|(heard_at, mut number)| {
        let following = &mut number.following;
        following.hear(Time(heard_at), request.now, &request.policy);
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

/// Returns the fault of a row that the database refuses to have changed.
pub(super) fn unwritable(refusal: &str) -> String {
    format!("it cannot be written: {refusal}")
}

/// Returns the report of a number's row that is at fault.
pub(super) fn at_fault(number: &StoredNumber, reason: String) -> UnreadableRow {
    UnreadableRow {
        table: StoredNumber::TABLE,
        row: number.id,
        project: Some(number.key.project.to_string()),
        order: Some(number.key.order.to_string()),
        reason,
    }
}
