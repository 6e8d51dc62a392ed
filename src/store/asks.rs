//! Asking Sinch: which orders are due for an answer, and what came of it.
//!
//! A claim leases an order to one lane and counts the try. How urgent an order is, the database works out
//! itself from what is open about it (`urgency`), so that nobody who writes an order can forget to. The answer is weighed inside the
//! transaction that settles it, against the order as it is by then: news may have come meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::Deserialize;
use sqlx::{Row, SqliteConnection};

use super::aside::{Aside, Way, begin_part, end_part, refused, set_aside};
use super::batch::Statements;
use super::rows::{self, StoredOrder, json, order_text};
use super::transitions::{self, NewTransition};
use super::unreadable::{self, JsonRow, UnreadableRow};
use crate::order::{self, Answer, BackOff, Failure, Id, OrderKey, Rule, Status, Time, Tried};

/// Which orders to lease.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// Of which project.
    pub project: Id,
    /// How many at most.
    pub orders_max: u32,
    /// Who comes first.
    pub turn: Turn,
    /// Orders that [`Turn::Apart`] takes, and no other turn does.
    pub apart: Arc<[Id]>,
    /// When.
    pub now: Time,
    /// How long the lease holds, should its holder vanish.
    pub lease: Duration,
}

/// Whose turn it is among due orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The most urgent; what places they leave go to whoever has waited longest.
    Urgent,
    /// Whoever has waited longest.
    Oldest,
    /// Anybody, by chance: one order's trouble is not to stand for all that was named along with it.
    Chance,
    /// Those that are set apart, whoever of them has waited longest.
    Apart,
}

/// An order that is leased to the caller, who is to ask Sinch about it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its row.
    pub(super) order_id: i64,
    /// What fences off a holder whose lease has run out.
    pub(super) lease: i64,
    /// Which order.
    pub key: OrderKey,
    /// Tries without an answer, this one included.
    pub attempts: u32,
}

/// What came of asking about a claimed order.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The order.
    pub claim: Claim,
    /// When the question was sent.
    pub asked_at: Time,
    /// The answer, or why there was none.
    pub result: Result<Answer, Failure>,
    /// Whether a failure is this order's own. One of the provider as a whole uses up none of its tries.
    pub healthy: bool,
    /// Now.
    pub now: Time,
    /// Chance from 0 to 1, which spreads retries.
    pub roll: f64,
    /// The rules.
    pub rule: Rule,
    /// How tries are spaced.
    pub back_off: BackOff,
}

/// What settling an outcome did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is on disk.
    Done {
        /// What the answer meant, or why there was none.
        finding: String,
        /// Whether that ought not to happen.
        anomaly: bool,
        /// Why nobody asks any more, if so.
        parked: Option<String>,
    },
    /// The lease had run out and somebody else holds the order: nothing was written.
    Fenced,
    /// The order's row cannot be read or written. It is parked, and what Sinch said was not applied.
    Aside {
        /// What is wrong with it.
        reason: String,
    },
}

/// Due orders that nobody holds, those first that have waited longest, as JSON: as for [`order_text`]. The index
/// is named, since without statistics SQLite takes one that has it read through all that is due. `+ 0`: as for
/// a look.
macro_rules! due {
    ($index:literal, $further:literal) => {
        concat!(
            "(SELECT json_group_array(json_array(id, name, attempts)) FROM (SELECT o.id, o.name, o.attempts \
             FROM projects AS p CROSS JOIN orders AS o INDEXED BY ",
            $index,
            " ON o.project = p.id WHERE p.name = ?2 AND o.ask_at <= ?1 \
             AND (o.leased_until_at IS NULL OR o.leased_until_at <= ?1) \
             AND o.name NOT IN (SELECT value FROM json_each(?4))",
            $further,
            " ORDER BY o.ask_at LIMIT ?3 + 0))"
        )
    };
}

