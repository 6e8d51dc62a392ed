//! Results of fetches, and what follows from them.

use super::*;
use number_order::{FetchOutcome, Link, NoAnswer, OrderDetails, OrderNumber, ParkReason};

async fn one_claim(store: &Store, order: &str) -> Claim {
    accept(store, delivery("e1", order, State::InReview, 10)).await;
    process(store, 20).await;
    claim(store, 1, 20).await.remove(0)
}

#[tokio::test]
async fn an_answer_confirms_the_order_and_ends_the_lease() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let held = one_claim(&store, "o1").await;
    assert_eq!(held.attempts, 1);
    let recorded = record(&store, &held, shows(State::InReview, 9), 21).await;
    assert!(
        matches!(recorded, Recorded::Done { anomaly: false, .. }),
        "{recorded:?}"
    );
    let order = "SELECT confirmed_state, provisional_state, lease, attempts, hints, reopened, state FROM orders";
    assert_eq!(fixture.text(order), "IN_REVIEW|||0|[]|0|IN_REVIEW");
    let fetch = format!(
        "SELECT outcome, state FROM fetches WHERE lease = {}",
        held.lease
    );
    assert_eq!(fixture.text(&fetch), "first-answer|IN_REVIEW");
    assert_eq!(
        fixture.number("SELECT count(*) FROM transitions WHERE confirmed"),
        1
    );
}

/// The answer to the commit may be lost, and the same results come again.
#[tokio::test]
async fn a_result_that_was_recorded_already_is_done_and_not_fenced() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let held = one_claim(&store, "o1").await;
    let mut first = record(&store, &held, shows(State::InReview, 9), 21).await;
    if let Recorded::Done { converged, .. } = &mut first {
        assert!(
            converged.take().is_some(),
            "only the first confirms a change"
        );
    }
    assert_eq!(
        record(&store, &held, shows(State::InReview, 9), 22).await,
        first
    );
    assert_eq!(fixture.number("SELECT count(*) FROM fetches"), 1);
}

#[tokio::test]
async fn the_fence_refuses_a_late_result() {
    let fixture = fixture!(Fixture::new());
    let (first, second) = (fixture.store().await, fixture.store().await);
    let late = one_claim(&first, "o1").await;
    assert!(claim(&second, 1, 79).await.is_empty(), "the lease lasts");
    let held = claim(&second, 1, 80).await.remove(0);
    assert_eq!(
        record(&first, &late, shows(State::Completed, 9), 81).await,
        Recorded::Fenced
    );
    assert_eq!(fixture.number("SELECT count(*) FROM fetches"), 0);
    let recorded = record(&second, &held, shows(State::InReview, 9), 82).await;
    assert!(matches!(recorded, Recorded::Done { .. }));
    assert_eq!(
        record(&first, &late, shows(State::Completed, 9), 83).await,
        Recorded::Fenced
    );
    assert_eq!(fixture.text("SELECT state FROM orders"), "IN_REVIEW");
}

/// Control: a store that does not compare the fence applies what a late holder brings.
#[tokio::test]
async fn without_the_fence_a_late_result_counts() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let mut late = one_claim(&store, "o1").await;
    let held = claim(&store, 1, 80).await.remove(0);
    late.lease = held.lease;
    let recorded = record(&store, &late, shows(State::Completed, 9), 81).await;
    assert!(matches!(recorded, Recorded::Done { .. }));
    assert_eq!(fixture.text("SELECT state FROM orders"), "COMPLETED");
}

