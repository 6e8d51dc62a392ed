//! Rules applied to what the store has read: pure functions, each of which returns one commit as a value.
//!
//! A backend reads and locks the rows, calls one of the functions, and writes what it returns, such as [`Changes`], in the
//! same transaction.

use std::collections::HashMap;

use super::changes::{
    Changes, Decided, EventSubject, NewDetails, NewEvent, NewFetch, NewTransition, StoredNumber,
    StoredOrder,
};
use super::{FetchResult, NumberChange, NumberFetchResult, ProcessRequest, Processed, Recorded};
use number_order::{
    Answer, Decision, DeliveryDecision, Event, FetchAttempt, Kept, NumberFetch, Order, OrderedLink,
    Readiness, State, Time, Transition,
};

/// A delivery that waits to be processed.
pub(super) struct Waiting {
    pub id: i64,
    pub dedup_key: String,
    pub event: Event,
}

/// Processes the deliveries that wait for each of the given orders, and returns what is to be written. Orders come in the
/// sequence of their first deliveries, so their events do, too.
pub(super) fn process<'a>(
    orders: impl IntoIterator<Item = (StoredOrder, &'a [Waiting])>,
    request: &ProcessRequest,
) -> Changes {
    let mut changes = Changes {
        decided_at: Some(request.now),
        ..Changes::default()
    };
    let mut orders: Vec<(StoredOrder, &[Waiting])> = orders.into_iter().collect();
    orders.sort_by_key(|(_, deliveries)| deliveries.first().map(|first| first.id));
    for (stored, deliveries) in orders {
        process_one(stored, deliveries, request, &mut changes);
    }
    changes
}

fn process_one(
    mut stored: StoredOrder,
    deliveries: &[Waiting],
    request: &ProcessRequest,
    changes: &mut Changes,
) {
    let events: Vec<Event> = deliveries.iter().map(|d| d.event.clone()).collect();
    let now = request.now;
    let applied = number_order::apply_events(&stored.order, &events, now, &request.policy);
    let api_off = request.api_off.contains(&stored.key.project);
    stored.order = applied.order;
    let received_at = events.iter().map(|event| event.received_at).max();
    stored.heard_at = stored.heard_at.max(received_at);
    if api_off {
        stored.order.fetch_at = None;
    }
    for (delivery, decision) in deliveries.iter().zip(applied.decisions) {
        let (parked, decision) = delivery_decision(decision, api_off);
        changes.decisions.push(Decided {
            order_id: stored.id,
            processed: Processed {
                delivery: delivery.id,
                dedup_key: delivery.dedup_key.clone(),
                key: stored.key.clone(),
                decision,
                parked,
                row_at_fault: false,
                age: now.since(delivery.event.received_at),
            },
        });
    }
    for transition in applied.transitions {
        changes.move_order(NewTransition {
            order_id: stored.id,
            recorded_at: now,
            transition,
            announced: None,
            latency: None,
        });
    }
    changes.processed.push(stored);
}

/// Returns `true` if the delivery is parked, and the decision on it.
fn delivery_decision(decision: Decision, api_off: bool) -> (bool, DeliveryDecision) {
    if api_off && decision.needs_fetch() {
        (true, DeliveryDecision::Kept(Kept::ApiOff { decision }))
    } else {
        (false, DeliveryDecision::Event(decision))
    }
}

/// Applies the results of fetches to their orders, by the orders' ids. Orders whose rows cannot be read are in
/// `faults`, each with the reason. Returns the effect of each result, too.
pub(super) fn record(
    mut leased: HashMap<i64, StoredOrder>,
    faults: &HashMap<i64, String>,
    results: &[&FetchResult],
) -> (Changes, Vec<Recorded>) {
    let mut changes = Changes::default();
    let mut recorded = Vec::with_capacity(results.len());
    for fetch in results {
        let order_id = fetch.claim.order_id;
        if let Some(reason) = faults.get(&order_id).cloned() {
            recorded.push(Recorded::RowAtFault { reason });
            continue;
        }
        // The lease holder's result takes the order out, so that nothing is recorded twice in one batch. A late result
        // leaves it there.
        let lease = leased.get(&order_id).and_then(|stored| stored.lease);
        let is_held = lease.is_some_and(|(lease, _)| lease == fetch.claim.lease);
        let holder = is_held.then(|| leased.remove(&order_id));
        recorded.push(match holder.flatten() {
            Some(stored) => record_one(stored, fetch, &mut changes),
            None => Recorded::Fenced,
        });
    }
    (changes, recorded)
}

