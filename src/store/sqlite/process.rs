//! Processing of pending deliveries: order by order, in the transaction that records the decisions.
//!
//! The content of a delivery never changes, so pending deliveries are read beside the writer, and mostly all that is to be
//! written is made there, too ([`step`](super::step)). Here the rules are applied inside the writer's transaction, on orders that
//! no other writer can change during it. No lease is needed, and nothing is left half done.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;

use super::batch::Statements;
use super::changes::write_changes;
use super::columns::lossy;
use super::named_orders::{known_orders, read_known_orders, select_orders};
use super::outbox::OutboxContext;
use super::pending::Pending;
use super::savepoint::{begin_savepoint, end_savepoint, refused};
use super::script::Script;
use super::step::Step;
use super::{numbers, placements};
use crate::redact::Throttle;
use crate::store::apply::{self, Waiting};
use crate::store::changes::StoredOrder;
use crate::store::sql::codes::Code;
use crate::store::sql::pending::OrderRef;
use crate::store::sql::row_fault::BatchMode;
use crate::store::sql::unreadable::Read;
use crate::store::{ProcessReport, ProcessRequest, Processed};
use number_order::{DeliveryDecision, Id, Kept, OrderKey, Time};

/// Numbers of deliveries that one step takes at most: few enough not to keep callbacks waiting for the one writer.
pub(in crate::store) const BATCH_SIZES: RangeInclusive<u32> = 128..=512;

/// Moves `processed_through` only if the given number of deliveries are still all pending ones up to the last of them.
/// Another run may have moved it since they were read, and a conflict is inserted a moment after deliveries that came
/// later in its batch.
const PROCESSED_THROUGH: &str = "
    UPDATE service SET processed_through = ?
    WHERE processed_through = ?
        AND ? = (SELECT count(*) FROM deliveries WHERE id > ? AND id <= ?) RETURNING 1";

static INSERT_ORDERS: LazyLock<Statements> = LazyLock::new(|| {
    let insert = "INSERT INTO orders (project, sinch_id, first_seen_at) SELECT * FROM (VALUES ";
    let after = ") WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING";
    Statements::new(insert, "(?, ?, ?)", after)
});

/// Processes pending deliveries, order by order, and records the decisions. If the deliveries have changed since they
/// were read, nothing is done: the caller must read them again. What is in the script is sent first. Returns the statements
/// that are left to send, too.
pub(super) async fn process(
    db: &mut SqliteConnection,
    outbox: &mut OutboxContext,
    mut script: Script,
    step: &Step,
    mode: BatchMode,
) -> sqlx::Result<(ProcessReport, Script)> {
    let Step {
        request, pending, ..
    } = step;
    script
        .add(PROCESSED_THROUGH)
        .bind(pending.last)
        .bind(pending.processed_through)
        .bind(pending.taken as i64)
        .bind(pending.processed_through)
        .bind(pending.last);
    let waiting: Vec<(&OrderRef, &Vec<Waiting>)> = pending.waiting.iter().collect();
    // A callback to the path of a create makes its order known, so orders are read after that.
    let wanted = if pending.any_to_create || mode == BatchMode::OneByOne {
        Vec::new()
    } else {
        waiting.iter().map(|(order, _)| *order).collect()
    };
    let selects = select_orders(&mut script, &wanted);
    let found = script.fetch(db).await?;
    let mut report = ProcessReport {
        taken: pending.taken,
        ..ProcessReport::default()
    };
    let Some((_moved, found)) = found.split_first().filter(|_| found.len() > selects) else {
        return Ok((report, Script::default()));
    };
    process_beside(db, request, pending, &mut report).await?;
    if mode == BatchMode::Together {
        let known = known_orders(found)?;
        let left = process_together(db, outbox, request, &waiting, known, &mut report).await?;
        return Ok((report, left));
    }
    process_one_by_one(db, outbox, request, &waiting, &mut report).await?;
    Ok((report, Script::default()))
}

