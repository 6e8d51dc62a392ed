//! Pruning of closed orders, and of old fetches of orders that are not closed.

use super::*;

/// Time after its confirmation at which a final state is fetched once more.
pub(in crate::store) const DAY: i64 = 24 * 3600;

impl Fixture {
    /// Fetches the order; Sinch shows the given state.
    pub(in crate::store) async fn fetch_shows(
        &self,
        order: &str,
        state: State,
        updated: i64,
        secs: i64,
    ) {
        let known = self.store.request_fetch(key(order), at(secs)).await;
        assert_eq!(known, Ok(true));
        for claim in self.claim(secs).await {
            if claim.key == key(order) {
                self.record(&claim, shows(state, updated), secs).await;
            }
        }
    }

    /// Closes the order: a callback comes, and Sinch confirms it, then and a day later.
    pub(in crate::store) async fn close_order(&self, order: &str, event: &str, secs: i64) {
        let event = delivery(event, order, State::Completed, secs);
        self.accept(event).await;
        self.process(secs).await;
        for secs in [secs + 60, secs + 60 + DAY] {
            self.fetch_shows(order, State::Completed, secs - 60, secs)
                .await;
        }
        assert_eq!(self.history(order).await.order.fetch_at, None);
    }

    async fn is_known(&self, order: &str) -> bool {
        let history = self.store.history(&key(order)).await;
        history.expect("reads").is_some()
    }
}

async fn a_closed_order_stays_to_the_last_microsecond_and_goes_with_its_history(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.close_order("o1", "e1", 100).await;
    fixture
        .edit("INSERT INTO alerts (order_id, kind, fired_at) SELECT id, 'overdue', 1 FROM orders")
        .await;
    let asked = 160 + DAY;
    fixture.prune_all(Time(at(asked + 5000).0 - 1)).await;
    let history = fixture.history("o1").await;
    assert_eq!(history.deliveries.len(), 0);
    assert_eq!((history.fetches.len(), history.transitions.len()), (2, 2));

    let pruned = Pruned {
        taken: 8,
        orders: 1,
        ..Pruned::default()
    };
    assert_eq!(fixture.prune_all(at(asked + 5000)).await, [pruned]);
    assert!(!fixture.is_known("o1").await);
    for sql in [
        "SELECT count(*) FROM fetches",
        "SELECT count(*) FROM transitions",
        "SELECT count(*) FROM alerts",
    ] {
        assert_eq!(fixture.number(sql).await, 0, "{sql}");
    }
    let summary = fixture.summary(asked + 5000).await;
    assert_eq!(summary.orders_by_state.len(), 0);

    // A callback for a pruned order makes it known again, and it is fetched.
    let again = delivery("e2", "o1", State::Completed, asked + 6000);
    assert_eq!(fixture.accept(again).await, Accepted::New);
    let processed = fixture.process(asked + 6000).await.processed;
    assert_eq!(processed[0].decision.code(), "first-event");
    assert_eq!(fixture.claim(asked + 6001).await.len(), 1);
    assert_eq!(fixture.prune_all(at(asked + 9_000)).await.len(), 1);
    assert!(fixture.is_known("o1").await);
}

async fn what_is_not_closed_is_kept_for_ever(on: Backend) {
    let fixture = Fixture::on(on).await;
    let orders = [
        "at-rest", "due", "leased", "hinted", "doubted", "tied", "open", "unknown",
    ];
    for (n, order) in orders.iter().enumerate() {
        fixture.close_order(order, &format!("e{n}"), 100).await;
    }
    let hint = "[{\"state\":\"BLOCKED\",\"said_at\":1,\"heard_at\":1}]";
    for (order, set) in [
        ("due", "fetch_at = 1".to_owned()),
        ("leased", "lease = 1, leased_until_at = 1".to_owned()),
        ("hinted", format!("hints = '{hint}', hinted_at = 1")),
        ("doubted", format!("doubts = '{hint}'")),
        (
            "tied",
            "tie_state = 'REJECTED', tie_since_at = 1".to_owned(),
        ),
        ("open", "confirmed_state = 'IN_REVIEW'".to_owned()),
        (
            "unknown",
            "confirmed_state = NULL, updated_at = NULL, confirmed_at = NULL, shown_at = NULL, expires_at = NULL, parked = 'attempts-used-up', parked_fields = '{\"attempts\":1,\"last\":{\"code\":\"not-found\"}}'"
                .to_owned(),
        ),
    ] {
        let sql = format!("UPDATE orders SET {set} WHERE sinch_id = '{order}'");
        fixture.edit(&sql).await;
    }
    let hinted = fixture.history("hinted").await.order;
    assert_eq!(hinted.hints, ["BLOCKED"], "is one that the program reads");
    let pruned = fixture.prune_all(at(1000 * DAY)).await;
    assert_eq!(pruned.iter().map(|step| step.orders).sum::<u64>(), 1);
    for order in orders {
        assert_eq!(fixture.is_known(order).await, order != "at-rest", "{order}");
    }
}

async fn a_callback_about_a_closed_order_keeps_it_for_longer(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.close_order("o1", "e1", 100).await;
    let asked = 160 + DAY;
    let heard = asked + 3000;
    // The event agrees with what is confirmed: no fetch is due.
    fixture
        .accept(delivery("e2", "o1", State::Completed, heard))
        .await;
    fixture.process(heard).await;
    assert_eq!(fixture.history("o1").await.order.fetch_at, None);
    fixture.prune_all(Time(at(heard + 5000).0 - 1)).await;
    assert_eq!(fixture.history("o1").await.deliveries.len(), 0);
    assert_eq!(fixture.prune(at(heard + 5000)).await.orders, 1);
}

