//! Summary of the whole database, for the operators.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::alerts::{self, AlertFilter, AlertRow};
use super::place::{beside, length};
use super::rows::{StoredOrder, json, order_text, time};
use super::unreadable::{self, JsonRow, UnreadableRow, lossy};
use super::{Store, StoreError};
use number_order::{AlertKind, Limits, Time};

/// Figures of the whole database.
///
/// Waiting, open and parked orders are counted only of projects that are fetched: the orders of others are never worked
/// off.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Number of orders in each state; `UNKNOWN` if none was ever said.
    pub orders_by_state: Vec<StateCount>,
    /// Number of orders of each project that is not fetched, since its API is off or it is not configured any more;
    /// counted up to a hundred thousand.
    pub orders_not_fetched: Vec<(String, i64)>,
    /// Receipt of the oldest delivery that is not processed.
    pub oldest_pending_at: Option<Time>,
    /// Orders that are due for a fetch now.
    pub orders_due: i64,
    /// Time since which the first of them waits.
    pub oldest_due_at: Option<Time>,
    /// Orders of which something is open: a hint, a tie, or every state; counted up to a hundred thousand. Parked ones
    /// are counted apart.
    pub orders_unsettled: i64,
    /// Time since which something is open about the first of them, by the time stamp of its event.
    pub oldest_unsettled_at: Option<Time>,
    /// Orders that are not fetched any more until an event or an operator comes.
    pub orders_parked: i64,
    /// Deliveries that are not processed; counted up to a hundred thousand.
    pub deliveries_waiting: i64,
    /// Deliveries that an operator must look at.
    pub deliveries_parked: i64,
    /// Receipt of the last delivery, of those that are kept.
    pub last_delivery_at: Option<Time>,
    /// Time of the last fetch.
    pub last_fetched_at: Option<Time>,
    /// Delay and announcement of the last thousand confirmed changes.
    pub convergence: Convergence,
    /// Rows that cannot be read: those that were met since the start, a hundred at most. Those of orders have just been
    /// tried again.
    pub rows_unreadable: Vec<UnreadableRow>,
    /// Bytes of the database file.
    pub database_bytes: u64,
    /// Bytes of its write-ahead log.
    pub wal_bytes: u64,
    /// Bytes that are free on the disk.
    pub disk_free_bytes: u64,
    /// Reason why callbacks are refused for want of space; `null` if they are not.
    pub little_space: Option<String>,
}

/// Convergence of confirmed changes: how soon each was confirmed after Sinch made it (or after the order was first
/// heard of), and how many of them no event had announced. The latter is the share of callbacks that were lost, or
/// slower than the service's own fetches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Convergence {
    /// Number of changes that these figures are about: at most a thousand, of the last four thousand changes of any
    /// kind.
    pub changes: usize,
    /// Number of them that no event had announced.
    pub unannounced: usize,
    /// Time within which half of them were confirmed.
    pub p50_secs: f64,
    /// Time within which nine in ten were confirmed.
    pub p90_secs: f64,
    /// Time within which all were confirmed.
    pub max_secs: f64,
}

impl Convergence {
    fn of(changes: Vec<(i64, i64)>) -> Convergence {
        let mut took: Vec<i64> = changes.iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        let at = |share: f64| {
            let rank = (took.len() as f64 * share).ceil() as usize;
            let micros = took.get(rank.saturating_sub(1)).copied().unwrap_or(0);
            micros as f64 / 1e6
        };
        Convergence {
            changes: took.len(),
            unannounced: changes
                .iter()
                .filter(|(announced, _)| *announced == 0)
                .count(),
            p50_secs: at(0.5),
            p90_secs: at(0.9),
            max_secs: at(1.0),
        }
    }
}

/// Number of orders in a state.
#[derive(Clone, Debug)]
pub struct StateCount {
    /// Sinch's word for it, or `UNKNOWN`.
    pub state: String,
    /// Number of orders in it.
    pub orders: i64,
}

pub(super) const COUNTS: &str = "
    SELECT
        (SELECT received_at FROM deliveries
            WHERE id > (SELECT processed_through FROM service) AND phase = 'waiting' ORDER BY id LIMIT 1) AS oldest_pending_at,
        (SELECT count(*) FROM (SELECT 1
            FROM projects AS p CROSS JOIN orders AS o INDEXED BY orders_unsettled ON o.project = p.id
            WHERE p.active AND o.unsettled_at IS NOT NULL AND o.parked IS NULL LIMIT 100000)) AS orders_unsettled,
        (SELECT min((SELECT o.unsettled_at FROM orders AS o INDEXED BY orders_unsettled
                WHERE o.project = p.id AND o.unsettled_at IS NOT NULL AND o.parked IS NULL
                ORDER BY o.unsettled_at LIMIT 1))
            FROM projects AS p WHERE p.active) AS oldest_unsettled_at,
        (SELECT count(*) FROM orders AS o INDEXED BY orders_parked CROSS JOIN projects AS p ON p.id = o.project
            WHERE o.parked IS NOT NULL AND p.active) AS orders_parked,
        (SELECT count(*) FROM (SELECT 1 FROM deliveries
            WHERE id > (SELECT processed_through FROM service) AND phase = 'waiting' LIMIT 100000)) AS deliveries_waiting,
        (SELECT count(*) FROM deliveries WHERE phase = 'parked') AS deliveries_parked,
        (SELECT received_at FROM deliveries ORDER BY id DESC LIMIT 1) AS last_delivery_at,
        (SELECT fetched_at FROM fetches ORDER BY id DESC LIMIT 1) AS last_fetched_at";

