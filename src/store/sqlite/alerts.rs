//! Alerts that fire now: orders that need an operator's attention before it is too late.

use std::time::Duration;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row, Sqlite, SqliteConnection};

use super::rows::{StoredOrder, order_text};
use super::unreadable::{self, Read};
use crate::store::AlertRow;
use number_order::{AlertKind, Limits, State, Time};

/// Orders of active projects that are CREATED and expire between two times. Orders of other projects are never fetched,
/// so how they end would never be known.
macro_rules! expiring {
    () => {
        " FROM orders AS o JOIN projects AS p ON p.id = o.project \
         WHERE p.active AND o.confirmed_state = 'CREATED' AND o.expires_at > ?1 AND o.expires_at <= ?2"
    };
}

// The condition on states is that of the index, so that SQLite recognises that the index applies.
macro_rules! lasting {
    () => {
        " FROM orders AS o JOIN projects AS p ON p.id = o.project \
         WHERE p.active AND o.confirmed_state = ?1 AND o.confirmed_state IN ('IN_REVIEW', 'BLOCKED') \
         AND o.updated_at <= ?2"
    };
}

/// With ?3, orders that have an alert which is recorded and not resolved are left out.
macro_rules! unless_open {
    () => {
        " AND NOT (?3 AND EXISTS (SELECT 1 FROM alerts INDEXED BY alerts_open \
         WHERE order_id = o.id AND resolved_at IS NULL))"
    };
}

pub(super) const SELECT_EXPIRING: &str = concat!(
    "SELECT ",
    order_text!(),
    expiring!(),
    unless_open!(),
    " ORDER BY o.expires_at LIMIT ?4"
);

pub(super) const SELECT_LASTING: &str = concat!(
    "SELECT ",
    order_text!(),
    lasting!(),
    unless_open!(),
    " ORDER BY o.updated_at LIMIT ?4"
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

/// Returns the time that lies `span` before `now`.
fn before_now(now: Time, span: Duration) -> Time {
    Time(now.0.saturating_sub(Time(0).plus(span).0))
}

/// Filter of the orders that have an alert which fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AlertFilter {
    /// All orders with an alert that fires.
    All,
    /// Orders without an alert that is recorded and not resolved.
    WithoutOpen,
}

/// Orders of one kind of alert, as a range of an index.
pub(super) enum Range {
    /// CREATED, with an `expireTime` after the first of the two times and up to the second.
    Expiring(Time, Time),
    /// In the given state since the given time or longer.
    Lasting(State, Time),
}

/// Returns every kind of alert that can fire, the most urgent first.
pub(super) fn ranges(now: Time, limits: &Limits) -> Vec<(AlertKind, Range)> {
    let mut ranges = vec![(AlertKind::Overdue, Range::Expiring(Time(i64::MIN), now))];
    let mut periods = limits.expiring.clone();
    periods.sort();
    let mut after = now;
    for span in periods {
        let until = now.plus(span);
        ranges.push((AlertKind::expiring(span), Range::Expiring(after, until)));
        after = until;
    }
    for (alert, state, span) in [
        (
            AlertKind::long_in_review(limits.review),
            State::InReview,
            limits.review,
        ),
        (
            AlertKind::long_blocked(limits.blocked),
            State::Blocked,
            limits.blocked,
        ),
    ] {
        ranges.push((alert, Range::Lasting(state, before_now(now, span))));
    }
    ranges
}

impl Range {
    /// Picks the statement for a range, and binds the bounds of the range to it.
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

/// Lists orders with an alert that fires, at most `limit` of each kind, the most urgent first.
pub(super) async fn read(
    db: &mut SqliteConnection,
    now: Time,
    limits: &Limits,
    filter: AlertFilter,
    limit: u32,
) -> sqlx::Result<Read<AlertRow>> {
    let mut found = Vec::new();
    for (_, range) in ranges(now, limits) {
        let query = range.query(SELECT_EXPIRING, SELECT_LASTING);
        let query = query.bind(filter == AlertFilter::WithoutOpen).bind(limit);
        found.extend(query.fetch_all(&mut *db).await?);
    }
    let found: Read<StoredOrder> = unreadable::each(&found)?;
    let orders = found.rows.into_iter();
    let rows = orders.filter_map(|stored| {
        let alert = number_order::alert_kind(&stored.order, now, limits)?;
        Some(alert_row(stored, alert, now))
    });
    Ok(Read {
        rows: rows.collect(),
        unreadable: found.unreadable,
    })
}

/// Counts the orders of each kind of alert that fire it now.
pub(super) async fn count(
    db: &mut SqliteConnection,
    now: Time,
    limits: &Limits,
) -> sqlx::Result<Vec<(AlertKind, i64)>> {
    let mut counted = Vec::new();
    for (alert, range) in ranges(now, limits) {
        let query = range.query(COUNT_EXPIRING, COUNT_LASTING);
        let orders = query.fetch_one(&mut *db).await?.try_get(0)?;
        counted.push((alert, orders));
    }
    Ok(counted)
}

/// Returns an order with its alert.
pub(super) fn alert_row(stored: StoredOrder, alert: AlertKind, now: Time) -> AlertRow {
    let known = stored.order.confirmed.as_ref();
    let expires_at = known.and_then(|c| c.expires_at);
    let left = expires_at.filter(|at| *at > now);
    AlertRow {
        project: stored.key.project.to_string(),
        order: stored.key.order.to_string(),
        state: known.map(|c| c.state.as_str()),
        alert,
        expires_at,
        left_secs: left.map(|at| at.since(now).as_secs()),
        since: known.map(|c| c.updated_at),
        id: stored.id,
        key: stored.key,
    }
}
