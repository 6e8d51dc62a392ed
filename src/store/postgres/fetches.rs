//! Results of fetches, and the other writes that make an order known or due.
//!
//! An answer is applied inside the transaction that records it, against the order as it is by then: events may have
//! come since the fetch was sent.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::{PgConnection, Row};

use super::changes::write_fetched;
use super::error::Fault;
use super::lane::bounded;
use super::{Store, circuit, numbers};
use crate::store::apply;
use crate::store::changes::StoredOrder;
use crate::store::outbox::OutboxTarget;
use crate::store::sql::codes::{self, Code};
use crate::store::sql::orders::order_columns;
use crate::store::sql::row_fault::unwritable_order;
use crate::store::sql::unreadable;
use crate::store::{FetchResult, Recorded, StoreError, WatchRequest};
use number_order::{FetchOutcome, Id, OrderKey, ParkReason, Time};

/// Locks orders, and waits for those that another transaction has.
const LOCK_ORDERS: &str = concat!(
    "SELECT json_build_array(",
    order_columns!(),
    ")::text FROM orders AS o JOIN projects AS p ON p.id = o.project WHERE o.id = ANY ($1) ORDER BY o.id \
     FOR NO KEY UPDATE OF o"
);

/// Selects results that are recorded already, though the answer to their commit got lost.
const SELECT_RECORDED: &str = "
    SELECT f.order_id, f.lease, f.outcome, f.outcome_fields, f.unreadable_expiry
    FROM unnest($1::bigint[], $2::bigint[]) AS v (order_id, lease)
        JOIN fetches AS f ON f.order_id = v.order_id AND f.lease = v.lease";

/// Parks an order by its row. The faulty column stays as it is, for the operator who repairs it.
const PARK_ROW: &str = "
    UPDATE orders SET fetch_at = NULL, lease = NULL, leased_until_at = NULL, parked = coalesce(parked, $1),
        parked_fields = CASE WHEN parked IS NULL THEN $2 ELSE parked_fields END
    WHERE id = $3";

/// Parks an order's row, even if its other columns cannot be read.
pub(super) async fn park_row(
    db: &mut PgConnection,
    order_id: i64,
    reason: &str,
) -> Result<(), Fault> {
    let fault = reason.to_owned();
    let reason = Code::new(&ParkReason::RowAtFault { fault });
    sqlx::query(PARK_ROW)
        .bind(reason.code)
        .bind(reason.fields)
        .bind(order_id)
        .execute(db)
        .await?;
    Ok(())
}

impl Store {
    pub(in crate::store) async fn record(
        &self,
        results: Arc<[FetchResult]>,
    ) -> Result<Vec<Recorded>, StoreError> {
        let clock = self.shared.clock;
        let results: Vec<FetchResult> = results
            .iter()
            .map(|fetch| FetchResult {
                now: clock.database(fetch.now),
                fetched_at: clock.database(fetch.fetched_at),
                ..fetch.clone()
            })
            .collect();
        let all: Vec<&FetchResult> = results.iter().collect();
        match bounded(|| self.record_some(&all)).await {
            Err(StoreError::Rejected(_)) => self.record_or_park(&all).await,
            recorded => recorded,
        }
    }

    async fn record_some(&self, results: &[&FetchResult]) -> Result<Vec<Recorded>, Fault> {
        let mut work = self.shared.fetches.begin().await?;
        let recorded = record(&mut work, &self.shared.replica.targets, results).await?;
        let leases: Vec<i64> = results.iter().map(|fetch| fetch.claim.lease).collect();
        circuit::end_probes(&mut work, &leases).await?;
        work.commit().await?;
        self.shared.told.notify_waiters();
        Ok(recorded)
    }

    /// Records one result after the other. An order whose row the database refuses to change is parked.
    async fn record_or_park(&self, results: &[&FetchResult]) -> Result<Vec<Recorded>, StoreError> {
        let mut recorded = Vec::with_capacity(results.len());
        for alone in results.chunks(1) {
            match bounded(|| self.record_some(alone)).await {
                Err(StoreError::Rejected(refusal)) => {
                    let order_id = alone[0].claim.order_id;
                    let reason = unwritable_order(order_id, &refusal);
                    bounded(async || {
                        let mut work = self.shared.fetches.begin().await?;
                        park_row(&mut work, order_id, &reason).await?;
                        work.commit().await
                    })
                    .await?;
                    recorded.push(Recorded::RowAtFault { reason });
                }
                done => recorded.extend(done?),
            }
        }
        Ok(recorded)
    }

    pub(in crate::store) async fn request_fetch(
        &self,
        key: OrderKey,
        now: Time,
    ) -> Result<bool, StoreError> {
        let now = self.shared.clock.database(now);
        let known = bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let known = request_fetch(&mut work, &key, now).await?;
            work.commit().await?;
            Ok(known)
        });
        let known = known.await?;
        self.shared.due.notify_waiters();
        Ok(known)
    }

    pub(in crate::store) async fn watch(&self, request: WatchRequest) -> Result<u64, StoreError> {
        let now = self.shared.clock.database(request.now);
        let mut new = 0;
        for orders in request.orders.chunks(WATCHED_MAX) {
            new += bounded(async || {
                let mut work = self.shared.commands.begin().await?;
                let new = watch(&mut work, &request.project, orders, now).await?;
                work.commit().await?;
                Ok(new)
            })
            .await?;
            self.shared.due.notify_waiters();
        }
        Ok(new)
    }
}

