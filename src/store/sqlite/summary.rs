//! Summary of the whole database, for the operators.

use std::sync::LazyLock;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::columns::lossy;
use super::location::{beside, length};
use super::rows::order_text;
use super::{Store, StoreError};
use super::{alerts, numbers, outbox, service_alerts};
use crate::store::changes::StoredOrder;
use crate::store::sql::alerts::AlertFilter;
use crate::store::sql::quarantine;
use crate::store::sql::summary::{by_readiness, convergence};
use crate::store::sql::unreadable::{self, JsonRow};
use crate::store::sql::{json, time};
use crate::store::{Standing, StateCount, Summary};
use number_order::{LATE_AFTER, Limits, Time};

pub(super) const COUNTS: &str = "
    SELECT
        (SELECT received_at FROM deliveries
            WHERE id > (SELECT processed_through FROM service) AND phase = 'waiting' ORDER BY id LIMIT 1) AS oldest_pending_at,
        (SELECT min((SELECT o.unsettled_at FROM orders AS o INDEXED BY orders_unsettled
                WHERE o.project = p.id AND o.unsettled_at IS NOT NULL AND o.parked IS NULL
                ORDER BY o.unsettled_at LIMIT 1))
            FROM projects AS p WHERE p.active) AS oldest_unsettled_at,
        (SELECT count(*) FROM orders AS o INDEXED BY orders_parked CROSS JOIN projects AS p ON p.id = o.project
            WHERE o.parked IS NOT NULL AND p.active
                AND coalesce(o.dismissed_at, 0) <= max(coalesce(o.fetched_at, 0), coalesce(o.heard_at, 0))) AS orders_parked,
        (SELECT count(*) FROM (SELECT 1 FROM deliveries
            WHERE id > (SELECT processed_through FROM service) AND phase = 'waiting' LIMIT 100000)) AS deliveries_waiting,
        (SELECT count(*) FROM deliveries WHERE phase = 'parked')
            - (SELECT count(*) FROM dismissals) AS deliveries_parked,
        (SELECT received_at FROM deliveries ORDER BY id DESC LIMIT 1) AS last_delivery_at,
        (SELECT fetched_at FROM fetches ORDER BY id DESC LIMIT 1) AS last_fetched_at";

/// Numbers of active projects that are followed and not ready, by readiness. The cross join makes SQLite begin with the
/// projects.
pub(super) const NOT_READY: &str = "
    SELECT coalesce(readiness, 'unknown') AS readiness, count(*) AS numbers
    FROM (SELECT n.readiness FROM projects AS p CROSS JOIN order_numbers AS n INDEXED BY order_numbers_not_ready ON n.project = p.id
        WHERE p.active AND n.followed_at IS NOT NULL AND n.readiness IS NOT 'ready' LIMIT 100000)
    GROUP BY readiness ORDER BY readiness";

/// Those of them that are late, before the time after which they are.
pub(super) static LATE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT count(*) AS numbers FROM (SELECT 1 FROM projects AS p \
         CROSS JOIN order_numbers AS n INDEXED BY order_numbers_not_ready ON n.project = p.id \
         WHERE p.active AND {} ? LIMIT 100000)",
        numbers::LATE
    )
});

pub(super) const BY_STATE: &str = "
    SELECT state, sum(orders) AS orders FROM state_counts WHERE orders > 0 GROUP BY state ORDER BY state";

/// Selects the last confirmed changes of orders' states, as one row: a thousand rows would cost more than all the rest.
/// The search is bounded too, for a database in which hardly any change is confirmed.
const CONVERGENCE: &str = "
    SELECT json_group_array(json_array(announced, latency_us)) FROM (
        SELECT announced, latency_us FROM (SELECT id, announced, latency_us FROM transitions ORDER BY id DESC LIMIT 4000)
        WHERE announced IS NOT NULL AND latency_us IS NOT NULL ORDER BY id DESC LIMIT 1000)";

/// Counts orders of active projects that are due, and selects since when. The cross join makes SQLite begin with the
/// projects: without statistics it would walk through all orders for which a fetch is planned.
pub(super) const DUE: &str = "
    SELECT count(*) AS orders, min(o.fetch_at) AS oldest_at
    FROM projects AS p CROSS JOIN orders AS o ON o.project = p.id AND o.fetch_at <= ? WHERE p.active";

pub(super) const QUARANTINED: &str = quarantine::select_counts!();

/// Counts the orders of each project that is fetched of which something is open.
pub(super) const UNSETTLED: &str = "
    SELECT sinch_id, (SELECT count(*) FROM (SELECT 1 FROM orders AS o INDEXED BY orders_unsettled
        WHERE o.project = p.id AND o.unsettled_at IS NOT NULL AND o.parked IS NULL LIMIT 100000)) AS orders
    FROM projects AS p WHERE p.active ORDER BY sinch_id";

pub(super) const NOT_FETCHED: &str = "
    SELECT p.sinch_id, coalesce((SELECT sum(c.orders) FROM state_counts AS c WHERE c.project = p.id), 0) AS orders
    FROM projects AS p WHERE NOT p.active ORDER BY p.sinch_id";

