//! Tests of the changes that the rules yield for one commit.

use std::time::Duration;

use super::*;
use crate::store::Claim;
use number_order::{
    Backoff, Endpoint, Failure, Hint, Id, NoAnswer, OrderKey, Policy, Snapshot, State, Status,
};

const LEASE: i64 = 7;
const NOW: i64 = 100;

fn at(secs: i64) -> Time {
    Time(secs * 1_000_000)
}

fn policy() -> Policy {
    Policy::new(Duration::from_secs(15), Duration::from_secs(300))
}

fn key(id: i64) -> OrderKey {
    OrderKey {
        project: Id::new("project-1").expect("an id"),
        order: Id::new(format!("order-{id}")).expect("an id"),
    }
}

/// An order that is known since second 5, and leased.
fn stored(id: i64) -> StoredOrder {
    StoredOrder {
        id,
        key: key(id),
        lease: Some((LEASE, at(NOW + 60))),
        heard_at: None,
        dismissed_at: None,
        order: Order::new(at(5)),
    }
}

fn waiting(id: i64, state: State, said_secs: i64) -> Waiting {
    Waiting {
        id,
        dedup_key: format!("event-{id}"),
        event: Event {
            status: Status::Known(state),
            said_at: Some(at(said_secs)),
            received_at: at(said_secs + 1),
        },
    }
}

fn request(api_off: bool) -> ProcessRequest {
    ProcessRequest {
        deliveries_max: 10,
        now: at(NOW),
        policy: policy(),
        api_off: if api_off {
            vec![key(1).project]
        } else {
            Vec::new()
        },
    }
}

#[test]
fn events_yield_the_order_the_decisions_and_the_transitions() {
    let (review, blocked) = (State::InReview, State::Blocked);
    for (events, api_off, codes, parked, steps) in [
        (&[(review, 10)][..], false, &["first-event"][..], 0, 1),
        (&[(review, 10)], true, &["api-off"], 1, 1),
        (
            &[(review, 10), (review, 11)],
            false,
            &["first-event", "already-claimed"],
            0,
            1,
        ),
        (
            &[(review, 10), (blocked, 20)],
            false,
            &["first-event", "fits"],
            0,
            2,
        ),
    ] {
        let deliveries: Vec<Waiting> = (21..)
            .zip(events)
            .map(|(id, (state, secs))| waiting(id, *state, *secs))
            .collect();
        let changes = process([(stored(1), deliveries.as_slice())], &request(api_off));
        assert_eq!(changes.decided_at, Some(at(NOW)));
        let decided: Vec<&Decided> = changes.decisions.iter().collect();
        let found: Vec<&str> = decided
            .iter()
            .map(|d| d.processed.decision.code())
            .collect();
        assert_eq!(found, codes, "{events:?}");
        let ids: Vec<i64> = decided.iter().map(|d| d.processed.delivery).collect();
        assert_eq!(ids, (21..).take(events.len()).collect::<Vec<i64>>());
        let all_parked = decided.iter().filter(|d| d.processed.parked).count();
        assert_eq!(all_parked, parked, "{codes:?}");
        assert_eq!(changes.transitions.len(), steps, "{codes:?}");
        for change in &changes.transitions {
            assert_eq!((change.order_id, change.recorded_at), (1, at(NOW)));
            assert_eq!((change.announced, change.latency), (None, None));
        }
        let [order] = &changes.processed[..] else {
            panic!("one order: {changes:?}");
        };
        assert_eq!(order.order.fetch_at.is_some(), !api_off, "{codes:?}");
        let newest = events.last().map(|(_, secs)| at(*secs + 1));
        assert_eq!(order.heard_at, newest);
        assert_eq!(order.lease, stored(1).lease, "processing ignores leases");
        assert!(changes.fetched.is_empty() && changes.fetches.is_empty());
    }
}

#[test]
fn orders_of_one_commit_keep_apart() {
    let [first, second] = [
        [waiting(1, State::InReview, 10)],
        [waiting(2, State::Blocked, 10)],
    ];
    let orders = [(stored(1), &first[..]), (stored(2), &second[..])];
    let changes = process(orders, &request(false));
    let decided = changes.decisions.iter();
    let decided: Vec<_> = decided
        .map(|d| (d.order_id, d.processed.delivery, d.processed.key.clone()))
        .collect();
    assert_eq!(decided, [(1, 1, key(1)), (2, 2, key(2))]);
    let states = changes.processed.iter().map(|order| order.order.state());
    let states: Vec<Option<State>> = states.collect();
    assert_eq!(states, [Some(State::InReview), Some(State::Blocked)]);
}

