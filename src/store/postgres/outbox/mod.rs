//! The outbox: events are recorded in the commit of what happened, with the notifications of the targets that want them.
//!
//! Events have their numbers in the order of their commits: a transaction that adds some locks the row of the newest number, and
//! holds it until the commit. That lock is taken after those of orders and numbers, and before those of queues.

mod claim;
mod operate;
mod queries;
mod settle;

#[cfg(test)]
pub(super) use queries::SELECT_SOME;
pub(super) use queries::newest;

use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::error::Fault;
use super::storable;
use crate::store::TargetSettings;
use crate::store::changes::NewEvent;
use crate::store::outbox::{EventRow, Known, Outbox, OutboxTarget, compose};
use crate::store::sql::json;
use crate::store::sql::outbox::{draw_event_id, known, known_columns, notification_texts};

/// Locks the number of the newest event, and adds the given count to it.
const TAKE_NUMBERS: &str =
    "UPDATE event_sequence SET last = last + $1 WHERE id = 1 RETURNING last - $1 AS last";

/// Selects, as one JSON text, the number of the newest event, which the caller has, and the orders of new events.
const SELECT_KNOWN: &str = concat!(
    "SELECT json_build_array($1::bigint, coalesce((SELECT json_agg(json_build_array(",
    known_columns!(),
    ")) FROM orders AS o JOIN projects AS p ON p.id = o.project \
         LEFT JOIN order_details AS d ON d.order_id = o.id WHERE o.id = ANY ($2)), '[]'))::text"
);

/// Inserts events, notifications, and the queues of these. A queue that there is stays as it is, but locked: no other
/// may find it empty and remove it until the commit.
const INSERT: &str = "
    WITH events AS (
        INSERT INTO events (sequence, id, type, recorded_at, order_id, order_sequence, provisional, test, body)
        SELECT * FROM json_to_recordset($1::json) AS v (sequence bigint, id text, type text, recorded_at bigint,
            order_id bigint, order_sequence bigint, provisional boolean, test boolean, body text)),
    v AS (SELECT * FROM json_to_recordset($2::json)
        AS v (target bigint, event bigint, subject bigint, due_at bigint)),
    notifications AS (
        INSERT INTO notifications (target, event, subject, phase)
        SELECT target, event, subject, 'waiting' FROM v ORDER BY event, target)
    INSERT INTO notification_queues (target, subject, due_at)
    SELECT target, subject, min(due_at) FROM v GROUP BY target, subject ORDER BY target, subject
    ON CONFLICT (target, subject) DO UPDATE SET due_at = notification_queues.due_at";

/// Records events, and the notifications of the targets that want them.
pub(super) async fn add(
    db: &mut PgConnection,
    targets: &[OutboxTarget],
    new: &[NewEvent],
) -> Result<(), Fault> {
    if new.is_empty() {
        return Ok(());
    }
    let last = take_numbers(db, new.len() as i64).await?;
    let known = read_known(db, last, new).await?;
    let outbox = compose(new, known, targets, draw_event_id);
    insert(db, &outbox).await
}

/// Takes numbers for new events, and returns the number before them.
async fn take_numbers(db: &mut PgConnection, count: i64) -> Result<i64, Fault> {
    let row = sqlx::query(TAKE_NUMBERS).bind(count).fetch_one(db).await?;
    Ok(row.try_get("last")?)
}

async fn read_known(db: &mut PgConnection, last: i64, new: &[NewEvent]) -> Result<Known, Fault> {
    let orders: Vec<i64> = new.iter().filter_map(|event| event.order_id).collect();
    let row = sqlx::query(SELECT_KNOWN)
        .bind(last)
        .bind(orders)
        .fetch_one(db)
        .await?;
    let text: &str = row.try_get(0)?;
    Ok(known(text.as_bytes())?)
}

async fn insert(db: &mut PgConnection, outbox: &Outbox) -> Result<(), Fault> {
    let events: Vec<EventText> = outbox.events.iter().map(EventText::new).collect();
    sqlx::query(INSERT)
        .bind(json(&events))
        .bind(json(&notification_texts(&outbox.notifications)))
        .execute(db)
        .await?;
    Ok(())
}

#[derive(Serialize)]
struct EventText<'a> {
    sequence: i64,
    id: &'a str,
    #[serde(rename = "type")]
    event_type: &'static str,
    recorded_at: i64,
    order_id: Option<i64>,
    order_sequence: Option<i64>,
    provisional: bool,
    test: bool,
    body: std::borrow::Cow<'a, str>,
}

impl EventText<'_> {
    fn new(row: &EventRow) -> EventText<'_> {
        EventText {
            sequence: row.sequence,
            id: &row.id,
            event_type: row.event_type.name(),
            recorded_at: row.recorded_at,
            order_id: row.order_id,
            order_sequence: row.order_sequence,
            provisional: row.provisional,
            test: row.test,
            body: storable(&row.body),
        }
    }
}

/// Registers the targets of this replica. Others, which no replica may have any more, are left as they are.
pub(super) async fn register_targets(
    db: &mut PgConnection,
    targets: &[TargetSettings],
) -> Result<Vec<OutboxTarget>, Fault> {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    sqlx::query("UPDATE targets SET active = name = ANY ($1) WHERE active <> (name = ANY ($1))")
        .bind(&names)
        .execute(&mut *db)
        .await?;
    let mut registered = Vec::new();
    for target in targets {
        let row = sqlx::query(
            "INSERT INTO targets (name, active) VALUES ($1, true) ON CONFLICT (name) DO UPDATE SET active = true RETURNING id",
        )
        .bind(&target.name)
        .fetch_one(&mut *db)
        .await?;
        registered.push(OutboxTarget {
            id: row.try_get("id")?,
            name: target.name.clone(),
            filter: target.filter.clone(),
        });
    }
    Ok(registered)
}
