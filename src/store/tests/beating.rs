//! Whether the database takes callbacks, as readiness tells it.

use super::*;

/// What another program may do to the tables so that callbacks are refused.
const DEEDS: [&str; 5] = [
    "PRAGMA foreign_keys = OFF; DELETE FROM projects",
    "PRAGMA foreign_keys = OFF; UPDATE projects SET id = 77",
    "CREATE TRIGGER refuses BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'no'); END",
    "ALTER TABLE deliveries RENAME TO others",
    "ALTER TABLE deliveries RENAME COLUMN verdict TO judgement",
];

#[tokio::test]
async fn while_callbacks_are_refused_readiness_says_so() {
    for deed in DEEDS {
        let house = House::new().await;
        let event = |name: &str| delivery(name, "o1", State::InReview, 10);
        house.accept(event("e1")).await;
        house.store.beat(at(20)).await.expect(deed);
        house.edit(deed).await;
        let refused = house.store.accept(event("e2")).await;
        assert!(
            matches!(refused, Err(StoreError::Rejected(_))),
            "the control: {deed}: {refused:?}"
        );
        let beat = house.store.beat(at(30)).await;
        assert!(
            matches!(beat, Err(StoreError::Rejected(_))),
            "{deed}: {beat:?}"
        );
    }
}

#[tokio::test]
async fn what_is_told_names_the_project_or_the_table() {
    for (deed, words) in [
        (DEEDS[0], PROJECT),
        ("DELETE FROM service", "service"),
        (DEEDS[3], "deliveries"),
    ] {
        let house = House::new().await;
        house.edit(deed).await;
        let beat = house.store.beat(at(30)).await;
        let reason = beat.expect_err(deed).to_string();
        assert!(reason.contains(words), "{deed}: {reason}");
    }
}

/// A beat is no callback: it leaves nothing, spends no id, and wakes nobody.
#[tokio::test]
async fn a_beat_leaves_nothing_but_its_time() {
    let house = House::new().await;
    for n in 0..3 {
        house.store.beat(at(20 + n)).await.expect("beats");
        let event = format!("e{n}");
        let taken = delivery(&event, "o1", State::InReview, 10);
        let (beat, taken) = tokio::join!(house.store.beat(at(40)), house.store.accept(taken));
        assert_eq!((beat, taken), (Ok(()), Ok(Accepted::New)));
    }
    let count = "SELECT max(id) * 10 + count(*) FROM deliveries";
    assert_eq!(house.number(count).await, 33);
    assert_eq!(house.number("SELECT count(*) FROM orders").await, 0);
}
