//! The outbox: what the database has of the orders of new events, and the rows of their notifications as JSON.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::codes::Code;
use super::{Columns, time};
use crate::store::outbox::{Known, KnownOrder, NotificationRow};
use crate::store::{
    NotificationClaim, NotificationOutcome, NotificationRequest, NotificationResult,
};
use notifications::{DeliveryFailure, TargetHealth};
use number_order::{Id, OrderKey, State, Time};

/// Number of the newest event, and the orders of new events.
#[derive(Deserialize)]
struct KnownText(i64, Vec<KnownOrderText>);

/// Columns of an order of new events, in the order of [`known_columns`].
#[derive(Deserialize)]
struct KnownOrderText {
    id: i64,
    project: Id,
    sinch_id: Id,
    state: String,
    provisional_state: Option<String>,
    expires_at: Option<i64>,
    last_sequence: Option<i64>,
    details: Option<String>,
}

/// Columns of an order of new events, from `orders AS o JOIN projects AS p` and, where there is one, `order_details AS d`.
macro_rules! known_columns {
    () => {
        "o.id, p.sinch_id, o.sinch_id, o.state, o.provisional_state, o.expires_at, \
         (SELECT max(e.order_sequence) FROM events AS e WHERE e.order_id = o.id), d.details"
    };
}
pub(in crate::store) use known_columns;

/// Reads what the database has before new events are added. An order that another program has spoilt is an error; its
/// subject, which decides nothing, is left out.
pub(in crate::store) fn known(text: &[u8]) -> sqlx::Result<Known> {
    let text = String::from_utf8_lossy(text);
    let KnownText(last_sequence, orders) =
        serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let orders = orders.into_iter().map(|row| {
        let details = row
            .details
            .and_then(|details| serde_json::from_str(&details).ok());
        let order = KnownOrder {
            key: OrderKey {
                project: row.project,
                order: row.sinch_id,
            },
            last_sequence: row.last_sequence.unwrap_or(0),
            state: State::from_word(&row.state),
            confirmed: row.provisional_state.is_none(),
            expires_at: row.expires_at.map(Time),
            details,
        };
        (row.id, order)
    });
    Ok(Known {
        last_sequence,
        orders: orders.collect(),
    })
}

/// Draws the id of an event: random, so that a database that is restored gives none a second time.
pub(in crate::store) fn draw_event_id() -> String {
    format!("evt_{:032x}", fastrand::u128(..))
}

/// A notification as a statement reads it from JSON.
#[derive(Serialize)]
pub(in crate::store) struct NotificationText {
    target: i64,
    event: i64,
    subject: i64,
    due_at: i64,
}

/// Returns the rows of notifications as JSON has them, in the order of their queues and events: so replicas lock queues in
/// one order.
pub(in crate::store) fn notification_texts(rows: &[NotificationRow]) -> Vec<NotificationText> {
    let mut texts: Vec<NotificationText> = rows
        .iter()
        .map(|row| NotificationText {
            target: row.target,
            event: row.event,
            subject: row.subject,
            due_at: row.due_at,
        })
        .collect();
    texts.sort_unstable_by_key(|row| (row.target, row.subject, row.event));
    texts
}

/// Columns of a target, from `targets AS t`.
macro_rules! target_columns {
    () => {
        "t.id, t.name, t.active, t.next_at, t.failures, t.failing_since_at, t.paused_until_at, t.delivered_at, \
         t.switched_off_at, t.failure, t.failure_fields"
    };
}
pub(in crate::store) use target_columns;

/// A target, as a claim and a result find it.
pub(in crate::store) struct TargetState {
    pub id: i64,
    /// Time from which the next attempt counts against the rate.
    next_at: Time,
    pub health: TargetHealth,
    /// Time at which the first of its queues is due; `None`: nothing waits.
    due_at: Option<Time>,
}

impl TargetState {
    /// Reads a target from [`target_columns`] and `due_at`.
    pub(in crate::store) fn of_row(row: &impl Columns) -> sqlx::Result<TargetState> {
        Ok(TargetState {
            id: row.int("id")?,
            next_at: Time(row.int("next_at")?),
            health: health_of_row(row)?,
            due_at: time(row, "due_at")?,
        })
    }

