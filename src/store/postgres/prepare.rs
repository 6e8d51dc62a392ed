//! Start of a replica: it registers, and makes ready what no other replica has seen to. Its sign of life.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use sqlx::{PgConnection, Row};

use super::clock::database_now;
use super::error::Fault;
use super::lane::{Lane, bounded};
use super::outbox::register_targets;
use super::{Settings, schema};
use crate::store::StoreError;
use crate::store::outbox::OutboxTarget;
use crate::store::sql::open_states;
use crate::store::sql::removal::not_fetched_warning;
use number_order::{Id, Time};

/// Interval between two signs of life, and so the time after which a replica knows of another one that has started.
const TOUCH_INTERVAL: Duration = Duration::from_secs(2);

/// Time without any replica after which callbacks may have been missed.
const ABSENCE: Duration = Duration::from_secs(60);

/// Tells if a row of `replicas` is of a replica that runs, or was killed less than a minute ago.
macro_rules! runs {
    () => {
        concat!(
            "stopped_at IS NULL AND seen_at > ",
            $crate::store::postgres::clock::database_now!(),
            " - 60000000"
        )
    };
}
pub(super) use runs;

/// Time after which a replica that is gone is forgotten.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Maximum number of orders that one transaction makes ready, so that no other replica waits long for them.
const ORDERS_MAX: i64 = 1000;

/// Maximum time by which a planned fetch of an order lies ahead, unless the clock was set back since it was planned.
const AHEAD_MAX: Duration = Duration::from_secs(25 * 3600);

const REGISTER_PROJECTS: &str = "
    INSERT INTO projects (sinch_id) SELECT * FROM unnest($1::text[]) AS t (sinch_id) ORDER BY sinch_id
    ON CONFLICT DO NOTHING";

const SET_ACTIVE: &str = "
    UPDATE projects SET active = sinch_id = ANY ($1) WHERE active <> (sinch_id = ANY ($1))";

/// Tells when any replica was last there; NULL: none ever was.
const LAST_SEEN: &str = "SELECT max(greatest(seen_at, stopped_at)) FROM replicas";

const REGISTER_REPLICA: &str = "
    INSERT INTO replicas (id, name, projects, started_at, seen_at) VALUES ($1, $2, $3, $4, $4)";

const COUNT_REPLICAS: &str = concat!("SELECT count(*) FROM replicas WHERE ", runs!());

const FORGET_REPLICAS: &str = "DELETE FROM replicas WHERE seen_at < $1";

/// Makes a statement that changes orders of a project beyond an id, some at a time, in the order of their ids. It returns
/// the id of the last order that was looked at, or NULL.
macro_rules! over_orders {
    ($set:expr, $filter:expr) => {
        format!(
            "WITH part AS (SELECT id, ({filter}) AS applies FROM orders WHERE project = $2 AND id > $3 ORDER BY id LIMIT $4), \
             locked AS (SELECT o.id FROM orders AS o JOIN part ON part.id = o.id WHERE part.applies ORDER BY o.id \
                 FOR NO KEY UPDATE OF o), \
             changed AS (UPDATE orders SET {set} FROM locked WHERE orders.id = locked.id AND ({filter})) \
             SELECT max(id) FROM part",
            set = $set,
            filter = $filter,
        )
    };
}

/// Makes ready the orders of a project that is fetched: requests and fetches that lie in the future by a clock that was
/// set back since, and orders that wait for a fetch, which was not possible while the project's API was off.
static MAKE_READY: LazyLock<String> = LazyLock::new(|| {
    let resumes = format!(
        "fetch_at IS NULL AND parked IS NULL AND (confirmed_state IS NULL OR hints <> '[]' OR doubts <> '[]' \
         OR tie_state IS NOT NULL OR fetch_requested_at IS NOT NULL OR confirmed_state IN ({}))",
        open_states()
    );
    over_orders!(
        format!(
            "fetch_requested_at = CASE WHEN fetch_requested_at > $1 THEN $1 ELSE fetch_requested_at END, \
             fetch_at = CASE WHEN parked IS NOT NULL THEN NULL WHEN fetch_requested_at > $1 OR ({resumes}) THEN $1 \
             WHEN fetch_at > $1 + $5 THEN $1 + $5 ELSE fetch_at END"
        ),
        format!("fetch_requested_at > $1 OR fetch_at > $1 + $5 OR ({resumes})")
    )
});

