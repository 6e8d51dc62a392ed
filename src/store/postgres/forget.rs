//! Removal of an order with all that is kept about it.

use sqlx::{PgConnection, Row};

use super::Store;
use super::error::Fault;
use super::lane::bounded;
use super::removal::REMOVE_DELIVERIES;
use super::unwatch::remove_orders;
use crate::store::sql::parked::kept_of_row;
use crate::store::{Kept, StoreError};
use number_order::OrderKey;

/// Maximum number of deliveries that one step removes.
const DELIVERIES_MAX: i64 = 1000;

const ORDER: &str = "
    SELECT o.id, o.project FROM projects AS p JOIN orders AS o ON o.project = p.id
    WHERE p.sinch_id = $1 AND o.sinch_id = $2";

const LOCK_ORDER: &str = "SELECT 1 FROM orders WHERE id = $1 FOR UPDATE";

/// Deliveries of the order with a row, a project and an id: those that were processed, that are parked without its row, that
/// wait, and those about numbers that no other order has.
macro_rules! deliveries {
    () => {
        "SELECT delivery_id AS id FROM decisions WHERE order_id = $1 \
         UNION SELECT d.id FROM decisions AS c JOIN deliveries AS d ON d.id = c.delivery_id \
             WHERE c.parked AND c.order_id IS NULL AND d.project = $2 AND d.order_sinch_id = $3 \
         UNION SELECT id FROM pending WHERE project = $2 AND order_sinch_id = $3 \
         UNION SELECT d.id FROM order_numbers AS n JOIN deliveries AS d ON d.project = n.project AND d.number = n.phone_number \
             WHERE n.order_id = $1 AND NOT EXISTS (SELECT 1 FROM order_numbers AS o \
                 WHERE o.project = n.project AND o.phone_number = n.phone_number AND o.order_id <> n.order_id)"
    };
}

/// Callbacks in the quarantine that claim to be about the order, or about a number that no other order has. If they are
/// genuine, they are about what is forgotten; if not, nothing is lost with them.
macro_rules! quarantined {
    () => {
        "SELECT id FROM quarantine WHERE project = $2 AND order_sinch_id = $3 \
         UNION SELECT q.id FROM order_numbers AS n JOIN quarantine AS q ON q.project = n.project AND q.number = n.phone_number \
             WHERE n.order_id = $1 AND q.number IS NOT NULL AND NOT EXISTS (SELECT 1 FROM order_numbers AS o \
                 WHERE o.project = n.project AND o.phone_number = n.phone_number AND o.order_id <> n.order_id)"
    };
}

const COUNT: &str = concat!(
    "SELECT (SELECT count(*) FROM (",
    deliveries!(),
    ") AS v) AS deliveries, \
     (SELECT count(*) FROM (",
    quarantined!(),
    ") AS v) AS quarantined, \
     (SELECT count(*) FROM fetches WHERE order_id = $1) AS fetches, \
     (SELECT count(*) FROM transitions WHERE order_id = $1) AS transitions, \
     (SELECT count(*) FROM alerts WHERE order_id = $1) AS alerts, \
     (SELECT count(*) FROM order_numbers WHERE order_id = $1) AS numbers, \
     (SELECT count(*) FROM events WHERE order_id = $1) AS events, \
     (SELECT count(*) FROM events AS e JOIN notifications AS n ON n.event = e.sequence WHERE e.order_id = $1) \
         AS notifications"
);

const SOME_DELIVERIES: &str = concat!(
    "SELECT id FROM (",
    deliveries!(),
    ") AS v ORDER BY id LIMIT $4"
);

const DELETE_QUARANTINED: &str =
    concat!("DELETE FROM quarantine WHERE id IN (", quarantined!(), ")");

/// Forgets the ordered number of placements of which no order is kept any more.
const FORGET_NUMBERS: &str = "
    UPDATE placements AS l SET number = NULL WHERE l.number IS NOT NULL AND l.project = $1
        AND l.id IN (SELECT placement FROM placement_steps WHERE order_sinch_id = $2)
        AND NOT EXISTS (SELECT 1 FROM placement_steps AS s JOIN orders AS o ON o.project = $1 AND o.sinch_id = s.order_sinch_id
            WHERE s.placement = l.id)";

/// Finds the rows of an order and of its project.
async fn find(db: &mut PgConnection, key: &OrderKey) -> Result<Option<(i64, i64)>, Fault> {
    let found = sqlx::query(ORDER)
        .bind(key.project.as_str())
        .bind(key.order.as_str());
    let found = found.fetch_optional(db).await?;
    let row = found.map(|row| Ok((row.try_get("id")?, row.try_get("project")?)));
    row.transpose()
}

/// Removes some of an order's deliveries, and returns their number.
async fn forget_deliveries(
    db: &mut PgConnection,
    (order, project): (i64, i64),
    key: &OrderKey,
) -> Result<usize, Fault> {
    let found = sqlx::query(SOME_DELIVERIES)
        .bind(order)
        .bind(project)
        .bind(key.order.as_str())
        .bind(DELIVERIES_MAX);
    let found = found.fetch_all(&mut *db).await?;
    let ids = found.iter().map(|row| row.try_get(0));
    let ids: Vec<i64> = ids.collect::<sqlx::Result<_>>()?;
    for sql in REMOVE_DELIVERIES {
        sqlx::query(sql).bind(&ids).execute(&mut *db).await?;
    }
    Ok(ids.len())
}

/// Removes some of an order's deliveries, and with the last of them the order itself. Returns `true` once it is gone.
async fn forget_some(db: &mut PgConnection, key: &OrderKey) -> Result<bool, Fault> {
    let Some(rows) = find(db, key).await? else {
        return Ok(true);
    };
    let (order, project) = rows;
    // The order comes first, as where it is processed: so nothing of it is processed until the commit.
    sqlx::query(LOCK_ORDER)
        .bind(order)
        .execute(&mut *db)
        .await?;
    // The quarantine comes before deliveries, as where it is admitted.
    let quarantined = sqlx::query(DELETE_QUARANTINED).bind(order).bind(project);
    quarantined
        .bind(key.order.as_str())
        .execute(&mut *db)
        .await?;
    if forget_deliveries(db, rows, key).await? as i64 == DELIVERIES_MAX {
        return Ok(false);
    }
    remove_orders(db, &[order]).await?;
    let forgotten = sqlx::query(FORGET_NUMBERS).bind(project);
    forgotten.bind(key.order.as_str()).execute(db).await?;
    Ok(true)
}

impl Store {
    pub(in crate::store) async fn kept(&self, key: &OrderKey) -> Result<Option<Kept>, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let Some((order, project)) = find(&mut work, key).await? else {
                return Ok(None);
            };
            let counted = sqlx::query(COUNT).bind(order).bind(project);
            let counted = counted
                .bind(key.order.as_str())
                .fetch_one(&mut *work)
                .await?;
            work.undo().await?;
            Ok(Some(kept_of_row(&counted)?))
        })
        .await
    }

    pub(in crate::store) async fn forget(&self, key: OrderKey) -> Result<Option<Kept>, StoreError> {
        let kept = self.kept(&key).await?;
        let mut is_gone = false;
        while !is_gone {
            is_gone = bounded(async || {
                let mut work = self.shared.commands.begin().await?;
                let is_gone = forget_some(&mut work, &key).await?;
                work.commit().await?;
                Ok(is_gone)
            })
            .await?;
        }
        Ok(kept)
    }
}