fn fetched(id: i64, lease: i64, result: Result<Answer, Failure>) -> FetchResult {
    FetchResult {
        claim: Claim {
            order_id: id,
            lease,
            key: key(id),
            attempts: 1,
        },
        fetched_at: at(NOW - 1),
        result,
        healthy: true,
        now: at(NOW),
        jitter: 0.5,
        policy: policy(),
        backoff: Backoff {
            base: Duration::from_secs(2),
            cap: Duration::from_secs(60),
            attempts_max: 3,
        },
    }
}

fn shows(state: State, updated_secs: i64) -> Result<Answer, Failure> {
    Ok(Answer::Found(Snapshot {
        state: Status::Known(state),
        updated_at: at(updated_secs),
        expires_at: None,
        unreadable_expiry: None,
        details: None,
        sent_at: None,
    }))
}

fn fails() -> Result<Answer, Failure> {
    Err(Failure {
        reason: NoAnswer::NotNow {
            endpoint: Endpoint::Orders,
            status: 503,
        },
        wait_min: Duration::ZERO,
    })
}

fn one(
    stored: StoredOrder,
    faults: &HashMap<i64, String>,
    result: &FetchResult,
) -> (Changes, Recorded) {
    let orders = HashMap::from([(stored.id, stored)]);
    let (changes, mut recorded) = record(orders, faults, &[result]);
    (changes, recorded.remove(0))
}

#[test]
fn a_result_yields_the_order_the_fetch_and_the_transition() {
    let hint = Hint {
        state: Some(State::InReview),
        said_at: Some(at(10)),
        heard_at: at(11),
    };
    let shown = || shows(State::InReview, 15);
    // The latency counts from Sinch's own time, but not from before the order was first heard of.
    let (since_15, since_5) = (Duration::from_secs(85), Duration::from_secs(95));
    for (hints, result, state, step) in [
        (vec![], shown(), true, Some((Some(false), Some(since_15)))),
        (
            vec![hint],
            shown(),
            true,
            Some((Some(true), Some(since_15))),
        ),
        (
            vec![],
            shows(State::InReview, 1),
            true,
            Some((Some(false), Some(since_5))),
        ),
        (vec![], Ok(Answer::NotFound), false, None),
        (vec![], fails(), false, None),
    ] {
        let mut order = stored(1);
        order.order.hints = hints;
        let result = fetched(1, LEASE, result);
        let (changes, recorded) = one(order, &HashMap::new(), &result);
        let [fetch] = &changes.fetches[..] else {
            panic!("one fetch: {changes:?}");
        };
        let Recorded::Done {
            outcome, converged, ..
        } = recorded
        else {
            panic!("{recorded:?}");
        };
        assert_eq!(converged, step.and_then(|(_, latency)| latency));
        assert_eq!((fetch.order_id, fetch.fetched_at), (1, at(NOW - 1)));
        assert_eq!(fetch.outcome, outcome, "the effect is reported as recorded");
        assert_eq!(fetch.state.is_some(), state);
        assert_eq!(fetch.updated_at.is_some(), state);
        let told = changes.transitions.first();
        assert_eq!(told.map(|told| (told.announced, told.latency)), step);
        assert!(told.is_none_or(|told| told.transition.confirmed));
        let [order] = &changes.fetched[..] else {
            panic!("one order: {changes:?}");
        };
        assert_eq!(order.lease, None, "is released");
        assert!(changes.processed.is_empty() && changes.decisions.is_empty());
    }
}

#[test]
fn a_result_without_its_lease_or_its_row_changes_nothing() {
    let fault = "hints: invalid type".to_owned();
    let faults = HashMap::from([(1, fault.clone())]);
    let mut released = stored(1);
    released.lease = None;
    let at_fault = Recorded::RowAtFault { reason: fault };
    for (order, faults, lease, expected) in [
        (stored(1), HashMap::new(), LEASE + 1, Recorded::Fenced),
        (released, HashMap::new(), LEASE, Recorded::Fenced),
        (stored(2), HashMap::new(), LEASE, Recorded::Fenced),
        (stored(2), faults, LEASE, at_fault),
    ] {
        let result = fetched(1, lease, shows(State::InReview, 15));
        let (changes, recorded) = one(order, &faults, &result);
        assert_eq!(recorded, expected);
        assert!(changes.fetched.is_empty() && changes.fetches.is_empty());
        assert!(changes.transitions.is_empty());
    }
}

#[test]
fn of_two_results_under_one_lease_the_first_is_recorded() {
    let [first, second] =
        [State::InReview, State::Blocked].map(|state| fetched(1, LEASE, shows(state, 15)));
    let orders = HashMap::from([(1, stored(1))]);
    let (changes, recorded) = record(orders, &HashMap::new(), &[&first, &second]);
    assert!(matches!(recorded[0], Recorded::Done { .. }));
    assert_eq!(recorded[1], Recorded::Fenced);
    assert_eq!(changes.fetches.len(), 1);
}