/// Applies the result of the lease's holder to the order, and releases the order.
fn record_one(mut stored: StoredOrder, fetch: &FetchResult, changes: &mut Changes) -> Recorded {
    let attempt = FetchAttempt {
        fetched_at: fetch.fetched_at,
        result: &fetch.result,
        healthy: fetch.healthy,
        now: fetch.now,
        jitter: fetch.jitter,
    };
    let applied =
        number_order::apply_attempt(&stored.order, attempt, &fetch.policy, &fetch.backoff);
    let snapshot = match &fetch.result {
        Ok(Answer::Found(snapshot)) => Some(snapshot),
        Ok(Answer::NotFound) | Err(_) => None,
    };
    let (id, at) = (stored.id, fetch.now);
    // Only a snapshot says when the state changed.
    let before = snapshot.map(|_| &stored.order);
    let transition = applied.transition;
    let step = transition.map(|transition| by_fetch(id, at, transition, before));
    let converged = step.as_ref().and_then(|step| step.latency);
    if let Some(step) = step {
        changes.move_order(step);
    }
    let unreadable_expiry = snapshot.and_then(|snapshot| snapshot.unreadable_expiry.clone());
    let anomaly = applied.outcome.is_anomaly() || unreadable_expiry.is_some();
    changes.fetches.push(NewFetch {
        order_id: id,
        fetched_at: fetch.fetched_at,
        state: snapshot.map(|snapshot| snapshot.state.clone()),
        updated_at: snapshot.map(|snapshot| snapshot.updated_at),
        outcome: applied.outcome.clone(),
        unreadable_expiry,
    });
    let details = snapshot.and_then(|snapshot| snapshot.details.as_deref().cloned());
    changes.details.extend(details.map(|details| NewDetails {
        order_id: id,
        details,
    }));
    let parked = applied.order.parked.clone();
    stored.order = applied.order;
    stored.lease = None;
    let confirmed = stored.order.confirmed.as_ref();
    if snapshot.is_some() && confirmed.is_some_and(|known| known.state == State::Completed) {
        changes.completed.push((id, at));
    }
    changes.fetched.push(stored);
    Recorded::Done {
        outcome: applied.outcome,
        anomaly,
        parked,
        converged,
    }
}

/// Applies the result of a number's fetch to the number as it is by now. `ordered`: the links that were ordered for it.
/// Returns what is to be written, the change, and the event that tells of it.
pub(super) fn record_number(
    mut stored: StoredNumber,
    ordered: &[OrderedLink],
    result: &NumberFetchResult,
) -> (StoredNumber, NumberChange, Option<NewEvent>) {
    let fetch = NumberFetch {
        sent_at: result.sent_at,
        result: result.result.as_ref().map(Option::as_deref),
        now: result.now,
        jitter: result.jitter,
    };
    let (policy, backoff) = (&result.policy, &result.backoff);
    let after = stored.following.fetched(&fetch, ordered, policy, backoff);
    let change = NumberChange {
        key: stored.key.clone(),
        before: stored.following,
        after: after.clone(),
    };
    stored.following = after;
    let event = number_event(&stored, &change, result.now);
    (stored, change, event)
}

/// Returns the event that tells of a number which has become ready, or whose links have failed.
fn number_event(stored: &StoredNumber, change: &NumberChange, now: Time) -> Option<NewEvent> {
    let phone_number = stored.phone_number.clone();
    let (before, after) = (&change.before, &change.after);
    let readiness = after.readiness.clone()?;
    let subject = match readiness {
        Readiness::Ready => before
            .ready_at
            .is_none()
            .then_some(EventSubject::NumberReady { phone_number }),
        Readiness::Failed { .. } => {
            (before.readiness != after.readiness).then_some(EventSubject::NumberFailed {
                phone_number,
                readiness,
            })
        }
        Readiness::NotActive | Readiness::NotLinked { .. } | Readiness::OnTheWay { .. } => None,
    };
    Some(NewEvent {
        recorded_at: now,
        order_id: Some(stored.order_id),
        subject: subject?,
    })
}

/// Makes the record of a change that a fetch brought. With the order as it was `before`, it says how long after Sinch
/// made the change, as far as this program could have known of the change, and if an event had announced it.
fn by_fetch(
    order_id: i64,
    at: Time,
    transition: Transition,
    before: Option<&Order>,
) -> NewTransition {
    let announced = before.map(|before| {
        let mut claims = before.hints.iter().chain(&before.doubts);
        claims.any(|hint| hint.state == Some(transition.to))
    });
    let latency = before.map(|before| at.since(transition.said_at.max(before.first_seen_at)));
    NewTransition {
        order_id,
        recorded_at: at,
        transition,
        announced,
        latency,
    }
}

#[cfg(test)]
mod tests;
