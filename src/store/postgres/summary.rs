//! Summary of the whole database, for the operators: all from one moment.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::error::Fault;
use super::lane::bounded;
use super::queries::{LATE, order_text};
use super::{Store, alerts, outbox, service_alerts};
use crate::store::changes::StoredOrder;
use crate::store::sql::alerts::AlertFilter;
use crate::store::sql::quarantine;
use crate::store::sql::summary::{by_readiness, convergence};
use crate::store::sql::time;
use crate::store::sql::unreadable::{self, JsonRow};
use crate::store::{Standing, StateCount, StoreError, Summary};
use number_order::{LATE_AFTER, Limits, Time};

/// Counts and times that are read from what is small, or by an index that has only the rows in question. An id is no
/// time, so the newest of the last rows counts.
const COUNTS: &str = "
    SELECT
        (SELECT min((SELECT o.unsettled_at FROM orders AS o
                WHERE o.project = p.id AND o.unsettled_at IS NOT NULL AND o.parked IS NULL
                ORDER BY o.unsettled_at LIMIT 1))
            FROM projects AS p WHERE p.active) AS oldest_unsettled_at,
        (SELECT count(*) FROM orders AS o JOIN projects AS p ON p.id = o.project
            WHERE o.parked IS NOT NULL AND p.active
                AND coalesce(o.dismissed_at, 0) <= greatest(coalesce(o.fetched_at, 0), coalesce(o.heard_at, 0))) AS orders_parked,
        (SELECT count(*) FROM deliveries WHERE kind = 'not-understood')
            + (SELECT count(*) FROM decisions WHERE parked)
            - (SELECT count(*) FROM dismissals) AS deliveries_parked,
        (SELECT max(received_at) FROM (SELECT received_at FROM deliveries ORDER BY id DESC LIMIT 100) AS v)
            AS last_delivery_at,
        (SELECT max(fetched_at) FROM (SELECT fetched_at FROM fetches ORDER BY id DESC LIMIT 100) AS v) AS last_fetched_at,
        pg_database_size(current_database()) AS database_bytes";

const WAITING: &str = "
    SELECT count(*) AS deliveries, min(received_at) AS oldest_at
    FROM (SELECT received_at FROM pending WHERE order_sinch_id IS NOT NULL ORDER BY id LIMIT 100000) AS v";

/// Numbers of active projects that are followed and not ready, by readiness.
const NOT_READY: &str = "
    SELECT coalesce(readiness, 'unknown') AS readiness, count(*) AS numbers
    FROM (SELECT n.readiness FROM projects AS p JOIN order_numbers AS n ON n.project = p.id
        WHERE p.active AND n.followed_at IS NOT NULL AND n.readiness IS DISTINCT FROM 'ready' LIMIT 100000) AS v
    GROUP BY readiness ORDER BY readiness";

/// Those of them that are late, before the time after which they are.
static SELECT_LATE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT count(*) AS numbers FROM (SELECT 1 FROM projects AS p JOIN order_numbers AS n ON n.project = p.id \
         WHERE p.active AND {LATE} $1 LIMIT 100000) AS v"
    )
});

/// Selects the last confirmed changes of orders' states. The search is bounded too, for a database in which hardly any
/// change is confirmed.
const CONVERGENCE: &str = "
    SELECT coalesce(json_agg(json_build_array(announced::int, latency_us)), '[]')::text FROM (
        SELECT announced, latency_us FROM (SELECT id, announced, latency_us FROM transitions ORDER BY id DESC LIMIT 4000) AS v
        WHERE announced IS NOT NULL AND latency_us IS NOT NULL ORDER BY id DESC LIMIT 1000) AS v";

/// Counts orders of active projects that are due, and selects since when.
const DUE: &str = "
    SELECT count(*) AS orders, min(o.fetch_at) AS oldest_at
    FROM projects AS p JOIN orders AS o ON o.project = p.id AND o.fetch_at <= $1 WHERE p.active";

const QUARANTINED: &str = quarantine::select_counts!();

/// Counts the orders of each project that is fetched of which something is open.
const UNSETTLED: &str = "
    SELECT sinch_id, (SELECT count(*) FROM (SELECT 1 FROM orders AS o
        WHERE o.project = p.id AND o.unsettled_at IS NOT NULL AND o.parked IS NULL LIMIT 100000) AS v) AS orders
    FROM projects AS p WHERE p.active ORDER BY sinch_id";