/// A delivery that came while the clock was ahead holds up the deliveries after it.
async fn an_order_waits_for_its_deliveries_and_holds_up_no_other(on: Backend) {
    let fixture = Fixture::on(on).await;
    let ahead = 10 * DAY;
    fixture
        .accept(delivery("e0", "o0", State::InReview, ahead))
        .await;
    fixture.close_order("o1", "e1", 100).await;
    fixture.close_order("o2", "e2", 100).await;
    let (gone, with_decision) = (
        "DELETE FROM deliveries WHERE dedup_key = 'e2'",
        "DELETE FROM decisions WHERE delivery_id = (SELECT id FROM deliveries WHERE dedup_key = 'e2');
         DELETE FROM deliveries WHERE dedup_key = 'e2'",
    );
    fixture.edit(fixture.pick(gone, with_decision)).await;
    let pruned = fixture.prune_all(at(5 * DAY)).await;
    assert_eq!(pruned.len(), 1);
    assert_eq!((pruned[0].deliveries, pruned[0].orders), (0, 1));
    assert!(fixture.is_known("o1").await && !fixture.is_known("o2").await);

    let pruned = fixture.prune_all(at(ahead + 1000)).await;
    assert_eq!(pruned.iter().map(|step| step.orders).sum::<u64>(), 1);
    assert!(!fixture.is_known("o1").await);
}

async fn closed_orders_go_in_small_steps_and_a_large_one_alone(on: Backend) {
    let fixture = Fixture::on(on).await;
    // There are 300 orders of three rows each, and one of 2003.
    // A fetch is of a lease where several processes fetch.
    let columns = fixture.pick("order_id", "lease, order_id");
    let ids = fixture.pick("id", "id, id");
    fixture
        .edit(&format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 301)
             INSERT INTO orders (id, project, sinch_id, first_seen_at, fetched_at, confirmed_state, updated_at,
                 shown_at, confirmed_at)
             SELECT n, 1, 'o' || n, 1, n, 'REJECTED', 1, 1, 1 FROM n;
             INSERT INTO fetches ({columns}, fetched_at, outcome) SELECT {ids}, 1, 'not-found' FROM orders;
             INSERT INTO transitions (order_id, recorded_at, to_state, confirmed, said_at, cause)
             SELECT id, 1, 'REJECTED', true, 1, 'event' FROM orders;
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
             INSERT INTO transitions (order_id, recorded_at, to_state, confirmed, said_at, cause)
             SELECT 100, 1, 'REJECTED', true, 1, 'event' FROM n;",
        ))
        .await;
    let steps = fixture.prune_all(at(9000)).await;
    let taken: Vec<usize> = steps.iter().map(|step| step.taken).collect();
    // The first steps go through all fetches, too. They remove none, since these are among the newest.
    assert_eq!(taken[..4], [256, 45 + 192, 105, 2003], "{taken:?}");
    assert!(taken[4..].iter().all(|taken| *taken <= 256), "{taken:?}");
    assert_eq!(taken.iter().sum::<usize>(), 301 + 900 + 2003, "{taken:?}");
    assert_eq!(steps.iter().map(|step| step.orders).sum::<u64>(), 301);
    assert_eq!(fixture.number("SELECT count(*) FROM orders").await, 0);
    assert_eq!(fixture.number("SELECT count(*) FROM transitions").await, 0);
}

async fn old_fetches_go_but_for_the_newest_of_each_order(on: Backend) {
    let fixture = Fixture::on(on).await;
    for (event, order) in [("e1", "often"), ("e2", "seldom")] {
        fixture
            .accept(delivery(event, order, State::InReview, 10))
            .await;
    }
    fixture.process(10).await;
    fixture.fetch_shows("seldom", State::InReview, 10, 20).await;
    for n in 0..30 {
        fixture
            .fetch_shows("often", State::InReview, 10, 100 + 10 * n)
            .await;
    }
    let fetches = async |order: &str| fixture.history(order).await.fetches;
    assert_eq!(fixture.prune_all(at(1019)).await.len(), 1, "the deliveries");
    assert_eq!(fetches("often").await.len(), 30);
    // The two oldest fetches of `often` are due, and the only one of `seldom`, which stays.
    let pruned = fixture.prune(at(1110)).await;
    assert_eq!((pruned.taken, pruned.fetches), (3, 2));
    fixture.prune_all(at(2000)).await;
    let left = fetches("often").await;
    assert_eq!(left.len(), 10);
    assert_eq!(left[0].fetched_at, at(300), "the newest ten");
    assert_eq!(left[9].fetched_at, at(390), "the newest ten");
    assert_eq!(fetches("seldom").await.len(), 1);

    // The newest ten fetches are removed once there are ten newer ones, though `fetches_pruned_through` lies beyond
    // them.
    for n in 0..12 {
        fixture
            .fetch_shows("often", State::InReview, 10, 3000 + 10 * n)
            .await;
    }
    fixture.prune_all(at(3999)).await;
    assert_eq!(fetches("often").await.len(), 22);
    fixture.prune_all(at(4000)).await;
    assert_eq!(fetches("often").await.len(), 11);
    fixture.prune_all(at(9000)).await;
    assert_eq!(fetches("often").await[0].fetched_at, at(3020));
}

suite!(
    a_closed_order_stays_to_the_last_microsecond_and_goes_with_its_history,
    what_is_not_closed_is_kept_for_ever,
    a_callback_about_a_closed_order_keeps_it_for_longer,
    an_order_waits_for_its_deliveries_and_holds_up_no_other,
    closed_orders_go_in_small_steps_and_a_large_one_alone,
    old_fetches_go_but_for_the_newest_of_each_order,
);
