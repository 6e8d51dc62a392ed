//! Retention: what has been kept for its period is pruned, a few rows at a time, by one replica at a time.
//!
//! Ids are drawn in the order of time, though they become visible in another: a row that is as old as the shortest
//! period was committed long ago, and so was every row with a smaller id. So progress is one id, and no step searches
//! the past for what is due. A step stops at the first row that is too young, so no row is removed too early, whatever a
//! clock once said, and before the first delivery that waits. Orders do not close in the order of their ids: an index
//! has those that are closed, by the time at which they were.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::Store;
use super::error::Fault;
use super::lane::bounded;
use super::unwatch::remove_orders;
use crate::store::sql::retention::{closed_orders, last_due, room, room_for_orders};
use crate::store::{Pruned, RetentionPeriods, StoreError};
use number_order::Time;

/// Reads the progress of retention, and keeps other replicas from pruning until the transaction ends. Deliveries from the
/// first that waits on are not touched.
const PROGRESS: &str = "
    SELECT bodies_emptied_through, deliveries_pruned_through, fetches_pruned_through, events_pruned_through,
        (SELECT min(id) FROM pending) AS first_waiting
    FROM service WHERE id = 1 FOR UPDATE SKIP LOCKED";

/// Selects processed deliveries that no earlier step has gone through, the oldest first.
const BEYOND: &str = "
    SELECT d.id, d.received_at AS since_at,
        CASE WHEN d.kind = 'not-understood' OR c.parked THEN 0 ELSE coalesce(length(d.body), 0) END::bigint AS bytes
    FROM (SELECT id, received_at, kind, body FROM deliveries WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3) AS d
        LEFT JOIN decisions AS c ON c.delivery_id = d.id
    ORDER BY d.id";

/// Those of the deliveries up to an id that are not parked.
macro_rules! not_parked {
    () => {
        "d.id > $1 AND d.id <= $2 AND d.kind <> 'not-understood' \
         AND NOT EXISTS (SELECT 1 FROM decisions AS c WHERE c.delivery_id = d.id AND c.parked)"
    };
}

/// Removes deliveries with what is recorded of them.
macro_rules! remove_deliveries {
    ($which:expr) => {
        concat!(
            "WITH gone AS (DELETE FROM deliveries AS d WHERE ",
            $which,
            " RETURNING d.id), \
             decided AS (DELETE FROM decisions USING gone WHERE delivery_id = gone.id), \
             repeated AS (DELETE FROM duplicates USING gone WHERE delivery_id = gone.id), \
             dismissed AS (DELETE FROM dismissals USING gone WHERE delivery_id = gone.id) \
             SELECT count(*) FROM gone"
        )
    };
}

const REMOVE: &str = remove_deliveries!(not_parked!());

const SET_DELIVERIES_PRUNED_THROUGH: &str = "UPDATE service SET deliveries_pruned_through = $1";

/// Selects the ids of parked deliveries.
macro_rules! parked {
    () => {
        "(SELECT id FROM deliveries WHERE kind = 'not-understood' \
         UNION ALL SELECT delivery_id FROM decisions WHERE parked)"
    };
}

const PARKED: &str = concat!(
    "SELECT d.id, d.received_at AS since_at, coalesce(length(d.body), 0)::bigint AS bytes FROM (SELECT id FROM ",
    parked!(),
    " AS v WHERE id < $1 ORDER BY id LIMIT $2) AS v JOIN deliveries AS d ON d.id = v.id ORDER BY d.id"
);

const REMOVE_PARKED: &str = remove_deliveries!(concat!(
    "d.id IN (SELECT id FROM ",
    parked!(),
    " AS v WHERE id <= $1)"
));

const EMPTY: &str = concat!(
    "UPDATE deliveries AS d SET body = NULL WHERE d.body IS NOT NULL AND ",
    not_parked!()
);

const SET_BODIES_EMPTIED_THROUGH: &str = "UPDATE service SET bodies_emptied_through = $1";

const QUARANTINED: &str = "
    SELECT id, received_at AS since_at, bytes FROM quarantine ORDER BY id LIMIT $1";

/// Removes rows of the quarantine. One that another transaction has locked is removed by a later step.
const REMOVE_QUARANTINED: &str = "
    DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine WHERE id <= $1 ORDER BY id FOR UPDATE SKIP LOCKED)";

