//! Results of fetches, and the other writes that make an order known or due.
//!
//! An answer is applied inside the transaction that records it, against the order as it is by then: events may have
//! come since the fetch was sent.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::aside::{Aside, Way, begin_part, end_part, set_aside};
use super::batch::Statements;
use super::codes::Code;
use super::command::{WriteCommand, WriteContext};
use super::rows::{self, StoredOrder, json, order_text};
use super::transitions::{self, NewTransition};
use super::unreadable;
use super::{Store, StoreError};
use crate::store::Claim;
use number_order::{
    Answer, Backoff, Failure, FetchAttempt, FetchOutcome, Id, OrderKey, ParkReason, Policy, Status,
    Time,
};

/// Result of fetching a claimed order.
#[derive(Clone, Debug)]
pub struct FetchResult {
    /// Claim of the fetched order.
    pub claim: Claim,
    /// Time at which the fetch was sent.
    pub fetched_at: Time,
    /// Sinch's answer, or the reason why there was none.
    pub result: Result<Answer, Failure>,
    /// `true` if a failure counts as this order's own. A failure of the provider as a whole uses up none of its
    /// attempts.
    pub healthy: bool,
    /// Time at which the result is recorded.
    pub now: Time,
    /// Random number from 0 to 1, which spreads retries.
    pub jitter: f64,
    /// Policy by which the answer is applied.
    pub policy: Policy,
    /// Spacing of the attempts.
    pub backoff: Backoff,
}

/// Effect of recording a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The result is on disk.
    Done {
        /// Outcome of the answer, or the reason why there was none.
        outcome: FetchOutcome,
        /// `true` if this ought not to happen.
        anomaly: bool,
        /// Reason why the order is parked, if it is.
        parked: Option<ParkReason>,
    },
    /// The lease had run out and the order has another holder: nothing was written.
    Fenced,
    /// The order's row cannot be read or written. The order is parked, and Sinch's answer was not applied.
    Aside {
        /// Fault of the row.
        reason: String,
    },
}

const LEASED: &str = concat!(
    "SELECT json_group_array(",
    order_text!(),
    ") FROM json_each(?) AS v JOIN orders AS o ON o.id = v.value \
     JOIN projects AS p ON p.id = o.project"
);

static INSERT_FETCHES: LazyLock<Statements> = LazyLock::new(|| {
    let before = "INSERT INTO fetches (order_id, fetched_at, state, updated_at, outcome, outcome_fields, \
                  unreadable_expiry) SELECT * FROM (VALUES ";
    Statements::new(
        before,
        "(?, ?, ?, ?, ?, ?, ?)",
        ") WHERE column1 IS NOT NULL",
    )
});

struct NewFetch {
    order_id: i64,
    fetched_at: i64,
    state: Option<String>,
    updated_at: Option<i64>,
    outcome: Code,
    unreadable_expiry: Option<String>,
}

/// Applies the results and releases their orders.
pub(super) async fn record(
    db: &mut SqliteConnection,
    results: &[&FetchResult],
    way: Way,
    aside: &mut Aside,
) -> sqlx::Result<Vec<Recorded>> {
    if way == Way::Together {
        return record_together(db, results, aside).await;
    }
    let mut recorded = Vec::with_capacity(results.len());
    for fetch in results {
        begin_part(db).await?;
        let done = record_together(db, &[fetch], aside).await;
        match end_part(db, done).await? {
            Ok(done) => recorded.extend(done),
            Err(reason) => {
                let order_id = fetch.claim.order_id;
                let reason = format!("row {order_id} of orders cannot be written: {reason}");
                set_aside(db, order_id, &reason, aside).await?;
                recorded.push(Recorded::Aside { reason });
            }
        }
    }
    Ok(recorded)
}

async fn record_together(
    db: &mut SqliteConnection,
    results: &[&FetchResult],
    aside: &mut Aside,
) -> sqlx::Result<Vec<Recorded>> {
    let ids: Vec<i64> = results.iter().map(|o| o.claim.order_id).collect();
    let found = sqlx::query(LEASED)
        .bind(json(&ids))
        .fetch_one(&mut *db)
        .await?;
    let found = unreadable::many::<StoredOrder>(&found, 0)?;
    let mut faults = HashMap::new();
    for row in found.unreadable {
        set_aside(db, row.row, &row.to_string(), aside).await?;
        faults.insert(row.row, row.to_string());
    }
    let mut leased: HashMap<i64, StoredOrder> = found
        .rows
        .into_iter()
        .map(|stored| (stored.id, stored))
        .collect();
    let (mut updates, mut fetches, mut moves) = (vec![], vec![], vec![]);
    let mut recorded = Vec::with_capacity(results.len());
    for fetch in results {
        if let Some(reason) = faults.get(&fetch.claim.order_id).cloned() {
            recorded.push(Recorded::Aside { reason });
            continue;
        }
        // The holder's result takes the order out, so that nothing is recorded twice in one batch. A late result leaves
        // it there.
        let held = leased
            .get(&fetch.claim.order_id)
            .and_then(|stored| stored.lease)
            .is_some_and(|(lease, _)| lease == fetch.claim.lease);
        let holder = held.then(|| leased.remove(&fetch.claim.order_id));
        let Some(mut stored) = holder.flatten() else {
            recorded.push(Recorded::Fenced);
            continue;
        };
        let applied = apply_attempt(&stored, fetch);
        if let Some(transition) = &applied.transition {
            let (at, before) = (fetch.now, &stored.order);
            moves.push(if applied.dated {
                NewTransition::confirmed(stored.id, at, transition, before)
            } else {
                NewTransition::new(stored.id, at, transition)
            });
        }
        stored.order = applied.order;
        fetches.push(applied.answer);
        recorded.push(applied.recorded);
        stored.lease = None;
        updates.push(stored);
    }
    rows::write(db, &updates).await?;
    insert_fetches(db, &fetches).await?;
    transitions::insert(db, &moves).await?;
    Ok(recorded)
}

