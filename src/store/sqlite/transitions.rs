//! Record of every change of an order's state.

use std::sync::LazyLock;

use super::batch::Statements;
use super::script::Script;
use crate::store::changes::NewTransition;
use crate::store::sql::codes::Code;

static INSERT_TRANSITIONS: LazyLock<Statements> = LazyLock::new(|| {
    let before = "INSERT INTO transitions (order_id, recorded_at, from_state, to_state, confirmed, said_at, cause, cause_fields, \
                  announced, latency_us) SELECT * FROM (VALUES ";
    let row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    Statements::new(before, row, ") WHERE column1 IS NOT NULL")
});

/// Records changes of orders' states in the transaction that makes them.
pub(super) fn insert(script: &mut Script, room: usize, moves: &[NewTransition]) {
    script.add_rows(
        &INSERT_TRANSITIONS,
        room,
        moves,
        |_| {},
        |script, change| {
            let transition = &change.transition;
            let cause = Code::new(&transition.cause);
            let latency_us = change.latency.map(|latency| latency.as_micros());
            script
                .bind(change.order_id)
                .bind(change.recorded_at.0)
                .bind(transition.from.map(|state| state.as_str()))
                .bind(transition.to.as_str())
                .bind(transition.confirmed)
                .bind(transition.said_at.0)
                .bind(cause.code)
                .bind(cause.fields)
                .bind(change.announced)
                .bind(latency_us.map(|us| i64::try_from(us).unwrap_or(i64::MAX)));
        },
    );
}
