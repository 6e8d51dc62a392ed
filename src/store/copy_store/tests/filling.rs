//! An installation with something of everything.

use super::*;
use crate::store::tests::notifying::target;
use notifications::AlertLimits;
use number_order::{
    Answer, CallbackKey, Failure, Limits, NotUnderstood, OrderDetails, OrderNumber, OtherEvent,
    Snapshot, State, Status, StepKind, StepOutcome,
};
use std::time::Duration;

/// Number of orders.
const ORDERS: i64 = 16;

fn about_number(event: &str, resource: &str, secs: i64) -> NewDelivery {
    let content = OtherEvent {
        resource_type: "ACTIVE\0NUMBER".to_owned(),
        resource: Some(resource.to_owned()),
        event_type: None,
        status: Some("SUCCEEDED".to_owned()),
        failure_code: None,
    };
    NewDelivery {
        subject: DeliveryContent::Other(content),
        ..delivery(event, "-", State::Blocked, secs)
    }
}

fn not_understood(event: &str, secs: i64) -> NewDelivery {
    NewDelivery {
        event_id: None,
        subject: DeliveryContent::NotUnderstood(NotUnderstood::BodyNotAnObject),
        ..delivery(event, "-", State::Blocked, secs)
    }
}

fn shown(state: State, number: &str) -> Answer {
    let number = OrderNumber {
        phone_number: number.to_owned(),
        setup_price: None,
        monthly_price: None,
        payment_interval_months: None,
        capabilities: vec!["S\0MS".to_owned()],
    };
    Answer::Found(Snapshot {
        state: Status::Known(state),
        updated_at: at(40),
        expires_at: Some(at(9000)),
        unreadable_expiry: None,
        details: Some(Box::new(OrderDetails {
            region: Some("A\0U".to_owned()),
            numbers: vec![number],
            ..OrderDetails::default()
        })),
        sent_at: None,
    })
}

/// Makes a store on SQLite that has something in every table, stops it, and returns its place.
pub(super) async fn filled() -> Place {
    let told = vec![target("crm", "order.*", true)];
    let fixture = Fixture::telling(Backend::Sqlite, told).await;
    receive(&fixture, "e", 10).await;
    fixture.process(20).await;
    fetch(&fixture).await;
    place_order(&fixture).await;
    refuse(&fixture).await;
    let limits = Limits {
        expiring: vec![Duration::from_secs(9_000)],
        review: Duration::from_secs(1),
        blocked: Duration::from_secs(1),
    };
    let [fired, _] = fixture.record_alerts(&limits, 60).await;
    assert!(!fired.is_empty(), "alerts fire");
    see_to_service(&fixture).await;
    let pruned = fixture.prune(at(115)).await;
    assert!(pruned.bodies > 0, "bodies are emptied: {pruned:?}");
    receive(&fixture, "late", 100).await;
    // One that could not be read, and was parked without an order's row.
    let parked = "UPDATE deliveries SET phase = 'parked', order_id = NULL, processed_at = NULL, \
                  decision = 'delivery-unreadable', decision_fields = '{\"fault\":\"spoilt\"}' WHERE id = 1";
    fixture.edit(parked).await;
    let dismissed = fixture.store.dismiss_delivery(1, at(120)).await;
    assert_eq!(dismissed, Ok(Dismissed::Done));
    let parked = "UPDATE orders SET parked = 'row-at-fault', parked_fields = '{\"fault\":\"x\"}', fetch_at = NULL, \
                  lease = NULL, leased_until_at = NULL WHERE sinch_id = 'o5'";
    fixture.edit(parked).await;
    let dismissed = fixture.store.dismiss_order(key("o5"), at(121)).await;
    assert_eq!(dismissed, Ok(Dismissed::Done));
    fixture.store.probe_write(at(4990)).await.expect("writes");
    stopped(fixture).await
}

/// Has alerts about the service fire, and notes that a callback came.
async fn see_to_service(fixture: &Fixture) {
    let limits = AlertLimits {
        trouble: Duration::from_secs(1),
        silence: Duration::from_secs(9_000),
        quiet: Duration::from_secs(9_000),
    };
    let observed = Observed {
        heard: vec![(id(PROJECT), at(60))],
        silent_workers: vec!["inbox".to_owned()],
        ..Observed::default()
    };
    let changes = fixture
        .store
        .check_service(&observed, &limits, at(60))
        .await;
    assert!(!changes.expect("is recorded").fired.is_empty());
    let action = NewAction {
        acted_at: at(61),
        caller: Some("lee".to_owned()),
        method: "POST".to_owned(),
        path: "/api/v1/orders/p/o1/fetch".to_owned(),
    };
    let store = &fixture.store;
    let ended = store.begin_action(action.clone()).await;
    let ended = store
        .end_action(ended.expect("is recorded"), 202, None)
        .await;
    ended.expect("is recorded");
    store.begin_action(action).await.expect("is recorded");
}

