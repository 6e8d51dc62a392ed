//! One order with its history, and the body of one delivery.

use sqlx::{PgConnection, Row};

use super::{delivery_columns, delivery_tables, number_text, order_text};
use crate::store::changes::StoredOrder;
use crate::store::postgres::Store;
use crate::store::postgres::details;
use crate::store::postgres::error::Fault;
use crate::store::postgres::lane::bounded;
use crate::store::sql::history::{HISTORY_MAX, History};
use crate::store::sql::notifications::select_notifications;
use crate::store::sql::unreadable;
use crate::store::{Body, Found, OrderDetail, StoreError};
use number_order::{Id, OrderKey};

const SELECT_BY_SINCH_ID: &str = concat!(
    "SELECT ",
    order_text!(),
    " FROM projects AS p JOIN orders AS o ON o.project = p.id AND o.sinch_id = $1"
);

/// Processed deliveries of an order, waiting ones, on which nothing is decided yet, and those about its numbers.
const DELIVERIES: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM (SELECT delivery_id AS id FROM decisions WHERE order_id = $1 UNION ALL \
     SELECT w.id FROM pending AS w JOIN projects AS p ON p.id = w.project \
     WHERE p.sinch_id = $2 AND w.order_sinch_id = $3 UNION ALL \
     SELECT w.id FROM order_numbers AS n JOIN deliveries AS w ON w.project = n.project AND w.number = n.phone_number \
     WHERE n.order_id = $1 ORDER BY id DESC LIMIT $4) AS v JOIN deliveries AS d ON d.id = v.id",
    delivery_tables!(),
    " ORDER BY d.id DESC"
);

const SELECT_NUMBERS: &str = concat!(
    "SELECT ",
    number_text!(),
    " FROM order_numbers AS n JOIN orders AS o ON o.id = n.order_id JOIN projects AS p ON p.id = n.project \
     WHERE n.order_id = $1 AND n.followed_at IS NOT NULL ORDER BY n.phone_number LIMIT $2"
);

const SELECT_FETCHES: &str = "
    SELECT id, fetched_at, state, updated_at, outcome, outcome_fields, unreadable_expiry FROM fetches
    WHERE order_id = $1 ORDER BY id DESC LIMIT $2";

const SELECT_TRANSITIONS: &str = "
    SELECT id, recorded_at, from_state, to_state, confirmed, said_at, cause, cause_fields FROM transitions
    WHERE order_id = $1 ORDER BY id DESC LIMIT $2";

const SELECT_ALERTS: &str = "
    SELECT id, kind, kind_fields, fired_at, resolved_at FROM alerts WHERE order_id = $1 ORDER BY id DESC LIMIT $2";

const SELECT_BODY: &str = "SELECT body FROM deliveries WHERE id = $1";

const SELECT_NOTIFICATIONS: &str = concat!(
    select_notifications!(),
    " WHERE e.order_id = $1 ORDER BY e.order_sequence DESC, n.id DESC LIMIT $2"
);

impl Store {
    pub(in crate::store) async fn find(&self, order: &Id) -> Result<Found, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let mut known = self.read_by_sinch_id(&mut work, order).await?;
            let found = match (known.pop(), known.is_empty()) {
                (None, _) => Found::Nothing,
                (Some(only), true) => Found::One(self.read_history(&mut work, only).await?.into()),
                (Some(_), false) => Found::Several,
            };
            work.undo().await?;
            Ok(found)
        })
        .await
    }

    pub(in crate::store) async fn history(
        &self,
        key: &OrderKey,
    ) -> Result<Option<OrderDetail>, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let known = self.read_by_sinch_id(&mut work, &key.order).await?;
            let history = match known.into_iter().find(|stored| stored.key == *key) {
                Some(stored) => Some(self.read_history(&mut work, stored).await?),
                None => None,
            };
            work.undo().await?;
            Ok(history)
        })
        .await
    }

    pub(in crate::store) async fn body(&self, delivery: i64) -> Result<Option<Body>, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let found = sqlx::query(SELECT_BODY).bind(delivery);
            let found = found.fetch_optional(&mut *work).await?;
            work.undo().await?;
            let Some(row) = found else { return Ok(None) };
            let body: Option<Vec<u8>> = row.try_get(0)?;
            Ok(Some(body.map_or(Body::Gone, Body::Kept)))
        })
        .await
    }

    /// Reads the orders with the given id at Sinch: one for each project at most.
    async fn read_by_sinch_id(
        &self,
        db: &mut PgConnection,
        order: &Id,
    ) -> Result<Vec<StoredOrder>, Fault> {
        let found = sqlx::query(SELECT_BY_SINCH_ID).bind(order.as_str());
        let found = unreadable::each::<StoredOrder>(&found.fetch_all(db).await?)?;
        self.shared.met.note(&found.unreadable);
        match (found.rows.is_empty(), found.unreadable.first()) {
            // The order is known but cannot be read, which is not the same as an unknown order.
            (true, Some(row)) => Err(StoreError::Unread(row.to_string()).into()),
            _ => Ok(found.rows),
        }
    }

    /// Reads all that is recorded of an order, as of the moment at which the order was read.
    async fn read_history(
        &self,
        db: &mut PgConnection,
        order: StoredOrder,
    ) -> Result<OrderDetail, Fault> {
        let details = details::read(db, &[order.id]).await?.remove(&order.id);
        let deliveries = sqlx::query(DELIVERIES)
            .bind(order.id)
            .bind(order.key.project.as_str())
            .bind(order.key.order.as_str())
            .bind(i64::from(HISTORY_MAX))
            .fetch_all(&mut *db)
            .await?;
        let [numbers, fetches, transitions, alerts, notifications] = [
            SELECT_NUMBERS,
            SELECT_FETCHES,
            SELECT_TRANSITIONS,
            SELECT_ALERTS,
            SELECT_NOTIFICATIONS,
        ]
        .map(|sql| sqlx::query(sql).bind(order.id).bind(i64::from(HISTORY_MAX)));
        let history = History {
            numbers: numbers.fetch_all(&mut *db).await?,
            deliveries,
            fetches: fetches.fetch_all(&mut *db).await?,
            transitions: transitions.fetch_all(&mut *db).await?,
            alerts: alerts.fetch_all(&mut *db).await?,
            notifications: notifications.fetch_all(&mut *db).await?,
        };
        let detail = history.of(order, details.unwrap_or_default())?;
        self.shared.met.note(&detail.unreadable);
        Ok(detail)
    }
}
