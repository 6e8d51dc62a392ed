//! Looking at what waits: each order with news, all of it, in the transaction that settles it.
//!
//! The rules are pure and take microseconds, so they are applied inside the writer's transaction, on
//! rows that nobody else can change meanwhile. No lease is needed, and nothing is left half done.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use super::rows::{self, StoredOrder, json, order_columns};
use super::transitions::{self, NewTransition};
use crate::order::{self, Decision, Event, Id, OrderKey, Rule, Status, Time};

/// What to look at, and by which rules.
#[derive(Clone, Debug)]
pub struct LookRequest {
    /// The most orders to take at once.
    pub orders_max: u32,
    /// When.
    pub now: Time,
    /// The rules.
    pub rule: Rule,
    /// Projects whose orders nobody may ask about.
    pub api_off: Vec<Id>,
}

/// A delivery that has been looked at.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Its row.
    pub delivery: i64,
    /// The event's id, or what stands for it.
    pub event: String,
    /// Its order.
    pub key: OrderKey,
    /// What was decided, in words.
    pub verdict: String,
    /// Whether an operator must look at it.
    pub parked: bool,
    /// From receipt to now.
    pub age: std::time::Duration,
}

/// What a look at all news came to.
#[derive(Clone, Debug, Default)]
pub struct LookReport {
    /// How many orders were taken.
    pub taken: usize,
    /// The deliveries that were looked at.
    pub looked: Vec<Looked>,
}

const DUE: &str = concat!(
    "SELECT ",
    order_columns!(),
    ", o.project AS project_id FROM orders AS o JOIN projects AS p ON p.id = o.project \
     WHERE o.news_at IS NOT NULL ORDER BY o.news_at LIMIT ?"
);

/// The most deliveries of one order at once, the oldest, so that a storm about one order neither delays
/// the others nor fills the memory.
const DELIVERIES_MAX: u32 = 256;

const WAITING: &str = "
    SELECT v.value ->> 'id' AS order_id, d.id, d.event, d.received_at, d.status, d.said_at
    FROM json_each(?1) AS v JOIN deliveries AS d ON d.id IN (
        SELECT id FROM deliveries
        WHERE project = v.value ->> 'project' AND order_name = v.value ->> 'name'
            AND id > v.value ->> 'looked_to'
        ORDER BY id LIMIT ?2)";

const SETTLE: &str = "
    UPDATE deliveries SET phase = v.value ->> 'phase', verdict = v.value ->> 'verdict', settled_at = ?
    FROM json_each(?) AS v WHERE deliveries.id = v.value ->> 'id'";

#[derive(Serialize)]
struct Wanted<'a> {
    id: i64,
    project: i64,
    name: &'a str,
    looked_to: i64,
}

#[derive(Serialize)]
struct Settled {
    id: i64,
    phase: &'static str,
    verdict: String,
}

struct Waiting {
    id: i64,
    event_name: String,
    event: Event,
}

/// Looks at the orders whose news have waited longest, and settles their deliveries.
pub(super) async fn look(
    db: &mut SqliteConnection,
    request: &LookRequest,
) -> sqlx::Result<LookReport> {
    let due = sqlx::query(DUE)
        .bind(request.orders_max)
        .fetch_all(&mut *db)
        .await?;
    if due.is_empty() {
        return Ok(LookReport::default());
    }
    let mut orders = Vec::with_capacity(due.len());
    for row in &due {
        orders.push((rows::read(row)?, row.try_get::<i64, _>("project_id")?));
    }
    let mut waiting = waiting(db, &orders).await?;
    let mut report = LookReport {
        taken: orders.len(),
        ..LookReport::default()
    };
    let (mut updates, mut settled, mut moves) = (vec![], vec![], vec![]);
    for (mut stored, _) in orders {
        let deliveries = waiting.remove(&stored.id).unwrap_or_default();
        let events: Vec<Event> = deliveries.iter().map(|d| d.event.clone()).collect();
        let look = order::look(&stored.order, &events, request.now, &request.rule);
        let api_off = request.api_off.contains(&stored.key.project);
        stored.order = look.order;
        if api_off {
            stored.order.ask_at = None;
        }
        let ids = deliveries.iter().map(|d| d.id);
        stored.looked_to = ids.fold(stored.looked_to, i64::max);
        // Fewer than could be taken: these were all, for nothing is accepted meanwhile.
        if deliveries.len() < DELIVERIES_MAX as usize {
            stored.news_at = None;
        }
        for (delivery, decision) in deliveries.into_iter().zip(&look.decisions) {
            let (parked, verdict) = verdict(decision, api_off);
            settled.push(Settled {
                id: delivery.id,
                phase: if parked { "parked" } else { "settled" },
                verdict: verdict.clone(),
            });
            report.looked.push(Looked {
                delivery: delivery.id,
                event: delivery.event_name,
                key: stored.key.clone(),
                verdict,
                parked,
                age: request.now.since(delivery.event.received_at),
            });
        }
        let at = request.now;
        moves.extend(
            look.transitions
                .iter()
                .map(|t| NewTransition::new(stored.id, at, t)),
        );
        updates.push(stored);
    }
    rows::write(db, &updates).await?;
    sqlx::query(SETTLE)
        .bind(request.now.0)
        .bind(json(&settled))
        .execute(&mut *db)
        .await?;
    transitions::insert(db, &moves).await?;
    Ok(report)
}

/// The deliveries that wait for these orders, by order.
async fn waiting(
    db: &mut SqliteConnection,
    orders: &[(StoredOrder, i64)],
) -> sqlx::Result<HashMap<i64, Vec<Waiting>>> {
    let wanted: Vec<Wanted> = orders
        .iter()
        .map(|(stored, project)| Wanted {
            id: stored.id,
            project: *project,
            name: stored.key.order.as_str(),
            looked_to: stored.looked_to,
        })
        .collect();
    let found = sqlx::query(WAITING)
        .bind(json(&wanted))
        .bind(DELIVERIES_MAX)
        .fetch_all(db)
        .await?;
    let mut waiting: HashMap<i64, Vec<Waiting>> = HashMap::new();
    for row in &found {
        waiting
            .entry(row.try_get("order_id")?)
            .or_default()
            .push(Waiting {
                id: row.try_get("id")?,
                event_name: row.try_get("event")?,
                event: Event {
                    status: Status::from_word(row.try_get("status")?),
                    said_at: row.try_get::<Option<i64>, _>("said_at")?.map(Time),
                    received_at: Time(row.try_get("received_at")?),
                },
            });
    }
    Ok(waiting)
}

fn verdict(decision: &Decision, api_off: bool) -> (bool, String) {
    match decision {
        Decision::Ask(doubt) if api_off => {
            let words = format!("{doubt}; Sinch cannot be asked: this project says api = \"off\"");
            (true, words)
        }
        Decision::Agrees(_) | Decision::Repeats(_) | Decision::Fits { .. } | Decision::Ask(_) => {
            (false, decision.to_string())
        }
    }
}