#[tokio::test]
async fn an_order_that_cannot_be_read_or_written_is_parked_and_spoils_no_other() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    for order in ["unreadable", "unwritable", "sound"] {
        accept(&store, delivery(order, order, State::Created, 10)).await;
    }
    process(&store, 20).await;
    let claims = claim(&store, 9, 20).await;
    fixture.text(
        "UPDATE orders SET hints = '[7]', hinted_at = 1 WHERE sinch_id = 'unreadable';
         ALTER TABLE orders ADD CHECK (sinch_id <> 'unwritable' OR confirmed_state IS NULL)",
    );
    let results: Vec<FetchResult> = claims
        .iter()
        .map(|claim| outcome(claim, shows(State::Created, 9), 21))
        .collect();
    let recorded = store.record(results.into()).await.expect("records");
    for (claim, recorded) in claims.iter().zip(recorded) {
        let is_sound = claim.key.order.as_str() == "sound";
        assert_eq!(
            matches!(recorded, Recorded::Done { .. }),
            is_sound,
            "{recorded:?}"
        );
        assert_eq!(matches!(recorded, Recorded::RowAtFault { .. }), !is_sound);
    }
    let parked = "SELECT count(*) FROM orders WHERE parked = 'row-at-fault' AND lease IS NULL";
    assert_eq!(fixture.number(parked), 2);
}

#[tokio::test]
async fn the_last_attempt_parks_the_order_and_an_operator_can_resume_it() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    accept(&store, delivery("e1", "o1", State::InReview, 10)).await;
    process(&store, 20).await;
    let mut parked = None;
    for n in 1..=3 {
        let held = claim(&store, 1, 20 + n * 1000).await.remove(0);
        let failure = Failure {
            wait_min: Duration::ZERO,
            reason: NoAnswer::TimedOut {
                endpoint: number_order::Endpoint::Orders,
            },
        };
        match record(&store, &held, Err(failure), 20 + n * 1000).await {
            Recorded::Done { parked: reason, .. } => parked = reason,
            other => panic!("{other:?}"),
        }
    }
    assert!(
        matches!(parked, Some(ParkReason::AttemptsUsedUp { .. })),
        "{parked:?}"
    );
    assert!(claim(&store, 1, 90_000).await.is_empty());
    assert!(
        !store
            .request_fetch(key("unknown"), at(90_000))
            .await
            .expect("asks")
    );
    assert!(
        store
            .request_fetch(key("o1"), at(90_000))
            .await
            .expect("asks")
    );
    assert_eq!(claim(&store, 1, 90_000).await.len(), 1);
}

#[tokio::test]
async fn a_claim_that_is_released_counts_no_attempt() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let held = one_claim(&store, "o1").await;
    store.release(held).await.expect("releases");
    let again = claim(&store, 1, 20).await.remove(0);
    assert_eq!(again.attempts, 1);
}

#[tokio::test]
async fn watched_orders_are_known_once_and_can_be_forgotten_until_something_is_known_of_them() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let watch = |orders: &[&str]| WatchRequest {
        project: id(PROJECT),
        orders: orders.iter().map(|order| id(order)).collect(),
        now: at(20),
    };
    assert_eq!(store.watch(watch(&["o1", "o2", "o1"])).await, Ok(2));
    assert_eq!(store.watch(watch(&["o2", "o3", "o4"])).await, Ok(2));
    accept(&store, delivery("e1", "o2", State::Created, 10)).await;
    assert_eq!(
        store.unwatch(key("o2")).await,
        Ok(Unwatched::Named),
        "it waits"
    );
    process(&store, 20).await;
    assert_eq!(store.unwatch(key("o2")).await, Ok(Unwatched::Named));
    let claims = claim(&store, 9, 30).await;
    let shown = claims
        .iter()
        .find(|claim| claim.key == key("o3"))
        .expect("is due");
    record(&store, shown, shows(State::Created, 9), 31).await;
    assert_eq!(store.unwatch(key("o3")).await, Ok(Unwatched::Shown));
    assert_eq!(store.unwatch(key("o1")).await, Ok(Unwatched::Gone));
    assert_eq!(store.unwatch(key("o1")).await, Ok(Unwatched::Unknown));
    let gone = claims
        .iter()
        .find(|claim| claim.key == key("o1"))
        .expect("was due");
    let late = record(&store, gone, shows(State::Created, 9), 32).await;
    assert_eq!(late, Recorded::Fenced);
}

fn with_numbers(state: State, updated: i64, numbers: &[&str]) -> Result<Answer, Failure> {
    let number = |phone_number: &&str| OrderNumber {
        phone_number: (*phone_number).to_owned(),
        setup_price: None,
        monthly_price: None,
        payment_interval_months: None,
        capabilities: Vec::new(),
    };
    let details = OrderDetails {
        region: Some("AU".to_owned()),
        numbers: numbers.iter().map(number).collect(),
        ..OrderDetails::default()
    };
    match shows(state, updated) {
        Ok(Answer::Found(snapshot)) => Ok(Answer::Found(Snapshot {
            details: Some(details.into()),
            ..snapshot
        })),
        other => other,
    }
}

