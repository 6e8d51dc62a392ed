//! Alerts: orders that need an operator's attention before it is too late.

use std::time::Duration;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row, Sqlite, SqliteConnection};

use super::command::{WriteCommand, WriteContext};
use super::rows::{StoredOrder, json, order_text};
use super::savepoint::refused;
use super::unreadable::{self, Read};
use super::{Store, StoreError};
use crate::store::{AlertFilter, AlertRow};
use number_order::{AlertKind, Limits, State, Time};

/// Orders of active projects that are CREATED and expire between two times. Orders of other projects are never fetched,
/// so how they end would never be known.
macro_rules! expiring {
    () => {
        " FROM orders AS o JOIN projects AS p ON p.id = o.project \
         WHERE p.active AND o.confirmed_state = 'CREATED' AND o.expires_at > ?1 AND o.expires_at <= ?2"
    };
}

// The states repeat the condition of the index, so that SQLite recognises that the index applies.
macro_rules! lasting {
    () => {
        " FROM orders AS o JOIN projects AS p ON p.id = o.project \
         WHERE p.active AND o.confirmed_state = ?1 AND o.confirmed_state IN ('IN_REVIEW', 'BLOCKED') \
         AND o.updated_at <= ?2"
    };
}

pub(super) const EXPIRING: &str = concat!(
    "SELECT ",
    order_text!(),
    expiring!(),
    " AND (?3 IS NULL OR o.alert_reported IS NOT ?3) ORDER BY o.expires_at LIMIT ?4"
);

pub(super) const LASTING: &str = concat!(
    "SELECT ",
    order_text!(),
    lasting!(),
    " AND (?3 IS NULL OR o.alert_reported IS NOT ?3) ORDER BY o.updated_at LIMIT ?4"
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
    UPDATE orders SET alert_reported = v.value ->> 1 FROM json_each(?) AS v WHERE orders.id = v.value ->> 0";

/// Returns an alert as it is stored: its code, and its threshold in milliseconds, so that another threshold is another
/// alert and another wording is not.
fn stored(alert: &AlertKind) -> String {
    match alert.threshold() {
        Some(threshold) => format!("{} {}", alert.code(), threshold.as_micros() / 1000),
        None => alert.code().to_owned(),
    }
}

/// Records which alerts were reported, each with its order's row.
struct Reported(Vec<(i64, String)>);

impl WriteCommand for Reported {
    type Reply = ();

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<()> {
        reported(&mut context.db, &self.0).await
    }
}

async fn reported(db: &mut SqliteConnection, alarms: &[(i64, String)]) -> sqlx::Result<()> {
    let all = sqlx::query(REPORTED).bind(json(&alarms));
    if refused(all.execute(&mut *db).await)?.is_err() {
        // An alert that cannot be recorded is reported again; the others are not.
        for alert_reported in alarms {
            let one = sqlx::query(REPORTED).bind(json(&[alert_reported]));
            let _ = refused(one.execute(&mut *db).await)?;
        }
    }
    Ok(())
}

/// Time that lies this span before now.
fn ago(now: Time, span: Duration) -> Time {
    Time(now.0.saturating_sub(Time(0).plus(span).0))
}

/// Orders of one kind of alert, as a range of an index.
pub(super) enum Range {
    /// CREATED, with an `expireTime` after the first time and up to the second.
    Expiring(Time, Time),
    /// In this state since this time or longer.
    Lasting(State, Time),
}

/// Lists every kind of alert that can fire, the most urgent first.
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
        ranges.push((alert, Range::Lasting(state, ago(now, span))));
    }
    ranges
}

impl Range {
    /// Picks one of two statements, and binds the bounds to it.
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
    pub(in crate::store) async fn reported(&self, alerts: &[AlertRow]) -> Result<(), StoreError> {
        let reported = alerts
            .iter()
            .map(|row| (row.id, stored(&row.alert)))
            .collect();
        self.write(Reported(reported)).await
    }

    pub(in crate::store) async fn alerts(
        &self,
        now: Time,
        limits: &Limits,
        which: AlertFilter,
        limit: u32,
    ) -> Result<Vec<AlertRow>, StoreError> {
        let mut db = self.readers.begin().await?;
        let found = read(&mut db, now, limits, which, limit).await?;
        self.met.note(&found.unreadable);
        Ok(found.rows)
    }
}

pub(super) async fn read(
    db: &mut SqliteConnection,
    now: Time,
    limits: &Limits,
    which: AlertFilter,
    limit: u32,
) -> sqlx::Result<Read<AlertRow>> {
    let mut found = Vec::new();
    for (alert, range) in ranges(now, limits) {
        // A reported order carries its alert, so orders with that one are left out.
        let known = match which {
            AlertFilter::All => None,
            AlertFilter::New => Some(stored(&alert)),
        };
        let query = range.query(EXPIRING, LASTING).bind(known).bind(limit);
        found.extend(query.fetch_all(&mut *db).await?);
    }
    let found: Read<StoredOrder> = unreadable::each(&found)?;
    let orders = found.rows.into_iter();
    Ok(Read {
        rows: orders
            .filter_map(|stored| alert_row(stored, now, limits))
            .collect(),
        unreadable: found.unreadable,
    })
}

/// Counts the orders of each kind of alert now.
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

/// Returns the order with its alert; `None` if none fires.
fn alert_row(stored: StoredOrder, now: Time, limits: &Limits) -> Option<AlertRow> {
    let alert = number_order::alert_kind(&stored.order, now, limits)?;
    let known = stored.order.confirmed.as_ref();
    let expires_at = known.and_then(|c| c.expires_at);
    let left = expires_at.filter(|at| *at > now);
    Some(AlertRow {
        project: stored.key.project.to_string(),
        order: stored.key.order.to_string(),
        state: known.map(|c| c.state.as_str()),
        alert,
        expires_at,
        left_secs: left.map(|at| at.since(now).as_secs()),
        since: known.map(|c| c.updated_at),
        id: stored.id,
        key: stored.key,
    })
}