async fn insert_fetches(db: &mut SqliteConnection, fetches: &[NewFetch]) -> sqlx::Result<()> {
    for (sql, fetches) in INSERT_FETCHES.over(fetches) {
        let mut query = sqlx::query(sql);
        for answer in fetches {
            query = query
                .bind(answer.order_id)
                .bind(answer.fetched_at)
                .bind(answer.state.as_deref())
                .bind(answer.updated_at)
                .bind(answer.outcome.code.as_str())
                .bind(answer.outcome.fields.as_deref())
                .bind(answer.unreadable_expiry.as_deref());
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}

struct Applied {
    order: number_order::Order,
    transition: Option<number_order::Transition>,
    /// `true` if Sinch has said when the state changed.
    dated: bool,
    answer: NewFetch,
    recorded: Recorded,
}

/// Applies the rules to one result.
fn apply_attempt(stored: &StoredOrder, fetch: &FetchResult) -> Applied {
    let attempt = FetchAttempt {
        fetched_at: fetch.fetched_at,
        result: &fetch.result,
        healthy: fetch.healthy,
        now: fetch.now,
        jitter: fetch.jitter,
    };
    let applied =
        number_order::apply_attempt(&stored.order, attempt, &fetch.policy, &fetch.backoff);
    let snapshot = match &fetch.result {
        Ok(Answer::Found(snapshot)) => Some(snapshot),
        Ok(Answer::NotFound) | Err(_) => None,
    };
    let outcome = applied.outcome;
    let unreadable_expiry = snapshot.and_then(|snapshot| snapshot.unreadable_expiry.clone());
    let anomaly = outcome.is_anomaly() || unreadable_expiry.is_some();
    let answer = NewFetch {
        order_id: stored.id,
        fetched_at: fetch.fetched_at.0,
        state: snapshot.map(|s| match &s.state {
            Status::Known(state) => state.as_str().to_owned(),
            Status::Unknown(word) => word.clone(),
        }),
        updated_at: snapshot.map(|s| s.updated_at.0),
        outcome: Code::new(&outcome),
        unreadable_expiry,
    };
    let recorded = Recorded::Done {
        outcome,
        anomaly,
        parked: applied.order.parked.clone(),
    };
    Applied {
        order: applied.order,
        transition: applied.transition,
        dated: snapshot.is_some(),
        answer,
        recorded,
    }
}

/// Makes an order due for a fetch at once, as an operator requested; `false` if the order is not known.
async fn request_fetch(db: &mut SqliteConnection, key: &OrderKey, now: Time) -> sqlx::Result<bool> {
    // As `Order::request_fetch` has it, without reading the row.
    let sql = "UPDATE orders SET fetch_at = ?1, fetch_requested_at = ?1, attempts = 0, parked = NULL, \
               parked_fields = NULL \
               WHERE project = (SELECT id FROM projects WHERE name = ?2) AND name = ?3";
    let updated = sqlx::query(sql)
        .bind(now.0)
        .bind(key.project.as_str())
        .bind(key.order.as_str())
        .execute(db)
        .await?;
    Ok(updated.rows_affected() == 1)
}

/// Orders to make known, even if no callback ever named them. It has no `Clone`, so that a long list is not copied by
/// accident.
#[derive(Debug)]
pub struct WatchRequest {
    /// Project of the orders.
    pub project: Id,
    /// Ids of the orders.
    pub orders: Vec<Id>,
    /// Time from which the orders are known and due.
    pub now: Time,
}

const WATCH: &str = "
    INSERT INTO orders (project, name, first_seen_at, fetch_at)
    SELECT p.id, v.value, ?2, ?2 FROM json_each(?3) AS v JOIN projects AS p ON p.name = ?1
    WHERE true ON CONFLICT (project, name) DO NOTHING";

/// Makes orders known, and due for a fetch at once; returns the number of those that were not known before.
async fn watch(db: &mut SqliteConnection, request: &WatchRequest) -> sqlx::Result<u64> {
    let names: Vec<&str> = request.orders.iter().map(Id::as_str).collect();
    let inserted = sqlx::query(WATCH)
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
    /// Makes an order due for a fetch now, even if it was parked; returns `false` if the order is not known.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    pub async fn request_fetch(&self, key: OrderKey, now: Time) -> Result<bool, StoreError> {
        let known = self.write(RequestFetch(key, now)).await?;
        self.due.notify_waiters();
        Ok(known)
    }

    /// Makes orders known, and due for a fetch at once; those that are known already stay as they are. Returns the
    /// number of the others.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the first of many may be known then. It is safe to repeat.
    pub async fn watch(&self, request: WatchRequest) -> Result<u64, StoreError> {
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