const NOT_FETCHED: &str = "
    SELECT sinch_id, (SELECT count(*) FROM (SELECT 1 FROM orders WHERE project = p.id LIMIT 100000) AS v) AS orders
    FROM projects AS p WHERE NOT active ORDER BY sinch_id";

/// Counts the orders in each state, state by state in the index. Grouped, all orders would be read from the table itself, by
/// several processes of the server's at once.
const BY_STATE: &str = "
    WITH RECURSIVE states AS (
        (SELECT state FROM orders ORDER BY state LIMIT 1)
        UNION ALL
        SELECT (SELECT state FROM orders WHERE state > states.state ORDER BY state LIMIT 1)
        FROM states WHERE state IS NOT NULL)
    SELECT state, (SELECT count(*) FROM orders WHERE state = states.state) AS orders
    FROM states WHERE state IS NOT NULL ORDER BY state";

const SELECT_MET_ORDERS: &str = concat!(
    "SELECT ",
    order_text!(),
    " FROM orders AS o JOIN projects AS p ON p.id = o.project WHERE o.id = ANY ($1)"
);

/// Time that a count of all orders may take to be made for each answer.
const COUNT_AT_ONCE: Duration = Duration::from_millis(250);

/// Share of the time that counting all orders may take: one part in this number.
const COUNT_SHARE: u32 = 30;

/// Orders in each state, as they were last counted.
///
/// No row keeps the count: each change of a state would wait for every other at that row. The orders are counted each time,
/// by an index alone. Once that takes long, the last count serves for a while.
#[derive(Debug, Default)]
pub(super) struct StateCounts(Mutex<Option<Counted>>);

#[derive(Clone, Debug)]
struct Counted {
    by_state: Vec<StateCount>,
    at: Instant,
    took: Duration,
}

impl StateCounts {
    /// Returns the last count, if it was a long one not long ago.
    fn last(&self) -> Option<Vec<StateCount>> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counted.as_ref()?;
        counted
            .is_fresh(Instant::now())
            .then(|| counted.by_state.clone())
    }

    fn note(&self, counted: Counted) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
    }
}

impl Counted {
    fn is_fresh(&self, now: Instant) -> bool {
        self.took > COUNT_AT_ONCE
            && now.saturating_duration_since(self.at) < self.took * COUNT_SHARE
    }
}

impl Store {
    pub(in crate::store) async fn standing(
        &self,
        now: Time,
        limits: &Limits,
        alerts_max: u32,
    ) -> Result<Standing, StoreError> {
        let now = self.shared.clock.database(now);
        bounded(|| self.try_again()).await?;
        bounded(|| self.read_standing(now, limits, alerts_max)).await
    }

    async fn read_standing(
        &self,
        now: Time,
        limits: &Limits,
        alerts_max: u32,
    ) -> Result<Standing, Fault> {
        let mut work = self.shared.readers.begin_reading().await?;
        let alerts = alerts::read(&mut work, now, limits, AlertFilter::All, alerts_max).await?;
        self.shared.met.note(&alerts.unreadable);
        let standing = Standing {
            alerts: alerts.rows,
            alerts_counted: alerts::count(&mut work, now, limits).await?,
            service_alerts: service_alerts::firing(&mut work, &self.shared.met).await?,
            summary: self.read_summary(&mut work, now).await?,
            targets: self.read_targets(&mut work).await?,
            newest_event: outbox::newest(&mut work).await?,
        };
        work.undo().await?;
        Ok(standing)
    }

    /// Reads again the orders whose rows could not be read, in a transaction before that of the figures: an operator
    /// may have repaired them.
    async fn try_again(&self) -> Result<(), Fault> {
        let met = self.shared.met.ids(StoredOrder::TABLE);
        if met.is_empty() {
            return Ok(());
        }
        let mut work = self.shared.readers.begin_reading().await?;
        let found = sqlx::query(SELECT_MET_ORDERS).bind(&met);
        let found = found.fetch_all(&mut *work).await?;
        work.undo().await?;
        let found = unreadable::each::<StoredOrder>(&found)?;
        let still: Vec<i64> = found.unreadable.iter().map(|row| row.row).collect();
        self.shared.met.forget_readable(
            StoredOrder::TABLE,
            met.iter().filter(|row| !still.contains(row)),
        );
        Ok(())
    }

