//! Removal of orders: of one that was named by mistake, and of what is recorded of any.

use sqlx::{PgConnection, Row};

use super::Store;
use super::error::Fault;
use super::lane::bounded;
use crate::store::sql::removal::kept_on_unwatch;
use crate::store::{StoreError, Unwatched};
use number_order::OrderKey;

/// Locks an order, and tells what there is of callbacks and of Sinch's answers.
const ORDER: &str = "
    SELECT o.id, o.confirmed_state IS NOT NULL AS is_shown,
        o.heard_at IS NOT NULL OR o.hints <> '[]' OR o.provisional_state IS NOT NULL
            OR EXISTS (SELECT 1 FROM decisions WHERE order_id = o.id)
            OR EXISTS (SELECT 1 FROM pending WHERE project = o.project AND order_sinch_id = o.sinch_id)
            AS is_named
    FROM projects AS p JOIN orders AS o ON o.project = p.id WHERE p.sinch_id = $1 AND o.sinch_id = $2 FOR UPDATE OF o";

const REMOVE: [&str; 7] = [
    "DELETE FROM notification_queues WHERE id IN (SELECT id FROM notification_queues
        WHERE target IN (SELECT id FROM targets) AND subject = ANY ($1) ORDER BY target, subject FOR UPDATE)",
    "DELETE FROM notifications WHERE event IN (SELECT sequence FROM events WHERE order_id = ANY ($1))",
    "DELETE FROM events WHERE order_id = ANY ($1)",
    "DELETE FROM fetches WHERE order_id = ANY ($1)",
    "DELETE FROM transitions WHERE order_id = ANY ($1)",
    "DELETE FROM alerts WHERE order_id = ANY ($1)",
    "DELETE FROM orders WHERE id = ANY ($1)",
];

/// Removes orders with all that is recorded of them, but for their deliveries. Returns the number of orders.
pub(super) async fn remove_orders(db: &mut PgConnection, ids: &[i64]) -> Result<u64, Fault> {
    let mut removed = 0;
    for sql in REMOVE {
        removed = sqlx::query(sql)
            .bind(ids)
            .execute(&mut *db)
            .await?
            .rows_affected();
    }
    Ok(removed)
}

/// Removes an order that only an operator ever named. A fetch that is in flight finds no order then, and its answer is
/// written nowhere.
async fn unwatch(db: &mut PgConnection, key: &OrderKey) -> Result<Unwatched, Fault> {
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
    remove_orders(db, &[row.try_get("id")?]).await?;
    Ok(Unwatched::Gone)
}

impl Store {
    pub(in crate::store) async fn unwatch(&self, key: OrderKey) -> Result<Unwatched, StoreError> {
        bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let removed = unwatch(&mut work, &key).await?;
            work.commit().await?;
            Ok(removed)
        })
        .await
    }
}
