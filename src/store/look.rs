//! Looking at what waits: order by order, in the transaction that settles it.
//!
//! What a delivery says never changes, so news are read beside the writer. The rules are pure and take
//! microseconds: they are applied inside the writer's transaction, on orders that nobody else can change
//! meanwhile. No lease is needed, and nothing is left half done.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::batch::Statements;
use super::news::{Name, News, Waiting};
use super::rows::{self, StoredOrder, order_text};
use super::transitions::{self, NewTransition};
use crate::order::{self, Decision, Doubt, Event, Id, OrderKey, Rule, Time};

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
    /// The row of the newest delivery that there was, looked at or not.
    pub newest: i64,
    /// The deliveries that were looked at.
    pub looked: Vec<Looked>,
}

/// Only where these are all the news up to the last of them, as they were when they were read. Whoever looked
/// meanwhile has moved it; and a conflict is inserted a moment after what came later in its batch.
const LOOKED_TO: &str = "
    UPDATE service SET looked_to = ?1
    WHERE looked_to = ?2
        AND ?3 = (SELECT count(*) FROM deliveries WHERE id > ?2 AND id <= ?1)";

static KNOWN: LazyLock<Statements> = LazyLock::new(|| {
    let insert = "INSERT INTO orders (project, name, first_seen_at) SELECT * FROM (VALUES ";
    let after = ") WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING";
    Statements::new(insert, "(?, ?, ?)", after)
});

static ORDERS: LazyLock<Statements> = LazyLock::new(|| {
    let after = concat!(
        ") SELECT json_group_array(json_array(o.project, ",
        order_text!(),
        ")) FROM v JOIN orders AS o ON o.project = v.project AND o.name = v.name \
         JOIN projects AS p ON p.id = o.project"
    );
    Statements::new("WITH v (project, name) AS (VALUES ", "(?, ?)", after)
});

/// The moment stands before the rows, for which see [`Statements::new`].
static SETTLE: LazyLock<Statements> = LazyLock::new(|| {
    let before = "WITH now (at) AS (VALUES (?)), v (id, phase, verdict, order_id) AS (VALUES ";
    let after = ") UPDATE deliveries SET phase = v.phase, verdict = v.verdict, order_id = v.order_id, \
                 settled_at = now.at FROM v, now WHERE deliveries.id = v.id";
    Statements::new(before, "(?, ?, ?, ?)", after)
});

/// Looks at news, order by order, and settles them. Where these have changed since they were read, nothing is
/// done: they are to be read again.
pub(super) async fn look(
    db: &mut SqliteConnection,
    request: &LookRequest,
    news: &News,
) -> sqlx::Result<LookReport> {
    let moved = sqlx::query(LOOKED_TO)
        .bind(news.last)
        .bind(news.looked_to)
        .bind(news.taken as i64)
        .execute(&mut *db);
    let unchanged = moved.await?.rows_affected() > 0;
    let found = match unchanged {
        true => orders(db, &news.waiting).await?,
        false => Vec::new(),
    };
    let (mut updates, mut looked, mut moves) = (vec![], vec![], vec![]);
    for (name, mut stored) in found {
        let deliveries = &news.waiting[&name];
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
            let (parked, verdict) = verdict(&delivery.event, decision, api_off);
            let delivery = Looked {
                delivery: delivery.id,
                event: delivery.event_name.clone(),
                key: stored.key.clone(),
                verdict,
                parked,
                age: request.now.since(delivery.event.received_at),
            };
            looked.push((stored.id, delivery));
        }
        let at = request.now;
        moves.extend(
            look.transitions
                .iter()
                .map(|t| NewTransition::new(stored.id, at, t)),
        );
        updates.push(stored);
    }
    rows::write_looked(db, &updates).await?;
    settle(db, &looked, request.now).await?;
    transitions::insert(db, &moves).await?;
    Ok(LookReport {
        taken: news.taken,
        newest: news.newest,
        looked: looked.into_iter().map(|(_, looked)| looked).collect(),
    })
}

/// Settles deliveries, each with its order's row.
async fn settle(
    db: &mut SqliteConnection,
    looked: &[(i64, Looked)],
    now: Time,
) -> sqlx::Result<()> {
    for (sql, looked) in SETTLE.over(looked) {
        let mut query = sqlx::query(sql).bind(now.0);
        for (order_id, delivery) in looked {
            query = query
                .bind(delivery.delivery)
                .bind(if delivery.parked { "parked" } else { "settled" })
                .bind(delivery.verdict.as_str())
                .bind(order_id);
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
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
    let mut known = Vec::with_capacity(names.len());
    for (sql, names) in ORDERS.over(names) {
        let found = names
            .iter()
            .fold(sqlx::query(sql), |query, (project, name)| {
                query.bind(*project).bind(name.as_str())
            });
        let found: Vec<(i64, StoredOrder)> = rows::text(&found.fetch_one(&mut *db).await?, 0)?;
        known.extend(found.into_iter().map(|(project, stored)| {
            let name = (project, stored.key.order.to_string());
            (name, stored)
        }));
    }
    Ok(known)
}

fn verdict(event: &Event, decision: &Decision, api_off: bool) -> (bool, String) {
    let (parked, words) = match decision {
        Decision::Ask(doubt) if api_off => {
            let words = format!("{doubt}; Sinch cannot be asked: this project says api = \"off\"");
            (true, words)
        }
        Decision::Agrees(_) | Decision::Repeats(_) | Decision::Fits { .. } | Decision::Ask(_) => {
            (false, decision.to_string())
        }
    };
    match (event.said_at, decision) {
        // It says so itself.
        (None, Decision::Ask(Doubt::NoTime(_))) | (Some(_), _) => (parked, words),
        (None, _) => (parked, format!("{words}; it has no readable time stamp")),
    }
}
