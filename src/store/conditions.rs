//! Orders that an operator should see to before it is too late.

use std::time::Duration;

use serde::Serialize;
use sqlx::SqliteConnection;

use super::aside::refused;
use super::rows::{StoredOrder, json, order_text};
use super::unreadable;
use super::{Store, StoreError};
use crate::order::{self, Condition, Limits, OrderKey, State, Time};

/// An order in a condition.
#[derive(Clone, Debug, Serialize)]
pub struct ConditionRow {
    /// Sinch's project.
    pub project: String,
    /// Sinch's order id.
    pub order: String,
    /// The confirmed state.
    pub state: Option<&'static str>,
    /// What is the matter, in words.
    pub condition: String,
    /// Its `expireTime`.
    pub expires_at: Option<Time>,
    /// What is left until then; `null`: it has passed, or there is none.
    pub left_secs: Option<u64>,
    /// Since when, by Sinch's clock, it is in its state.
    pub since: Option<Time>,
    #[serde(skip)]
    pub(super) id: i64,
    #[serde(skip)]
    key: OrderKey,
}

impl ConditionRow {
    /// Which order.
    pub fn key(&self) -> &OrderKey {
        &self.key
    }
}

pub(super) const EXPIRING: &str = concat!(
    "SELECT ",
    order_text!(),
    " FROM orders AS o JOIN projects AS p ON p.id = o.project \
     WHERE o.confirmed_state = 'CREATED' AND o.expires_at > ?1 AND o.expires_at <= ?2 \
     AND (?3 IS NULL OR o.alarm IS NOT ?3) ORDER BY o.expires_at LIMIT ?4"
);

// The states are those of the index, by which SQLite sees that it serves.
pub(super) const LASTING: &str = concat!(
    "SELECT ",
    order_text!(),
    " FROM orders AS o JOIN projects AS p ON p.id = o.project \
     WHERE o.confirmed_state = ?1 AND o.confirmed_state IN ('IN_REVIEW', 'BLOCKED') \
     AND o.updated_at <= ?2 AND (?3 IS NULL OR o.alarm IS NOT ?3) ORDER BY o.updated_at LIMIT ?4"
);

const REPORTED: &str = "
    UPDATE orders SET alarm = v.value ->> 1 FROM json_each(?) AS v WHERE orders.id = v.value ->> 0";

/// Keeps which conditions were reported, each with its order's row.
pub(super) async fn reported(
    db: &mut SqliteConnection,
    alarms: &[(i64, String)],
) -> sqlx::Result<()> {
    let all = sqlx::query(REPORTED).bind(json(&alarms));
    if refused(all.execute(&mut *db).await)?.is_err() {
        // One that cannot be kept is reported again; the others are not.
        for alarm in alarms {
            let one = sqlx::query(REPORTED).bind(json(&[alarm]));
            let _ = refused(one.execute(&mut *db).await)?;
        }
    }
    Ok(())
}

/// Which conditions to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those that were not reported yet.
    New,
}

/// The time that was this long ago.
fn ago(now: Time, span: Duration) -> Time {
    Time(now.0.saturating_sub(Time(0).plus(span).0))
}

impl Store {
    /// The orders that are in a condition now, `limit` of each kind at most, the most urgent first.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn conditions(
        &self,
        now: Time,
        limits: &Limits,
        which: Which,
        limit: u32,
    ) -> Result<Vec<ConditionRow>, StoreError> {
        // What was reported carries the words of its condition, so those are what is not looked for.
        let known = |condition: Condition| match which {
            Which::All => None,
            Which::New => Some(condition.to_string()),
        };
        let mut db = self.readers.moment().await?;
        let mut found = Vec::new();
        let mut spans = limits.expiring.clone();
        spans.sort();
        let overdue = (Time(i64::MIN), now, Condition::Overdue);
        let mut after = now;
        let expiring = spans.into_iter().map(|span| {
            let until = now.plus(span);
            (
                std::mem::replace(&mut after, until),
                until,
                Condition::Expiring(span),
            )
        });
        for (after, until, condition) in [overdue].into_iter().chain(expiring) {
            let query = sqlx::query(EXPIRING).bind(after.0).bind(until.0);
            let query = query.bind(known(condition)).bind(limit);
            found.extend(query.fetch_all(&mut *db).await?);
        }
        for (state, limit_span) in [
            (State::InReview, limits.review),
            (State::Blocked, limits.blocked),
        ] {
            let before = ago(now, limit_span);
            let query = sqlx::query(LASTING).bind(state.as_str()).bind(before.0);
            let query = query
                .bind(known(Condition::Lasting(state, limit_span)))
                .bind(limit);
            found.extend(query.fetch_all(&mut *db).await?);
        }
        let found = unreadable::each(&found)?;
        self.met.note(&found.unreadable);
        let orders = found.rows.into_iter();
        Ok(orders
            .filter_map(|stored| condition_row(stored, now, limits))
            .collect())
    }
}

/// The order with its condition; `None`: it is in none.
fn condition_row(stored: StoredOrder, now: Time, limits: &Limits) -> Option<ConditionRow> {
    let condition = order::condition(&stored.order, now, limits)?;
    let known = stored.order.confirmed.as_ref();
    let expires_at = known.and_then(|c| c.expires_at);
    let left = expires_at.filter(|at| *at > now);
    Some(ConditionRow {
        project: stored.key.project.to_string(),
        order: stored.key.order.to_string(),
        state: known.map(|c| c.state.as_str()),
        condition: condition.to_string(),
        expires_at,
        left_secs: left.map(|at| at.since(now).as_secs()),
        since: known.map(|c| c.updated_at),
        id: stored.id,
        key: stored.key,
    })
}