/// Plans fetches after a time in which callbacks may have been missed: every open order is fetched again, spread over as
/// long as the rate needs for all, and none later than planned.
static SPREAD: LazyLock<String> = LazyLock::new(|| {
    over_orders!(
        "fetch_at = least(fetch_at, $1 + (random() * $5)::bigint)",
        format!(
            "fetch_at > $1 AND (confirmed_state IS NULL OR confirmed_state IN ({}))",
            open_states()
        )
    )
});

/// Does for numbers what [`MAKE_READY`] does for orders.
const MAKE_NUMBERS_READY: &str = "
    UPDATE order_numbers SET fetch_at = CASE WHEN fetch_at > $1 + $3 THEN $1 + $3 ELSE fetch_at END,
        hinted_at = CASE WHEN hinted_at > $1 THEN $1 ELSE hinted_at END
    WHERE project = $2 AND (fetch_at > $1 + $3 OR hinted_at > $1)";

const COUNT_PLANNED: &str =
    "SELECT count(*) FROM orders WHERE project = $1 AND fetch_at IS NOT NULL";

/// A run of the program among those that share the database.
pub(super) struct Replica {
    id: i64,
    /// Targets that are told of events.
    pub(super) targets: Vec<OutboxTarget>,
    /// Number of replicas that run, this one among them.
    running: AtomicU32,
}

impl Replica {
    /// Registers a run, its projects and its targets, and makes their orders ready.
    pub(super) async fn begin(
        db: &mut PgConnection,
        settings: &Settings,
        now: Time,
    ) -> Result<Replica, Fault> {
        register_projects(db, settings).await?;
        let last = sqlx::query(LAST_SEEN).fetch_one(&mut *db).await?;
        let last: Option<i64> = last.try_get(0)?;
        let missed = last.is_some_and(|last| now.since(Time(last)) > ABSENCE);
        let replica = Replica {
            id: fastrand::i64(1..),
            targets: register_targets(db, &settings.targets).await?,
            running: AtomicU32::new(1),
        };
        sqlx::query(REGISTER_REPLICA)
            .bind(replica.id)
            .bind(&settings.name)
            .bind(ids(settings))
            .bind(now.0)
            .execute(&mut *db)
            .await?;
        replica.count(db).await?;
        sqlx::query(FORGET_REPLICAS)
            .bind(now.minus(KEPT).0)
            .execute(&mut *db)
            .await?;
        for (project, requests_per_second) in &settings.projects {
            if let Some(requests_per_second) = requests_per_second {
                make_ready(db, project, now, missed.then_some(*requests_per_second)).await?;
            }
        }
        Ok(replica)
    }

    /// Shows that this run is there, until the database is one that it may not work on any more.
    pub(super) async fn keep(&self, commands: &Lane) -> Result<(), StoreError> {
        loop {
            tokio::time::sleep(TOUCH_INTERVAL).await;
            match bounded(|| self.touch(commands)).await {
                Err(error @ StoreError::Broken(_)) => return Err(error),
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, "this replica could not show that it is there");
                }
            }
        }
    }

    pub(super) async fn touch(&self, commands: &Lane) -> Result<(), Fault> {
        let mut work = commands.begin().await?;
        schema::still_usable(&mut work).await?;
        let sql = concat!(
            "UPDATE replicas SET seen_at = ",
            database_now!(),
            " WHERE id = $1"
        );
        sqlx::query(sql).bind(self.id).execute(&mut *work).await?;
        self.count(&mut work).await?;
        work.commit().await
    }

    /// Counts the replicas that run.
    async fn count(&self, db: &mut PgConnection) -> Result<(), Fault> {
        let row = sqlx::query(COUNT_REPLICAS).fetch_one(db).await?;
        let count: i64 = row.try_get(0)?;
        self.running
            .store(u32::try_from(count).unwrap_or(u32::MAX), Relaxed);
        Ok(())
    }

    /// Returns the number of replicas that run, this one among them, as of the last sign of life.
    pub(super) fn running(&self) -> u32 {
        self.running.load(Relaxed)
    }

    /// Notes that this run has ended.
    pub(super) async fn end(&self, commands: &Lane) {
        let ended = bounded(async || {
            let mut work = commands.begin().await?;
            let sql = concat!(
                "UPDATE replicas SET stopped_at = ",
                database_now!(),
                " WHERE id = $1"
            );
            sqlx::query(sql).bind(self.id).execute(&mut *work).await?;
            work.commit().await
        });
        if let Err(error) = ended.await {
            tracing::warn!(%error, "the end of this replica could not be noted");
        }
    }
}

fn ids(settings: &Settings) -> Vec<&str> {
    let projects = settings.projects.iter();
    projects.map(|(id, _)| id.as_str()).collect()
}