fn fetched(number: DueNumber, links: Option<Vec<Link>>, secs: i64) -> NumberFetchResult {
    NumberFetchResult {
        number,
        sent_at: at(secs),
        result: Ok(links),
        now: at(secs),
        jitter: 0.5,
        policy: policy(),
        backoff: backoff(),
    }
}

#[tokio::test]
async fn numbers_of_a_completed_order_are_followed_by_one_replica_at_a_time() {
    let fixture = fixture!(Fixture::new());
    let (store, other) = (fixture.store().await, fixture.store().await);
    let held = one_claim(&store, "o1").await;
    let answer = with_numbers(
        State::Completed,
        9,
        &["+61400000001", "+61400000002", "odd"],
    );
    record(&store, &held, answer, 21).await;
    assert_eq!(fixture.text("SELECT region FROM order_details"), "AU");
    assert_eq!(fixture.number("SELECT count(*) FROM order_numbers"), 3);
    let project = id(PROJECT);
    let due = async |store: &Store, secs| match store.due_number(&project, FAST, at(secs)).await {
        Ok(NextNumber::One { number, .. }) => Some(number),
        Ok(NextNumber::None) => None,
        other => panic!("{other:?}"),
    };
    let first = due(&store, 30).await.expect("is due");
    let second = due(&other, 30).await.expect("is due");
    assert_ne!(first.phone_number, second.phone_number);
    assert!(due(&store, 31).await.is_none(), "both are being fetched");
    for number in [first.clone(), second] {
        let recorded = store.record_number(fetched(number, None, 32)).await;
        assert!(
            matches!(recorded, Ok(NumberRecorded::Done(_))),
            "{recorded:?}"
        );
    }
    let readiness = "SELECT count(*) FROM order_numbers WHERE readiness = 'not-active' AND fetch_at IS NOT NULL";
    assert_eq!(fixture.number(readiness), 2);
    // An event about a number makes it due.
    let event = NewDelivery {
        event_id: Some("n1".to_owned()),
        subject: DeliveryContent::Other(number_order::OtherEvent {
            resource_type: "ACTIVE_NUMBER".to_owned(),
            resource: Some(first.phone_number.clone()),
            event_type: None,
            status: None,
            failure_code: None,
        }),
        ..delivery("-", "o1", State::InReview, 40)
    };
    accept(&store, event).await;
    assert_eq!(process(&store, 41).await.numbers_due, 1);
    let due_again = due(&other, 42).await.expect("is due");
    assert_eq!(due_again.phone_number, first.phone_number);
    // A replica that died with numbers leaves them to the others.
    while due(&other, 42).await.is_some() {}
    assert!(due(&store, 43).await.is_none());
    assert!(due(&store, 42 + 60).await.is_some());
}

/// What each outcome is stored as must be read again.
#[tokio::test]
async fn every_outcome_of_a_fetch_can_be_recorded() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let held = one_claim(&store, "o1").await;
    let recorded = record(&store, &held, Ok(Answer::NotFound), 21).await;
    let Recorded::Done { outcome, .. } = recorded else {
        panic!("{recorded:?}");
    };
    assert!(matches!(outcome, FetchOutcome::Answer(_)), "{outcome:?}");
    let held = claim(&store, 1, 9000).await.remove(0);
    let odd = match shows(State::Created, 9) {
        Ok(Answer::Found(snapshot)) => Snapshot {
            state: Status::Unknown("NEW\0WORD".to_owned()),
            unreadable_expiry: Some("soon\0".to_owned()),
            ..snapshot
        },
        _ => unreachable!(),
    };
    let recorded = record(&store, &held, Ok(Answer::Found(odd)), 9001).await;
    assert!(
        matches!(recorded, Recorded::Done { anomaly: true, .. }),
        "{recorded:?}"
    );
}
