//! Removal of an order that was named by mistake, and of all that is left of a project that is no longer configured.

use sqlx::{Row, SqliteConnection};

use super::command::{WriteCommand, WriteContext};
use super::prune;
use super::{Settings, Store, StoreError};
use crate::store::sql::removal::{holdings_of_row, kept_on_unwatch, not_fetched_warning};
use crate::store::{Holdings, Unwatched};
use number_order::{Id, OrderKey};

/// Maximum number of deliveries that one step of dropping a project removes.
const DELIVERIES_MAX: u32 = 256;
const ORDERS_MAX: u32 = 16;

/// Selects an order with the traces of callbacks and of Sinch's answers. The plus keeps SQLite from reading all
/// deliveries of the project: only few are not processed.
pub(super) const ORDER: &str = "
    SELECT o.id, o.confirmed_state IS NOT NULL AS is_shown,
        o.heard_at IS NOT NULL OR o.hints <> '[]' OR o.provisional_state IS NOT NULL
            OR EXISTS (SELECT 1 FROM deliveries WHERE order_id = o.id)
            OR EXISTS (SELECT 1 FROM deliveries
                WHERE id > (SELECT processed_through FROM service) AND +project = o.project AND order_sinch_id = o.sinch_id)
            AS is_named
    FROM projects AS p JOIN orders AS o ON o.project = p.id WHERE p.sinch_id = ? AND o.sinch_id = ?";

/// Removes an order that only an operator ever named. A fetch that is in flight finds no order then, and its answer is
/// written nowhere.
async fn unwatch(db: &mut SqliteConnection, key: &OrderKey) -> sqlx::Result<Unwatched> {
    let found = sqlx::query(ORDER)
        .bind(key.project.as_str())
        .bind(key.order.as_str())
        .fetch_optional(&mut *db)
        .await?;
    let Some(row) = found else {
        return Ok(Unwatched::Unknown);
    };
    if let Some(reason) = kept_on_unwatch(&row)? {
        return Ok(reason);
    }
    prune::remove(db, &[row.try_get("id")?]).await?;
    Ok(Unwatched::Gone)
}

// The index is named, since it keeps a step small.
const SOME_DELIVERIES: &str = "
    DELETE FROM deliveries WHERE id IN (
        SELECT d.id FROM projects AS p
        CROSS JOIN deliveries AS d INDEXED BY deliveries_dedup_key ON d.project = p.id
        WHERE p.sinch_id = ? LIMIT ?)";

const SOME_QUARANTINED: &str = "
    DELETE FROM quarantine WHERE id IN (
        SELECT q.id FROM projects AS p CROSS JOIN quarantine AS q INDEXED BY quarantine_size ON q.project = p.id
        WHERE p.sinch_id = ? LIMIT ?)";

const SOME_ORDERS: &str = "
    SELECT o.id FROM projects AS p CROSS JOIN orders AS o ON o.project = p.id WHERE p.sinch_id = ? LIMIT ?";

/// Deletes the journal of a project of which nothing else is left.
const DELETE_JOURNAL: &str = "
    DELETE FROM placements WHERE project = (SELECT id FROM projects WHERE sinch_id = ?)";

/// Deletes a project of which nothing is left.
const DELETE_PROJECT: &str = "
    DELETE FROM projects WHERE sinch_id = ?
        AND NOT EXISTS (SELECT 1 FROM orders WHERE project = projects.id)
        AND NOT EXISTS (SELECT 1 FROM placements WHERE project = projects.id)
        AND NOT EXISTS (SELECT 1 FROM quarantine WHERE project = projects.id)
        AND NOT EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_dedup_key WHERE project = projects.id)";

