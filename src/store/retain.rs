//! Retention: what has been kept for long enough is given up, a few rows at a time.
//!
//! Ids grow with time, so how far it has come is one id, and nobody searches the past for what is due. It
//! stops at the first row that is too young, so nothing goes too early, whatever the clock once said.
//! Deliveries that nobody has looked at lie beyond, and are not touched. Orders do not close in the order of
//! their ids: an index has those that are closed, by when they were. A clock that was behind then makes one of
//! them go early, though not before its deliveries.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::batch::Statements;
use super::inbox::digest;
use super::rows::json;
use crate::order::Time;

/// The most rows gone over in one transaction, so that no callback waits long for it; an order with more of
/// them goes alone.
const ROWS_MAX: usize = 256;

/// The most bytes of bodies of a kind in one transaction, for the same reason; a longer body goes alone.
const BYTES_MAX: i64 = 1 << 20;

/// How many closed orders are looked at in one transaction: few have less than three rows.
const ORDERS_MAX: usize = 64;

/// For how long what is kept.
#[derive(Clone, Debug)]
pub struct Spans {
    /// Raw bodies of deliveries that are settled or recorded, from their receipt on.
    pub bodies: Duration,
    /// These deliveries themselves, and with them that a repeat is known as one. So long answers of Sinch are
    /// kept, too, and always the newest ten of an order.
    pub deliveries: Duration,
    /// Deliveries that are parked, with their bodies.
    pub parked: Duration,
    /// Orders that are closed, with their answers and transitions, since nothing was heard or asked of them.
    /// Not less than any delivery is kept for: none is given up before its deliveries are.
    pub orders: Duration,
}

/// What a step of retention did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// How many rows were gone over; zero: nothing is left to do for now.
    pub taken: usize,
    /// How many bodies were emptied.
    pub bodies: u64,
    /// How many deliveries that were settled or recorded were removed.
    pub deliveries: u64,
    /// How many that were parked.
    pub parked: u64,
    /// How many answers were removed whose orders stay.
    pub answers: u64,
    /// How many closed orders were removed.
    pub orders: u64,
}

/// The deliveries beyond a mark that were looked at, the oldest first.
macro_rules! beyond {
    ($mark:literal) => {
        concat!(
            "SELECT id, received_at AS since_at, iif(phase = 'parked', 0, length(body)) AS bytes FROM deliveries \
             WHERE id > (SELECT ",
            $mark,
            " FROM service) AND id <= (SELECT looked_to FROM service) ORDER BY id LIMIT ?"
        )
    };
}

pub(super) const TO_REMOVE: &str = beyond!("deliveries_to");

pub(super) const REMOVE: &str = "
    DELETE FROM deliveries
    WHERE id > (SELECT deliveries_to FROM service) AND id <= ? AND phase IN ('settled', 'recorded')";

const DELIVERIES_TO: &str = "UPDATE service SET deliveries_to = ?";

// The index is named, since without statistics SQLite would read through everything up to looked_to.
pub(super) const PARKED: &str = "
    SELECT id, received_at AS since_at, length(body) AS bytes FROM deliveries INDEXED BY deliveries_parked
    WHERE phase = 'parked' AND id <= (SELECT looked_to FROM service) ORDER BY id LIMIT ?";

pub(super) const REMOVE_PARKED: &str = "
    DELETE FROM deliveries INDEXED BY deliveries_parked WHERE phase = 'parked' AND id <= ?";

pub(super) const TO_EMPTY: &str = beyond!("bodies_to");

pub(super) const BODIES: &str = "
    SELECT id, body FROM deliveries
    WHERE id > (SELECT bodies_to FROM service) AND id <= ? AND phase IN ('settled', 'recorded')
    ORDER BY id";

pub(super) static EMPTY: LazyLock<Statements> = LazyLock::new(|| {
    let update =
        ") UPDATE deliveries SET body = x'', digest = v.digest FROM v WHERE deliveries.id = v.id";
    Statements::new("WITH v (id, digest) AS (VALUES ", "(?, ?)", update)
});

const BODIES_TO: &str = "UPDATE service SET bodies_to = ?";

pub(super) const OLD_ANSWERS: &str = "
    SELECT id, asked_at AS since_at, 0 AS bytes FROM answers
    WHERE id > (SELECT answers_to FROM service) ORDER BY id LIMIT ?";

/// Of each order that has some of these answers, all that are older than its newest ten: those, too, that
/// were among the newest when the mark passed them.
pub(super) const REMOVE_ANSWERS: &str = "
    DELETE FROM answers WHERE id IN (
        SELECT old.id
        FROM (SELECT DISTINCT order_id FROM answers
            WHERE id > (SELECT answers_to FROM service) AND id <= ?1) AS v
        CROSS JOIN answers AS old ON old.order_id = v.order_id
        WHERE old.id <= ?1 AND old.id < (
            SELECT id FROM answers WHERE order_id = v.order_id ORDER BY id DESC LIMIT 1 OFFSET 9))";

const ANSWERS_TO: &str = "UPDATE service SET answers_to = ?";

pub(super) const CLOSED: &str = "
    SELECT id, closed_at,
        EXISTS (SELECT 1 FROM deliveries WHERE order_id = orders.id) AS is_held_up,
        1 + (SELECT count(*) FROM answers WHERE order_id = orders.id)
            + (SELECT count(*) FROM transitions WHERE order_id = orders.id) AS size
    FROM orders WHERE closed_at IS NOT NULL ORDER BY closed_at LIMIT ?";

