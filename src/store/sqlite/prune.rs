//! Retention: what has been kept for its period is pruned, a few rows at a time.
//!
//! Ids grow with time, so progress is one id, and no step searches the past for what is due. A step stops at the first
//! row that is too young, so no row is removed too early, whatever the clock once said. Deliveries that are not
//! processed lie beyond `processed_through`, and are not touched. Orders do not close in the order of their ids: an
//! index has those that are closed, by the time at which they were. A clock that was behind then has an order removed
//! early, though not before its deliveries.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::{Row, SqliteConnection};

use super::batch::Statements;
use super::command::{WriteCommand, WriteContext};
use super::{Store, StoreError, placements};
use crate::store::sql::inbox::digest;
use crate::store::sql::json;
use crate::store::sql::retention::{closed_orders, last_due, room, room_for_orders};
use crate::store::{Pruned, RetentionPeriods};
use number_order::Time;

/// Selects processed deliveries that no earlier step has gone through, the oldest first.
macro_rules! beyond {
    ($mark:literal) => {
        concat!(
            "SELECT id, received_at AS since_at, iif(phase = 'parked', 0, length(body)) AS bytes FROM deliveries \
             WHERE id > (SELECT ",
            $mark,
            " FROM service) AND id <= (SELECT processed_through FROM service) ORDER BY id LIMIT ?"
        )
    };
}

pub(super) const TO_REMOVE: &str = beyond!("deliveries_pruned_through");

pub(super) const REMOVE: &str = "
    DELETE FROM deliveries
    WHERE id > (SELECT deliveries_pruned_through FROM service) AND id <= ? AND phase IN ('processed', 'recorded')";

const SET_DELIVERIES_PRUNED_THROUGH: &str = "UPDATE service SET deliveries_pruned_through = ?";

// The index is named, since without statistics SQLite would read through everything up to processed_through.
pub(super) const PARKED: &str = "
    SELECT id, received_at AS since_at, length(body) AS bytes FROM deliveries INDEXED BY deliveries_parked
    WHERE phase = 'parked' AND id <= (SELECT processed_through FROM service) ORDER BY id LIMIT ?";

pub(super) const REMOVE_PARKED: &str = "
    DELETE FROM deliveries INDEXED BY deliveries_parked WHERE phase = 'parked' AND id <= ?";

pub(super) const TO_EMPTY: &str = beyond!("bodies_emptied_through");

pub(super) const BODIES: &str = "
    SELECT id, body FROM deliveries
    WHERE id > (SELECT bodies_emptied_through FROM service) AND id <= ? AND phase IN ('processed', 'recorded')
    ORDER BY id";

pub(super) static EMPTY: LazyLock<Statements> = LazyLock::new(|| {
    let update =
        ") UPDATE deliveries SET body = x'', digest = v.digest FROM v WHERE deliveries.id = v.id";
    Statements::new("WITH v (id, digest) AS (VALUES ", "(?, ?)", update)
});

const SET_BODIES_EMPTIED_THROUGH: &str = "UPDATE service SET bodies_emptied_through = ?";

/// Rows of the quarantine, whose ids grow with the time of the first receipt.
const QUARANTINED: &str = "
    SELECT id, received_at AS since_at, bytes FROM quarantine ORDER BY id LIMIT ?";

const REMOVE_QUARANTINED: &str = "DELETE FROM quarantine WHERE id <= ?";

pub(super) const OLD_FETCHES: &str = "
    SELECT id, fetched_at AS since_at, 0 AS bytes FROM fetches
    WHERE id > (SELECT fetches_pruned_through FROM service) ORDER BY id LIMIT ?";

/// Removes the fetches due for removal that are older than the newest ten of their order, for each order that has due
/// fetches beyond `fetches_pruned_through`. Fetches that were among the newest ten when that id was passed are removed
/// too.
pub(super) const REMOVE_FETCHES: &str = "
    DELETE FROM fetches WHERE id IN (
        SELECT old.id
        FROM (SELECT DISTINCT order_id FROM fetches
            WHERE id > (SELECT fetches_pruned_through FROM service) AND id <= ?1) AS v
        CROSS JOIN fetches AS old ON old.order_id = v.order_id
        WHERE old.id <= ?1 AND old.id < (
            SELECT id FROM fetches WHERE order_id = v.order_id ORDER BY id DESC LIMIT 1 OFFSET 9))";

const SET_FETCHES_PRUNED_THROUGH: &str = "UPDATE service SET fetches_pruned_through = ?";

