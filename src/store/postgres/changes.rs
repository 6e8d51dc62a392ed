//! Writing of [`Changes`]: all that one commit records about orders, as one statement where that can be.

use serde::Serialize;
use sqlx::PgConnection;

use super::error::Fault;
use super::{details, numbers, outbox, storable};
use crate::store::changes::{Changes, Decided, NewFetch, NewTransition, StoredOrder};
use crate::store::outbox::OutboxTarget;
use crate::store::sql::codes::Code;
use crate::store::sql::inbox::word;
use crate::store::sql::json;
use crate::store::sql::orders::claims_text;

/// Columns of an order that processing may change.
macro_rules! processed_columns {
    () => {
        "fetch_at = v.fetch_at, attempts = v.attempts, parked = v.parked, parked_fields = v.parked_fields, \
         provisional_state = v.provisional_state, provisional_at = v.provisional_at, hints = v.hints, \
         hinted_at = v.hinted_at, doubts = v.doubts, heard_at = v.heard_at"
    };
}

/// Inserts changes of orders' states from the rows that follow.
macro_rules! insert_transitions {
    () => {
        "INSERT INTO transitions (order_id, recorded_at, from_state, to_state, confirmed, said_at, cause, cause_fields, \
             announced, latency_us) \
         SELECT order_id, recorded_at, from_state, to_state, confirmed, said_at, cause, cause_fields, announced, latency_us \
         FROM "
    };
}

/// Writes what processing has changed. Its rows come column by column: as JSON the statement took 24 µs a delivery, and takes 19.
const WRITE_PROCESSED: &str = concat!(
    "WITH written AS (UPDATE orders SET ",
    processed_columns!(),
    " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], \
         $9::bigint[], $10::text[], $11::bigint[]) AS v (id, fetch_at, attempts, parked, parked_fields, provisional_state, \
         provisional_at, hints, hinted_at, doubts, heard_at) WHERE orders.id = v.id), \
     decided AS (INSERT INTO decisions (delivery_id, order_id, decision, decision_fields, parked, processed_at) \
         SELECT delivery_id, order_id, decision, decision_fields, parked, $12 \
         FROM unnest($13::bigint[], $14::bigint[], $15::text[], $16::text[], $17::boolean[]) \
             AS v (delivery_id, order_id, decision, decision_fields, parked) ORDER BY delivery_id) ",
    insert_transitions!(),
    "unnest($18::bigint[], $19::bigint[], $20::text[], $21::text[], $22::boolean[], $23::bigint[], $24::text[], $25::text[], \
         $26::boolean[], $27::bigint[]) AS v (order_id, recorded_at, from_state, to_state, confirmed, said_at, cause, \
         cause_fields, announced, latency_us)",
);

/// Writes what fetches have changed.
const WRITE_FETCHED: &str = concat!(
    "WITH written AS (UPDATE orders SET ",
    processed_columns!(),
    ", fetched_at = v.fetched_at, fetch_requested_at = v.fetch_requested_at, lease = v.lease, \
     leased_until_at = v.leased_until_at, confirmed_state = v.confirmed_state, updated_at = v.updated_at, \
     shown_at = v.shown_at, expires_at = v.expires_at, confirmed_at = v.confirmed_at, reopened = v.reopened, \
     tie_state = v.tie_state, tie_since_at = v.tie_since_at, missing_since_at = v.missing_since_at \
     FROM json_to_recordset($1::json) AS v (id bigint, fetch_at bigint, attempts bigint, parked text, parked_fields text, \
     provisional_state text, provisional_at bigint, hints text, hinted_at bigint, doubts text, heard_at bigint, \
     fetched_at bigint, fetch_requested_at bigint, lease bigint, leased_until_at bigint, confirmed_state text, \
     updated_at bigint, shown_at bigint, expires_at bigint, confirmed_at bigint, reopened smallint, tie_state text, \
     tie_since_at bigint, missing_since_at bigint) WHERE orders.id = v.id), \
     fetched AS (INSERT INTO fetches (order_id, lease, fetched_at, state, updated_at, outcome, outcome_fields, \
             unreadable_expiry) \
         SELECT order_id, lease, fetched_at, state, updated_at, outcome, outcome_fields, unreadable_expiry \
         FROM json_to_recordset($3::json) AS v (order_id bigint, lease bigint, fetched_at bigint, state text, \
             updated_at bigint, outcome text, outcome_fields text, unreadable_expiry text)) ",
    insert_transitions!(),
    "json_to_recordset($2::json) AS v (order_id bigint, recorded_at bigint, from_state text, to_state text, \
         confirmed boolean, said_at bigint, cause text, cause_fields text, announced boolean, latency_us bigint)",
);