/// Does what the deliveries ask for beside the processing of orders: orders that were created are linked, events of numbers
/// noted, and deliveries that cannot be read parked.
async fn process_beside(
    db: &mut SqliteConnection,
    request: &ProcessRequest,
    pending: &Pending,
    report: &mut ProcessReport,
) -> sqlx::Result<()> {
    if pending.any_to_create {
        let refused = placements::link(db, pending.processed_through, pending.last).await?;
        report.unreadable.extend(refused);
    }
    if pending.any_of_other {
        let heard = numbers::note_events(db, pending, request).await?;
        report.numbers_due = heard.due;
        report.unreadable.extend(heard.unreadable);
    }
    for row in &pending.unreadable {
        let fault = row.to_string();
        park(
            db,
            row.row,
            &Kept::DeliveryUnreadable { fault },
            request.now,
        )
        .await?;
    }
    report.unreadable.extend(pending.unreadable.iter().cloned());
    Ok(())
}

/// Processes the deliveries of each order for itself; of an order that the database refuses, all are parked.
async fn process_one_by_one(
    db: &mut SqliteConnection,
    outbox: &mut OutboxContext,
    request: &ProcessRequest,
    waiting: &[(&OrderRef, &Vec<Waiting>)],
    report: &mut ProcessReport,
) -> sqlx::Result<()> {
    for one in waiting.chunks(1) {
        begin_savepoint(db).await?;
        let mut part = ProcessReport::default();
        let done = process_one(db, outbox, request, one, &mut part).await;
        match end_savepoint(db, done).await? {
            Ok(()) => {
                report.processed.extend(part.processed);
                report.unreadable.extend(part.unreadable);
            }
            Err(fault) => {
                let reason = Kept::OrderUnwritable { fault };
                let parked = park_all(db, request.now, one, &reason).await?;
                report.processed.extend(parked);
            }
        }
    }
    Ok(())
}

/// Processes the deliveries that wait for one order.
async fn process_one(
    db: &mut SqliteConnection,
    outbox: &mut OutboxContext,
    request: &ProcessRequest,
    one: &[(&OrderRef, &Vec<Waiting>)],
    report: &mut ProcessReport,
) -> sqlx::Result<()> {
    let none = Read::default();
    let left = process_together(db, outbox, request, one, none, report).await?;
    left.execute(db).await
}

/// Processes all deliveries that wait for the given orders, of which those in `known` are read already. Returns the
/// statements that are left to send.
async fn process_together(
    db: &mut SqliteConnection,
    outbox: &mut OutboxContext,
    request: &ProcessRequest,
    waiting: &[(&OrderRef, &Vec<Waiting>)],
    known: Read<(OrderRef, StoredOrder)>,
    report: &mut ProcessReport,
) -> sqlx::Result<Script> {
    let found = read_or_insert_orders(db, waiting, known).await?;
    if found.rows.len() < waiting.len() {
        let known: HashSet<&OrderRef> = found.rows.iter().map(|(order, _)| order).collect();
        let unknown = waiting.iter().filter(|(order, _)| !known.contains(order));
        for one in unknown {
            let row = found
                .unreadable
                .iter()
                .find(|row| row.order.as_ref() == Some(&one.0.1));
            let fault = row.map_or_else(|| "its row is not found".to_owned(), ToString::to_string);
            let reason = Kept::OrderUnreadable { fault };
            let parked = park_all(db, request.now, &[*one], &reason).await?;
            report.processed.extend(parked);
        }
    }
    report.unreadable.extend(found.unreadable);
    let waiting: HashMap<&OrderRef, &Vec<Waiting>> = waiting.iter().copied().collect();
    let orders = found.rows.into_iter().map(|(order, stored)| {
        let deliveries = waiting[&order].as_slice();
        (stored, deliveries)
    });
    let changes = apply::process(orders, request);
    let left = write_changes(db, outbox, &changes).await?;
    let decisions = changes.decisions.into_iter();
    report
        .processed
        .extend(decisions.map(|decided| decided.processed));
    Ok(left)
}

const PARK_DELIVERY: &str = "
    UPDATE deliveries SET phase = 'parked', decision = ?2, decision_fields = ?4, order_id = o.id,
        processed_at = iif(o.id IS NULL, NULL, ?3)
    FROM (SELECT d.id AS delivery, o.id FROM deliveries AS d
        LEFT JOIN orders AS o ON o.project = d.project AND o.sinch_id = d.order_sinch_id WHERE d.id = ?1) AS o
    WHERE deliveries.id = o.delivery AND phase NOT IN ('processed', 'recorded', 'parked')";