pub(super) const OLD_EVENTS: &str = "
    SELECT sequence AS id, recorded_at AS since_at, length(body) AS bytes FROM events
    WHERE sequence > (SELECT events_pruned_through FROM service) ORDER BY sequence LIMIT ?";

pub(super) const REMOVE_NOTIFICATIONS: &str = "
    DELETE FROM notifications
    WHERE event > (SELECT events_pruned_through FROM service) AND event <= ? AND phase = 'delivered'";

/// Removes the events due for removal of which no target is to be told any more, but for the newest of each order: it has
/// the number from which the order's events count on. Those that were the newest when the mark passed them go, too.
pub(super) const REMOVE_EVENTS: &str = "
    DELETE FROM events WHERE sequence IN (
        SELECT old.sequence
        FROM (SELECT DISTINCT order_id FROM events
            WHERE sequence > (SELECT events_pruned_through FROM service) AND sequence <= ?1
                AND order_id IS NOT NULL) AS v
        CROSS JOIN events AS old ON old.order_id = v.order_id
        WHERE old.sequence <= ?1
            AND old.order_sequence < (SELECT max(order_sequence) FROM events WHERE order_id = v.order_id)
        UNION ALL
        SELECT sequence FROM events
        WHERE sequence > (SELECT events_pruned_through FROM service) AND sequence <= ?1 AND order_id IS NULL)
    AND NOT EXISTS (SELECT 1 FROM notifications WHERE event = events.sequence)";

const SET_EVENTS_PRUNED_THROUGH: &str = "UPDATE service SET events_pruned_through = ?";

/// Removes some alerts about the service that were resolved before a time.
pub(super) const REMOVE_ALERTS: &str = "
    DELETE FROM service_alerts WHERE id IN (SELECT id FROM service_alerts INDEXED BY service_alerts_resolved
        WHERE resolved_at IS NOT NULL AND resolved_at <= ? LIMIT 64)";

/// Removes some actions that were recorded before a time.
pub(super) const REMOVE_ACTIONS: &str = "
    DELETE FROM actions WHERE id IN (SELECT id FROM actions INDEXED BY actions_acted WHERE acted_at <= ? LIMIT 64)";

/// Closed orders. One whose numbers are still to be fetched is not among them.
pub(super) const CLOSED: &str = "
    SELECT id, closed_at,
        EXISTS (SELECT 1 FROM deliveries WHERE order_id = orders.id) AS is_held_up,
        1 + (SELECT count(*) FROM fetches WHERE order_id = orders.id)
            + (SELECT count(*) FROM transitions WHERE order_id = orders.id)
            + (SELECT count(*) FROM alerts WHERE order_id = orders.id)
            + (SELECT count(*) FROM events WHERE order_id = orders.id) AS size
    FROM orders WHERE closed_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM order_numbers WHERE order_id = orders.id AND fetch_at IS NOT NULL)
    ORDER BY closed_at LIMIT ?";

pub(super) const REMOVE_ORDERS: [&str; 7] = [
    "DELETE FROM fetches WHERE order_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM transitions WHERE order_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM alerts WHERE order_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM notification_queues WHERE target IN (SELECT id FROM targets) \
     AND subject IN (SELECT value FROM json_each(?))",
    "DELETE FROM notifications WHERE event IN (SELECT e.sequence FROM json_each(?) AS v CROSS JOIN events AS e \
     ON e.order_id = v.value)",
    "DELETE FROM events WHERE order_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM orders WHERE id IN (SELECT value FROM json_each(?))",
];

/// Moves `fetches_pruned_through` back to the fetches that are left: SQLite gives out again the ids beyond all fetches
/// that are left, so it must not lie beyond them.
const FETCHES_LEFT: &str = "
    UPDATE service SET fetches_pruned_through = min(fetches_pruned_through, (SELECT coalesce(max(id), 0) FROM fetches))";

/// Prunes what has been kept for its period, the oldest first: deliveries, parked ones, and bodies, of which the
/// digests stay; fetches, and orders that are closed.
struct Prune {
    periods: RetentionPeriods,
    now: Time,
}

