//! Parked deliveries and orders: an operator has them processed again, or dismisses them.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::Store;
use super::error::Fault;
use super::inbox::{Incoming, accept};
use super::lane::bounded;
use super::removal::REMOVE_DELIVERIES;
use crate::store::sql::parked::parked_of_row;
use crate::store::{Dismissed, NewDelivery, ParkedFound, StoreError};
use number_order::{OrderKey, Time};

const SELECT: &str = "
    SELECT p.sinch_id AS project, d.callback_key, d.received_at, d.body,
        d.kind = 'not-understood' OR coalesce(c.parked, false) AS is_parked
    FROM deliveries AS d JOIN projects AS p ON p.id = d.project LEFT JOIN decisions AS c ON c.delivery_id = d.id
    WHERE d.id = $1";

/// Locks a delivery, so that one operator at a time replays it.
const LOCK: &str = "SELECT 1 FROM deliveries WHERE id = $1 FOR UPDATE";

const DISMISS_DELIVERY: &str = "
    INSERT INTO dismissals (delivery_id, dismissed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const DISMISS_ORDER: &str = "
    UPDATE orders SET dismissed_at = $3 WHERE parked IS NOT NULL
        AND project = (SELECT id FROM projects WHERE sinch_id = $1) AND sinch_id = $2";

const IS_ORDER: &str = "
    SELECT 1 FROM projects AS p JOIN orders AS o ON o.project = p.id WHERE p.sinch_id = $1 AND o.sinch_id = $2";

async fn find(db: &mut PgConnection, delivery: i64) -> Result<Option<PgRow>, Fault> {
    Ok(sqlx::query(SELECT)
        .bind(delivery)
        .fetch_optional(db)
        .await?)
}

fn is_parked(row: &PgRow) -> Result<bool, Fault> {
    Ok(row.try_get("is_parked")?)
}

async fn replay(db: &mut PgConnection, delivery: i64, again: &NewDelivery) -> Result<bool, Fault> {
    sqlx::query(LOCK).bind(delivery).execute(&mut *db).await?;
    let found = find(db, delivery).await?;
    if !found.as_ref().map(is_parked).transpose()?.unwrap_or(false) {
        return Ok(false);
    }
    for sql in REMOVE_DELIVERIES {
        let removed = sqlx::query(sql).bind(vec![delivery]);
        removed.execute(&mut *db).await?;
    }
    let incoming = Incoming::new(again, again.received_at.0);
    for accepted in accept(db, &[incoming]).await? {
        accepted?;
    }
    Ok(true)
}

async fn dismiss_delivery(
    db: &mut PgConnection,
    delivery: i64,
    now: Time,
) -> Result<Dismissed, Fault> {
    sqlx::query(LOCK).bind(delivery).execute(&mut *db).await?;
    let Some(row) = find(db, delivery).await? else {
        return Ok(Dismissed::Unknown);
    };
    if !is_parked(&row)? {
        return Ok(Dismissed::NotParked);
    }
    let dismissed = sqlx::query(DISMISS_DELIVERY).bind(delivery).bind(now.0);
    dismissed.execute(db).await?;
    Ok(Dismissed::Done)
}

async fn dismiss_order(
    db: &mut PgConnection,
    key: &OrderKey,
    now: Time,
) -> Result<Dismissed, Fault> {
    let named = |sql| {
        sqlx::query(sql)
            .bind(key.project.as_str())
            .bind(key.order.as_str())
    };
    let dismissed = named(DISMISS_ORDER).bind(now.0).execute(&mut *db).await?;
    if dismissed.rows_affected() > 0 {
        return Ok(Dismissed::Done);
    }
    let known = named(IS_ORDER).fetch_optional(db).await?;
    Ok(known.map_or(Dismissed::Unknown, |_| Dismissed::NotParked))
}

impl Store {
    pub(in crate::store) async fn parked(&self, delivery: i64) -> Result<ParkedFound, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let found = find(&mut work, delivery).await?;
            work.undo().await?;
            let Some(row) = found else {
                return Ok(ParkedFound::Unknown);
            };
            if !is_parked(&row)? {
                return Ok(ParkedFound::NotParked);
            }
            let body: Option<Vec<u8>> = row.try_get("body")?;
            let parked = parked_of_row(&row, body.unwrap_or_default())?;
            Ok(ParkedFound::Parked(parked))
        })
        .await
    }

    pub(in crate::store) async fn replay(
        &self,
        delivery: i64,
        again: NewDelivery,
    ) -> Result<bool, StoreError> {
        let replayed = bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let replayed = replay(&mut work, delivery, &again).await?;
            work.commit().await?;
            Ok(replayed)
        });
        let replayed = replayed.await?;
        self.shared.pending.notify_one();
        Ok(replayed)
    }

    pub(in crate::store) async fn dismiss_delivery(
        &self,
        delivery: i64,
        now: Time,
    ) -> Result<Dismissed, StoreError> {
        let now = self.shared.clock.database(now);
        bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let dismissed = dismiss_delivery(&mut work, delivery, now).await?;
            work.commit().await?;
            Ok(dismissed)
        })
        .await
    }

    pub(in crate::store) async fn dismiss_order(
        &self,
        key: OrderKey,
        now: Time,
    ) -> Result<Dismissed, StoreError> {
        let now = self.shared.clock.database(now);
        bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let dismissed = dismiss_order(&mut work, &key, now).await?;
            work.commit().await?;
            Ok(dismissed)
        })
        .await
    }
}