/// Those that are urgent: two lists, the more urgent first.
// `urgency > 0` is what makes SQLite see that the index serves.
pub(super) const DUE_URGENT: &str = concat!(
    "SELECT ",
    due!("orders_urgent", " AND o.urgency = 2 AND o.urgency > 0"),
    ", ",
    due!("orders_urgent", " AND o.urgency = 1 AND o.urgency > 0"),
);

/// All.
pub(super) const DUE_OLDEST: &str = concat!("SELECT ", due!("orders_ask", ""));

/// Those that are set apart: few, so each is looked up.
const DUE_APART: &str = "
    SELECT json_group_array(json_array(id, name, attempts)) FROM (SELECT o.id, o.name, o.attempts
        FROM projects AS p CROSS JOIN json_each(?4) AS v
        CROSS JOIN orders AS o ON o.project = p.id AND o.name = v.value
        WHERE p.name = ?2 AND o.ask_at <= ?1 AND (o.leased_until_at IS NULL OR o.leased_until_at <= ?1)
        ORDER BY o.ask_at LIMIT ?3 + 0)";

/// From the beginning of each list chance picks among so many.
const CHANCE_AMONG: u32 = 500;

const LEASE: &str = "
    UPDATE orders SET lease = ?, leased_until_at = ?, attempts = min(attempts + 1, 4294967295)
    WHERE id IN (SELECT value FROM json_each(?))";

/// Leases due orders.
pub(super) async fn claim(
    db: &mut SqliteConnection,
    request: &ClaimRequest,
    aside: &mut Aside,
) -> sqlx::Result<Claimed> {
    let orders_max = request.orders_max as usize;
    let mut finder = Finder {
        db: &mut *db,
        request,
        aside,
        unreadable: Vec::new(),
    };
    let mut due = match request.turn {
        Turn::Urgent => finder.find(DUE_URGENT, request.orders_max).await?.concat(),
        Turn::Oldest => Vec::new(),
        Turn::Chance => finder.find_by_chance().await?,
        Turn::Apart => finder.find(DUE_APART, request.orders_max).await?.concat(),
    };
    if due.len() < orders_max && request.turn != Turn::Apart {
        let found: HashSet<i64> = due.iter().map(|due| due.id).collect();
        let oldest = finder.find(DUE_OLDEST, request.orders_max).await?.concat();
        due.extend(oldest.into_iter().filter(|due| !found.contains(&due.id)));
    }
    let unreadable = finder.unreadable;
    for row in &unreadable {
        set_aside(db, row.row, &row.to_string(), aside).await?;
    }
    // Who holds which order is told by the order and this.
    let lease = fastrand::i64(1..);
    let mut claims: Vec<Claim> = due
        .into_iter()
        .take(orders_max)
        .map(|due| Claim {
            order_id: due.id,
            lease,
            key: OrderKey {
                project: request.project.clone(),
                order: due.name,
            },
            attempts: due.attempts.saturating_add(1),
        })
        .collect();
    let until = request.now.plus(request.lease);
    if refused(take(db, &claims, until).await)?.is_err() {
        let mut taken = Vec::with_capacity(claims.len());
        for claim in claims {
            match refused(take(db, std::slice::from_ref(&claim), until).await)? {
                Ok(()) => taken.push(claim),
                Err(reason) => {
                    let reason = format!(
                        "row {} of orders cannot be written: {reason}",
                        claim.order_id
                    );
                    set_aside(db, claim.order_id, &reason, aside).await?;
                }
            }
        }
        claims = taken;
    }
    Ok(Claimed { claims, unreadable })
}

/// What a claim came to.
pub(super) struct Claimed {
    pub claims: Vec<Claim>,
    /// Due orders that are set aside now.
    pub unreadable: Vec<UnreadableRow>,
}

