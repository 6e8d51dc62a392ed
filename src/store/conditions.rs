//! Orders that an operator should see to before it is too late.

use std::time::Duration;

use serde::Serialize;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row, Sqlite, SqliteConnection};

use super::aside::refused;
use super::rows::{StoredOrder, json, order_text};
use super::unreadable::{self, Read};
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

/// Orders of projects that are asked about: of the others nobody would learn how it ends.
macro_rules! expiring {
    () => {
        " FROM orders AS o JOIN projects AS p ON p.id = o.project \
         WHERE p.asked AND o.confirmed_state = 'CREATED' AND o.expires_at > ?1 AND o.expires_at <= ?2"
    };
}

// The states are those of the index, by which SQLite sees that it serves.
macro_rules! lasting {
    () => {
        " FROM orders AS o JOIN projects AS p ON p.id = o.project \
         WHERE p.asked AND o.confirmed_state = ?1 AND o.confirmed_state IN ('IN_REVIEW', 'BLOCKED') \
         AND o.updated_at <= ?2"
    };
}

pub(super) const EXPIRING: &str = concat!(
    "SELECT ",
    order_text!(),
    expiring!(),
    " AND (?3 IS NULL OR o.alarm IS NOT ?3) ORDER BY o.expires_at LIMIT ?4"
);

pub(super) const LASTING: &str = concat!(
    "SELECT ",
    order_text!(),
    lasting!(),
    " AND (?3 IS NULL OR o.alarm IS NOT ?3) ORDER BY o.updated_at LIMIT ?4"
);

pub(super) const COUNT_EXPIRING: &str = concat!(
    "SELECT count(*) FROM (SELECT 1",
    expiring!(),
    " LIMIT 100000)"
);

pub(super) const COUNT_LASTING: &str = concat!(
    "SELECT count(*) FROM (SELECT 1",
    lasting!(),
    " LIMIT 100000)"
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

/// The orders of one condition, as a range of an index.
enum Range {
    /// CREATED, with an `expireTime` after the one and up to the other.
    Expiring(Time, Time),
    /// In this state since this time or longer.
    Lasting(State, Time),
}

/// Every condition that there can be, the most urgent first.
fn ranges(now: Time, limits: &Limits) -> Vec<(Condition, Range)> {
    let mut ranges = vec![(Condition::Overdue, Range::Expiring(Time(i64::MIN), now))];
    let mut spans = limits.expiring.clone();
    spans.sort();
    let mut after = now;
    for span in spans {
        let until = now.plus(span);
        ranges.push((Condition::Expiring(span), Range::Expiring(after, until)));
        after = until;
    }
    for (state, span) in [
        (State::InReview, limits.review),
        (State::Blocked, limits.blocked),
    ] {
        let range = Range::Lasting(state, ago(now, span));
        ranges.push((Condition::Lasting(state, span), range));
    }
    ranges
}

impl Range {
    /// One of two statements, with the bounds in it.
    fn query(
        &self,
        expiring: &'static str,
        lasting: &'static str,
    ) -> Query<'static, Sqlite, SqliteArguments> {
        match self {
            Range::Expiring(after, until) => sqlx::query(expiring).bind(after.0).bind(until.0),
            Range::Lasting(state, before) => {
                sqlx::query(lasting).bind(state.as_str()).bind(before.0)
            }
        }
    }
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
        let mut db = self.readers.moment().await?;
        let found = read(&mut db, now, limits, which, limit).await?;
        self.met.note(&found.unreadable);
        Ok(found.rows)
    }
}

pub(super) async fn read(
    db: &mut SqliteConnection,
    now: Time,
    limits: &Limits,
    which: Which,
    limit: u32,
) -> sqlx::Result<Read<ConditionRow>> {
    let mut found = Vec::new();
    for (condition, range) in ranges(now, limits) {
        // What was reported carries the words of its condition, so those are what is not looked for.
        let known = match which {
            Which::All => None,
            Which::New => Some(condition.to_string()),
        };
        let query = range.query(EXPIRING, LASTING).bind(known).bind(limit);
        found.extend(query.fetch_all(&mut *db).await?);
    }
    let found: Read<StoredOrder> = unreadable::each(&found)?;
    let orders = found.rows.into_iter();
    Ok(Read {
        rows: orders
            .filter_map(|stored| condition_row(stored, now, limits))
            .collect(),
        unreadable: found.unreadable,
    })
}

/// How many orders are in each condition now.
pub(super) async fn count(
    db: &mut SqliteConnection,
    now: Time,
    limits: &Limits,
) -> sqlx::Result<Vec<(Condition, i64)>> {
    let mut counted = Vec::new();
    for (condition, range) in ranges(now, limits) {
        let query = range.query(COUNT_EXPIRING, COUNT_LASTING);
        let orders = query.fetch_one(&mut *db).await?.try_get(0)?;
        counted.push((condition, orders));
    }
    Ok(counted)
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