/// Writes the changes that processing has made.
pub(super) async fn write_processed(
    db: &mut PgConnection,
    targets: &[OutboxTarget],
    changes: &Changes,
) -> Result<(), Fault> {
    let orders: Vec<ProcessedText> = changes.processed.iter().map(ProcessedText::new).collect();
    let decisions: Vec<DecisionText> = changes.decisions.iter().map(DecisionText::new).collect();
    let transitions = transition_texts(changes);
    sqlx::query(WRITE_PROCESSED)
        .bind(column(&orders, |order| order.id))
        .bind(column(&orders, |order| order.fetch_at))
        .bind(column(&orders, |order| i64::from(order.attempts)))
        .bind(column(&orders, |order| order.parked.as_deref()))
        .bind(column(&orders, |order| order.parked_fields.as_deref()))
        .bind(column(&orders, |order| order.provisional_state))
        .bind(column(&orders, |order| order.provisional_at))
        .bind(column(&orders, |order| order.hints.as_str()))
        .bind(column(&orders, |order| order.hinted_at))
        .bind(column(&orders, |order| order.doubts.as_str()))
        .bind(column(&orders, |order| order.heard_at))
        .bind(changes.decided_at.map(|at| at.0))
        .bind(column(&decisions, |one| one.delivery_id))
        .bind(column(&decisions, |one| one.order_id))
        .bind(column(&decisions, |one| one.decision.as_str()))
        .bind(column(&decisions, |one| one.decision_fields.as_deref()))
        .bind(column(&decisions, |one| one.parked))
        .bind(column(&transitions, |one| one.order_id))
        .bind(column(&transitions, |one| one.recorded_at))
        .bind(column(&transitions, |one| one.from_state))
        .bind(column(&transitions, |one| one.to_state))
        .bind(column(&transitions, |one| one.confirmed))
        .bind(column(&transitions, |one| one.said_at))
        .bind(column(&transitions, |one| one.cause.as_str()))
        .bind(column(&transitions, |one| one.cause_fields.as_deref()))
        .bind(column(&transitions, |one| one.announced))
        .bind(column(&transitions, |one| one.latency_us))
        .execute(&mut *db)
        .await?;
    outbox::add(db, targets, &changes.events).await
}

/// Returns a column of rows.
fn column<'a, T, C>(rows: &'a [T], of_row: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(of_row).collect()
}

/// Writes the changes that fetches have made. Each fetch is recorded with the lease under which it was made.
pub(super) async fn write_fetched(
    db: &mut PgConnection,
    targets: &[OutboxTarget],
    changes: &Changes,
    lease_of: impl Fn(i64) -> Option<i64>,
) -> Result<(), Fault> {
    let orders: Vec<FetchedText> = changes.fetched.iter().map(FetchedText::new).collect();
    let fetches = changes.fetches.iter();
    let fetches: Vec<FetchText> = fetches
        .map(|one| FetchText::new(one, lease_of(one.order_id)))
        .collect();
    sqlx::query(WRITE_FETCHED)
        .bind(json(&orders))
        .bind(json(&transition_texts(changes)))
        .bind(json(&fetches))
        .execute(&mut *db)
        .await?;
    details::write(db, &changes.details).await?;
    numbers::follow(db, &changes.completed).await?;
    outbox::add(db, targets, &changes.events).await
}

#[derive(Serialize)]
struct ProcessedText {
    id: i64,
    fetch_at: Option<i64>,
    attempts: u32,
    parked: Option<String>,
    parked_fields: Option<String>,
    provisional_state: Option<&'static str>,
    provisional_at: Option<i64>,
    hints: String,
    hinted_at: Option<i64>,
    doubts: String,
    heard_at: Option<i64>,
}

impl ProcessedText {
    fn new(stored: &StoredOrder) -> ProcessedText {
        let order = &stored.order;
        let provisional = order.provisional.as_ref();
        let parked = order.parked.as_ref().map(Code::new);
        let (parked, parked_fields) = parked.map(|parked| (parked.code, parked.fields)).unzip();
        ProcessedText {
            id: stored.id,
            fetch_at: order.fetch_at.map(|at| at.0),
            attempts: order.attempts,
            parked,
            parked_fields: parked_fields.flatten(),
            provisional_state: provisional.map(|p| p.state.as_str()),
            provisional_at: provisional.map(|p| p.said_at.0),
            hints: claims_text(&order.hints),
            hinted_at: order.hints.iter().map(|hint| hint.heard_at.0).min(),
            doubts: claims_text(&order.doubts),
            heard_at: stored.heard_at.map(|at| at.0),
        }
    }
}

