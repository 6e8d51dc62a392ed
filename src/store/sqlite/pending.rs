//! Pending deliveries. The content of a stored delivery never changes, so it is read beside the writer.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use crate::store::UnreadableRow;
use crate::store::apply::Waiting;
use crate::store::sql::pending::{OrderRef, PendingDelivery, by_order};
use crate::store::sql::unreadable::{self, Read};

/// Selects pending deliveries. `+ 0`: with a bare parameter as the limit SQLite would prepare the statement again each
/// time, since it looks at the value to find its plan.
const PENDING: &str = "
    SELECT (SELECT processed_through FROM service), (SELECT coalesce(max(id), 0) FROM deliveries),
        max(callback_key IS NOT NULL), max(decision IS 'other-resource'),
        json_group_array(json_array(id, phase, project, order_sinch_id, dedup_key, status, said_at, received_at))
    FROM (SELECT * FROM deliveries WHERE id > (SELECT processed_through FROM service) ORDER BY id LIMIT ? + 0)";

/// The deliveries that have waited longest.
pub(super) struct Pending {
    /// Id up to which deliveries had been processed when the pending ones were read.
    pub processed_through: i64,
    /// Id of the last pending delivery that was read; `processed_through` if there was none.
    pub last: i64,
    /// Id of the newest delivery in the inbox when the pending ones were read.
    pub newest: i64,
    /// Number of pending deliveries that were read, including those that need no processing.
    pub taken: usize,
    /// `true` if any of the deliveries was sent to the own path of a create.
    pub any_to_create: bool,
    /// `true` if any of the deliveries is about another subject than an order, such as a number.
    pub any_of_other: bool,
    /// Deliveries that wait to be processed, by their orders.
    pub waiting: BTreeMap<OrderRef, Vec<Waiting>>,
    /// Deliveries that wait to be processed, and cannot be read.
    pub unreadable: Vec<UnreadableRow>,
}

/// Reads the deliveries that have waited longest, at most `deliveries_max`.
pub(super) async fn read(db: &mut SqliteConnection, deliveries_max: u32) -> sqlx::Result<Pending> {
    let row = sqlx::query(PENDING)
        .bind(deliveries_max)
        .fetch_one(db)
        .await?;
    let Read {
        rows: mut found,
        mut unreadable,
    } = unreadable::many::<PendingDelivery>(&row, 4)?;
    found.sort_unstable_by_key(|found| found.id);
    let processed_through = row.try_get(0)?;
    let last = found.last().map(|found| found.id);
    let last = last.max(unreadable.iter().map(|row| row.row).max());
    let taken = found.len() + unreadable.len();
    let waiting = by_order(found, &mut unreadable);
    Ok(Pending {
        processed_through,
        last: last.unwrap_or(processed_through),
        newest: row.try_get(1)?,
        taken,
        any_to_create: row.try_get::<Option<bool>, _>(2)?.unwrap_or(false),
        any_of_other: row.try_get::<Option<bool>, _>(3)?.unwrap_or(false),
        waiting,
        unreadable,
    })
}