/// Receives callbacks: of orders and others, some twice, some with two bodies.
async fn receive(fixture: &Fixture, name: &str, secs: i64) {
    for n in 0..ORDERS {
        let state = if n % 2 == 0 {
            State::Created
        } else {
            State::Blocked
        };
        let event = format!("{name}{n}");
        let mut one = delivery(&event, &format!("o{n}"), state, secs);
        one.callback_key = (n == 1).then(|| CallbackKey::new(KEY).expect("a key"));
        fixture.accept(one.clone()).await;
        if n % 3 == 0 {
            assert_eq!(fixture.accept(one.clone()).await, Accepted::Duplicate);
        }
        if n % 4 == 0 {
            one.body = format!("{event} otherwise").into();
            assert_eq!(fixture.accept(one).await, Accepted::Conflict);
        }
    }
    let mut odd = delivery(&format!("{name}\0odd"), "o1", State::Created, secs);
    odd.subject = DeliveryContent::Order {
        order: id("o1"),
        status: Status::Unknown("NEW\0WORD\t\\N\r\n".to_owned()),
        said_at: None,
    };
    let others = [
        odd,
        about_number(&format!("{name} number"), "+61400000003", secs),
        about_number(&format!("{name} order"), "hosting-1", secs),
        not_understood(&format!("{name} nonsense"), secs),
    ];
    for other in others {
        assert_eq!(fixture.accept(other).await, Accepted::New);
    }
}

/// Fetches the orders, all but those that stay leased.
async fn fetch(fixture: &Fixture) {
    let claims = fixture.claim_some(100, ClaimOrder::Oldest, 50).await;
    assert!(claims.len() > 8, "{} orders are due", claims.len());
    for (n, claim) in claims.iter().enumerate().skip(2) {
        let number = format!("+6140000000{n}");
        let answer = match n % 5 {
            0 => shows(State::InReview, 30),
            1 => Ok(shown(State::Completed, &number)),
            2 => Ok(shown(State::Blocked, &number)),
            3 => Ok(Answer::NotFound),
            _ => Err(Failure {
                reason: not_now(503),
                wait_min: Duration::ZERO,
            }),
        };
        fixture.record(claim, answer, 52).await;
    }
}

/// Keeps callbacks that were refused.
async fn refuse(fixture: &Fixture) {
    let refused = |reason, body: &'static [u8]| NewQuarantined {
        project: id(PROJECT),
        callback_key: CallbackKey::new(KEY),
        reason,
        origin: Origin {
            source: [192, 0, 2, 1].into(),
            peer: [10, 0, 0, 1].into(),
            forwarded_for: Some("192.0.2.1".to_owned()),
        },
        signature: Some("a".repeat(40).into()),
        order: None,
        number: Some("+6140\0".to_owned()),
        received_at: at(20),
        body: body.into(),
    };
    let callbacks = vec![
        refused(QuarantineReason::WrongSignature, b"a\0b"),
        refused(QuarantineReason::WrongSignature, b"a\0b"),
        refused(QuarantineReason::UnknownSource, b""),
    ];
    let done = fixture.store.quarantine(callbacks).await.expect("writes");
    let [kept, again] = [Quarantining::Kept, Quarantining::Again];
    assert_eq!(done, [kept, again, kept]);
}

const KEY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaa1";

async fn place_order(fixture: &Fixture) {
    let new = NewPlacement {
        project: id(PROJECT),
        reference: "form-1".to_owned(),
        ordered: Ordered {
            region: "AU".to_owned(),
            number_type: "MOBILE".to_owned(),
            number: Some("+61400000001".to_owned()),
            quantity: None,
        },
        now: at(54),
    };
    fixture
        .store
        .begin_placement(new)
        .await
        .expect("is recorded");
    let step = NewStep {
        project: id(PROJECT),
        reference: "form-1".to_owned(),
        kind: StepKind::Create,
        available_before: Some(true),
        callback_key: CallbackKey::new(KEY),
        second_order_risked: false,
        now: at(55),
    };
    let begun = fixture.store.begin_step(step).await.expect("is recorded");
    let StepBegun::Begun(step) = begun else {
        panic!("{begun:?}");
    };
    let update = StepUpdate {
        project: id(PROJECT),
        reference: "form-1".to_owned(),
        step,
        outcome: StepOutcome::Succeeded,
        order: Some(id("o1")),
        now: at(56),
    };
    fixture.store.end_step(update).await.expect("is recorded");
}