/// Minimum interval between two log lines with the same reason, if deliveries cannot even be parked.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Reasons for unparkable deliveries that the log has reported. Callbacks of a bad order may arrive for as long as
/// Sinch likes.
static LOGGED: LazyLock<Throttle<String>> = LazyLock::new(|| Throttle::new(LOG_INTERVAL));

/// Parks a delivery, and links it to its order's row if there is one. If the database refuses even that, the delivery
/// stays as it is.
async fn park(
    db: &mut SqliteConnection,
    delivery: i64,
    reason: &Kept,
    now: Time,
) -> sqlx::Result<()> {
    let reason = Code::new(reason);
    let parked = sqlx::query(PARK_DELIVERY)
        .bind(delivery)
        .bind(reason.code)
        .bind(now.0)
        .bind(reason.fields);
    if let Err(error) = refused(parked.execute(db).await)?
        && let Some(left_out) = LOGGED.pass(error.clone(), Instant::now())
    {
        tracing::error!(
            delivery,
            error,
            left_out,
            "a delivery could not be parked, and is left as it is"
        );
    }
    Ok(())
}

/// Parks all deliveries that wait for the given orders.
async fn park_all(
    db: &mut SqliteConnection,
    now: Time,
    waiting: &[(&OrderRef, &Vec<Waiting>)],
    reason: &Kept,
) -> sqlx::Result<Vec<Processed>> {
    let mut processed = Vec::new();
    for ((project, order), deliveries) in waiting {
        let project = project_id(db, *project).await?;
        for delivery in *deliveries {
            park(db, delivery.id, reason, now).await?;
            let key = project.clone().zip(Id::new(order.as_str()));
            processed.extend(key.map(|(project, order)| Processed {
                delivery: delivery.id,
                dedup_key: delivery.dedup_key.clone(),
                key: OrderKey { project, order },
                decision: DeliveryDecision::Kept(reason.clone()),
                parked: true,
                row_at_fault: true,
                age: now.since(delivery.event.received_at),
            }));
        }
    }
    Ok(processed)
}

async fn project_id(db: &mut SqliteConnection, project: i64) -> sqlx::Result<Option<Id>> {
    let found = sqlx::query("SELECT sinch_id FROM projects WHERE id = ?").bind(project);
    let row = found.fetch_optional(db).await?;
    let sinch_id = row.map(|row| lossy(&row, "sinch_id")).transpose()?;
    Ok(sinch_id.and_then(Id::new))
}

/// Reads the orders that deliveries wait for and that are not read yet; orders that were not known are known from now on.
async fn read_or_insert_orders(
    db: &mut SqliteConnection,
    waiting: &[(&OrderRef, &Vec<Waiting>)],
    mut known: Read<(OrderRef, StoredOrder)>,
) -> sqlx::Result<Read<(OrderRef, StoredOrder)>> {
    if known.rows.len() == waiting.len() {
        return Ok(known);
    }
    // Rows that could not be read are read again among the unknown orders.
    known.unreadable.clear();
    let mut new: Vec<(&OrderRef, &Waiting)> = waiting
        .iter()
        .filter_map(|(order, deliveries)| Some((*order, deliveries.first()?)))
        .collect();
    {
        let known: HashSet<&OrderRef> = known.rows.iter().map(|(order, _)| order).collect();
        new.retain(|(order, _)| !known.contains(order));
    }
    // Orders get their ids in the sequence in which they become known.
    new.sort_by_key(|(_, first)| first.id);
    for (sql, new) in INSERT_ORDERS.over(&new) {
        let mut query = sqlx::query(sql);
        for ((project, sinch_id), first) in new {
            let received_at = first.event.received_at.0;
            query = query.bind(project).bind(sinch_id).bind(received_at);
        }
        query.execute(&mut *db).await?;
    }
    let wanted: Vec<&OrderRef> = new.iter().map(|(order, _)| *order).collect();
    known.extend(read_known_orders(db, &wanted).await?);
    Ok(known)
}