#[derive(Serialize)]
struct FetchedText {
    #[serde(flatten)]
    processed: ProcessedText,
    fetched_at: Option<i64>,
    fetch_requested_at: Option<i64>,
    lease: Option<i64>,
    leased_until_at: Option<i64>,
    confirmed_state: Option<&'static str>,
    updated_at: Option<i64>,
    shown_at: Option<i64>,
    expires_at: Option<i64>,
    confirmed_at: Option<i64>,
    reopened: u8,
    tie_state: Option<&'static str>,
    tie_since_at: Option<i64>,
    missing_since_at: Option<i64>,
}

impl FetchedText {
    fn new(stored: &StoredOrder) -> FetchedText {
        let order = &stored.order;
        let confirmed = order.confirmed.as_ref();
        let tie = order.tie.as_ref();
        FetchedText {
            processed: ProcessedText::new(stored),
            fetched_at: order.fetched_at.map(|at| at.0),
            fetch_requested_at: order.fetch_requested_at.map(|at| at.0),
            lease: stored.lease.map(|(lease, _)| lease),
            leased_until_at: stored.lease.map(|(_, until)| until.0),
            confirmed_state: confirmed.map(|c| c.state.as_str()),
            updated_at: confirmed.map(|c| c.updated_at.0),
            shown_at: confirmed.map(|c| c.shown_at.0),
            expires_at: confirmed.and_then(|c| c.expires_at).map(|at| at.0),
            confirmed_at: confirmed.map(|c| c.confirmed_at.0),
            reopened: confirmed.is_some_and(|c| c.reopened).into(),
            tie_state: tie.map(|tie| tie.state.as_str()),
            tie_since_at: tie.map(|tie| tie.since.0),
            missing_since_at: order.missing_since.map(|at| at.0),
        }
    }
}

struct DecisionText {
    delivery_id: i64,
    order_id: i64,
    decision: String,
    decision_fields: Option<String>,
    parked: bool,
}

impl DecisionText {
    fn new(decided: &Decided) -> DecisionText {
        let delivery = &decided.processed;
        let decision = Code::new(&delivery.decision);
        DecisionText {
            delivery_id: delivery.delivery,
            order_id: decided.order_id,
            decision: decision.code,
            decision_fields: decision.fields,
            parked: delivery.parked,
        }
    }
}

#[derive(Serialize)]
struct FetchText {
    order_id: i64,
    lease: Option<i64>,
    fetched_at: i64,
    state: Option<String>,
    updated_at: Option<i64>,
    outcome: String,
    outcome_fields: Option<String>,
    unreadable_expiry: Option<String>,
}

impl FetchText {
    fn new(fetch: &NewFetch, lease: Option<i64>) -> FetchText {
        let outcome = Code::new(&fetch.outcome);
        let stored = |text: &str| storable(text).into_owned();
        FetchText {
            order_id: fetch.order_id,
            lease,
            fetched_at: fetch.fetched_at.0,
            state: fetch.state.as_ref().map(|state| stored(word(state))),
            updated_at: fetch.updated_at.map(|at| at.0),
            outcome: outcome.code,
            outcome_fields: outcome.fields,
            unreadable_expiry: fetch.unreadable_expiry.as_deref().map(stored),
        }
    }
}

#[derive(Serialize)]
struct TransitionText {
    order_id: i64,
    recorded_at: i64,
    from_state: Option<&'static str>,
    to_state: &'static str,
    confirmed: bool,
    said_at: i64,
    cause: String,
    cause_fields: Option<String>,
    announced: Option<bool>,
    latency_us: Option<i64>,
}

fn transition_texts(changes: &Changes) -> Vec<TransitionText> {
    changes
        .transitions
        .iter()
        .map(TransitionText::new)
        .collect()
}

impl TransitionText {
    fn new(change: &NewTransition) -> TransitionText {
        let transition = &change.transition;
        let cause = Code::new(&transition.cause);
        let latency_us = change.latency.map(|latency| latency.as_micros());
        TransitionText {
            order_id: change.order_id,
            recorded_at: change.recorded_at.0,
            from_state: transition.from.map(|state| state.as_str()),
            to_state: transition.to.as_str(),
            confirmed: transition.confirmed,
            said_at: transition.said_at.0,
            cause: cause.code,
            cause_fields: cause.fields,
            announced: change.announced,
            latency_us: latency_us.map(|us| i64::try_from(us).unwrap_or(i64::MAX)),
        }
    }
}
