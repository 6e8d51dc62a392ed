//! Retention: which of the rows that a step has read it prunes.

use std::time::Duration;

use super::{Columns, time};
use number_order::Time;

/// Maximum number of rows that one transaction removes or empties, so that no callback waits long for it. An order with
/// more rows has a transaction of its own.
const ROWS_MAX: usize = 256;

/// Maximum number of bytes of bodies that one transaction removes or empties, so that no callback waits long for it. A
/// longer body has a transaction of its own.
const BYTES_MAX: i64 = 1 << 20;

/// Maximum number of closed orders that one transaction examines: few have less than three rows.
const ORDERS_MAX: usize = 64;

/// Returns the number of rows for which a step has room that has taken some.
pub(in crate::store) fn room(taken: usize) -> i64 {
    ROWS_MAX.saturating_sub(taken) as i64
}

/// Returns the number of closed orders that a step examines that has taken some rows.
pub(in crate::store) fn room_for_orders(taken: usize) -> i64 {
    room(taken).min(ORDERS_MAX as i64)
}

/// Returns the id of the last row that has been kept for its period, and counts the rows up to it. It is among the rows
/// that one step has room for: `id`, `since_at` and `bytes` of each, the oldest first.
pub(in crate::store) fn last_due(
    rows: &[impl Columns],
    span: Duration,
    now: Time,
    taken: &mut usize,
) -> sqlx::Result<Option<i64>> {
    let (mut last, mut total) = (None, 0);
    for row in rows {
        let bytes = row.int("bytes")?;
        let is_full = last.is_some() && total + bytes > BYTES_MAX;
        if is_full || is_young(row, "since_at", span, now)? {
            break;
        }
        total += bytes;
        last = Some(row.int("id")?);
        *taken += 1;
    }
    Ok(last)
}

/// Returns the ids of the orders that have been closed for their period, and counts their rows. They are among those
/// that one step has room for: `id`, `closed_at`, `size` (in rows) and `is_held_up` of each, the first closed first.
pub(in crate::store) fn closed_orders(
    rows: &[impl Columns],
    span: Duration,
    now: Time,
    taken: &mut usize,
) -> sqlx::Result<Vec<i64>> {
    let room = ROWS_MAX.saturating_sub(*taken);
    let (mut orders, mut total) = (Vec::new(), 0);
    for row in rows {
        // The order's deliveries are due, too, and held up. The order waits for them, since they refer to it.
        if row.flag("is_held_up")? {
            continue;
        }
        let size = row.int("size")? as usize;
        total += size;
        let is_full = !orders.is_empty() && total > room;
        if is_full || is_young(row, "closed_at", span, now)? {
            break;
        }
        orders.push(row.int("id")?);
        *taken += size;
    }
    Ok(orders)
}

/// Returns `true` if a row has not been kept for its period yet, which began at the time in the given column.
fn is_young(row: &impl Columns, since: &str, span: Duration, now: Time) -> sqlx::Result<bool> {
    Ok(time(row, since)?.is_some_and(|since| now.since(since) < span))
}
