//! Looking at what waits: order by order, in the transaction that settles it.
//!
//! The rules are pure and take microseconds, so they are applied inside the writer's transaction, on
//! rows that nobody else can change meanwhile. No lease is needed, and nothing is left half done.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;
use sqlx::SqliteConnection;

use super::batch::Statements;
use super::rows::{self, StoredOrder, json, order_text};
use super::transitions::{self, NewTransition};
use crate::order::{self, Decision, Event, Id, OrderKey, Rule, Status, Time};

/// What to look at, and by which rules.
#[derive(Clone, Debug)]
pub struct LookRequest {
    /// The most deliveries to take at once.
    pub deliveries_max: u32,
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
    /// How many deliveries were taken, those included that nobody need look at.
    pub taken: usize,
    /// The row of the newest delivery that there is, looked at or not.
    pub newest: i64,
    /// The deliveries that were looked at.
    pub looked: Vec<Looked>,
}

/// A bare parameter as the limit would have SQLite prepare the statement anew each time: it looks at the value
/// to find its plan.
const NEWS: &str = "
    SELECT json_group_array(json_array(id, phase = 'waiting', project, order_name, event, status, said_at,
        received_at))
    FROM (SELECT * FROM deliveries WHERE id > (SELECT looked_to FROM service) ORDER BY id LIMIT ? + 0)";

const LOOKED_TO: &str = "UPDATE service SET looked_to = ?";

static KNOWN: LazyLock<Statements> = LazyLock::new(|| {
    let insert = "INSERT INTO orders (project, name, first_seen_at) SELECT * FROM (VALUES ";
    let after = ") WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING";
    Statements::new(insert, "(?, ?, ?)", after)
});

const ORDERS: &str = concat!(
    "SELECT json_group_array(json_array(o.project, ",
    order_text!(),
    ")) FROM json_each(?) AS v JOIN orders AS o ON o.project = v.value ->> 0 AND o.name = v.value ->> 1 \
     JOIN projects AS p ON p.id = o.project"
);

/// The moment stands before the rows, for which see [`Statements::new`].
static SETTLE: LazyLock<Statements> = LazyLock::new(|| {
    let before = "WITH now (at) AS (VALUES (?)), v (id, phase, verdict, order_id) AS (VALUES ";
    let after = ") UPDATE deliveries SET phase = v.phase, verdict = v.verdict, order_id = v.order_id, \
                 settled_at = now.at FROM v, now WHERE deliveries.id = v.id";
    Statements::new(before, "(?, ?, ?, ?)", after)
});

struct Settled {
    id: i64,
    order_id: i64,
    phase: &'static str,
    verdict: String,
}

/// A delivery, as [`NEWS`] has it.
#[derive(Deserialize)]
struct News {
    id: i64,
    waits: i64,
    project: i64,
    order_name: Option<String>,
    event: String,
    status: Option<String>,
    said_at: Option<i64>,
    received_at: i64,
}

struct Waiting {
    id: i64,
    event_name: String,
    event: Event,
}

/// An order as deliveries name it: its project's number, and its own name.
type Name = (i64, String);

