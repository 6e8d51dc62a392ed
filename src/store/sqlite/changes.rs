//! Writing of [`Changes`]: all that one commit records about orders.

use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::batch::Statements;
use super::outbox::{self, OutboxContext};
use super::script::{Script, room_for};
use super::{details, numbers, rows, transitions};
use crate::store::changes::{Changes, NewFetch};
use crate::store::sql::codes::Code;
use crate::store::sql::inbox::word;

/// Records decisions on deliveries. The parameter with the time comes before the rows, for the reason given at
/// [`Statements::new`].
static UPDATE_DECISIONS: LazyLock<Statements> = LazyLock::new(|| {
    let before = "WITH now (at) AS (VALUES (?)), v (id, phase, decision, decision_fields, order_id) AS (VALUES ";
    let after = ") UPDATE deliveries SET phase = v.phase, decision = v.decision, \
                 decision_fields = v.decision_fields, order_id = v.order_id, processed_at = now.at FROM v, now WHERE deliveries.id = v.id";
    Statements::new(before, "(?, ?, ?, ?, ?)", after)
});

static INSERT_FETCHES: LazyLock<Statements> = LazyLock::new(|| {
    let before = "INSERT INTO fetches (order_id, fetched_at, state, updated_at, outcome, outcome_fields, \
                  unreadable_expiry) SELECT * FROM (VALUES ";
    Statements::new(
        before,
        "(?, ?, ?, ?, ?, ?, ?)",
        ") WHERE column1 IS NOT NULL",
    )
});

/// Writes the changes of one commit. A kind of change that does not occur costs no statement. Returns the statements that
/// are left to send.
pub(super) async fn write_changes(
    db: &mut SqliteConnection,
    outbox: &mut OutboxContext,
    changes: &Changes,
) -> sqlx::Result<Script> {
    let mut script = Script::default();
    add_changes(&mut script, room_of(changes), changes);
    outbox::add(db, outbox, script, &changes.events).await
}

/// Returns the room that the statements of the changes need.
pub(super) fn room_of(changes: &Changes) -> usize {
    room_for([
        changes.processed.len(),
        changes.fetched.len(),
        changes.decisions.len(),
        changes.fetches.len(),
        changes.transitions.len(),
    ])
}

/// Adds the statements that write changes, all but their events.
pub(super) fn add_changes(script: &mut Script, room: usize, changes: &Changes) {
    rows::write_processed(script, room, &changes.processed);
    rows::write(script, room, &changes.fetched);
    write_decisions(script, room, changes);
    insert_fetches(script, room, &changes.fetches);
    details::write(script, &changes.details);
    numbers::follow(script, &changes.completed);
    transitions::insert(script, room, &changes.transitions);
}

/// Records the decisions on deliveries, each with its order's row.
fn write_decisions(script: &mut Script, room: usize, changes: &Changes) {
    let decided_at = changes.decided_at.map(|at| at.0);
    let first = |script: &mut Script| {
        script.bind(decided_at);
    };
    let decisions = &changes.decisions;
    script.add_rows(
        &UPDATE_DECISIONS,
        room,
        decisions,
        first,
        |script, decided| {
            let delivery = &decided.processed;
            let phase = if delivery.parked {
                "parked"
            } else {
                "processed"
            };
            let decision = Code::new(&delivery.decision);
            script
                .bind(delivery.delivery)
                .bind(phase)
                .bind(decision.code)
                .bind(decision.fields)
                .bind(decided.order_id);
        },
    );
}

fn insert_fetches(script: &mut Script, room: usize, fetches: &[NewFetch]) {
    script.add_rows(
        &INSERT_FETCHES,
        room,
        fetches,
        |_| {},
        |script, fetch| {
            let outcome = Code::new(&fetch.outcome);
            script
                .bind(fetch.order_id)
                .bind(fetch.fetched_at.0)
                .bind(fetch.state.as_ref().map(word))
                .bind(fetch.updated_at.map(|at| at.0))
                .bind(outcome.code)
                .bind(outcome.fields)
                .bind(fetch.unreadable_expiry.as_deref());
        },
    );
}
