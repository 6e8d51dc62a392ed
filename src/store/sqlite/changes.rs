//! Writing of [`Changes`]: all that one commit records about orders.

use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::batch::Statements;
use super::outbox::{self, OutboxContext};
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

/// Writes the changes of one commit. A kind of change that does not occur costs no statement.
pub(super) async fn write_changes(
    db: &mut SqliteConnection,
    outbox: &mut OutboxContext,
    changes: &Changes,
) -> sqlx::Result<()> {
    rows::write_processed(db, &changes.processed).await?;
    rows::write(db, &changes.fetched).await?;
    write_decisions(db, changes).await?;
    insert_fetches(db, &changes.fetches).await?;
    details::write(db, &changes.details).await?;
    numbers::follow(db, &changes.completed).await?;
    transitions::insert(db, &changes.transitions).await?;
    outbox::add(db, outbox, &changes.events).await
}

/// Records the decisions on deliveries, each with its order's row.
async fn write_decisions(db: &mut SqliteConnection, changes: &Changes) -> sqlx::Result<()> {
    for (sql, decisions) in UPDATE_DECISIONS.over(&changes.decisions) {
        let mut query = sqlx::query(sql).bind(changes.decided_at.map(|at| at.0));
        for decided in decisions {
            let delivery = &decided.processed;
            let phase = if delivery.parked {
                "parked"
            } else {
                "processed"
            };
            let decision = Code::new(&delivery.decision);
            query = query
                .bind(delivery.delivery)
                .bind(phase)
                .bind(decision.code)
                .bind(decision.fields)
                .bind(decided.order_id);
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}

async fn insert_fetches(db: &mut SqliteConnection, fetches: &[NewFetch]) -> sqlx::Result<()> {
    for (sql, fetches) in INSERT_FETCHES.over(fetches) {
        let mut query = sqlx::query(sql);
        for fetch in fetches {
            let state = fetch.state.as_ref().map(word);
            let outcome = Code::new(&fetch.outcome);
            query = query
                .bind(fetch.order_id)
                .bind(fetch.fetched_at.0)
                .bind(state)
                .bind(fetch.updated_at.map(|at| at.0))
                .bind(outcome.code)
                .bind(outcome.fields)
                .bind(fetch.unreadable_expiry.as_deref());
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}
