//! Parked deliveries and orders: an operator has them processed again, or dismisses them.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::command::{WriteCommand, WriteContext};
use super::inbox;
use super::{Store, StoreError};
use crate::store::sql::parked::parked_of_row;
use crate::store::{Dismissed, NewDelivery, ParkedFound};
use number_order::{OrderKey, Time};

const SELECT: &str = "
    SELECT p.sinch_id AS project, d.callback_key, d.received_at, d.body, d.phase = 'parked' AS is_parked
    FROM deliveries AS d JOIN projects AS p ON p.id = d.project WHERE d.id = ?";

const DELETE_PARKED: &str = "DELETE FROM deliveries WHERE id = ? AND phase = 'parked'";

const DISMISS_DELIVERY: &str = "
    INSERT INTO dismissals (delivery_id, dismissed_at)
    SELECT id, ?2 FROM deliveries WHERE id = ?1 AND phase = 'parked' ON CONFLICT DO NOTHING";

const DISMISS_ORDER: &str = "
    UPDATE orders SET dismissed_at = ?3 WHERE parked IS NOT NULL
        AND project = (SELECT id FROM projects WHERE sinch_id = ?1) AND sinch_id = ?2";

const IS_ORDER: &str = "
    SELECT 1 FROM projects AS p JOIN orders AS o ON o.project = p.id WHERE p.sinch_id = ? AND o.sinch_id = ?";

struct Replay(i64, NewDelivery);

impl WriteCommand for Replay {
    type Reply = bool;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<bool> {
        let Replay(delivery, again) = self;
        let db = &mut context.db;
        let deleted = sqlx::query(DELETE_PARKED).bind(delivery).execute(&mut *db);
        if deleted.await?.rows_affected() == 0 {
            return Ok(false);
        }
        let (next, projects) = (&mut context.next_delivery, &context.projects);
        let incoming = inbox::accept(db, next, projects, &[again]).await?;
        incoming.judge(db).await?;
        Ok(true)
    }
}

struct DismissDelivery(i64, Time);

impl WriteCommand for DismissDelivery {
    type Reply = Dismissed;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Dismissed> {
        let DismissDelivery(delivery, now) = self;
        let db = &mut context.db;
        let dismissed = sqlx::query(DISMISS_DELIVERY).bind(delivery).bind(now.0);
        dismissed.execute(&mut *db).await?;
        Ok(
            match find(db, *delivery)
                .await?
                .as_ref()
                .map(is_parked)
                .transpose()?
            {
                Some(true) => Dismissed::Done,
                Some(false) => Dismissed::NotParked,
                None => Dismissed::Unknown,
            },
        )
    }
}

struct DismissOrder(OrderKey, Time);

impl WriteCommand for DismissOrder {
    type Reply = Dismissed;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Dismissed> {
        let DismissOrder(key, now) = self;
        let db = &mut context.db;
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
}

async fn find(db: &mut SqliteConnection, delivery: i64) -> sqlx::Result<Option<SqliteRow>> {
    sqlx::query(SELECT).bind(delivery).fetch_optional(db).await
}

fn is_parked(row: &SqliteRow) -> sqlx::Result<bool> {
    row.try_get("is_parked")
}

impl Store {
    pub(in crate::store) async fn parked(&self, delivery: i64) -> Result<ParkedFound, StoreError> {
        let found = find(&mut *self.readers.begin().await?, delivery).await?;
        let Some(row) = found else {
            return Ok(ParkedFound::Unknown);
        };
        if !is_parked(&row)? {
            return Ok(ParkedFound::NotParked);
        }
        let body = row.try_get("body")?;
        Ok(ParkedFound::Parked(parked_of_row(&row, body)?))
    }

    pub(in crate::store) async fn replay(
        &self,
        delivery: i64,
        again: NewDelivery,
    ) -> Result<bool, StoreError> {
        self.want_space()?;
        let replayed = self.write(Replay(delivery, again)).await?;
        self.pending.notify_one();
        Ok(replayed)
    }

    pub(in crate::store) async fn dismiss_delivery(
        &self,
        delivery: i64,
        now: Time,
    ) -> Result<Dismissed, StoreError> {
        self.write(DismissDelivery(delivery, now)).await
    }

    pub(in crate::store) async fn dismiss_order(
        &self,
        key: OrderKey,
        now: Time,
    ) -> Result<Dismissed, StoreError> {
        self.write(DismissOrder(key, now)).await
    }
}