const OLD_FETCHES: &str = "
    SELECT id, fetched_at AS since_at, 0::bigint AS bytes FROM fetches WHERE id > $1 ORDER BY id LIMIT $2";

/// Removes the fetches due for removal that are older than the newest ten of their order, for each order that has due
/// fetches beyond `fetches_pruned_through`. Fetches that were among the newest ten when that id was passed are removed
/// too.
const REMOVE_FETCHES: &str = "
    DELETE FROM fetches WHERE id IN (
        SELECT old.id
        FROM (SELECT DISTINCT order_id FROM fetches WHERE id > $1 AND id <= $2) AS v
            JOIN fetches AS old ON old.order_id = v.order_id
        WHERE old.id <= $2 AND old.id < (
            SELECT id FROM fetches WHERE order_id = v.order_id ORDER BY id DESC LIMIT 1 OFFSET 9))";

const SET_FETCHES_PRUNED_THROUGH: &str = "UPDATE service SET fetches_pruned_through = $1";

const OLD_EVENTS: &str = "
    SELECT sequence AS id, recorded_at AS since_at, length(body)::bigint AS bytes FROM events
    WHERE sequence > $1 ORDER BY sequence LIMIT $2";

const REMOVE_NOTIFICATIONS: &str =
    "DELETE FROM notifications WHERE event > $1 AND event <= $2 AND phase = 'delivered'";

/// Removes the events due for removal of which no target is to be told any more, but for the newest of each order: it has
/// the number from which the order's events count on. Those that were the newest when the mark passed them go, too.
const REMOVE_EVENTS: &str = "
    DELETE FROM events WHERE sequence IN (
        SELECT old.sequence
        FROM (SELECT DISTINCT order_id FROM events WHERE sequence > $1 AND sequence <= $2 AND order_id IS NOT NULL) AS v
            JOIN events AS old ON old.order_id = v.order_id
        WHERE old.sequence <= $2
            AND old.order_sequence < (SELECT max(order_sequence) FROM events WHERE order_id = v.order_id)
        UNION ALL
        SELECT sequence FROM events WHERE sequence > $1 AND sequence <= $2 AND order_id IS NULL)
    AND NOT EXISTS (SELECT 1 FROM notifications WHERE event = events.sequence)";

const SET_EVENTS_PRUNED_THROUGH: &str = "UPDATE service SET events_pruned_through = $1";

/// Removes some alerts about the service that were resolved before a time.
const REMOVE_ALERTS: &str = "
    DELETE FROM service_alerts WHERE id IN (SELECT id FROM service_alerts
        WHERE resolved_at IS NOT NULL AND resolved_at <= $1 ORDER BY id LIMIT 64)";

/// Removes some actions that were recorded before a time.
const REMOVE_ACTIONS: &str = "
    DELETE FROM actions WHERE id IN (SELECT id FROM actions WHERE acted_at <= $1 ORDER BY id LIMIT 64)";

/// Locks closed orders. One of which something was heard after the given time is not among them, nor one whose numbers are
/// still to be fetched, nor one that another transaction is changing.
const CLOSED: &str = "
    SELECT o.id, o.closed_at,
        EXISTS (SELECT 1 FROM decisions WHERE order_id = o.id) AS is_held_up,
        1 + (SELECT count(*) FROM fetches WHERE order_id = o.id)
            + (SELECT count(*) FROM transitions WHERE order_id = o.id)
            + (SELECT count(*) FROM alerts WHERE order_id = o.id)
            + (SELECT count(*) FROM events WHERE order_id = o.id) AS size
    FROM orders AS o WHERE o.closed_at IS NOT NULL AND coalesce(o.heard_at, 0) <= $2
        AND NOT EXISTS (SELECT 1 FROM order_numbers WHERE order_id = o.id AND fetch_at IS NOT NULL)
    ORDER BY o.closed_at LIMIT $1 FOR UPDATE OF o SKIP LOCKED";

/// Forgets the ordered numbers of some placements that began before the given time and of whose orders none is kept any
/// more. The reference stays, so that it never orders again.
const FORGET_NUMBERS: &str = "
    UPDATE placements SET number = NULL WHERE id IN (
        SELECT l.id FROM placements AS l WHERE l.number IS NOT NULL AND l.begun_at < $1
            AND NOT EXISTS (SELECT 1 FROM placement_steps AS s
                JOIN orders AS o ON o.project = l.project AND o.sinch_id = s.order_sinch_id WHERE s.placement = l.id)
        ORDER BY l.id LIMIT 64 FOR NO KEY UPDATE OF l SKIP LOCKED)";

