//! Removal of orders and projects, and figures of projects that are not fetched.

use super::*;

const OLD: &str = "project-0";

fn old_key(order: &str) -> OrderKey {
    OrderKey {
        project: id(OLD),
        order: id(order),
    }
}

fn watch(project: &str, orders: &[&str]) -> WatchRequest {
    WatchRequest {
        project: id(project),
        orders: orders.iter().map(|order| id(order)).collect(),
        now: at(10),
    }
}

/// A project that will be removed, with five orders: two are due, one of them with an open claim, one is parked, one is
/// BLOCKED for long, and one runs out of time.
async fn left_behind(on: Backend) -> Fixture {
    let fixture = Fixture::with(on, &[(OLD, Some(5.0))]).await;
    let orders = ["blocked", "created", "parked", "due"];
    let watched = fixture.store.watch(watch(OLD, &orders)).await;
    assert_eq!(watched, Ok(4));
    for sql in [
        "UPDATE orders SET confirmed_state = 'BLOCKED', updated_at = 1, shown_at = 1, confirmed_at = 1
            WHERE sinch_id = 'blocked'",
        "UPDATE orders SET confirmed_state = 'CREATED', updated_at = 1, shown_at = 1, confirmed_at = 1,
            expires_at = 9000000000 WHERE sinch_id = 'created'",
        "UPDATE orders SET parked = 'row-at-fault', parked_fields = '{\"fault\":\"x\"}', fetch_at = NULL WHERE sinch_id = 'parked'",
        // A fetch is of a lease where several processes fetch.
        fixture.pick(
            "INSERT INTO fetches (order_id, fetched_at, outcome) SELECT id, 20, 'not-found' FROM orders",
            "INSERT INTO fetches (order_id, lease, fetched_at, outcome) SELECT id, 1, 20, 'not-found' FROM orders",
        ),
    ] {
        fixture.edit(sql).await;
    }
    fixture
        .accept(NewDelivery {
            callback_key: None,
            project: id(OLD),
            ..delivery("e1", "hinted", State::InReview, 30)
        })
        .await;
    fixture.process(30).await;
    fixture
}

fn limits() -> Limits {
    Limits {
        expiring: vec![Duration::from_secs(86_400)],
        review: Duration::from_secs(60),
        blocked: Duration::from_secs(60),
    }
}

/// Figures that would alert an operator.
async fn alert_figures(fixture: &Fixture) -> Vec<i64> {
    let standing = fixture.store.standing(at(5000), &limits(), 20).await;
    let standing = standing.expect("reads");
    let summary = standing.summary;
    let counted: i64 = standing.alerts_counted.iter().map(|(_, n)| n).sum();
    assert_eq!(standing.alerts.len() as i64, counted);
    let new = fixture.store.alert_changes(at(5000), &limits(), 20).await;
    vec![
        summary.orders_due,
        summary.oldest_due_at.is_some().into(),
        summary.unsettled(),
        summary.oldest_unsettled_at.is_some().into(),
        summary.orders_parked,
        counted,
        new.expect("reads").fired.len() as i64,
        summary
            .orders_not_fetched
            .iter()
            .map(|(_, orders)| orders)
            .sum(),
    ]
}

async fn orders_that_are_not_fetched_are_counted_apart(on: Backend) {
    let fixture = left_behind(on).await;
    assert_eq!(alert_figures(&fixture).await, [4, 1, 2, 1, 1, 2, 2, 0]);
    let new_only: &[_] = &[(PROJECT, Some(5.0))];
    let off: &[_] = &[(OLD, None), (PROJECT, Some(5.0))];
    let both: &[_] = &[(OLD, Some(5.0)), (PROJECT, Some(5.0))];
    let mut fixture = fixture;
    for (projects, expected, said) in [
        (
            new_only,
            [0, 0, 0, 0, 0, 0, 0, 5],
            Some("5 orders of project-0, which is not configured"),
        ),
        (
            off,
            [0, 0, 0, 0, 0, 0, 0, 5],
            Some("4 orders of project-0 that wait"),
        ),
        (both, [4, 1, 2, 1, 1, 2, 2, 0], None),
    ] {
        fixture = fixture.reopened(projects).await;
        assert_eq!(alert_figures(&fixture).await, expected, "{projects:?}");
        let sentences = fixture.warnings(projects).await;
        assert_eq!(
            sentences.len(),
            usize::from(said.is_some()),
            "{sentences:?}"
        );
        if let Some(said) = said {
            assert!(sentences[0].contains(said), "{sentences:?}");
        }
    }
}

