//! Removal of an order with all that is kept about it.

use sqlx::{Row, SqliteConnection};

use super::command::{WriteCommand, WriteContext};
use super::prune;
use super::{Store, StoreError};
use crate::store::Kept;
use crate::store::sql::parked::kept_of_row;
use number_order::OrderKey;

/// Maximum number of deliveries that one step removes, so that no callback waits long.
const DELIVERIES_MAX: u32 = 1000;

const ORDER: &str = "
    SELECT o.id, o.project FROM projects AS p JOIN orders AS o ON o.project = p.id WHERE p.sinch_id = ? AND o.sinch_id = ?";

/// Deliveries of the order with a row, a project and an id: those that were processed, that are parked without its row, that
/// wait, and those about numbers that no other order has. The plus keeps SQLite from reading all deliveries of the project.
macro_rules! deliveries {
    () => {
        "SELECT id FROM deliveries WHERE order_id = ?1 \
         UNION SELECT id FROM deliveries WHERE phase = 'parked' AND order_id IS NULL AND +project = ?2 AND order_sinch_id = ?3 \
         UNION SELECT id FROM deliveries \
             WHERE id > (SELECT processed_through FROM service) AND +project = ?2 AND order_sinch_id = ?3 \
         UNION SELECT d.id FROM order_numbers AS n CROSS JOIN deliveries AS d ON d.project = n.project AND d.number = n.phone_number \
             WHERE n.order_id = ?1 AND d.number IS NOT NULL AND NOT EXISTS (SELECT 1 FROM order_numbers AS o \
                 WHERE o.project = n.project AND o.phone_number = n.phone_number AND o.order_id <> n.order_id)"
    };
}

/// Callbacks in the quarantine that claim to be about the order, or about a number that no other order has. If they are
/// genuine, they are about what is forgotten; if not, nothing is lost with them.
macro_rules! quarantined {
    () => {
        "SELECT id FROM quarantine WHERE project = ?2 AND order_sinch_id = ?3 \
         UNION SELECT q.id FROM order_numbers AS n JOIN quarantine AS q ON q.project = n.project AND q.number = n.phone_number \
             WHERE n.order_id = ?1 AND q.number IS NOT NULL AND NOT EXISTS (SELECT 1 FROM order_numbers AS o \
                 WHERE o.project = n.project AND o.phone_number = n.phone_number AND o.order_id <> n.order_id)"
    };
}

const COUNT: &str = concat!(
    "SELECT (SELECT count(*) FROM (",
    deliveries!(),
    ")) AS deliveries, \
     (SELECT count(*) FROM (",
    quarantined!(),
    ")) AS quarantined, \
     (SELECT count(*) FROM fetches WHERE order_id = ?1) AS fetches, \
     (SELECT count(*) FROM transitions WHERE order_id = ?1) AS transitions, \
     (SELECT count(*) FROM alerts WHERE order_id = ?1) AS alerts, \
     (SELECT count(*) FROM order_numbers WHERE order_id = ?1) AS numbers, \
     (SELECT count(*) FROM events WHERE order_id = ?1) AS events, \
     (SELECT count(*) FROM events AS e CROSS JOIN notifications AS n ON n.event = e.sequence WHERE e.order_id = ?1) \
         AS notifications"
);

const DELETE_DELIVERIES: &str = concat!(
    "DELETE FROM deliveries WHERE id IN (SELECT id FROM (",
    deliveries!(),
    ") LIMIT ?4)"
);

const DELETE_QUARANTINED: &str =
    concat!("DELETE FROM quarantine WHERE id IN (", quarantined!(), ")");

/// Forgets the ordered number of placements of which no order is kept any more.
const FORGET_NUMBERS: &str = "
    UPDATE placements SET number = NULL WHERE number IS NOT NULL AND project = ?1
        AND id IN (SELECT placement FROM placement_steps WHERE order_sinch_id = ?2)
        AND NOT EXISTS (SELECT 1 FROM placement_steps AS s JOIN orders AS o ON o.project = ?1 AND o.sinch_id = s.order_sinch_id
            WHERE s.placement = placements.id)";

/// Finds the rows of an order and of its project.
async fn find(db: &mut SqliteConnection, key: &OrderKey) -> sqlx::Result<Option<(i64, i64)>> {
    let found = sqlx::query(ORDER)
        .bind(key.project.as_str())
        .bind(key.order.as_str());
    let found = found.fetch_optional(db).await?;
    let row = found.map(|row| Ok((row.try_get("id")?, row.try_get("project")?)));
    row.transpose()
}

/// Removes some of an order's deliveries, and with the last of them the order itself. Returns `true` once it is gone.
async fn forget_some(db: &mut SqliteConnection, key: &OrderKey) -> sqlx::Result<bool> {
    let Some((order, project)) = find(db, key).await? else {
        return Ok(true);
    };
    let quarantined = sqlx::query(DELETE_QUARANTINED).bind(order).bind(project);
    quarantined
        .bind(key.order.as_str())
        .execute(&mut *db)
        .await?;
    let deleted = sqlx::query(DELETE_DELIVERIES)
        .bind(order)
        .bind(project)
        .bind(key.order.as_str())
        .bind(DELIVERIES_MAX);
    let deleted = deleted.execute(&mut *db).await?.rows_affected();
    if deleted == u64::from(DELIVERIES_MAX) {
        return Ok(false);
    }
    prune::remove(db, &[order]).await?;
    let forgotten = sqlx::query(FORGET_NUMBERS).bind(project);
    forgotten.bind(key.order.as_str()).execute(db).await?;
    Ok(true)
}

struct ForgetSome(OrderKey);

impl WriteCommand for ForgetSome {
    type Reply = bool;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<bool> {
        forget_some(&mut context.db, &self.0).await
    }
}

impl Store {
    pub(in crate::store) async fn kept(&self, key: &OrderKey) -> Result<Option<Kept>, StoreError> {
        let mut db = self.readers.begin().await?;
        let Some((order, project)) = find(&mut db, key).await? else {
            return Ok(None);
        };
        let counted = sqlx::query(COUNT).bind(order).bind(project);
        let counted = counted.bind(key.order.as_str()).fetch_one(&mut *db).await?;
        Ok(Some(kept_of_row(&counted)?))
    }

    pub(in crate::store) async fn forget(&self, key: OrderKey) -> Result<Option<Kept>, StoreError> {
        let kept = self.kept(&key).await?;
        while !self.write(ForgetSome(key.clone())).await? {}
        Ok(kept)
    }
}