    /// Returns `true` if a notification of the target is due.
    pub(in crate::store) fn is_due(&self, now: Time) -> bool {
        self.due_at.is_some_and(|due_at| due_at <= now)
    }

    /// Returns the number of notifications that may be sent now, or the time at which it is worth asking again.
    pub(in crate::store) fn allowed(
        &self,
        request: &NotificationRequest,
    ) -> Result<u32, Option<Time>> {
        if self.health.switched_off_at.is_some() {
            return Err(None);
        }
        if let Some(until) = self.health.not_before(request.now) {
            return Err(Some(until));
        }
        let wanted = if self.health.is_probed() {
            request.limit.min(1)
        } else {
            request.limit
        };
        let Some(rate) = request.rate else {
            return Ok(wanted);
        };
        match rate.allowed(self.next_at, wanted, request.now) {
            (0, from) => Err(Some(from.plus(rate.interval))),
            (allowed, _) => Ok(allowed),
        }
    }

    /// Returns the rate's time and the end of the pause after a claim of this many notifications; `None`: neither has
    /// changed.
    pub(in crate::store) fn after_claim(
        &self,
        request: &NotificationRequest,
        claimed: u32,
    ) -> Option<(Time, Option<Time>)> {
        let is_probe = self.health.is_probed();
        if claimed == 0 || (request.rate.is_none() && !is_probe) {
            return None;
        }
        let next_at = request.rate.map_or(self.next_at, |rate| {
            let (_, from) = rate.allowed(self.next_at, claimed, request.now);
            from.plus(rate.interval * claimed)
        });
        let probe_ends = is_probe.then(|| request.now.plus(request.lease));
        Some((next_at, probe_ends.or(self.health.paused_until)))
    }

    /// Returns the time at which it is worth asking again, unless events are added before.
    pub(in crate::store) fn next_claim(&self, request: &NotificationRequest) -> Option<Time> {
        let due_at = self.due_at?;
        match self.allowed(request) {
            Ok(_) => Some(due_at),
            Err(next_at) => next_at.map(|at| at.max(due_at)),
        }
    }
}

/// Reads the health of a target from [`target_columns`].
pub(in crate::store) fn health_of_row(row: &impl Columns) -> sqlx::Result<TargetHealth> {
    Ok(TargetHealth {
        failures: u32::try_from(row.int("failures")?).unwrap_or(u32::MAX),
        failing_since: time(row, "failing_since_at")?,
        paused_until: time(row, "paused_until_at")?,
        delivered_at: time(row, "delivered_at")?,
        switched_off_at: time(row, "switched_off_at")?,
    })
}

/// Reads a leased notification with its event.
#[cfg(feature = "postgres")]
pub(in crate::store) fn claim_of_row(
    row: &impl Columns,
    lease: i64,
) -> sqlx::Result<NotificationClaim> {
    Ok(NotificationClaim {
        id: row.int("id")?,
        target: row.int("target")?,
        subject: row.int("subject")?,
        lease,
        attempts: u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX),
        sequence: row.int("sequence")?,
        event_id: row.text("event_id")?.to_owned(),
        event_type: row.text("type")?.to_owned(),
        body: row.text("body")?.to_owned(),
    })
}

/// Columns of a leased notification with its event, as one JSON text has them.
#[derive(Deserialize)]
struct ClaimText(i64, i64, i64, u32, i64, String, String, String);

/// Reads leased notifications with their events from a JSON text.
pub(in crate::store) fn claims_of_json(
    text: &[u8],
    lease: i64,
) -> sqlx::Result<Vec<NotificationClaim>> {
    // What another program has spoilt holds up nothing else.
    let text = String::from_utf8_lossy(text);
    let rows: Vec<ClaimText> =
        serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let claims = rows.into_iter().map(|row| {
        let ClaimText(id, target, subject, attempts, sequence, event_id, event_type, body) = row;
        NotificationClaim {
            id,
            target,
            subject,
            lease,
            attempts,
            sequence,
            event_id,
            event_type,
            body,
        }
    });
    Ok(claims.collect())
}