const SELECT_MET_ORDERS: &str = concat!(
    "SELECT ",
    order_text!(),
    " FROM json_each(?) AS v JOIN orders AS o ON o.id = v.value JOIN projects AS p ON p.id = o.project"
);

impl Store {
    pub(in crate::store) async fn standing(
        &self,
        now: Time,
        limits: &Limits,
        alerts_max: u32,
    ) -> Result<Standing, StoreError> {
        self.try_again().await?;
        let mut db = self.readers.begin().await?;
        let alerts = alerts::read(&mut db, now, limits, AlertFilter::All, alerts_max).await?;
        self.met.note(&alerts.unreadable);
        Ok(Standing {
            alerts: alerts.rows,
            alerts_counted: alerts::count(&mut db, now, limits).await?,
            service_alerts: service_alerts::firing(&mut db, &self.met).await?,
            summary: self.summary_of(&mut db, now).await?,
            targets: outbox::targets(&mut db).await?,
            newest_event: outbox::last_sequence(&mut db).await?,
        })
    }

    /// Reads again the orders whose rows could not be read, in a transaction before that of the figures: an operator
    /// may have repaired them.
    async fn try_again(&self) -> sqlx::Result<()> {
        let met = self.met.ids(StoredOrder::TABLE);
        if met.is_empty() {
            return Ok(());
        }
        let found = sqlx::query(SELECT_MET_ORDERS)
            .bind(json(&met))
            .fetch_all(&mut *self.readers.begin().await?)
            .await?;
        let found = unreadable::each::<StoredOrder>(&found)?;
        let still: Vec<i64> = found.unreadable.iter().map(|row| row.row).collect();
        self.met.forget_readable(
            StoredOrder::TABLE,
            met.iter().filter(|row| !still.contains(row)),
        );
        Ok(())
    }

    async fn summary_of(&self, db: &mut SqliteConnection, now: Time) -> sqlx::Result<Summary> {
        let counts = sqlx::query(COUNTS).fetch_one(&mut *db).await?;
        let to_ask = sqlx::query(DUE).bind(now.0).fetch_one(&mut *db).await?;
        let not_ready = sqlx::query(NOT_READY).fetch_all(&mut *db).await?;
        let late = sqlx::query(LATE.as_str()).bind(LATE_AFTER.as_micros() as i64);
        let late = late.fetch_one(&mut *db).await?;
        let not_fetched = sqlx::query(NOT_FETCHED).fetch_all(&mut *db).await?;
        let unsettled = sqlx::query(UNSETTLED).fetch_all(&mut *db).await?;
        let quarantined = sqlx::query(QUARANTINED).fetch_all(&mut *db).await?;
        let changes = sqlx::query(CONVERGENCE).fetch_one(&mut *db).await?;
        Ok(Summary {
            orders_by_state: by_state(db).await?,
            orders_not_fetched: by_project(&not_fetched)?,
            oldest_pending_at: time(&counts, "oldest_pending_at")?,
            orders_due: to_ask.try_get("orders")?,
            oldest_due_at: time(&to_ask, "oldest_at")?,
            orders_unsettled: by_project(&unsettled)?,
            oldest_unsettled_at: time(&counts, "oldest_unsettled_at")?,
            orders_parked: counts.try_get("orders_parked")?,
            numbers_not_ready: by_readiness(
                &not_ready
                    .iter()
                    .map(readiness_count)
                    .collect::<sqlx::Result<Vec<_>>>()?,
            ),
            numbers_late: late.try_get("numbers")?,
            deliveries_waiting: counts.try_get("deliveries_waiting")?,
            deliveries_parked: counts.try_get("deliveries_parked")?,
            quarantined: quarantine::counts(&quarantined)?,
            last_delivery_at: time(&counts, "last_delivery_at")?,
            last_fetched_at: time(&counts, "last_fetched_at")?,
            convergence: convergence(changes.try_get(0)?)?,
            rows_unreadable: self.met.rows(),
            database_bytes: self.file_bytes(""),
            wal_bytes: Some(self.file_bytes("-wal")),
            disk_free_bytes: Some(self.space.free_bytes()),
            little_space: self.shortage().map(|error| error.to_string()),
        })
    }

    fn file_bytes(&self, suffix: &str) -> u64 {
        length(&beside(&self.path, suffix))
    }
}

/// Counts the orders in each state.
async fn by_state(db: &mut SqliteConnection) -> sqlx::Result<Vec<StateCount>> {
    let counts = sqlx::query(BY_STATE).fetch_all(db).await?;
    counts.iter().map(state_count).collect()
}

/// Reads numbers of orders, each of a project.
fn by_project(rows: &[SqliteRow]) -> sqlx::Result<Vec<(String, i64)>> {
    let count = |row: &SqliteRow| Ok((row.try_get("sinch_id")?, row.try_get("orders")?));
    rows.iter().map(count).collect()
}

fn readiness_count(row: &SqliteRow) -> sqlx::Result<(String, i64)> {
    Ok((lossy(row, "readiness")?, row.try_get("numbers")?))
}

fn state_count(row: &SqliteRow) -> sqlx::Result<StateCount> {
    Ok(StateCount {
        state: lossy(row, "state")?,
        orders: row.try_get("orders")?,
    })
}
