//! Results of fetches, and the other writes that make an order known or due.
//!
//! An answer is applied inside the transaction that records it, against the order as it is by then: events may have
//! come since the fetch was sent.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::changes::write_changes;
use super::command::{WriteCommand, WriteContext};
use super::numbers;
use super::outbox::OutboxContext;
use super::row_fault::{Unparkable, park_row};
use super::rows::order_text;
use super::savepoint::{begin_savepoint, end_savepoint};
use super::script::Script;
use super::{Store, StoreError};
use crate::store::apply;
use crate::store::changes::StoredOrder;
use crate::store::sql::row_fault::{BatchMode, unwritable_order};
use crate::store::sql::{json, unreadable};
use crate::store::{FetchResult, Recorded, WatchRequest};
use number_order::{Id, OrderKey, Time};

const SELECT_LEASED: &str = concat!(
    "SELECT json_group_array(",
    order_text!(),
    ") FROM json_each(?) AS v JOIN orders AS o ON o.id = v.value \
     JOIN projects AS p ON p.id = o.project"
);

/// Applies the results of fetches to their orders, and releases these. What is in the script is sent first. Returns the
/// statements that are left to send, too.
pub(super) async fn record(
    db: &mut SqliteConnection,
    outbox: &mut OutboxContext,
    script: Script,
    results: &[&FetchResult],
    mode: BatchMode,
    unparkable: &mut Unparkable,
) -> sqlx::Result<(Vec<Recorded>, Script)> {
    if mode == BatchMode::Together {
        return record_together(db, outbox, script, results, unparkable).await;
    }
    script.execute(db).await?;
    let mut recorded = Vec::with_capacity(results.len());
    for fetch in results {
        begin_savepoint(db).await?;
        let done = record_one(db, outbox, fetch, unparkable).await;
        match end_savepoint(db, done).await? {
            Ok(done) => recorded.extend(done),
            Err(reason) => {
                let order_id = fetch.claim.order_id;
                let reason = unwritable_order(order_id, &reason);
                park_row(db, order_id, &reason, unparkable).await?;
                recorded.push(Recorded::RowAtFault { reason });
            }
        }
    }
    Ok((recorded, Script::default()))
}

async fn record_one(
    db: &mut SqliteConnection,
    outbox: &mut OutboxContext,
    fetch: &FetchResult,
    unparkable: &mut Unparkable,
) -> sqlx::Result<Vec<Recorded>> {
    let script = Script::default();
    let (recorded, left) = record_together(db, outbox, script, &[fetch], unparkable).await?;
    left.execute(db).await?;
    Ok(recorded)
}

async fn record_together(
    db: &mut SqliteConnection,
    outbox: &mut OutboxContext,
    mut script: Script,
    results: &[&FetchResult],
    unparkable: &mut Unparkable,
) -> sqlx::Result<(Vec<Recorded>, Script)> {
    let ids: Vec<i64> = results.iter().map(|o| o.claim.order_id).collect();
    script.add(SELECT_LEASED).bind(json(&ids));
    let found = script.fetch(db).await?;
    let found = found.last().ok_or(sqlx::Error::RowNotFound)?;
    let found = unreadable::many::<StoredOrder>(found, 0)?;
    let mut faults = HashMap::new();
    for row in found.unreadable {
        park_row(db, row.row, &row.to_string(), unparkable).await?;
        faults.insert(row.row, row.to_string());
    }
    let leased = found
        .rows
        .into_iter()
        .map(|stored| (stored.id, stored))
        .collect();
    let (changes, recorded) = apply::record(leased, &faults, results);
    let left = write_changes(db, outbox, &changes).await?;
    Ok((recorded, left))
}

/// Makes an order due for a fetch at once, and its numbers, as an operator requested; `false` if the order is not known.
async fn request_fetch(db: &mut SqliteConnection, key: &OrderKey, now: Time) -> sqlx::Result<bool> {
    // The statement does as `Order::request_fetch`, without reading the row.
    let sql = "UPDATE orders SET fetch_at = ?1, fetch_requested_at = ?1, attempts = 0, parked = NULL, \
               parked_fields = NULL, dismissed_at = NULL \
               WHERE project = (SELECT id FROM projects WHERE sinch_id = ?2) AND sinch_id = ?3";
    let updated = sqlx::query(sql)
        .bind(now.0)
        .bind(key.project.as_str())
        .bind(key.order.as_str())
        .execute(&mut *db)
        .await?;
    numbers::request_fetch(db, key, now).await?;
    Ok(updated.rows_affected() == 1)
}

const WATCH_ORDERS: &str = "
    INSERT INTO orders (project, sinch_id, first_seen_at, fetch_at)
    SELECT p.id, v.value, ?2, ?2 FROM json_each(?3) AS v JOIN projects AS p ON p.sinch_id = ?1
    WHERE true ON CONFLICT (project, sinch_id) DO NOTHING";

/// Makes orders known, and due for a fetch at once; returns the number of orders that were not known before.
pub(super) async fn watch(db: &mut SqliteConnection, request: &WatchRequest) -> sqlx::Result<u64> {
    let names: Vec<&str> = request.orders.iter().map(Id::as_str).collect();
    let inserted = sqlx::query(WATCH_ORDERS)
        .bind(request.project.as_str())
        .bind(request.now.0)
        .bind(json(&names))
        .execute(db)
        .await?;
    Ok(inserted.rows_affected())
}

/// Maximum number of orders made known in one transaction, so that no callback waits long for a list.
const WATCHED_MAX: usize = 3000;

struct RequestFetch(OrderKey, Time);

impl WriteCommand for RequestFetch {
    type Reply = bool;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<bool> {
        request_fetch(&mut context.db, &self.0, self.1).await
    }
}

impl WriteCommand for WatchRequest {
    type Reply = u64;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<u64> {
        watch(&mut context.db, self).await
    }
}

impl Store {
    pub(in crate::store) async fn request_fetch(
        &self,
        key: OrderKey,
        now: Time,
    ) -> Result<bool, StoreError> {
        let known = self.write(RequestFetch(key, now)).await?;
        self.due.notify_waiters();
        Ok(known)
    }

    pub(in crate::store) async fn watch(&self, request: WatchRequest) -> Result<u64, StoreError> {
        self.want_space()?;
        let mut new = 0;
        for orders in request.orders.chunks(WATCHED_MAX) {
            let part = WatchRequest {
                project: request.project.clone(),
                orders: orders.to_vec(),
                now: request.now,
            };
            new += self.write(part).await?;
            self.due.notify_waiters();
        }
        Ok(new)
    }
}