impl WriteCommand for Prune {
    type Reply = Pruned;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Pruned> {
        let (db, periods, now) = (&mut context.db, &self.periods, self.now);
        let mut pruned = Pruned::default();
        // Rows are removed before bodies are emptied: a row that is removed need not be emptied.
        if let Some(last) =
            last_due_row(db, TO_REMOVE, periods.deliveries, now, &mut pruned.taken).await?
        {
            pruned.deliveries = execute_through(db, REMOVE, last).await?;
            execute_through(db, SET_DELIVERIES_PRUNED_THROUGH, last).await?;
        }
        if let Some(last) = last_due_row(db, PARKED, periods.parked, now, &mut pruned.taken).await?
        {
            pruned.parked = execute_through(db, REMOVE_PARKED, last).await?;
        }
        if let Some(last) =
            last_due_row(db, QUARANTINED, periods.quarantine, now, &mut pruned.taken).await?
        {
            pruned.quarantined = execute_through(db, REMOVE_QUARANTINED, last).await?;
        }
        if let Some(last) =
            last_due_row(db, TO_EMPTY, periods.bodies, now, &mut pruned.taken).await?
        {
            pruned.bodies = empty_bodies(db, last).await?;
            execute_through(db, SET_BODIES_EMPTIED_THROUGH, last).await?;
        }
        if let Some(last) =
            last_due_row(db, OLD_FETCHES, periods.deliveries, now, &mut pruned.taken).await?
        {
            pruned.fetches = execute_through(db, REMOVE_FETCHES, last).await?;
            execute_through(db, SET_FETCHES_PRUNED_THROUGH, last).await?;
        }
        if let Some(last) =
            last_due_row(db, OLD_EVENTS, periods.events, now, &mut pruned.taken).await?
        {
            execute_through(db, REMOVE_NOTIFICATIONS, last).await?;
            pruned.events = execute_through(db, REMOVE_EVENTS, last).await?;
            execute_through(db, SET_EVENTS_PRUNED_THROUGH, last).await?;
        }
        pruned.alerts = execute_through(db, REMOVE_ALERTS, now.minus(periods.events).0).await?;
        pruned.taken += usize::try_from(pruned.alerts).unwrap_or(usize::MAX);
        pruned.actions = execute_through(db, REMOVE_ACTIONS, now.minus(periods.orders).0).await?;
        pruned.taken += usize::try_from(pruned.actions).unwrap_or(usize::MAX);
        let limit = room_for_orders(pruned.taken);
        let closed = sqlx::query(CLOSED).bind(limit).fetch_all(&mut *db).await?;
        let closed = closed_orders(&closed, periods.orders, now, &mut pruned.taken)?;
        if !closed.is_empty() {
            pruned.orders = remove(db, &closed).await?;
        }
        pruned.numbers = placements::forget_numbers(db, now.minus(periods.orders)).await?;
        pruned.taken += usize::try_from(pruned.numbers).unwrap_or(usize::MAX);
        Ok(pruned)
    }
}

impl Store {
    /// Prunes some of what has been kept for its period. If nothing is left to prune, some of the free space goes back
    /// to the disk.
    pub(in crate::store) async fn prune(
        &self,
        periods: RetentionPeriods,
        now: Time,
    ) -> Result<Pruned, StoreError> {
        let pruned = self.prune_rows(periods, now).await?;
        if pruned.taken > 0 {
            return Ok(pruned);
        }
        let released_bytes = self.vacuum().await?;
        Ok(Pruned {
            released_bytes,
            ..pruned
        })
    }

    pub(super) async fn prune_rows(
        &self,
        periods: RetentionPeriods,
        now: Time,
    ) -> Result<Pruned, StoreError> {
        self.write(Prune { periods, now }).await
    }
}

/// Returns the id of the last row that has been kept for its period, among the rows that one step has room for.
async fn last_due_row(
    db: &mut SqliteConnection,
    sql: &'static str,
    span: Duration,
    now: Time,
    taken: &mut usize,
) -> sqlx::Result<Option<i64>> {
    let found = sqlx::query(sql).bind(room(*taken)).fetch_all(db).await?;
    last_due(&found, span, now, taken)
}

async fn execute_through(
    db: &mut SqliteConnection,
    sql: &'static str,
    last: i64,
) -> sqlx::Result<u64> {
    let done = sqlx::query(sql).bind(last).execute(db).await?;
    Ok(done.rows_affected())
}

/// Empties the bodies of processed deliveries up to the given one.
async fn empty_bodies(db: &mut SqliteConnection, last: i64) -> sqlx::Result<u64> {
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

/// Removes orders with all that is recorded of them.
pub(super) async fn remove(db: &mut SqliteConnection, orders: &[i64]) -> sqlx::Result<u64> {
    let orders = json(&orders);
    let mut removed = 0;
    for sql in REMOVE_ORDERS {
        let done = sqlx::query(sql).bind(&orders).execute(&mut *db).await?;
        removed = done.rows_affected();
    }
    sqlx::query(FETCHES_LEFT).execute(db).await?;
    Ok(removed)
}
