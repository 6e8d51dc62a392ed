//! Looking at what waits: order by order, in the transaction that settles it.
//!
//! What a delivery says never changes, so news are read beside the writer. The rules are pure and take
//! microseconds: they are applied inside the writer's transaction, on orders that nobody else can change
//! meanwhile. No lease is needed, and nothing is left half done.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;

use super::aside::{Way, begin_part, end_part, refused};
use super::batch::Statements;
use super::news::{Name, News, Waiting};
use super::rows::{self, StoredOrder, order_text};
use super::transitions::{self, NewTransition};
use super::unreadable::{self, Read, UnreadableRow, lossy};
use crate::logged::Throttle;
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
    /// Whether that is so because its order's row cannot be read or written.
    pub row_at_fault: bool,
    /// From receipt to now.
    pub age: Duration,
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
    /// Rows that could not be read: deliveries, which are parked, and orders, of which the deliveries are.
    pub unreadable: Vec<UnreadableRow>,
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
    way: Way,
) -> sqlx::Result<LookReport> {
    let moved = sqlx::query(LOOKED_TO)
        .bind(news.last)
        .bind(news.looked_to)
        .bind(news.taken as i64)
        .execute(&mut *db);
    let unchanged = moved.await?.rows_affected() > 0;
    let mut report = LookReport {
        taken: news.taken,
        newest: news.newest,
        ..LookReport::default()
    };
    if !unchanged {
        return Ok(report);
    }
    for row in &news.unreadable {
        park(db, row.row, &row.to_string(), request.now).await?;
    }
    report.unreadable.clone_from(&news.unreadable);
    let waiting: Vec<(&Name, &Vec<Waiting>)> = news.waiting.iter().collect();
    if way == Way::Together {
        look_together(db, request, &waiting, &mut report).await?;
        return Ok(report);
    }
    for one in waiting.chunks(1) {
        begin_part(db).await?;
        let mut part = LookReport::default();
        let done = look_together(db, request, one, &mut part).await;
        match end_part(db, done).await? {
            Ok(()) => {
                report.looked.extend(part.looked);
                report.unreadable.extend(part.unreadable);
            }
            Err(reason) => {
                let reason = format!("its order cannot be written: {reason}");
                let parked = park_all(db, request.now, one, &reason).await?;
                report.looked.extend(parked);
            }
        }
    }
    Ok(report)
}

/// Looks at all that waits for these orders.
async fn look_together(
    db: &mut SqliteConnection,
    request: &LookRequest,
    waiting: &[(&Name, &Vec<Waiting>)],
    report: &mut LookReport,
) -> sqlx::Result<()> {
    let found = orders(db, waiting).await?;
    if found.rows.len() < waiting.len() {
        let known: HashSet<&Name> = found.rows.iter().map(|(name, _)| name).collect();
        let unknown = waiting.iter().filter(|(name, _)| !known.contains(name));
        for one in unknown {
            let row = found
                .unreadable
                .iter()
                .find(|row| row.order.as_ref() == Some(&one.0.1));
            let why = row.map_or_else(|| "its row is not found".to_owned(), ToString::to_string);
            let reason = format!("its order cannot be read: {why}");
            let parked = park_all(db, request.now, &[*one], &reason).await?;
            report.looked.extend(parked);
        }
    }
    report.unreadable.extend(found.unreadable);
    let waiting: HashMap<&Name, &Vec<Waiting>> = waiting.iter().copied().collect();
    let (mut updates, mut looked, mut moves) = (vec![], vec![], vec![]);
    for (name, mut stored) in found.rows {
        let deliveries = waiting[&name];
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
                row_at_fault: false,
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
    let looked = looked.into_iter().map(|(_, looked)| looked);
    report.looked.extend(looked);
    Ok(())
}

const PARK: &str = "
    UPDATE deliveries SET phase = 'parked', verdict = ?2, order_id = o.id, settled_at = iif(o.id IS NULL, NULL, ?3)
    FROM (SELECT d.id AS delivery, o.id FROM deliveries AS d
        LEFT JOIN orders AS o ON o.project = d.project AND o.name = d.order_name WHERE d.id = ?1) AS o
    WHERE deliveries.id = o.delivery AND phase NOT IN ('settled', 'recorded', 'parked')";

/// How often the log tells of deliveries that cannot even be parked, for the same reason.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The reasons that the log has told of: a bad order's callbacks may come for as long as Sinch likes.
static TOLD: LazyLock<Throttle<String>> = LazyLock::new(|| Throttle::new(TOLD_EVERY));

/// Parks a delivery, with its order's row where there is one. If the database refuses even that, it stays as it is.
async fn park(
    db: &mut SqliteConnection,
    delivery: i64,
    reason: &str,
    now: Time,
) -> sqlx::Result<()> {
    let parked = sqlx::query(PARK).bind(delivery).bind(reason).bind(now.0);
    if let Err(error) = refused(parked.execute(db).await)?
        && let Some(left_out) = TOLD.pass(error.clone(), Instant::now())
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

/// Parks all that waits for these orders.
async fn park_all(
    db: &mut SqliteConnection,
    now: Time,
    waiting: &[(&Name, &Vec<Waiting>)],
    reason: &str,
) -> sqlx::Result<Vec<Looked>> {
    let mut looked = Vec::new();
    for ((project, order), deliveries) in waiting {
        let project = project_name(db, *project).await?;
        for delivery in *deliveries {
            park(db, delivery.id, reason, now).await?;
            let key = project.clone().zip(Id::new(order.as_str()));
            looked.extend(key.map(|(project, order)| Looked {
                delivery: delivery.id,
                event: delivery.event_name.clone(),
                key: OrderKey { project, order },
                verdict: reason.to_owned(),
                parked: true,
                row_at_fault: true,
                age: now.since(delivery.event.received_at),
            }));
        }
    }
    Ok(looked)
}

async fn project_name(db: &mut SqliteConnection, project: i64) -> sqlx::Result<Option<Id>> {
    let name = sqlx::query("SELECT name FROM projects WHERE id = ?").bind(project);
    let row = name.fetch_optional(db).await?;
    let name = row.map(|row| lossy(&row, "name")).transpose()?;
    Ok(name.and_then(Id::new))
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
    waiting: &[(&Name, &Vec<Waiting>)],
) -> sqlx::Result<Read<(Name, StoredOrder)>> {
    let names: Vec<&Name> = waiting.iter().map(|(name, _)| *name).collect();
    let mut known = read(db, &names).await?;
    if known.rows.len() == names.len() {
        return Ok(known);
    }
    // They are read again among those that are not known.
    known.unreadable.clear();
    let mut new: Vec<(&Name, &Waiting)> = waiting
        .iter()
        .filter_map(|(name, deliveries)| Some((*name, deliveries.first()?)))
        .collect();
    {
        let known: HashSet<&Name> = known.rows.iter().map(|(name, _)| name).collect();
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
) -> sqlx::Result<Read<(Name, StoredOrder)>> {
    let mut known = Read::default();
    for (sql, names) in ORDERS.over(names) {
        let found = names
            .iter()
            .fold(sqlx::query(sql), |query, (project, name)| {
                query.bind(*project).bind(name.as_str())
            });
        let found: Read<(i64, StoredOrder)> =
            unreadable::many(&found.fetch_one(&mut *db).await?, 0)?;
        known.unreadable.extend(found.unreadable);
        known
            .rows
            .extend(found.rows.into_iter().map(|(project, stored)| {
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