/// Leases these orders.
async fn take(db: &mut SqliteConnection, claims: &[Claim], until: Time) -> sqlx::Result<()> {
    let Some(claim) = claims.first() else {
        return Ok(());
    };
    let ids: Vec<i64> = claims.iter().map(|claim| claim.order_id).collect();
    let leased = sqlx::query(LEASE).bind(claim.lease).bind(until.0);
    leased.bind(json(&ids)).execute(db).await?;
    Ok(())
}

/// Finds due orders that can be read.
struct Finder<'a> {
    db: &'a mut SqliteConnection,
    request: &'a ClaimRequest,
    aside: &'a Aside,
    unreadable: Vec<UnreadableRow>,
}

impl Finder<'_> {
    /// The due orders of a query's lists.
    async fn find(&mut self, sql: &'static str, orders_max: u32) -> sqlx::Result<Vec<Vec<Due>>> {
        let apart: Vec<&str> = self.request.apart.iter().map(Id::as_str).collect();
        // Those that are aside may be among the most urgent, and are to take nobody's place.
        let limit = orders_max as usize + self.aside.len();
        let found = sqlx::query(sql)
            .bind(self.request.now.0)
            .bind(self.request.project.as_str())
            .bind(limit as i64)
            .bind(json(&apart))
            .fetch_one(&mut *self.db)
            .await?;
        let mut lists = Vec::with_capacity(found.len());
        for list in 0..found.len() {
            let mut read = unreadable::many::<Due>(&found, list)?;
            read.rows.retain(|due| !self.aside.contains(&due.id));
            lists.push(read.rows);
            read.unreadable.retain(|row| !self.aside.contains(&row.row));
            self.unreadable.extend(read.unreadable);
        }
        Ok(lists)
    }

    /// The due orders of one list, which chance picks, in no order: of a project's thousand strange orders and its
    /// one that a callback has just named, each kind has its chance.
    async fn find_by_chance(&mut self) -> sqlx::Result<Vec<Due>> {
        let among = self.request.orders_max.max(CHANCE_AMONG);
        let mut lists = self.find(DUE_URGENT, among).await?;
        lists.extend(self.find(DUE_OLDEST, among).await?);
        lists.retain(|list| !list.is_empty());
        let mut picked = fastrand::choice(lists).unwrap_or_default();
        fastrand::shuffle(&mut picked);
        Ok(picked)
    }
}

/// An order that is due.
#[derive(Clone, Deserialize)]
struct Due {
    id: i64,
    #[serde(deserialize_with = "rows::id")]
    name: Id,
    attempts: u32,
}

impl JsonRow for Due {
    const TABLE: &'static str = "orders";
    const COLUMNS: &'static str = "o.id, o.name, o.attempts";
}

/// Releases an order that its holder has not asked about; the try does not count.
pub(super) async fn give_back(db: &mut SqliteConnection, claim: &Claim) -> sqlx::Result<()> {
    let sql = "UPDATE orders SET lease = NULL, leased_until_at = NULL, attempts = max(attempts - 1, 0) \
               WHERE id = ? AND lease = ?";
    let released = sqlx::query(sql).bind(claim.order_id).bind(claim.lease);
    released.execute(db).await?;
    Ok(())
}

const LEASED: &str = concat!(
    "SELECT json_group_array(",
    order_text!(),
    ") FROM json_each(?) AS v JOIN orders AS o ON o.id = v.value \
     JOIN projects AS p ON p.id = o.project"
);

static INSERT_ANSWERS: LazyLock<Statements> = LazyLock::new(|| {
    let before = "INSERT INTO answers (order_id, asked_at, state, updated_at, finding) SELECT * FROM (VALUES ";
    Statements::new(before, "(?, ?, ?, ?, ?)", ") WHERE column1 IS NOT NULL")
});

struct NewAnswer {
    order_id: i64,
    asked_at: i64,
    state: Option<String>,
    updated_at: Option<i64>,
    finding: String,
}