    async fn read_summary(&self, db: &mut PgConnection, now: Time) -> Result<Summary, Fault> {
        let counts = sqlx::query(COUNTS).fetch_one(&mut *db).await?;
        let waiting = sqlx::query(WAITING).fetch_one(&mut *db).await?;
        let due = sqlx::query(DUE).bind(now.0).fetch_one(&mut *db).await?;
        let not_ready = sqlx::query(NOT_READY).fetch_all(&mut *db).await?;
        let not_ready = not_ready
            .iter()
            .map(|row| counted(row, "readiness", "numbers"));
        let not_ready: Vec<(String, i64)> = not_ready.collect::<sqlx::Result<_>>()?;
        let late = sqlx::query(SELECT_LATE.as_str()).bind(LATE_AFTER.as_micros() as i64);
        let late = late.fetch_one(&mut *db).await?;
        let not_fetched = sqlx::query(NOT_FETCHED).fetch_all(&mut *db).await?;
        let unsettled = sqlx::query(UNSETTLED).fetch_all(&mut *db).await?;
        let by_project = |rows: &[PgRow]| -> sqlx::Result<Vec<(String, i64)>> {
            let counts = rows.iter().map(|row| counted(row, "sinch_id", "orders"));
            counts.collect()
        };
        let quarantined = sqlx::query(QUARANTINED).fetch_all(&mut *db).await?;
        let changes = sqlx::query(CONVERGENCE).fetch_one(&mut *db).await?;
        Ok(Summary {
            orders_by_state: self.count_by_state(db).await?,
            orders_not_fetched: by_project(&not_fetched)?,
            oldest_pending_at: time(&waiting, "oldest_at")?,
            orders_due: due.try_get("orders")?,
            oldest_due_at: time(&due, "oldest_at")?,
            orders_unsettled: by_project(&unsettled)?,
            oldest_unsettled_at: time(&counts, "oldest_unsettled_at")?,
            orders_parked: counts.try_get("orders_parked")?,
            numbers_not_ready: by_readiness(&not_ready),
            numbers_late: late.try_get("numbers")?,
            deliveries_waiting: waiting.try_get("deliveries")?,
            deliveries_parked: counts.try_get("deliveries_parked")?,
            quarantined: quarantine::counts(&quarantined)?,
            last_delivery_at: time(&counts, "last_delivery_at")?,
            last_fetched_at: time(&counts, "last_fetched_at")?,
            convergence: convergence(changes.try_get(0)?)?,
            rows_unreadable: self.shared.met.rows(),
            database_bytes: counts.try_get::<i64, _>("database_bytes")?.cast_unsigned(),
            wal_bytes: None,
            disk_free_bytes: None,
            little_space: None,
        })
    }

    /// Counts the orders in each state.
    async fn count_by_state(&self, db: &mut PgConnection) -> Result<Vec<StateCount>, Fault> {
        if let Some(last) = self.shared.state_counts.last() {
            return Ok(last);
        }
        let at = Instant::now();
        let rows = sqlx::query(BY_STATE).fetch_all(db).await?;
        let counts = rows.iter().map(|row| {
            let (state, orders) = counted(row, "state", "orders")?;
            Ok(StateCount { state, orders })
        });
        let by_state: Vec<StateCount> = counts.collect::<sqlx::Result<_>>()?;
        self.shared.state_counts.note(Counted {
            by_state: by_state.clone(),
            at,
            took: at.elapsed(),
        });
        Ok(by_state)
    }
}

fn counted(row: &PgRow, word: &str, count: &str) -> sqlx::Result<(String, i64)> {
    Ok((row.try_get(word)?, row.try_get(count)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_count_serves_for_a_while_and_a_short_one_never() {
        let counted = |millis| Counted {
            by_state: Vec::new(),
            at: Instant::now(),
            took: Duration::from_millis(millis),
        };
        let (short, long) = (counted(250), counted(1000));
        assert!(!short.is_fresh(short.at));
        assert!(long.is_fresh(long.at + Duration::from_secs(29)));
        assert!(!long.is_fresh(long.at + Duration::from_secs(30)));
    }
}