pub(super) const REMOVE_ORDERS: [&str; 3] = [
    "DELETE FROM answers WHERE order_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM transitions WHERE order_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM orders WHERE id IN (SELECT value FROM json_each(?))",
];

/// Ids of answers beyond all that are left are given out again.
const ANSWERS_LEFT: &str = "
    UPDATE service SET answers_to = min(answers_to, (SELECT coalesce(max(id), 0) FROM answers))";

/// Gives up what has been kept for long enough, the oldest first: deliveries, parked ones, and bodies, of
/// which the digests stay; answers, and orders that are closed.
pub(super) async fn clear(
    db: &mut SqliteConnection,
    (spans, now): &(Spans, Time),
) -> sqlx::Result<Cleared> {
    let mut cleared = Cleared::default();
    // Rows before bodies: nobody need empty what is removed.
    if let Some(last) = due(db, TO_REMOVE, spans.deliveries, *now, &mut cleared.taken).await? {
        cleared.deliveries = execute(db, REMOVE, last).await?;
        execute(db, DELIVERIES_TO, last).await?;
    }
    if let Some(last) = due(db, PARKED, spans.parked, *now, &mut cleared.taken).await? {
        cleared.parked = execute(db, REMOVE_PARKED, last).await?;
    }
    if let Some(last) = due(db, TO_EMPTY, spans.bodies, *now, &mut cleared.taken).await? {
        cleared.bodies = empty(db, last).await?;
        execute(db, BODIES_TO, last).await?;
    }
    if let Some(last) = due(db, OLD_ANSWERS, spans.deliveries, *now, &mut cleared.taken).await? {
        cleared.answers = execute(db, REMOVE_ANSWERS, last).await?;
        execute(db, ANSWERS_TO, last).await?;
    }
    let closed = closed(db, spans.orders, *now, &mut cleared.taken).await?;
    if !closed.is_empty() {
        cleared.orders = remove(db, &closed).await?;
    }
    Ok(cleared)
}

/// The last of the rows that have been kept for long enough, of as many as there is room for.
async fn due(
    db: &mut SqliteConnection,
    sql: &'static str,
    span: Duration,
    now: Time,
    taken: &mut usize,
) -> sqlx::Result<Option<i64>> {
    let room = ROWS_MAX - *taken;
    let found: Vec<SqliteRow> = sqlx::query(sql).bind(room as i64).fetch_all(db).await?;
    let (mut last, mut total) = (None, 0);
    for row in &found {
        let since_at = Time(row.try_get("since_at")?);
        let bytes: i64 = row.try_get("bytes")?;
        let is_young = now.since(since_at) < span;
        if is_young || (last.is_some() && total + bytes > BYTES_MAX) {
            break;
        }
        total += bytes;
        last = Some(row.try_get("id")?);
        *taken += 1;
    }
    Ok(last)
}

async fn execute(db: &mut SqliteConnection, sql: &'static str, last: i64) -> sqlx::Result<u64> {
    let done = sqlx::query(sql).bind(last).execute(db).await?;
    Ok(done.rows_affected())
}

/// Empties bodies up to this delivery.
async fn empty(db: &mut SqliteConnection, last: i64) -> sqlx::Result<u64> {
    let bodies = sqlx::query(BODIES).bind(last).fetch_all(&mut *db).await?;
    let digests = bodies
        .iter()
        .map(|row| Ok((row.try_get("id")?, digest(row.try_get("body")?))))
        .collect::<sqlx::Result<Vec<(i64, [u8; 16])>>>()?;
    for (sql, digests) in EMPTY.over(&digests) {
        let mut query = sqlx::query(sql);
        for (id, digest) in digests {
            query = query.bind(id).bind(digest.as_slice());
        }
        query.execute(&mut *db).await?;
    }
    Ok(digests.len() as u64)
}

/// The orders that have been closed for long enough, of as many as there is room for.
async fn closed(
    db: &mut SqliteConnection,
    span: Duration,
    now: Time,
    taken: &mut usize,
) -> sqlx::Result<Vec<i64>> {
    let room = ROWS_MAX - *taken;
    let limit = room.min(ORDERS_MAX) as i64;
    let found: Vec<SqliteRow> = sqlx::query(CLOSED).bind(limit).fetch_all(db).await?;
    let (mut orders, mut total) = (Vec::new(), 0);
    for row in &found {
        let closed_at = Time(row.try_get("closed_at")?);
        let size: i64 = row.try_get("size")?;
        let is_young = now.since(closed_at) < span;
        // Its deliveries are due, too, and held up. It waits for them, since they refer to it.
        let is_held_up: bool = row.try_get("is_held_up")?;
        if is_held_up {
            continue;
        }
        total += size as usize;
        if is_young || (!orders.is_empty() && total > room) {
            break;
        }
        orders.push(row.try_get("id")?);
        *taken += size as usize;
    }
    Ok(orders)
}

/// Removes orders with all that is recorded of them.
pub(super) async fn remove(db: &mut SqliteConnection, orders: &[i64]) -> sqlx::Result<u64> {
    let orders = json(&orders);
    let mut removed = 0;
    for sql in REMOVE_ORDERS {
        let done = sqlx::query(sql).bind(&orders).execute(&mut *db).await?;
        removed = done.rows_affected();
    }
    sqlx::query(ANSWERS_LEFT).execute(db).await?;
    Ok(removed)
}
