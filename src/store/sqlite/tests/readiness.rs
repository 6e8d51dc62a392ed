//! Write probes: readiness reports that the database refuses callbacks.

use super::*;

/// Changes that another program may make to the tables so that callbacks are refused.
const CHANGES: [&str; 5] = [
    "PRAGMA foreign_keys = OFF; DELETE FROM projects",
    "PRAGMA foreign_keys = OFF; UPDATE projects SET id = 77",
    "CREATE TRIGGER refuses BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'no'); END",
    "ALTER TABLE deliveries RENAME TO others",
    "ALTER TABLE deliveries RENAME COLUMN decision TO judgement",
];

#[tokio::test]
async fn while_callbacks_are_refused_readiness_says_so() {
    for change in CHANGES {
        let fixture = Fixture::new().await;
        let event = |name: &str| delivery(name, "o1", State::InReview, 10);
        fixture.accept(event("e1")).await;
        fixture.store.probe_write(at(20)).await.expect(change);
        fixture.edit(change).await;
        let refused = fixture.store.accept(event("e2")).await;
        assert!(
            matches!(refused, Err(StoreError::Rejected(_))),
            "the control: {change}: {refused:?}"
        );
        let probe_write = fixture.store.probe_write(at(30)).await;
        assert!(
            matches!(probe_write, Err(StoreError::Rejected(_))),
            "{change}: {probe_write:?}"
        );
    }
}

#[tokio::test]
async fn a_failed_probe_names_the_project_or_the_table() {
    for (change, words) in [
        (CHANGES[0], PROJECT),
        ("DELETE FROM service", "service"),
        (CHANGES[3], "deliveries"),
    ] {
        let fixture = Fixture::new().await;
        fixture.edit(change).await;
        let probe_write = fixture.store.probe_write(at(30)).await;
        let reason = probe_write.expect_err(change).to_string();
        assert!(reason.contains(words), "{change}: {reason}");
    }
}

/// A write probe is no callback: it leaves nothing, spends no id, and wakes no worker.
#[tokio::test]
async fn a_write_probe_leaves_nothing_but_its_time() {
    let fixture = Fixture::new().await;
    for n in 0..3 {
        fixture.store.probe_write(at(20 + n)).await.expect("probes");
        let event = format!("e{n}");
        let taken = delivery(&event, "o1", State::InReview, 10);
        let (probe_write, taken) = tokio::join!(
            fixture.store.probe_write(at(40)),
            fixture.store.accept(taken)
        );
        assert_eq!((probe_write, taken), (Ok(()), Ok(Accepted::New)));
    }
    let count = "SELECT max(id) * 10 + count(*) FROM deliveries";
    assert_eq!(fixture.number(count).await, 33);
    assert_eq!(fixture.number("SELECT count(*) FROM orders").await, 0);
}
