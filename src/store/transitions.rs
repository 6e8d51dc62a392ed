//! The record of every change of state.

use serde::Serialize;
use sqlx::SqliteConnection;

use super::rows::json;
use crate::order::{Time, Transition};

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
        }
    }
}

const INSERT: &str = "
    INSERT INTO transitions (order_id, at, from_state, to_state, confirmed, said_at, cause)
    SELECT v.value ->> 'order_id', v.value ->> 'at', v.value ->> 'from_state', v.value ->> 'to_state',
        v.value ->> 'confirmed', v.value ->> 'said_at', v.value ->> 'cause'
    FROM json_each(?) AS v";

/// Records changes in the transaction that makes them.
pub(super) async fn insert(db: &mut SqliteConnection, moves: &[NewTransition]) -> sqlx::Result<()> {
    if !moves.is_empty() {
        sqlx::query(INSERT).bind(json(&moves)).execute(db).await?;
    }
    Ok(())
}