/// Looks at the deliveries that have waited longest, order by order, and settles them. `newest` is the row
/// of the newest there is.
pub(super) async fn look(
    db: &mut SqliteConnection,
    request: &LookRequest,
    newest: i64,
) -> sqlx::Result<LookReport> {
    let found = sqlx::query(NEWS)
        .bind(request.deliveries_max)
        .fetch_one(&mut *db)
        .await?;
    let mut found: Vec<News> = rows::text(&found, 0)?;
    found.sort_unstable_by_key(|news| news.id);
    let Some(last) = found.last().map(|news| news.id) else {
        return Ok(LookReport {
            newest,
            ..LookReport::default()
        });
    };
    let mut report = LookReport {
        taken: found.len(),
        newest,
        looked: Vec::with_capacity(found.len()),
    };
    let waiting = by_order(found);
    let (mut updates, mut settled, mut moves) = (vec![], vec![], vec![]);
    for (name, mut stored) in orders(db, &waiting).await? {
        let deliveries = &waiting[&name];
        let events: Vec<Event> = deliveries.iter().map(|d| d.event.clone()).collect();
        let look = order::look(&stored.order, &events, request.now, &request.rule);
        let api_off = request.api_off.contains(&stored.key.project);
        stored.order = look.order;
        let received_at = events.iter().map(|event| event.received_at).max();
        stored.heard_at = stored.heard_at.max(received_at);
        if api_off {
            stored.order.ask_at = None;
        }
        for (delivery, decision) in deliveries.iter().zip(&look.decisions) {
            let (parked, verdict) = verdict(decision, api_off);
            settled.push(Settled {
                id: delivery.id,
                order_id: stored.id,
                phase: if parked { "parked" } else { "settled" },
                verdict: verdict.clone(),
            });
            report.looked.push(Looked {
                delivery: delivery.id,
                event: delivery.event_name.clone(),
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
    settle(db, &settled, request.now).await?;
    transitions::insert(db, &moves).await?;
    sqlx::query(LOOKED_TO).bind(last).execute(&mut *db).await?;
    Ok(report)
}

async fn settle(db: &mut SqliteConnection, settled: &[Settled], now: Time) -> sqlx::Result<()> {
    for (sql, settled) in SETTLE.over(settled) {
        let mut query = sqlx::query(sql).bind(now.0);
        for delivery in settled {
            query = query
                .bind(delivery.id)
                .bind(delivery.phase)
                .bind(delivery.verdict.as_str())
                .bind(delivery.order_id);
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// The deliveries that wait, by order.
fn by_order(found: Vec<News>) -> BTreeMap<Name, Vec<Waiting>> {
    let mut waiting: BTreeMap<Name, Vec<Waiting>> = BTreeMap::new();
    for news in found {
        let (true, Some(order_name), Some(status)) =
            (news.waits != 0, news.order_name, news.status)
        else {
            continue;
        };
        let name = (news.project, order_name);
        waiting.entry(name).or_default().push(Waiting {
            id: news.id,
            event_name: news.event,
            event: Event {
                status: Status::from_word(&status),
                said_at: news.said_at.map(Time),
                received_at: Time(news.received_at),
            },
        });
    }
    waiting
}

/// The orders that deliveries wait for; those that nobody knew are known from now on.
async fn orders(
    db: &mut SqliteConnection,
    waiting: &BTreeMap<Name, Vec<Waiting>>,
) -> sqlx::Result<Vec<(Name, StoredOrder)>> {
    let names: Vec<&Name> = waiting.keys().collect();
    let mut known = read(db, &names).await?;
    if known.len() == names.len() {
        return Ok(known);
    }
    let mut new: Vec<(&Name, &Waiting)> = waiting
        .iter()
        .filter_map(|(name, deliveries)| Some((name, deliveries.first()?)))
        .collect();
    {
        let known: HashSet<&Name> = known.iter().map(|(name, _)| name).collect();
        new.retain(|(name, _)| !known.contains(name));
    }
    // Orders are numbered as they become known.
    new.sort_by_key(|(_, first)| first.id);
    for (sql, new) in KNOWN.over(&new) {
        let mut query = sqlx::query(sql);
        for ((project, name), first) in new {
            let received_at = first.event.received_at.0;
            query = query.bind(project).bind(name).bind(received_at);
        }
        query.execute(&mut *db).await?;
    }
    let names: Vec<&Name> = new.iter().map(|(name, _)| *name).collect();
    known.extend(read(db, &names).await?);
    Ok(known)
}

/// Those of these orders that are known.
async fn read(
    db: &mut SqliteConnection,
    names: &[&Name],
) -> sqlx::Result<Vec<(Name, StoredOrder)>> {
    let found = sqlx::query(ORDERS).bind(json(&names)).fetch_one(db).await?;
    let found: Vec<(i64, StoredOrder)> = rows::text(&found, 0)?;
    let named = |(project, stored): (i64, StoredOrder)| {
        let name = (project, stored.key.order.to_string());
        (name, stored)
    };
    Ok(found.into_iter().map(named).collect())
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
