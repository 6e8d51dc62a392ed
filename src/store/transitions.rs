//! The record of every change of state.

use serde::Serialize;
use sqlx::SqliteConnection;

use super::rows::json;
use crate::order::{Order, Time, Transition};

/// A change of state, as one JSON object of [`INSERT`]'s parameter.
#[derive(Serialize)]
pub(super) struct NewTransition {
    order_id: i64,
    at: i64,
    from_state: Option<&'static str>,
    to_state: &'static str,
    confirmed: i64,
    said_at: i64,
    cause: String,
    told: Option<i64>,
    took: Option<i64>,
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
            cause: transition.cause.clone(),
            told: None,
            took: None,
        }
    }

    /// A change that Sinch's answer brought: how long after Sinch made it, as far as we could have known,
    /// and whether an event had told of it.
    pub(super) fn confirmed(
        order_id: i64,
        at: Time,
        transition: &Transition,
        before: &Order,
    ) -> NewTransition {
        let told = before
            .hints
            .iter()
            .any(|hint| hint.state == Some(transition.to));
        let since = transition.said_at.max(before.first_seen_at);
        let took = at.since(since).as_micros();
        NewTransition {
            told: Some(told.into()),
            took: Some(i64::try_from(took).unwrap_or(i64::MAX)),
            ..NewTransition::new(order_id, at, transition)
        }
    }
}

const INSERT: &str = "
    INSERT INTO transitions (order_id, at, from_state, to_state, confirmed, said_at, cause, told, took)
    SELECT v.value ->> 'order_id', v.value ->> 'at', v.value ->> 'from_state', v.value ->> 'to_state',
        v.value ->> 'confirmed', v.value ->> 'said_at', v.value ->> 'cause',
        v.value ->> 'told', v.value ->> 'took'
    FROM json_each(?) AS v";

/// Records changes in the transaction that makes them.
pub(super) async fn insert(db: &mut SqliteConnection, moves: &[NewTransition]) -> sqlx::Result<()> {
    if !moves.is_empty() {
        sqlx::query(INSERT).bind(json(&moves)).execute(db).await?;
    }
    Ok(())
}
