//! One order with its history, and the body of one delivery.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{DELIVERIES_TABLE, delivery_columns, delivery_of_row, each};
use crate::store::changes::StoredNumber;
use crate::store::sqlite::numbers::number_text;
use crate::store::sqlite::rows::{StoredOrder, order_text, time};
use crate::store::sqlite::{Store, StoreError, unreadable};
use crate::store::sqlite::{codes, details};
use crate::store::{
    Body, FetchRow, Found, NumberRow, OrderDetail, OrderRow, RecordedAlert, TransitionRow,
};
use number_order::{Id, OrderKey, Time};

const SELECT_BY_SINCH_ID: &str = concat!(
    "SELECT ",
    order_text!(),
    " FROM projects AS p JOIN orders AS o ON o.project = p.id AND o.sinch_id = ?"
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

/// Maximum number of rows of each kind in an order's history; the newest are shown.
const HISTORY_MAX: u32 = 1000;

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
        let details = details.unwrap_or_default();
        let deliveries = sqlx::query(DELIVERIES)
            .bind(order.id)
            .bind(order.key.project.as_str())
            .bind(order.key.order.as_str())
            .bind(HISTORY_MAX)
            .fetch_all(&mut *db)
            .await?;
        let [numbers, fetches, transitions, alerts] = [
            SELECT_NUMBERS,
            SELECT_FETCHES,
            SELECT_TRANSITIONS,
            SELECT_ALERTS,
        ]
        .map(|sql| sqlx::query(sql).bind(order.id).bind(HISTORY_MAX));
        let numbers = numbers.fetch_all(&mut *db).await?;
        let fetches = fetches.fetch_all(&mut *db).await?;
        let transitions = transitions.fetch_all(&mut *db).await?;
        let alerts = alerts.fetch_all(&mut *db).await?;
        let numbers = unreadable::each::<StoredNumber>(&numbers)?;
        let deliveries = each(&deliveries, DELIVERIES_TABLE, delivery_of_row)?;
        let fetches = each(&fetches, "fetches", fetch_of_row)?;
        let transitions = each(&transitions, "transitions", transition_of_row)?;
        let alerts = each(&alerts, "alerts", alert_of_row)?;
        let all_are_read = numbers.unreadable.is_empty();
        let readiness: Vec<NumberRow> = numbers.rows.into_iter().map(NumberRow::new).collect();
        let unreadable = [
            numbers.unreadable,
            deliveries.unreadable,
            fetches.unreadable,
            transitions.unreadable,
            alerts.unreadable,
        ]
        .concat();
        self.met.note(&unreadable);
        Ok(OrderDetail {
            order: OrderRow::new(order, details),
            ready_at: ready_at(&readiness).filter(|_| all_are_read),
            readiness,
            deliveries: oldest_first(deliveries.rows),
            fetches: oldest_first(fetches.rows),
            transitions: oldest_first(transitions.rows),
            alerts: oldest_first(alerts.rows),
            unreadable,
        })
    }
}

/// Returns the time at which the last of an order's numbers became ready; `None` until each has been.
fn ready_at(numbers: &[NumberRow]) -> Option<Time> {
    let all: Option<Vec<Time>> = numbers.iter().map(|number| number.ready_at).collect();
    all?.into_iter().max()
}

fn oldest_first<T>(mut newest_first: Vec<T>) -> Vec<T> {
    newest_first.reverse();
    newest_first
}

fn fetch_of_row(row: &SqliteRow) -> sqlx::Result<FetchRow> {
    Ok(FetchRow {
        fetched_at: Time(row.try_get("fetched_at")?),
        state: row.try_get("state")?,
        updated_at: time(row, "updated_at")?,
        outcome: codes::require(row, "outcome", "outcome_fields")?,
        unreadable_expiry: row.try_get("unreadable_expiry")?,
    })
}

fn transition_of_row(row: &SqliteRow) -> sqlx::Result<TransitionRow> {
    Ok(TransitionRow {
        recorded_at: Time(row.try_get("recorded_at")?),
        from_state: row.try_get("from_state")?,
        to_state: row.try_get("to_state")?,
        confirmed: row.try_get("confirmed")?,
        said_at: Time(row.try_get("said_at")?),
        cause: codes::require(row, "cause", "cause_fields")?,
    })
}

fn alert_of_row(row: &SqliteRow) -> sqlx::Result<RecordedAlert> {
    Ok(RecordedAlert {
        alert: codes::require(row, "kind", "kind_fields")?,
        fired_at: Time(row.try_get("fired_at")?),
        resolved_at: time(row, "resolved_at")?,
    })
}