/// Progress of retention, by the ids up to which each kind of work is done.
struct Progress {
    bodies: i64,
    deliveries: i64,
    fetches: i64,
    events: i64,
    /// Id before which nothing waits to be processed.
    waiting: i64,
}

impl Progress {
    /// Reads the progress; `None` if another replica is pruning.
    async fn lock(db: &mut PgConnection) -> Result<Option<Progress>, Fault> {
        let found = sqlx::query(PROGRESS).fetch_optional(db).await?;
        let Some(row) = found else { return Ok(None) };
        let waiting: Option<i64> = row.try_get("first_waiting")?;
        Ok(Some(Progress {
            bodies: row.try_get("bodies_emptied_through")?,
            deliveries: row.try_get("deliveries_pruned_through")?,
            fetches: row.try_get("fetches_pruned_through")?,
            events: row.try_get("events_pruned_through")?,
            waiting: waiting.unwrap_or(i64::MAX),
        }))
    }
}

impl Store {
    pub(in crate::store) async fn prune(
        &self,
        periods: RetentionPeriods,
        now: Time,
    ) -> Result<Pruned, StoreError> {
        let now = self.shared.clock.database(now);
        bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let pruned = prune(&mut work, &periods, now).await?;
            work.commit().await?;
            Ok(pruned)
        })
        .await
    }
}

/// Prunes what has been kept for its period, the oldest first: deliveries, parked ones, and bodies, of which the digests
/// stay; fetches, and orders that are closed.
async fn prune(
    db: &mut PgConnection,
    periods: &RetentionPeriods,
    now: Time,
) -> Result<Pruned, Fault> {
    let mut pruned = Pruned::default();
    let Some(progress) = Progress::lock(db).await? else {
        return Ok(pruned);
    };
    // Rows are removed before bodies are emptied: a row that is removed need not be emptied.
    prune_deliveries(db, &progress, periods.deliveries, now, &mut pruned).await?;
    prune_parked(db, &progress, periods.parked, now, &mut pruned).await?;
    prune_quarantine(db, periods.quarantine, now, &mut pruned).await?;
    empty_bodies(db, &progress, periods.bodies, now, &mut pruned).await?;
    prune_fetches(db, &progress, periods.deliveries, now, &mut pruned).await?;
    prune_events(db, &progress, periods.events, now, &mut pruned).await?;
    let alerts = sqlx::query(REMOVE_ALERTS).bind(now.minus(periods.events).0);
    pruned.alerts = alerts.execute(&mut *db).await?.rows_affected();
    pruned.taken += usize::try_from(pruned.alerts).unwrap_or(usize::MAX);
    let actions = sqlx::query(REMOVE_ACTIONS).bind(now.minus(periods.orders).0);
    pruned.actions = actions.execute(&mut *db).await?.rows_affected();
    pruned.taken += usize::try_from(pruned.actions).unwrap_or(usize::MAX);
    let limit = room_for_orders(pruned.taken);
    let closed = sqlx::query(CLOSED)
        .bind(limit)
        .bind(now.minus(periods.orders).0)
        .fetch_all(&mut *db)
        .await?;
    let closed = closed_orders(&closed, periods.orders, now, &mut pruned.taken)?;
    if !closed.is_empty() {
        pruned.orders = remove_orders(db, &closed).await?;
    }
    let forgotten = sqlx::query(FORGET_NUMBERS).bind(now.minus(periods.orders).0);
    pruned.numbers = forgotten.execute(db).await?.rows_affected();
    pruned.taken += usize::try_from(pruned.numbers).unwrap_or(usize::MAX);
    Ok(pruned)
}

async fn prune_deliveries(
    db: &mut PgConnection,
    progress: &Progress,
    span: Duration,
    now: Time,
    pruned: &mut Pruned,
) -> Result<(), Fault> {
    let found = beyond(db, progress.deliveries, progress.waiting, pruned.taken).await?;
    if let Some(last) = last_due(&found, span, now, &mut pruned.taken)? {
        let removed = sqlx::query(REMOVE).bind(progress.deliveries).bind(last);
        pruned.deliveries = count(&removed.fetch_one(&mut *db).await?)?;
        set(db, SET_DELIVERIES_PRUNED_THROUGH, last).await?;
    }
    Ok(())
}

