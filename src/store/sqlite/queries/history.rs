//! One order with its history, and the body of one delivery.

use sqlx::{Row, SqliteConnection};

use super::delivery_columns;
use crate::store::changes::StoredOrder;
use crate::store::sql::history::{HISTORY_MAX, History};
use crate::store::sql::notifications::select_notifications;
use crate::store::sql::unreadable;
use crate::store::sqlite::numbers::number_text;
use crate::store::sqlite::rows::order_text;
use crate::store::sqlite::{Store, StoreError, details};
use crate::store::{Body, Found, OrderDetail};
use number_order::{Id, OrderKey};

/// The cross join makes SQLite look the order up in each project, and not walk through all orders.
pub(in crate::store::sqlite) const SELECT_BY_SINCH_ID: &str = concat!(
    "SELECT ",
    order_text!(),
    " FROM projects AS p CROSS JOIN orders AS o ON o.project = p.id AND o.sinch_id = ?"
);

/// Processed deliveries of an order, waiting ones, which have no `order_id` yet, and those about its numbers. The cross
/// joins make SQLite begin with the few that wait, and with the order's numbers, and not with all deliveries of the
/// project.
pub(in crate::store::sqlite) const DELIVERIES: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM deliveries AS d WHERE d.order_id = ?1 UNION ALL SELECT ",
    delivery_columns!(),
    " FROM deliveries AS d CROSS JOIN projects AS p ON p.id = d.project \
     WHERE d.id > (SELECT processed_through FROM service) AND d.phase = 'waiting' AND p.sinch_id = ?2 \
     AND d.order_sinch_id = ?3 UNION ALL SELECT ",
    delivery_columns!(),
    " FROM order_numbers AS n CROSS JOIN deliveries AS d ON d.project = n.project AND d.number = n.phone_number \
     WHERE n.order_id = ?1 AND d.number IS NOT NULL ORDER BY id DESC LIMIT ?4"
);

const SELECT_NUMBERS: &str = concat!(
    "SELECT ",
    number_text!(),
    " FROM order_numbers AS n CROSS JOIN orders AS o ON o.id = n.order_id \
     CROSS JOIN projects AS p ON p.id = n.project \
     WHERE n.order_id = ? AND n.followed_at IS NOT NULL ORDER BY n.phone_number LIMIT ?"
);

const SELECT_FETCHES: &str = "
    SELECT id, fetched_at, state, updated_at, outcome, outcome_fields, unreadable_expiry FROM fetches
    WHERE order_id = ? ORDER BY id DESC LIMIT ?";

const SELECT_TRANSITIONS: &str = "
    SELECT id, recorded_at, from_state, to_state, confirmed, said_at, cause, cause_fields FROM transitions
    WHERE order_id = ? ORDER BY id DESC LIMIT ?";

const SELECT_ALERTS: &str = "
    SELECT id, kind, kind_fields, fired_at, resolved_at FROM alerts WHERE order_id = ? ORDER BY id DESC LIMIT ?";

const SELECT_NOTIFICATIONS: &str = concat!(
    select_notifications!(),
    " WHERE e.order_id = ? ORDER BY e.order_sequence DESC, n.id DESC LIMIT ?"
);

impl Store {
    pub(in crate::store) async fn find(&self, order: &Id) -> Result<Found, StoreError> {
        let mut db = self.readers.begin().await?;
        let mut known = self.read_by_sinch_id(&mut db, order).await?;
        match (known.pop(), known.is_empty()) {
            (None, _) => Ok(Found::Nothing),
            (Some(only), true) => Ok(Found::One(self.read_history(&mut db, only).await?.into())),
            (Some(_), false) => Ok(Found::Several),
        }
    }

    pub(in crate::store) async fn history(
        &self,
        key: &OrderKey,
    ) -> Result<Option<OrderDetail>, StoreError> {
        let mut db = self.readers.begin().await?;
        let known = self.read_by_sinch_id(&mut db, &key.order).await?;
        match known.into_iter().find(|stored| stored.key == *key) {
            Some(stored) => Ok(Some(self.read_history(&mut db, stored).await?)),
            None => Ok(None),
        }
    }

    pub(in crate::store) async fn body(&self, delivery: i64) -> Result<Option<Body>, StoreError> {
        let sql = "SELECT body, digest IS NOT NULL AS is_gone FROM deliveries WHERE id = ?";
        let found = sqlx::query(sql)
            .bind(delivery)
            .fetch_optional(&mut *self.readers.begin().await?)
            .await?;
        let Some(row) = found else { return Ok(None) };
        Ok(Some(if row.try_get("is_gone")? {
            Body::Gone
        } else {
            Body::Kept(row.try_get("body")?)
        }))
    }

    /// Reads the orders with the given id at Sinch: one for each project at most.
    async fn read_by_sinch_id(
        &self,
        db: &mut SqliteConnection,
        order: &Id,
    ) -> Result<Vec<StoredOrder>, StoreError> {
        let found = sqlx::query(SELECT_BY_SINCH_ID)
            .bind(order.as_str())
            .fetch_all(db)
            .await?;
        let found = unreadable::each::<StoredOrder>(&found)?;
        self.met.note(&found.unreadable);
        match (found.rows.is_empty(), found.unreadable.first()) {
            // The order is known but cannot be read, which is not the same as an unknown order.
            (true, Some(row)) => Err(StoreError::Unread(row.to_string())),
            _ => Ok(found.rows),
        }
    }

    /// Reads all that is recorded of an order, as of the moment at which the order was read.
    async fn read_history(
        &self,
        db: &mut SqliteConnection,
        order: StoredOrder,
    ) -> Result<OrderDetail, StoreError> {
        let details = details::read(db, &[order.id]).await?.remove(&order.id);
        let deliveries = sqlx::query(DELIVERIES)
            .bind(order.id)
            .bind(order.key.project.as_str())
            .bind(order.key.order.as_str())
            .bind(HISTORY_MAX)
            .fetch_all(&mut *db)
            .await?;
        let [numbers, fetches, transitions, alerts, notifications] = [
            SELECT_NUMBERS,
            SELECT_FETCHES,
            SELECT_TRANSITIONS,
            SELECT_ALERTS,
            SELECT_NOTIFICATIONS,
        ]
        .map(|sql| sqlx::query(sql).bind(order.id).bind(HISTORY_MAX));
        let history = History {
            numbers: numbers.fetch_all(&mut *db).await?,
            deliveries,
            fetches: fetches.fetch_all(&mut *db).await?,
            transitions: transitions.fetch_all(&mut *db).await?,
            alerts: alerts.fetch_all(&mut *db).await?,
            notifications: notifications.fetch_all(&mut *db).await?,
        };
        let detail = history.of(order, details.unwrap_or_default())?;
        self.met.note(&detail.unreadable);
        Ok(detail)
    }
}
