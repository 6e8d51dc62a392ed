//! An order is forgotten with all that is kept about it, and nothing else is.

use super::notifying::target;
use super::number_events::about;
use super::numbers::{FIRST, SECOND};
use super::*;

/// Tables that have rows about orders, each with the condition that a row is about no order that is known.
const ORPHANS: [&str; 6] = [
    "SELECT count(*) FROM fetches WHERE order_id NOT IN (SELECT id FROM orders)",
    "SELECT count(*) FROM transitions WHERE order_id NOT IN (SELECT id FROM orders)",
    "SELECT count(*) FROM order_numbers WHERE order_id NOT IN (SELECT id FROM orders)",
    "SELECT count(*) FROM order_details WHERE order_id NOT IN (SELECT id FROM orders)",
    "SELECT count(*) FROM notifications WHERE event NOT IN (SELECT sequence FROM events)",
    "SELECT count(*) FROM notification_queues WHERE subject <> 0 AND subject NOT IN (SELECT id FROM orders)",
];

impl Fixture {
    async fn kept(&self, order: &str) -> Option<Kept> {
        self.store.kept(&key(order)).await.expect("reads")
    }

    async fn forget(&self, order: &str) -> Option<Kept> {
        self.store.forget(key(order)).await.expect("writes")
    }
}

#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn all_that_is_kept_about_an_order_goes_and_nothing_else(on: Backend) {
    let everything = vec![target("crm", "order.*", true)];
    let fixture = Fixture::telling(on, everything).await;
    assert_eq!(fixture.kept("o1").await, None);
    assert_eq!(fixture.forget("o1").await, None);
    for order in ["o1", "o2"] {
        fixture
            .accept(delivery(&format!("{order}-e"), order, State::InReview, 10))
            .await;
        fixture.process(11).await;
    }
    fixture
        .shown("o1", State::Completed, &[FIRST, SECOND], 20)
        .await;
    fixture.shown("o2", State::Completed, &[SECOND], 120).await;
    for (event, number) in [("n1", FIRST), ("n2", SECOND)] {
        fixture
            .accept(about(event, "ACTIVE_NUMBER", number, 130))
            .await;
    }
    fixture.process(131).await;
    // One waits still.
    fixture
        .accept(delivery("o1-late", "o1", State::Blocked, 140))
        .await;
    let other = fixture.kept("o2").await.expect("is known");
    let kept = fixture.kept("o1").await.expect("is known");
    assert_eq!(
        kept.deliveries, 3,
        "the number of both orders is not its own: {kept:?}"
    );
    assert_eq!(kept.numbers, 2, "{kept:?}");
    assert!(kept.fetches > 0 && kept.transitions > 0, "{kept:?}");
    assert!(kept.events > 0 && kept.notifications > 0, "{kept:?}");
    assert_eq!(
        fixture.kept("o1").await,
        Some(kept),
        "counting removes nothing"
    );

    assert_eq!(fixture.forget("o1").await, Some(kept));
    assert_eq!(fixture.kept("o1").await, None);
    let history = fixture.store.history(&key("o1")).await.expect("reads");
    assert!(history.is_none());
    let bodies = fixture.feed(0).await;
    assert!(
        bodies.iter().all(|event| event["data"]["order"] == "o2"),
        "{bodies:?}"
    );
    for sql in ORPHANS {
        assert_eq!(fixture.number(sql).await, 0, "{sql}");
    }
    assert_eq!(
        fixture.kept("o2").await.map(|kept| kept.events),
        Some(other.events)
    );
    let left = fixture.history("o2").await;
    assert_eq!(
        left.deliveries.len(),
        2,
        "its own and that of the shared number"
    );
    assert_eq!(fixture.number("SELECT count(*) FROM deliveries").await, 2);
    assert_eq!(fixture.process(141).await.processed.len(), 0);

    // A callback that comes later makes the order known again.
    fixture
        .accept(delivery("o1-e", "o1", State::InReview, 150))
        .await;
    assert_eq!(fixture.process(151).await.processed.len(), 1);
    assert_eq!(fixture.history("o1").await.deliveries.len(), 1);
    assert_eq!(fixture.number("SELECT count(*) FROM deliveries").await, 3);
}

async fn many_deliveries_go_in_steps(on: Backend) {
    let fixture = Fixture::on(on).await;
    for n in 0..2100 {
        let event = format!("e{n}");
        fixture
            .accept(delivery(&event, "o1", State::InReview, 10))
            .await;
    }
    fixture
        .accept(delivery("other", "o2", State::InReview, 10))
        .await;
    for _ in 0..9 {
        fixture.process(11).await;
    }
    let kept = fixture.forget("o1").await.expect("was known");
    assert_eq!(kept.deliveries, 2100);
    assert_eq!(fixture.number("SELECT count(*) FROM deliveries").await, 1);
    assert_eq!(fixture.history("o2").await.deliveries.len(), 1);
}

suite!(
    all_that_is_kept_about_an_order_goes_and_nothing_else,
    many_deliveries_go_in_steps,
);