async fn prune_parked(
    db: &mut PgConnection,
    progress: &Progress,
    span: Duration,
    now: Time,
    pruned: &mut Pruned,
) -> Result<(), Fault> {
    let found = sqlx::query(PARKED)
        .bind(progress.waiting)
        .bind(room(pruned.taken))
        .fetch_all(&mut *db)
        .await?;
    if let Some(last) = last_due(&found, span, now, &mut pruned.taken)? {
        let removed = sqlx::query(REMOVE_PARKED).bind(last);
        pruned.parked = count(&removed.fetch_one(db).await?)?;
    }
    Ok(())
}

async fn prune_quarantine(
    db: &mut PgConnection,
    span: Duration,
    now: Time,
    pruned: &mut Pruned,
) -> Result<(), Fault> {
    let found = sqlx::query(QUARANTINED)
        .bind(room(pruned.taken))
        .fetch_all(&mut *db)
        .await?;
    if let Some(last) = last_due(&found, span, now, &mut pruned.taken)? {
        let removed = sqlx::query(REMOVE_QUARANTINED).bind(last);
        pruned.quarantined = removed.execute(db).await?.rows_affected();
    }
    Ok(())
}

/// Empties the bodies of processed deliveries. Their digests are there already.
async fn empty_bodies(
    db: &mut PgConnection,
    progress: &Progress,
    span: Duration,
    now: Time,
    pruned: &mut Pruned,
) -> Result<(), Fault> {
    let found = beyond(db, progress.bodies, progress.waiting, pruned.taken).await?;
    if let Some(last) = last_due(&found, span, now, &mut pruned.taken)? {
        let emptied = sqlx::query(EMPTY).bind(progress.bodies).bind(last);
        pruned.bodies = emptied.execute(&mut *db).await?.rows_affected();
        set(db, SET_BODIES_EMPTIED_THROUGH, last).await?;
    }
    Ok(())
}

async fn prune_fetches(
    db: &mut PgConnection,
    progress: &Progress,
    span: Duration,
    now: Time,
    pruned: &mut Pruned,
) -> Result<(), Fault> {
    let found = sqlx::query(OLD_FETCHES)
        .bind(progress.fetches)
        .bind(room(pruned.taken))
        .fetch_all(&mut *db)
        .await?;
    if let Some(last) = last_due(&found, span, now, &mut pruned.taken)? {
        let removed = sqlx::query(REMOVE_FETCHES)
            .bind(progress.fetches)
            .bind(last);
        pruned.fetches = removed.execute(&mut *db).await?.rows_affected();
        set(db, SET_FETCHES_PRUNED_THROUGH, last).await?;
    }
    Ok(())
}

async fn prune_events(
    db: &mut PgConnection,
    progress: &Progress,
    span: Duration,
    now: Time,
    pruned: &mut Pruned,
) -> Result<(), Fault> {
    let found = sqlx::query(OLD_EVENTS)
        .bind(progress.events)
        .bind(room(pruned.taken))
        .fetch_all(&mut *db)
        .await?;
    if let Some(last) = last_due(&found, span, now, &mut pruned.taken)? {
        for sql in [REMOVE_NOTIFICATIONS, REMOVE_EVENTS] {
            let removed = sqlx::query(sql).bind(progress.events).bind(last);
            pruned.events = removed.execute(&mut *db).await?.rows_affected();
        }
        set(db, SET_EVENTS_PRUNED_THROUGH, last).await?;
    }
    Ok(())
}

/// Reads the deliveries between two ids, at most what the step has room for.
async fn beyond(
    db: &mut PgConnection,
    after: i64,
    before: i64,
    taken: usize,
) -> Result<Vec<PgRow>, Fault> {
    let found = sqlx::query(BEYOND).bind(after).bind(before);
    Ok(found.bind(room(taken)).fetch_all(db).await?)
}

async fn set(db: &mut PgConnection, sql: &'static str, last: i64) -> Result<(), Fault> {
    sqlx::query(sql).bind(last).execute(db).await?;
    Ok(())
}

fn count(row: &PgRow) -> sqlx::Result<u64> {
    Ok(row.try_get::<i64, _>(0)?.cast_unsigned())
}