async fn register_projects(db: &mut PgConnection, settings: &Settings) -> Result<(), Fault> {
    let fetched = settings.projects.iter().filter(|(_, rate)| rate.is_some());
    let fetched: Vec<&str> = fetched.map(|(id, _)| id.as_str()).collect();
    sqlx::query(REGISTER_PROJECTS)
        .bind(ids(settings))
        .execute(&mut *db)
        .await?;
    sqlx::query(SET_ACTIVE).bind(fetched).execute(db).await?;
    Ok(())
}

/// Makes a project's orders and numbers ready. `spread`: the rate at which all open orders are fetched again, if
/// callbacks may have been missed.
async fn make_ready(
    db: &mut PgConnection,
    project: &Id,
    now: Time,
    spread: Option<f64>,
) -> Result<(), Fault> {
    let row = sqlx::query("SELECT id FROM projects WHERE sinch_id = $1")
        .bind(project.as_str())
        .fetch_one(&mut *db)
        .await?;
    let project: i64 = row.try_get("id")?;
    let ahead = AHEAD_MAX.as_micros() as i64;
    over_orders(db, MAKE_READY.as_str(), now, project, ahead).await?;
    sqlx::query(MAKE_NUMBERS_READY)
        .bind(now.0)
        .bind(project)
        .bind(ahead)
        .execute(&mut *db)
        .await?;
    if let Some(requests_per_second) = spread {
        let row = sqlx::query(COUNT_PLANNED)
            .bind(project)
            .fetch_one(&mut *db)
            .await?;
        let planned: i64 = row.try_get(0)?;
        let span = planned as f64 * 1e6 / requests_per_second;
        over_orders(db, SPREAD.as_str(), now, project, span as i64).await?;
    }
    Ok(())
}

/// Runs a statement of [`over_orders!`] over all orders of a project.
async fn over_orders(
    db: &mut PgConnection,
    sql: &'static str,
    now: Time,
    project: i64,
    span: i64,
) -> Result<(), Fault> {
    let mut after = 0_i64;
    loop {
        let row = sqlx::query(sql)
            .bind(now.0)
            .bind(project)
            .bind(after)
            .bind(ORDERS_MAX)
            .bind(span)
            .fetch_one(&mut *db)
            .await?;
        match row.try_get(0)? {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

const COUNT_ORDERS: &str = concat!(
    "SELECT sinch_id, (SELECT count(*) FROM orders WHERE project = p.id) AS orders,
        (SELECT count(*) FROM orders WHERE project = p.id AND fetch_at IS NOT NULL) AS waiting
    FROM projects AS p WHERE NOT (sinch_id = ANY ($1)) AND (sinch_id = ANY ($2) OR NOT EXISTS (SELECT 1 FROM replicas AS r
        WHERE p.sinch_id = ANY (r.projects) AND ",
    runs!(),
    ")) ORDER BY sinch_id"
);

/// Standbys to which nothing waits to be shipped: what they lack is lost when one of them takes over.
const ASYNCHRONOUS: &str = "
    SELECT current_setting('synchronous_standby_names') = '' AND EXISTS (SELECT 1 FROM pg_stat_replication)";

/// Returns the warnings of a start, a sentence each. A project that only other replicas serve is none.
pub(super) async fn warnings(
    db: &mut PgConnection,
    settings: &Settings,
) -> Result<Vec<String>, Fault> {
    let mut sentences = Vec::new();
    let fetched = settings.projects.iter().filter(|(_, rate)| rate.is_some());
    let fetched: Vec<&str> = fetched.map(|(id, _)| id.as_str()).collect();
    for row in sqlx::query(COUNT_ORDERS)
        .bind(fetched)
        .bind(ids(settings))
        .fetch_all(&mut *db)
        .await?
    {
        let project: &str = row.try_get("sinch_id")?;
        let known = settings
            .projects
            .iter()
            .find(|(id, _)| id.as_str() == project);
        let is_fetched = known.map(|(_, rate)| rate.is_some());
        let (orders, waiting) = (row.try_get("orders")?, row.try_get("waiting")?);
        sentences.extend(not_fetched_warning(project, is_fetched, orders, waiting));
    }
    if sqlx::query(ASYNCHRONOUS).fetch_one(db).await?.try_get(0)? {
        sentences.push(
            "the database ships its changes to standbys without waiting for them (synchronous_standby_names is empty): a \
             failover can lose callbacks that were answered 200"
                .to_owned(),
        );
    }
    Ok(sentences)
}
