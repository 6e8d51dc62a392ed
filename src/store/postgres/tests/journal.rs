//! The journal of placements.

use super::*;
use number_order::{CallbackKey, StepKind, StepOutcome};

const REFERENCE: &str = "shop-1";

fn placement(number: &str) -> NewPlacement {
    NewPlacement {
        project: id(PROJECT),
        reference: REFERENCE.to_owned(),
        ordered: Ordered {
            region: "AU".to_owned(),
            number_type: "MOBILE".to_owned(),
            number: Some(number.to_owned()),
            quantity: None,
        },
        now: at(10),
    }
}

fn callback_key(text: &str) -> CallbackKey {
    CallbackKey::new(text).expect("a key")
}

fn create(key: &str, now: i64) -> NewStep {
    NewStep {
        project: id(PROJECT),
        reference: REFERENCE.to_owned(),
        kind: StepKind::Create,
        available_before: Some(true),
        callback_key: Some(callback_key(key)),
        second_order_risked: false,
        now: at(now),
    }
}

const KEYS: [&str; 2] = ["aaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbb"];

async fn kept(store: &Store) -> PlacementRow {
    let row = store.placement(&id(PROJECT), REFERENCE).await;
    row.expect("reads").expect("is there")
}

#[tokio::test]
async fn a_reference_stands_for_one_order_and_a_step_for_one_call() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let begin = async |number| {
        store
            .begin_placement(placement(number))
            .await
            .expect("writes")
    };
    assert!(matches!(
        begin("+61400000001").await,
        PlacementFound::New(_)
    ));
    assert!(matches!(
        begin("+61400000001").await,
        PlacementFound::Known(_)
    ));
    assert!(matches!(
        begin("+61400000002").await,
        PlacementFound::OfOther(_)
    ));
    let foreign = NewPlacement {
        project: id("nobody's"),
        ..placement("+61400000001")
    };
    let found = store.begin_placement(foreign).await.expect("writes");
    assert!(matches!(found, PlacementFound::UnknownProject));
    let Ok(StepBegun::Begun(step)) = store.begin_step(create(KEYS[0], 11)).await else {
        panic!("the first create may begin");
    };
    let second = store.begin_step(create(KEYS[1], 12)).await.expect("writes");
    assert!(matches!(second, StepBegun::Refused(_)), "{second:?}");
    let end = StepUpdate {
        project: id(PROJECT),
        reference: REFERENCE.to_owned(),
        step,
        outcome: StepOutcome::Succeeded,
        order: Some(id("o1")),
        now: at(13),
    };
    let unknown = StepUpdate {
        step: step + 1,
        ..end.clone()
    };
    assert_eq!(store.end_step(unknown).await, Ok(StepEnded::UnknownStep));
    assert_eq!(store.end_step(end).await, Ok(StepEnded::Ended));
    let row = kept(&store).await;
    assert_eq!(row.steps.len(), 1);
    assert_eq!(row.steps[0].order, Some(id("o1")));
    assert_eq!(
        (row.begun_at, row.steps[0].ended_at),
        (at(10), Some(at(13)))
    );
    assert_eq!(
        claim(&store, 9, 20).await.len(),
        1,
        "the order is known and due"
    );
}

/// Two replicas begin a create for one reference at the same moment: one of them may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_creates_at_once_one_may_begin() {
    let fixture = fixture!(Fixture::new());
    let stores = [fixture.store().await, fixture.store().await];
    stores[0]
        .begin_placement(placement("+61400000001"))
        .await
        .expect("writes");
    let [first, second] = [0, 1].map(|n| {
        let store = stores[n].clone();
        tokio::spawn(async move { store.begin_step(create(KEYS[n], 11)).await.expect("writes") })
    });
    let both = [
        first.await.expect("no panic"),
        second.await.expect("no panic"),
    ];
    let begun = both
        .iter()
        .filter(|begun| matches!(begun, StepBegun::Begun(_)));
    assert_eq!(begun.count(), 1, "{both:?}");
}

#[tokio::test]
async fn the_first_order_that_the_path_of_a_create_is_told_of_is_its_own() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    store
        .begin_placement(placement("+61400000001"))
        .await
        .expect("writes");
    store.begin_step(create(KEYS[0], 11)).await.expect("begins");
    for (event, order) in [("e1", "o1"), ("e2", "o2")] {
        let told = NewDelivery {
            callback_key: Some(callback_key(KEYS[0])),
            ..delivery(event, order, State::Created, 12)
        };
        accept(&store, told).await;
    }
    process(&store, 20).await;
    let row = kept(&store).await;
    assert_eq!(row.steps[0].order, Some(id("o1")));
}