/// A result as statements read it from JSON.
#[derive(Serialize)]
pub(in crate::store) struct ResultText {
    pub id: i64,
    target: i64,
    subject: i64,
    lease: i64,
    phase: &'static str,
    /// 1 if an attempt was made, else 0.
    made: u8,
    attempted_at: i64,
    failure: Option<String>,
    failure_fields: Option<String>,
    /// Time at which the next notification of the queue is due.
    due_at: i64,
}

impl ResultText {
    pub(in crate::store) fn new(result: &NotificationResult) -> ResultText {
        let now = result.now.0;
        let (phase, failure, due_at) = match &result.outcome {
            NotificationOutcome::Delivered => ("delivered", None, now),
            NotificationOutcome::Failed {
                failure,
                again_at: Some(at),
            } => ("waiting", Some(failure), at.0),
            NotificationOutcome::Failed {
                failure,
                again_at: None,
            } => ("parked", Some(failure), now),
            NotificationOutcome::Gone { failure } => ("waiting", Some(failure), now),
            NotificationOutcome::Unsent => ("waiting", None, now),
        };
        let failure = failure.map(Code::new);
        let (failure, failure_fields) = failure.map(|code| (code.code, code.fields)).unzip();
        let claim = &result.claim;
        ResultText {
            id: claim.id,
            target: claim.target,
            subject: claim.subject,
            lease: claim.lease,
            phase,
            made: result.is_attempt().into(),
            attempted_at: now,
            failure,
            failure_fields: failure_fields.flatten(),
            due_at,
        }
    }
}

/// Returns the results of attempts by their targets, of those notifications whose lease still held.
pub(in crate::store) fn attempts_by_target<'a>(
    results: &'a [NotificationResult],
    held: &HashSet<i64>,
) -> BTreeMap<i64, Vec<&'a NotificationResult>> {
    let mut by_target: BTreeMap<i64, Vec<&NotificationResult>> = BTreeMap::new();
    for result in results {
        if result.is_attempt() && held.contains(&result.claim.id) {
            by_target
                .entry(result.claim.target)
                .or_default()
                .push(result);
        }
    }
    by_target
}

/// Returns the health of a target after the given results of attempts, and why the last one failed.
pub(in crate::store) fn health_after<'a>(
    health: TargetHealth,
    results: &[&'a NotificationResult],
) -> (TargetHealth, Option<&'a DeliveryFailure>) {
    results
        .iter()
        .fold((health, None), |(health, failure), result| {
            let now = result.now;
            match &result.outcome {
                NotificationOutcome::Unsent => (health, failure),
                NotificationOutcome::Delivered => (health.delivered(now), None),
                NotificationOutcome::Failed { failure, .. } if failure.is_targets_own() => {
                    (health.failed(now, result.jitter), Some(failure))
                }
                NotificationOutcome::Failed { failure, .. } => (health.answered(), Some(failure)),
                NotificationOutcome::Gone { failure } => (health.switched_off(now), Some(failure)),
            }
        })
}

/// Health of a target as it is stored.
pub(in crate::store) struct HealthText {
    pub failures: i64,
    pub failing_since_at: Option<i64>,
    pub paused_until_at: Option<i64>,
    pub delivered_at: Option<i64>,
    pub switched_off_at: Option<i64>,
    pub failure: Option<String>,
    pub failure_fields: Option<String>,
}

impl HealthText {
    pub(in crate::store) fn new(
        health: &TargetHealth,
        failure: Option<&DeliveryFailure>,
    ) -> HealthText {
        let micros = |at: Option<Time>| at.map(|at| at.0);
        let failure = failure.map(Code::new);
        let (failure, failure_fields) = failure.map(|code| (code.code, code.fields)).unzip();
        HealthText {
            failures: health.failures.into(),
            failing_since_at: micros(health.failing_since),
            paused_until_at: micros(health.paused_until),
            delivered_at: micros(health.delivered_at),
            switched_off_at: micros(health.switched_off_at),
            failure,
            failure_fields: failure_fields.flatten(),
        }
    }
}
