//! Steps of the inbox, made beside the writer.
//!
//! Callbacks wait while the writer is busy. So a step reads its orders, applies the rules and composes its events on the
//! inbox worker's own connection, and the writer gets one script with all that is to be written, its commit included. The
//! script is only good if no commit in between has changed what the step has read, which its [`Revision`] tells. Otherwise, and
//! for deliveries that ask for more than their orders, the writer makes the step anew inside its transaction
//! ([`process`](super::process)).

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;
use sqlx::{Row, SqliteConnection};

use super::batch::{BEGIN, Statements};
use super::changes::{add_changes, room_of};
use super::named_orders::read_known_orders;
use super::outbox;
use super::pending::{self, Pending};
use super::readers::Readers;
use super::revision::Revision;
use super::script::Script;
use crate::store::apply::{self, Waiting};
use crate::store::changes::{Changes, StoredOrder};
use crate::store::outbox::{Known, KnownOrder, OutboxTarget, compose};
use crate::store::sql::outbox::draw_event_id;
use crate::store::sql::pending::OrderRef;
use crate::store::{ProcessReport, ProcessRequest};
use number_order::{Id, Order, OrderKey, Time};

/// A step of the inbox that waits for the writer.
pub(super) struct Step {
    pub request: ProcessRequest,
    /// Deliveries that the step processes.
    pub pending: Pending,
    /// All that the step writes, unless the writer must make it.
    pub made: Option<MadeStep>,
}

/// All that a step writes, if the database has not changed since.
pub(super) struct MadeStep {
    /// Revision of what the step has read.
    revision: u64,
    /// Statements of a transaction that has begun; the caller commits it.
    pub script: Script,
    pub report: ProcessReport,
    /// `true` if the step adds events.
    pub adds_events: bool,
}

impl MadeStep {
    /// Returns `true` if nothing has changed that the step has read.
    pub(super) fn is_of(&self, revision: &Revision) -> bool {
        self.revision == revision.now()
    }
}

/// Moves `processed_through` as [`process`](super::process) does, or fails where the deliveries are not all pending ones any
/// more: a script cannot stop in any other way.
const PROCESSED_THROUGH: &str = "
    UPDATE service SET processed_through = CASE
        WHEN processed_through = ? AND ? = (SELECT count(*) FROM deliveries WHERE id > ? AND id <= ?) THEN ? END";

/// Selects what the rows of new orders need: the newest order's id, and the projects.
const SELECT_BESIDE: &str = "
    SELECT json_array((SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'orders'),
        (SELECT json_group_object(id, sinch_id) FROM projects))";

/// Inserts new orders with their ids. It fails if one has become known since.
static INSERT_ORDERS: LazyLock<Statements> = LazyLock::new(|| {
    let insert = "INSERT INTO orders (id, project, sinch_id, first_seen_at) SELECT * FROM (VALUES ";
    Statements::new(insert, "(?, ?, ?, ?)", ") WHERE column1 IS NOT NULL")
});

/// What [`SELECT_BESIDE`] selects.
#[derive(Deserialize)]
struct Beside(i64, HashMap<i64, String>);

/// An order that becomes known, with the row of its project.
struct NewOrder {
    project: i64,
    stored: StoredOrder,
}

/// Reads the deliveries that have waited longest, and makes the step that processes them as far as it can be made beside the
/// writer.
pub(super) async fn make(
    readers: &Readers,
    revision: &Revision,
    targets: &[OutboxTarget],
    request: ProcessRequest,
) -> sqlx::Result<Step> {
    let db = &mut *readers.pending().await?;
    let revision = revision.now();
    let pending = pending::read(db, request.deliveries_max).await?;
    let needs_writer =
        pending.any_to_create || pending.any_of_other || !pending.unreadable.is_empty();
    let made = if pending.taken == 0 || needs_writer {
        None
    } else {
        // A fault is met again by the writer, which parks what cannot be read, and reports the rest.
        let made = made(db, revision, targets, &request, &pending).await;
        made.ok().flatten()
    };
    Ok(Step {
        request,
        pending,
        made,
    })
}

