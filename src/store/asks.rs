//! Asking Sinch: what came of it, and what else makes an order known or due.
//!
//! The answer is weighed inside the transaction that settles it, against the order as it is by then: news may have come
//! meanwhile.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::aside::{Aside, Way, begin_part, end_part, set_aside};
use super::batch::Statements;
use super::claims::Claim;
use super::rows::{self, StoredOrder, json, order_text};
use super::transitions::{self, NewTransition};
use super::unreadable;
use crate::order::{self, Answer, BackOff, Failure, Id, OrderKey, Rule, Status, Time, Tried};

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

/// Orders to make known, whether or not a callback ever spoke of them. A long list is not to be cloned by chance.
#[derive(Debug)]
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
