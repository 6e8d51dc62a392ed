//! Record of every change of state.

use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::batch::Statements;
use super::codes::Code;
use number_order::{Order, Time, Transition};

/// A change of state, as it is recorded.
pub(super) struct NewTransition {
    order_id: i64,
    at: i64,
    from_state: Option<&'static str>,
    to_state: &'static str,
    confirmed: i64,
    said_at: i64,
    cause: Code,
    announced: Option<i64>,
    latency_us: Option<i64>,
}

impl NewTransition {
    pub(super) fn new(order_id: i64, at: Time, transition: &Transition) -> NewTransition {
        NewTransition {
            order_id,
            at: at.0,
            from_state: transition.from.map(|state| state.as_str()),
            to_state: transition.to.as_str(),
            confirmed: transition.confirmed.into(),
            said_at: transition.said_at.0,
            cause: Code::new(&transition.cause),
            announced: None,
            latency_us: None,
        }
    }

    /// Makes the record of a change that Sinch's answer brought: how long after Sinch made it, as far as this program
    /// could have known, and if an event had announced it.
    pub(super) fn confirmed(
        order_id: i64,
        at: Time,
        transition: &Transition,
        before: &Order,
    ) -> NewTransition {
        let mut claims = before.hints.iter().chain(&before.doubts);
        let announced = claims.any(|hint| hint.state == Some(transition.to));
        let since = transition.said_at.max(before.first_seen_at);
        let latency_us = at.since(since).as_micros();
        NewTransition {
            announced: Some(announced.into()),
            latency_us: Some(i64::try_from(latency_us).unwrap_or(i64::MAX)),
            ..NewTransition::new(order_id, at, transition)
        }
    }
}

static INSERT: LazyLock<Statements> = LazyLock::new(|| {
    let before = "INSERT INTO transitions (order_id, at, from_state, to_state, confirmed, said_at, cause, cause_fields, \
                  announced, latency_us) SELECT * FROM (VALUES ";
    let row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    Statements::new(before, row, ") WHERE column1 IS NOT NULL")
});

/// Records changes in the transaction that makes them.
pub(super) async fn insert(db: &mut SqliteConnection, moves: &[NewTransition]) -> sqlx::Result<()> {
    for (sql, moves) in INSERT.over(moves) {
        let mut query = sqlx::query(sql);
        for change in moves {
            query = query
                .bind(change.order_id)
                .bind(change.at)
                .bind(change.from_state)
                .bind(change.to_state)
                .bind(change.confirmed)
                .bind(change.said_at)
                .bind(change.cause.code.as_str())
                .bind(change.cause.fields.as_deref())
                .bind(change.announced)
                .bind(change.latency_us);
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}
