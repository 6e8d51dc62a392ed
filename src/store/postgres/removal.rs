//! Removal of all that is left of a project that is no longer configured.

use sqlx::{PgConnection, Row};

use super::Store;
use super::error::Fault;
use super::lane::bounded;
use super::prepare::runs;
use super::unwatch::remove_orders;
use crate::store::sql::removal::holdings_of_row;
use crate::store::{Holdings, StoreError};
use number_order::Id;

/// Maximum number of deliveries that one step of dropping a project removes.
const DELIVERIES_MAX: i64 = 256;
const ORDERS_MAX: i64 = 16;

/// Locks a project: one replica removes from it at a time, and none begins a fetch of it until the commit.
const LOCK_PROJECT: &str = "SELECT id FROM projects WHERE sinch_id = $1 FOR UPDATE";

const SOME_DELIVERIES: &str = "
    SELECT id FROM deliveries WHERE project = $1 ORDER BY dedup_key, digest LIMIT $2";

/// Removes deliveries with all that is recorded of them. What waits is locked in the order in which it is processed.
pub(super) const REMOVE_DELIVERIES: [&str; 5] = [
    "DELETE FROM pending WHERE id IN (SELECT id FROM pending WHERE id = ANY ($1) ORDER BY id FOR UPDATE)",
    "DELETE FROM decisions WHERE delivery_id = ANY ($1)",
    "DELETE FROM duplicates WHERE delivery_id = ANY ($1)",
    "DELETE FROM dismissals WHERE delivery_id = ANY ($1)",
    "DELETE FROM deliveries WHERE id = ANY ($1)",
];

const SOME_QUARANTINED: &str = "
    DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine WHERE project = $1 ORDER BY id LIMIT $2 FOR UPDATE)";

const SOME_ORDERS: &str = "
    SELECT id FROM orders WHERE id IN (SELECT id FROM orders WHERE project = $1 LIMIT $2) ORDER BY id FOR UPDATE";

/// Deletes the journal of a project of which nothing else is left.
const DELETE_JOURNAL: &str = "DELETE FROM placements WHERE project = $1";

/// Condition on `projects AS p` that nothing is left of a project.
macro_rules! nothing_left {
    () => {
        "p.id = $1 AND NOT EXISTS (SELECT 1 FROM orders WHERE project = p.id) \
         AND NOT EXISTS (SELECT 1 FROM placements WHERE project = p.id) \
         AND NOT EXISTS (SELECT 1 FROM quarantine WHERE project = p.id) \
         AND NOT EXISTS (SELECT 1 FROM deliveries WHERE project = p.id)"
    };
}

const NOTHING_LEFT: &str = concat!("SELECT 1 FROM projects AS p WHERE ", nothing_left!());

/// Waits for callbacks that are being stored: another replica may still serve the project. Those that come later find no
/// project.
const END_ACCEPTING: &str = "LOCK TABLE quarantine, deliveries IN SHARE MODE";

/// Deletes a project of which nothing is left.
const DELETE_PROJECT: &str = concat!("DELETE FROM projects AS p WHERE ", nothing_left!());

const COUNT_HOLDINGS: &str = "
    SELECT (SELECT count(*) FROM (SELECT 1 FROM orders WHERE project = p.id LIMIT $2) AS v) AS orders,
        (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE project = p.id LIMIT $2) AS v) AS deliveries,
        (SELECT count(*) FROM quarantine WHERE project = p.id) AS quarantined,
        (SELECT count(*) FROM placements WHERE project = p.id) AS placements
    FROM projects AS p WHERE p.sinch_id = $1";

const SELECT_KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM projects WHERE sinch_id = $1)";

/// Selects a replica that runs and serves a project.
const SELECT_SERVING: &str = concat!(
    "SELECT name FROM replicas WHERE $1 = ANY (projects) AND ",
    runs!(),
    " ORDER BY name"
);

/// Removes some of what is left of a project: its deliveries first, then its orders; after the last order its journal,
/// and the project itself.
async fn drop_some(db: &mut PgConnection, project: &Id) -> Result<Holdings, Fault> {
    let mut removed = Holdings::default();
    let found = sqlx::query(LOCK_PROJECT).bind(project.as_str());
    let Some(row) = found.fetch_optional(&mut *db).await? else {
        return Ok(removed);
    };
    let project: i64 = row.try_get(0)?;
    let deliveries = some(db, SOME_DELIVERIES, project, DELIVERIES_MAX).await?;
    for sql in REMOVE_DELIVERIES {
        let done = sqlx::query(sql).bind(&deliveries).execute(&mut *db).await?;
        removed.deliveries = done.rows_affected();
    }
    let quarantined = sqlx::query(SOME_QUARANTINED)
        .bind(project)
        .bind(DELIVERIES_MAX);
    removed.quarantined = quarantined.execute(&mut *db).await?.rows_affected();
    if removed == Holdings::default() {
        let orders = some(db, SOME_ORDERS, project, ORDERS_MAX).await?;
        removed.orders = remove_orders(db, &orders).await?;
    }
    if removed == Holdings::default() {
        let journal = sqlx::query(DELETE_JOURNAL).bind(project);
        removed.placements = journal.execute(&mut *db).await?.rows_affected();
    }
    let empty = sqlx::query(NOTHING_LEFT).bind(project);
    if empty.fetch_optional(&mut *db).await?.is_some() {
        sqlx::raw_sql(END_ACCEPTING).execute(&mut *db).await?;
        sqlx::query(DELETE_PROJECT)
            .bind(project)
            .execute(db)
            .await?;
    }
    Ok(removed)
}

/// Returns the ids of some rows of a project.
async fn some(
    db: &mut PgConnection,
    sql: &'static str,
    project: i64,
    limit: i64,
) -> Result<Vec<i64>, Fault> {
    let found = sqlx::query(sql).bind(project).bind(limit);
    let found = found.fetch_all(db).await?;
    let ids = found.iter().map(|row| row.try_get(0));
    Ok(ids.collect::<sqlx::Result<_>>()?)
}

impl Store {
    pub(in crate::store) async fn drop_some(&self, project: Id) -> Result<Holdings, StoreError> {
        bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let removed = drop_some(&mut work, &project).await?;
            work.commit().await?;
            Ok(removed)
        })
        .await
    }

    pub(in crate::store) async fn serving(&self, project: &Id) -> Result<Vec<String>, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let found = sqlx::query(SELECT_SERVING).bind(project.as_str());
            let found = found.fetch_all(&mut *work).await?;
            work.undo().await?;
            let names = found.iter().map(|row| row.try_get(0));
            Ok(names.collect::<sqlx::Result<_>>()?)
        })
        .await
    }

    pub(in crate::store) async fn knows(&self, project: &Id) -> Result<bool, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let found = sqlx::query(SELECT_KNOWN).bind(project.as_str());
            let found = found.fetch_one(&mut *work).await?;
            work.undo().await?;
            Ok(found.try_get(0)?)
        })
        .await
    }

    pub(in crate::store) async fn holdings(
        &self,
        project: &Id,
    ) -> Result<Option<Holdings>, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let found = sqlx::query(COUNT_HOLDINGS)
                .bind(project.as_str())
                .bind(Holdings::COUNT_MAX.cast_signed());
            let found = found.fetch_optional(&mut *work).await?;
            work.undo().await?;
            Ok(found.as_ref().map(holdings_of_row).transpose()?)
        })
        .await
    }
}