pub(super) const BY_STATE: &str =
    "SELECT state, orders FROM state_counts WHERE orders > 0 ORDER BY state";

/// Selects the last confirmed changes, as one row: a thousand rows would cost more than all the rest. The search is
/// bounded too, for a database in which hardly any change is confirmed.
const CONVERGENCE: &str = "
    SELECT json_group_array(json_array(announced, latency_us)) FROM (
        SELECT announced, latency_us FROM (SELECT id, announced, latency_us FROM transitions ORDER BY id DESC LIMIT 4000)
        WHERE announced IS NOT NULL AND latency_us IS NOT NULL ORDER BY id DESC LIMIT 1000)";

pub(super) const DUE: &str = "
    SELECT count(*) AS orders, min(o.fetch_at) AS oldest_at
    FROM projects AS p JOIN orders AS o ON o.project = p.id AND o.fetch_at <= ? WHERE p.active";

pub(super) const NOT_FETCHED: &str = "
    SELECT name, (SELECT count(*) FROM (SELECT 1 FROM orders WHERE project = projects.id LIMIT 100000)) AS orders
    FROM projects WHERE NOT active ORDER BY name";

const MET_ORDERS: &str = concat!(
    "SELECT ",
    order_text!(),
    " FROM json_each(?) AS v JOIN orders AS o ON o.id = v.value JOIN projects AS p ON p.id = o.project"
);

/// Summary and alerts, as of one moment.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Figures of the whole database.
    pub summary: Summary,
    /// Orders with an alert that fires, the most urgent of each kind.
    pub alerts: Vec<AlertRow>,
    /// Number of orders of each kind of alert that can fire; counted up to a hundred thousand.
    pub alerts_counted: Vec<(AlertKind, i64)>,
}

impl Store {
    /// Returns the summary, with at most `alerts_max` orders of each kind of alert.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn standing(
        &self,
        now: Time,
        limits: &Limits,
        alerts_max: u32,
    ) -> Result<Standing, StoreError> {
        self.try_again().await?;
        let mut db = self.readers.moment().await?;
        let alerts = alerts::read(&mut db, now, limits, AlertFilter::All, alerts_max).await?;
        self.met.note(&alerts.unreadable);
        Ok(Standing {
            alerts: alerts.rows,
            alerts_counted: alerts::count(&mut db, now, limits).await?,
            summary: self.summary_of(&mut db, now).await?,
        })
    }

    #[cfg(test)]
    pub(crate) async fn summary(&self, now: Time) -> Result<Summary, StoreError> {
        self.try_again().await?;
        let mut db = self.readers.moment().await?;
        Ok(self.summary_of(&mut db, now).await?)
    }

    /// Reads those orders again whose rows could not be read, in a transaction before that of the figures: an operator
    /// may have repaired them.
    async fn try_again(&self) -> sqlx::Result<()> {
        let met = self.met.ids(StoredOrder::TABLE);
        if met.is_empty() {
            return Ok(());
        }
        let found = sqlx::query(MET_ORDERS)
            .bind(json(&met))
            .fetch_all(&mut *self.readers.moment().await?)
            .await?;
        let found = unreadable::each::<StoredOrder>(&found)?;
        let still: Vec<i64> = found.unreadable.iter().map(|row| row.row).collect();
        self.met.cured(
            StoredOrder::TABLE,
            met.iter().filter(|row| !still.contains(row)),
        );
        Ok(())
    }

    async fn summary_of(&self, db: &mut SqliteConnection, now: Time) -> sqlx::Result<Summary> {
        let counts = sqlx::query(COUNTS).fetch_one(&mut *db).await?;
        let to_ask = sqlx::query(DUE).bind(now.0).fetch_one(&mut *db).await?;
        let by_state = sqlx::query(BY_STATE).fetch_all(&mut *db).await?;
        let not_fetched = sqlx::query(NOT_FETCHED).fetch_all(&mut *db).await?;
        let changes = sqlx::query(CONVERGENCE).fetch_one(&mut *db).await?;
        let changes = serde_json::from_str(changes.try_get(0)?)
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Summary {
            orders_by_state: by_state
                .iter()
                .map(state_count)
                .collect::<sqlx::Result<_>>()?,
            orders_not_fetched: not_fetched
                .iter()
                .map(|row| Ok((row.try_get("name")?, row.try_get("orders")?)))
                .collect::<sqlx::Result<_>>()?,
            oldest_pending_at: time(&counts, "oldest_pending_at")?,
            orders_due: to_ask.try_get("orders")?,
            oldest_due_at: time(&to_ask, "oldest_at")?,
            orders_unsettled: counts.try_get("orders_unsettled")?,
            oldest_unsettled_at: time(&counts, "oldest_unsettled_at")?,
            orders_parked: counts.try_get("orders_parked")?,
            deliveries_waiting: counts.try_get("deliveries_waiting")?,
            deliveries_parked: counts.try_get("deliveries_parked")?,
            last_delivery_at: time(&counts, "last_delivery_at")?,
            last_fetched_at: time(&counts, "last_fetched_at")?,
            convergence: Convergence::of(changes),
            rows_unreadable: self.met.rows(),
            database_bytes: self.file_bytes(""),
            wal_bytes: self.file_bytes("-wal"),
            disk_free_bytes: self.space.free_bytes(),
            little_space: self.little_space().map(|error| error.to_string()),
        })
    }

    fn file_bytes(&self, suffix: &str) -> u64 {
        length(&beside(&self.path, suffix))
    }
}

fn state_count(row: &SqliteRow) -> sqlx::Result<StateCount> {
    Ok(StateCount {
        state: lossy(row, "state")?,
        orders: row.try_get("orders")?,
    })
}