/// Weighs the outcomes and releases their orders.
pub(super) async fn settle(
    db: &mut SqliteConnection,
    outcomes: &[&Outcome],
    way: Way,
    aside: &mut Aside,
) -> sqlx::Result<Vec<Settled>> {
    if way == Way::Together {
        return settle_together(db, outcomes, aside).await;
    }
    let mut settled = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        begin_part(db).await?;
        let done = settle_together(db, &[outcome], aside).await;
        match end_part(db, done).await? {
            Ok(done) => settled.extend(done),
            Err(reason) => {
                let order_id = outcome.claim.order_id;
                let reason = format!("row {order_id} of orders cannot be written: {reason}");
                set_aside(db, order_id, &reason, aside).await?;
                settled.push(Settled::Aside { reason });
            }
        }
    }
    Ok(settled)
}

async fn settle_together(
    db: &mut SqliteConnection,
    outcomes: &[&Outcome],
    aside: &mut Aside,
) -> sqlx::Result<Vec<Settled>> {
    let ids: Vec<i64> = outcomes.iter().map(|o| o.claim.order_id).collect();
    let found = sqlx::query(LEASED)
        .bind(json(&ids))
        .fetch_one(&mut *db)
        .await?;
    let found = unreadable::many::<StoredOrder>(&found, 0)?;
    let mut faults = HashMap::new();
    for row in found.unreadable {
        set_aside(db, row.row, &row.to_string(), aside).await?;
        faults.insert(row.row, row.to_string());
    }
    let mut leased: HashMap<i64, StoredOrder> = found
        .rows
        .into_iter()
        .map(|stored| (stored.id, stored))
        .collect();
    let (mut updates, mut answers, mut moves) = (vec![], vec![], vec![]);
    let mut settled = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        if let Some(reason) = faults.get(&outcome.claim.order_id).cloned() {
            settled.push(Settled::Aside { reason });
            continue;
        }
        // Its holder takes it out, so that nobody settles it twice in one batch; whoever comes late leaves it there.
        let held = leased
            .get(&outcome.claim.order_id)
            .and_then(|stored| stored.lease)
            .is_some_and(|(lease, _)| lease == outcome.claim.lease);
        let holder = held.then(|| leased.remove(&outcome.claim.order_id));
        let Some(mut stored) = holder.flatten() else {
            settled.push(Settled::Fenced);
            continue;
        };
        let weighed = weigh(&stored, outcome);
        if let Some(transition) = &weighed.transition {
            let (at, before) = (outcome.now, &stored.order);
            moves.push(match weighed.dated {
                true => NewTransition::confirmed(stored.id, at, transition, before),
                false => NewTransition::new(stored.id, at, transition),
            });
        }
        stored.order = weighed.order;
        answers.push(weighed.answer);
        settled.push(weighed.settled);
        stored.lease = None;
        updates.push(stored);
    }
    rows::write(db, &updates).await?;
    insert_answers(db, &answers).await?;
    transitions::insert(db, &moves).await?;
    Ok(settled)
}

