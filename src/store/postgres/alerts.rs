//! Alerts that fire now: orders that need an operator's attention before it is too late.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row};

use super::error::Fault;
use super::queries::order_text;
use crate::store::AlertRow;
use crate::store::sql::alerts::{AlertFilter, Range, firing, ranges};
use crate::store::sql::unreadable::{self, Read};
use number_order::{AlertKind, Limits, Time};

/// Orders of active projects that are CREATED and expire between two times. Orders of other projects are never fetched,
/// so how they end would never be known.
macro_rules! expiring {
    () => {
        " FROM orders AS o JOIN projects AS p ON p.id = o.project \
         WHERE p.active AND o.confirmed_state = 'CREATED' AND o.expires_at > $1 AND o.expires_at <= $2"
    };
}

// The condition on states is that of the index, so that the server recognises that the index applies.
macro_rules! lasting {
    () => {
        " FROM orders AS o JOIN projects AS p ON p.id = o.project \
         WHERE p.active AND o.confirmed_state = $1 AND o.confirmed_state IN ('IN_REVIEW', 'BLOCKED') \
         AND o.updated_at <= $2"
    };
}

/// With $3, orders that have an alert which is recorded and not resolved are left out.
macro_rules! unless_open {
    () => {
        " AND NOT ($3 AND EXISTS (SELECT 1 FROM alerts WHERE order_id = o.id AND resolved_at IS NULL))"
    };
}

const SELECT_EXPIRING: &str = concat!(
    "SELECT ",
    order_text!(),
    expiring!(),
    unless_open!(),
    " ORDER BY o.expires_at LIMIT $4"
);

const SELECT_LASTING: &str = concat!(
    "SELECT ",
    order_text!(),
    lasting!(),
    unless_open!(),
    " ORDER BY o.updated_at LIMIT $4"
);

const COUNT_EXPIRING: &str = concat!(
    "SELECT count(*) FROM (SELECT 1",
    expiring!(),
    " LIMIT 100000) AS v"
);

const COUNT_LASTING: &str = concat!(
    "SELECT count(*) FROM (SELECT 1",
    lasting!(),
    " LIMIT 100000) AS v"
);

/// Picks the statement for a range, and binds the bounds of the range to it.
fn query(
    range: &Range,
    expiring: &'static str,
    lasting: &'static str,
) -> Query<'static, Postgres, PgArguments> {
    match range {
        Range::Expiring(after, until) => sqlx::query(expiring).bind(after.0).bind(until.0),
        Range::Lasting(state, before) => sqlx::query(lasting).bind(state.as_str()).bind(before.0),
    }
}

/// Lists orders with an alert that fires, at most `limit` of each kind, the most urgent first.
pub(super) async fn read(
    db: &mut PgConnection,
    now: Time,
    limits: &Limits,
    filter: AlertFilter,
    limit: u32,
) -> Result<Read<AlertRow>, Fault> {
    let mut found = Vec::new();
    for (_, range) in ranges(now, limits) {
        let query = query(&range, SELECT_EXPIRING, SELECT_LASTING);
        let query = query.bind(filter == AlertFilter::WithoutOpen);
        let query = query.bind(i64::from(limit));
        found.extend(query.fetch_all(&mut *db).await?);
    }
    Ok(firing(unreadable::each(&found)?, now, limits))
}

/// Counts the orders of each kind of alert that fire it now.
pub(super) async fn count(
    db: &mut PgConnection,
    now: Time,
    limits: &Limits,
) -> Result<Vec<(AlertKind, i64)>, Fault> {
    let mut counted = Vec::new();
    for (alert, range) in ranges(now, limits) {
        let query = query(&range, COUNT_EXPIRING, COUNT_LASTING);
        let orders = query.fetch_one(&mut *db).await?.try_get(0)?;
        counted.push((alert, orders));
    }
    Ok(counted)
}