async fn made(
    db: &mut SqliteConnection,
    revision: u64,
    targets: &[OutboxTarget],
    request: &ProcessRequest,
    pending: &Pending,
) -> sqlx::Result<Option<MadeStep>> {
    let wanted: Vec<&OrderRef> = pending.waiting.keys().collect();
    let found = read_known_orders(db, &wanted).await?;
    if !found.unreadable.is_empty() {
        return Ok(None);
    }
    let mut orders: HashMap<OrderRef, StoredOrder> = found.rows.into_iter().collect();
    let Some(new) = new_orders(db, pending, &orders).await? else {
        return Ok(None);
    };
    for order in &new {
        let named = (order.project, order.stored.key.order.to_string());
        orders.insert(named, order.stored.clone());
    }
    let waiting = pending.waiting.iter();
    let orders =
        waiting.filter_map(|(named, waiting)| Some((orders.remove(named)?, waiting.as_slice())));
    let changes = apply::process(orders, request);
    let known = known(db, &changes, &new).await?;
    let script = script_of(pending, &new, &changes, known, targets);
    let decisions = changes.decisions.into_iter();
    Ok(Some(MadeStep {
        revision,
        script,
        adds_events: !changes.events.is_empty(),
        report: ProcessReport {
            taken: pending.taken,
            processed: decisions.map(|decided| decided.processed).collect(),
            ..ProcessReport::default()
        },
    }))
}

/// Returns the orders that are not known yet, in the sequence in which they become known; `None`: the database has an id that
/// this program never writes.
async fn new_orders(
    db: &mut SqliteConnection,
    pending: &Pending,
    known: &HashMap<OrderRef, StoredOrder>,
) -> sqlx::Result<Option<Vec<NewOrder>>> {
    let unknown = pending.waiting.iter();
    let unknown = unknown.filter(|(named, _)| !known.contains_key(*named));
    let mut unknown: Vec<(&OrderRef, &Waiting)> = unknown
        .filter_map(|(named, waiting)| Some((named, waiting.first()?)))
        .collect();
    if unknown.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let beside = sqlx::query(SELECT_BESIDE).fetch_one(db).await?;
    let Ok(Beside(last, projects)) = serde_json::from_slice(beside.try_get_unchecked(0)?) else {
        return Ok(None);
    };
    unknown.sort_by_key(|(_, first)| first.id);
    let ids = last + 1..;
    let new = unknown.into_iter().zip(ids).map(|((named, first), id)| {
        let (project, order) = named;
        let key = OrderKey {
            project: Id::new(projects.get(project)?.as_str())?,
            order: Id::new(order.as_str())?,
        };
        Some(NewOrder {
            project: *project,
            stored: new_order(id, key, first.event.received_at),
        })
    });
    Ok(new.collect())
}

/// Returns an order of which nothing is known but that it was heard of.
fn new_order(id: i64, key: OrderKey, first_seen_at: Time) -> StoredOrder {
    StoredOrder {
        id,
        key,
        lease: None,
        heard_at: None,
        dismissed_at: None,
        order: Order::new(first_seen_at),
    }
}

/// Reads what the database has before the events of the changes are added.
async fn known(
    db: &mut SqliteConnection,
    changes: &Changes,
    new: &[NewOrder],
) -> sqlx::Result<Known> {
    if changes.events.is_empty() {
        return Ok(Known::default());
    }
    let mut script = Script::default();
    outbox::select_known(&mut script, &changes.events);
    let mut known = outbox::known_of(&script.fetch(db).await?)?;
    known.orders.extend(new.iter().map(|order| {
        let known = KnownOrder {
            key: order.stored.key.clone(),
            last_sequence: 0,
            state: None,
            confirmed: false,
            expires_at: None,
            details: None,
        };
        (order.stored.id, known)
    }));
    Ok(known)
}

/// Returns the statements that write a step.
fn script_of(
    pending: &Pending,
    new: &[NewOrder],
    changes: &Changes,
    known: Known,
    targets: &[OutboxTarget],
) -> Script {
    let room = room_of(changes);
    let mut script = Script::default();
    script
        .add(BEGIN)
        .add(PROCESSED_THROUGH)
        .bind(pending.processed_through)
        .bind(pending.taken as i64)
        .bind(pending.processed_through)
        .bind(pending.last)
        .bind(pending.last);
    script.add_rows(
        &INSERT_ORDERS,
        room,
        new,
        |_| {},
        |script, order| {
            script
                .bind(order.stored.id)
                .bind(order.project)
                .bind(order.stored.key.order.as_str())
                .bind(order.stored.order.first_seen_at.0);
        },
    );
    add_changes(&mut script, room, changes);
    let outbox = compose(&changes.events, known, targets, draw_event_id);
    outbox::insert(&mut script, room, &outbox);
    script
}