async fn insert_answers(db: &mut SqliteConnection, answers: &[NewAnswer]) -> sqlx::Result<()> {
    for (sql, answers) in INSERT_ANSWERS.over(answers) {
        let mut query = sqlx::query(sql);
        for answer in answers {
            query = query
                .bind(answer.order_id)
                .bind(answer.asked_at)
                .bind(answer.state.as_deref())
                .bind(answer.updated_at)
                .bind(answer.finding.as_str());
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}

struct Weighed {
    order: order::Order,
    transition: Option<order::Transition>,
    /// Whether Sinch has said when.
    dated: bool,
    answer: NewAnswer,
    settled: Settled,
}

/// Applies the rules to one outcome.
fn weigh(stored: &StoredOrder, outcome: &Outcome) -> Weighed {
    let tried = Tried {
        asked_at: outcome.asked_at,
        result: &outcome.result,
        healthy: outcome.healthy,
        now: outcome.now,
        roll: outcome.roll,
    };
    let weighed = order::weigh(&stored.order, tried, &outcome.rule, &outcome.back_off);
    let (mut finding, mut anomaly) = match &weighed.finding {
        Ok(finding) => (finding.to_string(), finding.is_anomaly()),
        Err(failure) => (format!("no answer: {}", failure.reason), false),
    };
    let snapshot = match &outcome.result {
        Ok(Answer::Found(snapshot)) => Some(snapshot),
        Ok(Answer::NotFound) | Err(_) => None,
    };
    if let Some(remark) = snapshot.and_then(|snapshot| snapshot.remark.as_ref()) {
        finding = format!("{finding}; {remark}");
        anomaly = true;
    }
    let answer = NewAnswer {
        order_id: stored.id,
        asked_at: outcome.asked_at.0,
        state: snapshot.map(|s| match &s.state {
            Status::Known(state) => state.as_str().to_owned(),
            Status::Unknown(word) => word.clone(),
        }),
        updated_at: snapshot.map(|s| s.updated_at.0),
        finding: finding.clone(),
    };
    let settled = Settled::Done {
        finding,
        anomaly,
        parked: weighed.order.parked.clone(),
    };
    Weighed {
        order: weighed.order,
        transition: weighed.transition,
        dated: snapshot.is_some(),
        answer,
        settled,
    }
}

/// A project's gate: whether, and until when, nobody asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// Tries in a row that failed through the provider.
    pub failures: u32,
    /// Until when nobody asks, and why; `None`: asking is open.
    pub paused: Option<(Time, String)>,
}

/// Keeps a project's gate, so that a restart does not forget it.
pub(super) async fn keep_gate(
    db: &mut SqliteConnection,
    project: &Id,
    gate: &Gate,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE projects SET failures = ?, paused_until_at = ?, pause_reason = ? WHERE name = ?",
    )
    .bind(gate.failures)
    .bind(gate.paused.as_ref().map(|(until, _)| until.0))
    .bind(gate.paused.as_ref().map(|(_, reason)| reason.as_str()))
    .bind(project.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Makes an order due for an answer at once, as an operator wishes; `false`: nobody knows it.
pub(super) async fn ask_now(
    db: &mut SqliteConnection,
    key: &OrderKey,
    now: Time,
) -> sqlx::Result<bool> {
    // As `Order::wish` has it, without a look at the row.
    let sql = "UPDATE orders SET ask_at = ?1, wished_at = ?1, attempts = 0, parked = NULL \
               WHERE project = (SELECT id FROM projects WHERE name = ?2) AND name = ?3";
    let updated = sqlx::query(sql)
        .bind(now.0)
        .bind(key.project.as_str())
        .bind(key.order.as_str())
        .execute(db)
        .await?;
    Ok(updated.rows_affected() == 1)
}

/// Orders to make known, whether or not a callback ever spoke of them.
#[derive(Clone, Debug)]
pub struct WatchRequest {
    /// Of which project.
    pub project: Id,
    /// Their ids.
    pub orders: Vec<Id>,
    /// Now.
    pub now: Time,
}

const WATCH: &str = "
    INSERT INTO orders (project, name, first_seen_at, ask_at)
    SELECT p.id, v.value, ?2, ?2 FROM json_each(?3) AS v JOIN projects AS p ON p.name = ?1
    WHERE true ON CONFLICT (project, name) DO NOTHING";

/// Makes orders known, and due for an answer at once; counts those that were not known before.
pub(super) async fn watch(db: &mut SqliteConnection, request: &WatchRequest) -> sqlx::Result<u64> {
    let names: Vec<&str> = request.orders.iter().map(Id::as_str).collect();
    let inserted = sqlx::query(WATCH)
        .bind(request.project.as_str())
        .bind(request.now.0)
        .bind(json(&names))
        .execute(db)
        .await?;
    Ok(inserted.rows_affected())
}