/// Removes some of what is left of a project: its deliveries first, since they refer to its orders; after the last
/// order its journal, and the project itself.
async fn drop_some(db: &mut SqliteConnection, project: &Id) -> sqlx::Result<Holdings> {
    let mut removed = Holdings::default();
    let deliveries = sqlx::query(SOME_DELIVERIES)
        .bind(project.as_str())
        .bind(DELIVERIES_MAX);
    removed.deliveries = deliveries.execute(&mut *db).await?.rows_affected();
    let quarantined = sqlx::query(SOME_QUARANTINED)
        .bind(project.as_str())
        .bind(DELIVERIES_MAX);
    removed.quarantined = quarantined.execute(&mut *db).await?.rows_affected();
    if removed == Holdings::default() {
        let orders = sqlx::query(SOME_ORDERS)
            .bind(project.as_str())
            .bind(ORDERS_MAX);
        let orders = orders.fetch_all(&mut *db).await?;
        let orders: Vec<i64> = orders.iter().map(|row| row.get(0)).collect();
        removed.orders = prune::remove(db, &orders).await?;
    }
    if removed == Holdings::default() {
        let placements = sqlx::query(DELETE_JOURNAL).bind(project.as_str());
        removed.placements = placements.execute(&mut *db).await?.rows_affected();
    }
    sqlx::query(DELETE_PROJECT)
        .bind(project.as_str())
        .execute(db)
        .await?;
    Ok(removed)
}

const COUNT_HOLDINGS: &str = "
    SELECT (SELECT count(*) FROM (SELECT 1 FROM orders WHERE project = p.id LIMIT ?2)) AS orders,
        (SELECT count(*) FROM (SELECT 1 FROM deliveries INDEXED BY deliveries_dedup_key WHERE project = p.id LIMIT ?2))
            AS deliveries,
        (SELECT count(*) FROM quarantine WHERE project = p.id) AS quarantined,
        (SELECT count(*) FROM placements WHERE project = p.id) AS placements
    FROM projects AS p WHERE p.sinch_id = ?1";

const SELECT_KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM projects WHERE sinch_id = ?)";

struct Unwatch(OrderKey);

impl WriteCommand for Unwatch {
    type Reply = Unwatched;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Unwatched> {
        unwatch(&mut context.db, &self.0).await
    }
}

struct DropSome(Id);

impl WriteCommand for DropSome {
    type Reply = Holdings;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Holdings> {
        drop_some(&mut context.db, &self.0).await
    }
}

impl Store {
    pub(in crate::store) async fn unwatch(&self, key: OrderKey) -> Result<Unwatched, StoreError> {
        self.write(Unwatch(key)).await
    }

    pub(in crate::store) async fn drop_some(&self, project: Id) -> Result<Holdings, StoreError> {
        self.write(DropSome(project)).await
    }

    pub(in crate::store) async fn knows(&self, project: &Id) -> Result<bool, StoreError> {
        let found = sqlx::query(SELECT_KNOWN)
            .bind(project.as_str())
            .fetch_one(&mut *self.readers.begin().await?)
            .await?;
        Ok(found.try_get(0)?)
    }

    /// Returns nothing: no other process works on the file.
    #[expect(clippy::unused_async, reason = "other backends read it")]
    pub(in crate::store) async fn serving(&self, _project: &Id) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    pub(in crate::store) async fn holdings(
        &self,
        project: &Id,
    ) -> Result<Option<Holdings>, StoreError> {
        let found = sqlx::query(COUNT_HOLDINGS)
            .bind(project.as_str())
            .bind(Holdings::COUNT_MAX.cast_signed())
            .fetch_optional(&mut *self.readers.begin().await?)
            .await?;
        Ok(found.as_ref().map(holdings_of_row).transpose()?)
    }
}

const COUNT_ORDERS_BY_PROJECT: &str = "
    SELECT sinch_id, coalesce((SELECT sum(orders) FROM state_counts WHERE project = projects.id), 0) AS orders,
        (SELECT count(*) FROM orders WHERE project = projects.id AND fetch_at IS NOT NULL) AS waiting
    FROM projects ORDER BY sinch_id";

/// Warnings about orders that are not fetched, a sentence for each project.
pub(super) async fn not_fetched(
    db: &mut SqliteConnection,
    settings: &Settings,
) -> sqlx::Result<Vec<String>> {
    let mut sentences = Vec::new();
    for row in sqlx::query(COUNT_ORDERS_BY_PROJECT).fetch_all(db).await? {
        let project: &str = row.try_get("sinch_id")?;
        let known = settings
            .projects
            .iter()
            .find(|(id, _)| id.as_str() == project);
        let (orders, waiting): (i64, i64) = (row.try_get("orders")?, row.try_get("waiting")?);
        let known = known.map(|(_, rate)| rate.is_some());
        sentences.extend(not_fetched_warning(project, known, orders, waiting));
    }
    Ok(sentences)
}
