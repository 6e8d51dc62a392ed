//! The outbox: events are recorded in the commit of what happened, with the notifications of the targets that want them.

mod claim;
mod operate;
mod queries;
mod settle;

#[cfg(test)]
pub(super) use queries::SELECT_SOME;
pub(super) use queries::targets;

use std::sync::{Arc, LazyLock};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::batch::Statements;
use super::script::{Script, room_for};
use crate::store::changes::NewEvent;
use crate::store::outbox::{Known, Outbox, OutboxTarget, compose};
use crate::store::sql::json;
use crate::store::sql::outbox::{draw_event_id, known, known_columns, notification_texts};

/// What the writer knows of the outbox.
pub(super) struct OutboxContext {
    /// Targets that are configured in this run.
    pub(super) targets: Arc<[OutboxTarget]>,
    /// `true` once a transaction has added events, until the writer has told it to those who wait for them.
    pub(super) added: bool,
}

/// Selects, as one JSON text, the number of the newest event, and the orders of new events.
const SELECT_KNOWN: &str = concat!(
    "SELECT json_array((SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'), \
        (SELECT json_group_array(json_array(",
    known_columns!(),
    ")) FROM json_each(?) AS v CROSS JOIN orders AS o ON o.id = v.value CROSS JOIN projects AS p ON p.id = o.project \
        LEFT JOIN order_details AS d ON d.order_id = o.id))"
);

static INSERT_EVENTS: LazyLock<Statements> = LazyLock::new(|| {
    let before = "INSERT INTO events (sequence, id, type, recorded_at, order_id, order_sequence, provisional, test, body) \
                  SELECT * FROM (VALUES ";
    let row = "(?, ?, ?, ?, ?, ?, ?, ?, ?)";
    Statements::new(before, row, ") WHERE column1 IS NOT NULL")
});

const INSERT_NOTIFICATIONS: &str = "
    INSERT INTO notifications (target, event, subject, phase)
    SELECT value ->> 'target', value ->> 'event', value ->> 'subject', 'waiting' FROM json_each(?)";

/// Makes queues for new notifications. In a queue that there is, another notification waits before them.
const INSERT_QUEUES: &str = "
    INSERT INTO notification_queues (target, subject, due_at)
    SELECT value ->> 'target', value ->> 'subject', min(value ->> 'due_at') FROM json_each(?) WHERE true
    GROUP BY 1, 2 ON CONFLICT DO NOTHING";

/// Statements of the outbox, for the test of their plans.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 13] = [
    SELECT_KNOWN,
    INSERT_NOTIFICATIONS,
    INSERT_QUEUES,
    claim::SELECT_TARGET,
    claim::LEASE_QUEUES,
    claim::SELECT_FIRST,
    settle::SELECT_HELD,
    settle::UPDATE_NOTIFICATIONS,
    settle::RELEASE_QUEUES,
    settle::REMOVE_QUEUES,
    queries::SELECT_MARKS,
    queries::SELECT_ALL,
    queries::SELECT_SOME,
];

/// Records events, and the notifications of the targets that want them. What they tell of is in the script, which is sent
/// first. Returns the statements that are left to send.
pub(super) async fn add(
    db: &mut SqliteConnection,
    context: &mut OutboxContext,
    mut script: Script,
    new: &[NewEvent],
) -> sqlx::Result<Script> {
    if new.is_empty() {
        return Ok(script);
    }
    select_known(&mut script, new);
    let known = known_of(&script.fetch(db).await?)?;
    context.added = true;
    let outbox = compose(new, known, &context.targets, draw_event_id);
    let mut left = Script::default();
    insert(&mut left, room_for([outbox.events.len()]), &outbox);
    Ok(left)
}

/// Adds the statement that selects what the database has before new events are added.
pub(super) fn select_known(script: &mut Script, new: &[NewEvent]) {
    let mut orders: Vec<i64> = new.iter().filter_map(|event| event.order_id).collect();
    orders.sort_unstable();
    orders.dedup();
    script.add(SELECT_KNOWN).bind(json(&orders));
}

/// Reads what [`select_known`] has selected, the last of the rows.
pub(super) fn known_of(rows: &[SqliteRow]) -> sqlx::Result<Known> {
    let row = rows.last().ok_or(sqlx::Error::RowNotFound)?;
    known(row.try_get_unchecked::<&[u8], _>(0)?)
}

/// Returns the number of the newest event.
pub(super) async fn last_sequence(db: &mut SqliteConnection) -> sqlx::Result<i64> {
    let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'";
    sqlx::query(sql).fetch_one(db).await?.try_get(0)
}

/// Adds the statements that insert the rows of new events.
pub(super) fn insert(script: &mut Script, room: usize, outbox: &Outbox) {
    script.add_rows(
        &INSERT_EVENTS,
        room,
        &outbox.events,
        |_| {},
        |script, event| {
            script
                .bind(event.sequence)
                .bind(event.id.as_str())
                .bind(event.event_type.name())
                .bind(event.recorded_at)
                .bind(event.order_id)
                .bind(event.order_sequence)
                .bind(event.provisional)
                .bind(event.test)
                .bind(event.body.as_str());
        },
    );
    if !outbox.notifications.is_empty() {
        let notifications = json(&notification_texts(&outbox.notifications));
        for sql in [INSERT_NOTIFICATIONS, INSERT_QUEUES] {
            script.add(sql).bind(notifications.as_str());
        }
    }
}