async fn what_is_left_of_a_project_goes_in_steps_and_nothing_else_does(on: Backend) {
    let mut fixture = left_behind(on).await;
    let [fired, _] = fixture.record_alerts(&limits(), 5000).await;
    assert_eq!(fired.len(), 2);
    for n in 0..600 {
        let event = format!("x{n}");
        fixture
            .accept(NewDelivery {
                callback_key: None,
                project: id(OLD),
                ..delivery(&event, &format!("o{}", n % 40), State::InReview, 30)
            })
            .await;
    }
    fixture = fixture.reopened(&[(PROJECT, Some(5.0))]).await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 40))
        .await;
    fixture.process(41).await;
    fixture.process(41).await;
    fixture.process(41).await;
    let held = fixture.store.holdings(&id(OLD)).await.expect("reads");
    let held = held.expect("is known");
    assert_eq!((held.orders, held.deliveries), (45, 601));
    assert_eq!(held.placements, 0);

    let (mut orders, mut deliveries) = (0, 0);
    loop {
        let step = fixture.store.drop_some(id(OLD)).await.expect("drops");
        if step == Holdings::default() {
            break;
        }
        assert!(step.deliveries <= 256 && step.orders <= 16, "{step:?}");
        orders += step.orders;
        deliveries += step.deliveries;
    }
    assert_eq!((orders, deliveries), (45, 601));
    assert_eq!(fixture.store.holdings(&id(OLD)).await, Ok(None));
    let old = fixture.store.history(&old_key("blocked")).await;
    assert!(old.expect("reads").is_none());
    for sql in [
        "SELECT count(*) FROM fetches WHERE order_id NOT IN (SELECT id FROM orders)",
        "SELECT count(*) FROM transitions WHERE order_id NOT IN (SELECT id FROM orders)",
        "SELECT count(*) FROM alerts",
    ] {
        assert_eq!(fixture.number(sql).await, 0, "{sql}");
    }
    if on == Backend::Sqlite {
        let counted = "SELECT count(DISTINCT project) FROM state_counts";
        assert_eq!(fixture.number(counted).await, 1, "the other project");
    }
    let history = fixture.history("o1").await;
    assert_eq!(history.deliveries.len(), 1);
    assert_eq!(fixture.claim(50).await.len(), 1, "the others go on");
}

#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn only_an_order_that_only_an_operator_named_can_be_removed(on: Backend) {
    let fixture = Fixture::on(on).await;
    let forget = async |order: &str| fixture.store.unwatch(key(order)).await.expect("writes");
    assert_eq!(forget("nobody").await, Unwatched::Unknown);
    let orders = [
        "mistyped",
        "missing",
        "shown",
        "told",
        "told-later",
        "leased",
    ];
    fixture
        .store
        .watch(watch(PROJECT, &orders))
        .await
        .expect("writes");
    fixture
        .accept(delivery("e1", "told", State::InReview, 12))
        .await;
    fixture.process(13).await;
    fixture
        .accept(delivery("e2", "told-later", State::InReview, 14))
        .await;
    let mut leased = None;
    for claim in fixture.claim(20).await {
        match claim.key.order.as_str() {
            "missing" => drop(fixture.record(&claim, Ok(Answer::NotFound), 21).await),
            "shown" => drop(fixture.record(&claim, shows(State::InReview, 15), 21).await),
            "leased" => leased = Some(claim),
            _ => fixture.store.release(claim).await.expect("writes"),
        }
    }
    for (order, expected) in [
        ("mistyped", Unwatched::Gone),
        ("missing", Unwatched::Gone),
        ("shown", Unwatched::Shown),
        ("told", Unwatched::Named),
        ("told-later", Unwatched::Named),
        ("leased", Unwatched::Gone),
    ] {
        assert_eq!(forget(order).await, expected, "{order}");
        let is_there = fixture
            .store
            .history(&key(order))
            .await
            .expect("reads")
            .is_some();
        assert_eq!(is_there, expected != Unwatched::Gone, "{order}");
    }
    let late = fixture
        .record(
            &leased.expect("was claimed"),
            shows(State::InReview, 15),
            22,
        )
        .await;
    assert_eq!(late, Recorded::Fenced, "an answer brings nothing back");
    assert!(
        fixture
            .store
            .history(&key("leased"))
            .await
            .expect("reads")
            .is_none()
    );
}

suite!(
    orders_that_are_not_fetched_are_counted_apart,
    what_is_left_of_a_project_goes_in_steps_and_nothing_else_does,
    only_an_order_that_only_an_operator_named_can_be_removed,
);