/// Applies the results of fetches to their orders, and releases these.
async fn record(
    db: &mut PgConnection,
    targets: &[OutboxTarget],
    results: &[&FetchResult],
) -> Result<Vec<Recorded>, Fault> {
    let ids: Vec<i64> = results.iter().map(|fetch| fetch.claim.order_id).collect();
    let rows = sqlx::query(LOCK_ORDERS)
        .bind(ids)
        .fetch_all(&mut *db)
        .await?;
    let found = unreadable::each::<StoredOrder>(&rows)?;
    let mut faults = HashMap::new();
    for row in found.unreadable {
        park_row(db, row.row, &row.to_string()).await?;
        faults.insert(row.row, row.to_string());
    }
    let orders = found.rows.into_iter().map(|stored| (stored.id, stored));
    let orders: HashMap<i64, StoredOrder> = orders.collect();
    let held = |(id, stored): (&i64, &StoredOrder)| Some((*id, stored.lease?.0));
    let leases: HashMap<i64, i64> = orders.iter().filter_map(held).collect();
    let parked = orders
        .iter()
        .map(|(id, stored)| (*id, stored.order.parked.clone()));
    let parked: HashMap<i64, Option<ParkReason>> = parked.collect();
    let (changes, mut recorded) = apply::record(orders, &faults, results);
    if !changes.fetched.is_empty() {
        write_fetched(db, targets, &changes, |order| leases.get(&order).copied()).await?;
    }
    find_recorded(db, results, &parked, &mut recorded).await?;
    Ok(recorded)
}

/// Finds among the results that came too late those that were recorded by this very holder, and reports them so.
async fn find_recorded(
    db: &mut PgConnection,
    results: &[&FetchResult],
    parked: &HashMap<i64, Option<ParkReason>>,
    recorded: &mut [Recorded],
) -> Result<(), Fault> {
    let pairs = || results.iter().zip(recorded.iter());
    let fenced = pairs().filter(|(_, recorded)| **recorded == Recorded::Fenced);
    let fenced: Vec<(i64, i64)> = fenced
        .map(|(fetch, _)| (fetch.claim.order_id, fetch.claim.lease))
        .collect();
    if fenced.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(SELECT_RECORDED)
        .bind(fenced.iter().map(|(order, _)| *order).collect::<Vec<_>>())
        .bind(fenced.iter().map(|(_, lease)| *lease).collect::<Vec<_>>())
        .fetch_all(db)
        .await?;
    for row in rows {
        let key: (i64, i64) = (row.try_get("order_id")?, row.try_get("lease")?);
        let outcome: FetchOutcome = codes::require(&row, "outcome", "outcome_fields")?;
        let unreadable_expiry: Option<&str> = row.try_get("unreadable_expiry")?;
        let done = Recorded::Done {
            anomaly: outcome.is_anomaly() || unreadable_expiry.is_some(),
            outcome,
            parked: parked.get(&key.0).cloned().flatten(),
            converged: None,
        };
        let is_it = |fetch: &FetchResult| (fetch.claim.order_id, fetch.claim.lease) == key;
        let found = results.iter().zip(recorded.iter_mut());
        if let Some((_, recorded)) = found
            .into_iter()
            .find(|(fetch, recorded)| is_it(fetch) && **recorded == Recorded::Fenced)
        {
            *recorded = done;
        }
    }
    Ok(())
}

const REQUEST_FETCH: &str = "
    UPDATE orders SET fetch_at = $1, fetch_requested_at = $1, attempts = 0, parked = NULL, parked_fields = NULL,
        dismissed_at = NULL
    WHERE project = (SELECT id FROM projects WHERE sinch_id = $2) AND sinch_id = $3";

/// Makes an order due for a fetch at once, and its numbers, as an operator requested; `false` if the order is not known.
/// The statement does as `Order::request_fetch`, without reading the row.
async fn request_fetch(db: &mut PgConnection, key: &OrderKey, now: Time) -> Result<bool, Fault> {
    let updated = sqlx::query(REQUEST_FETCH)
        .bind(now.0)
        .bind(key.project.as_str())
        .bind(key.order.as_str())
        .execute(&mut *db)
        .await?;
    numbers::request_fetch(db, key, now).await?;
    Ok(updated.rows_affected() == 1)
}

/// Maximum number of orders made known in one transaction, so that no other writer waits long for a list.
const WATCHED_MAX: usize = 3000;

const WATCH_ORDERS: &str = "
    INSERT INTO orders (project, sinch_id, first_seen_at, fetch_at)
    SELECT p.id, v.sinch_id, $2, $2 FROM unnest($3::text[]) AS v (sinch_id) JOIN projects AS p ON p.sinch_id = $1
    ORDER BY v.sinch_id
    ON CONFLICT (project, sinch_id) DO NOTHING";

/// Makes orders known, and due for a fetch at once; returns the number of orders that were not known before.
pub(super) async fn watch(
    db: &mut PgConnection,
    project: &Id,
    orders: &[Id],
    now: Time,
) -> Result<u64, Fault> {
    let names: Vec<&str> = orders.iter().map(Id::as_str).collect();
    let inserted = sqlx::query(WATCH_ORDERS)
        .bind(project.as_str())
        .bind(now.0)
        .bind(names)
        .execute(db)
        .await?;
    Ok(inserted.rows_affected())
}
