//! Processing and fetching of orders.

use super::*;
use number_order::{AlertKind, FetchOutcome, ParkReason};

#[tokio::test]
async fn processing_settles_all_that_waits_once() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house
        .accept(delivery("e2", "o1", State::Completed, 11))
        .await;
    house
        .accept(delivery("e3", "o2", State::Rejected, 12))
        .await;
    let report = house.process(20).await;
    assert_eq!((report.taken, report.processed.len()), (3, 3));
    assert_eq!(house.process(21).await.taken, 0, "nothing is left");
    let history = house.history("o1").await;
    assert_eq!(history.order.state, Some("COMPLETED"));
    assert_eq!(history.order.confirmed, None);
    assert!(
        history
            .deliveries
            .iter()
            .all(|d| d.phase == "processed" && d.decision.is_some())
    );
    assert_eq!(history.transitions.len(), 2);
}

#[tokio::test]
async fn a_report_counts_what_has_arrived_since_the_last_one() {
    let house = House::new().await;
    let event = |event| delivery(event, "o1", State::InReview, 10);
    house.accept(event("e1")).await;
    house.accept(event("e2")).await;
    assert_eq!(house.process(20).await.arrived, 2);
    assert_eq!(house.process(21).await.arrived, 0);
    house.accept(event("e3")).await;
    assert_eq!(house.process(22).await.arrived, 1);
    let house = house.again().await;
    assert_eq!(
        house.process(23).await.arrived,
        0,
        "those of an earlier run"
    );
    house.accept(event("e4")).await;
    assert_eq!(house.process(24).await.arrived, 1);
}

/// Pending deliveries are read before the writer's turn, so two runs may hold the same ones.
#[tokio::test]
async fn the_same_deliveries_are_processed_once() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    let read = || pending::read(&house.store.readers, 256);
    let [first, second] = [read().await, read().await].map(|pending| pending.expect("reads"));
    house
        .accept(delivery("e2", "o1", State::Completed, 11))
        .await;
    let process = |pending| house.store.submit(Write::Process, (request(20), pending));
    assert_eq!(process(first).await.expect("looks").processed.len(), 1);
    assert_eq!(process(second).await.expect("looks").processed.len(), 0);
    assert_eq!(
        house.process(21).await.processed.len(),
        1,
        "what came since is left"
    );
    assert_eq!(house.history("o1").await.transitions.len(), 2);
}

/// A conflict is inserted after deliveries that came later in its batch: the inbox worker may read between the two.
#[tokio::test]
async fn a_delivery_that_comes_among_those_that_were_read_is_not_passed_over() {
    let house = House::new().await;
    let event = |event, secs| delivery(event, "o1", State::InReview, secs);
    house.accept(event("e1", 10)).await;
    // The duplicate uses up a number.
    assert_eq!(house.accept(event("e1", 10)).await, Accepted::Duplicate);
    house.accept(event("e2", 11)).await;
    let pending = pending::read(&house.store.readers, 256)
        .await
        .expect("reads");
    assert_eq!(pending.taken, 2);
    house
        .edit(
            "INSERT INTO deliveries (id, project, dedup_key, received_at, order_sinch_id, status, phase, body) \
             SELECT 2, project, 'late', received_at, order_sinch_id, status, phase, body \
             FROM deliveries WHERE id = 1",
        )
        .await;
    let process = house.store.submit(Write::Process, (request(20), pending));
    assert_eq!(process.await.expect("looks").processed.len(), 0);
    assert_eq!(house.process(21).await.processed.len(), 3);
}

#[tokio::test]
async fn a_storm_about_one_order_is_processed_in_parts_and_wholly() {
    let house = House::new().await;
    for n in 0..600 {
        house
            .accept(delivery(&format!("e{n}"), "o1", State::InReview, n))
            .await;
    }
    house
        .accept(delivery("x", "o2", State::InReview, 700))
        .await;
    let parts = [
        house.process(1000).await,
        house.process(1000).await,
        house.process(1000).await,
    ];
    assert_eq!(parts.map(|report| report.processed.len()), [256, 256, 89]);
    assert_eq!(house.process(1000).await.taken, 0);
    assert_eq!(house.history("o1").await.deliveries.len(), 600);
}

#[tokio::test]
async fn api_off_parks_what_would_need_an_answer() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house
        .accept(delivery("e2", "o1", State::Completed, 11))
        .await;
    let mut request = request(20);
    request.api_off = vec![id(PROJECT)];
    house.store.process(request).await.expect("looks");
    let history = house.history("o1").await;
    let phases: Vec<&str> = history
        .deliveries
        .iter()
        .map(|d| d.phase.as_str())
        .collect();
    assert_eq!(phases, ["parked", "processed"]);
    assert_eq!(
        (history.order.state, history.order.fetch_at),
        (Some("COMPLETED"), None)
    );
    assert!(house.claim(9999).await.is_empty());
    // With the API on again, the order is fetched.
    let house = house.again().await;
    assert_eq!(house.claim(9999).await.len(), 1);
}

#[tokio::test]
async fn an_order_is_fetched_by_one_at_a_time() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house.process(20).await;
    let first = house.claim(20).await;
    assert_eq!((first.len(), first[0].attempts), (1, 1));
    assert!(house.claim(79).await.is_empty(), "it is leased");
    let second = house.claim(81).await;
    assert_eq!(
        (second.len(), second[0].attempts),
        (1, 2),
        "the lease ran out; the try counts"
    );
    let late = house
        .record(&first[0], shows(State::Rejected, 12), 82)
        .await;
    assert_eq!(late, Recorded::Fenced);
    assert_eq!(house.history("o1").await.order.confirmed, None);
    let settled = house
        .record(&second[0], shows(State::InReview, 12), 83)
        .await;
    assert!(matches!(settled, Recorded::Done { parked: None, .. }));
    let order = house.history("o1").await.order;
    assert_eq!((order.confirmed, order.attempts), (Some("IN_REVIEW"), 0));
    assert!(order.settled, "{order:?}");
}

/// A late result does not spoil the holder's answer, in whichever order both stand in a batch.
#[tokio::test]
async fn of_two_holders_in_one_batch_the_rightful_one_settles() {
    for late_first in [true, false] {
        let house = House::new().await;
        house
            .accept(delivery("e1", "o1", State::InReview, 10))
            .await;
        house.process(20).await;
        let late = house.claim(20).await.remove(0);
        let held = house.claim(81).await.remove(0);
        let late = outcome(&late, shows(State::Rejected, 12), 82);
        let held = outcome(&held, shows(State::InReview, 12), 82);
        let twice = held.clone();
        let batch = if late_first {
            [late, held, twice]
        } else {
            [held, late, twice]
        };
        let settled = house.store.record(batch.into()).await.expect("settles");
        let fenced: Vec<bool> = settled.iter().map(|s| *s == Recorded::Fenced).collect();
        assert_eq!(fenced, [late_first, !late_first, true], "{settled:?}");
        let confirmed = house.history("o1").await.order.confirmed;
        assert_eq!(confirmed, Some("IN_REVIEW"));
    }
}

#[tokio::test]
async fn a_released_order_counts_as_never_claimed() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house.process(20).await;
    let first = house.claim(20).await.remove(0);
    let release = async |claim: &Claim| house.store.release(claim.clone()).await;
    assert_eq!(release(&first).await, Ok(()));
    let second = house.claim(20).await.remove(0);
    assert_eq!(second.attempts, 1, "it is due as before");
    // A holder that lost the lease has nothing to release.
    assert_eq!(release(&first).await, Ok(()));
    assert!(house.claim(20).await.is_empty(), "it is leased");
    let settled = house.record(&second, shows(State::InReview, 12), 21).await;
    assert!(matches!(settled, Recorded::Done { .. }));
}

#[tokio::test]
async fn events_that_come_during_a_fetch_are_not_overwritten() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house.process(20).await;
    let claim = house.claim(20).await.remove(0);
    house
        .accept(delivery("e2", "o1", State::Completed, 21))
        .await;
    house.process(22).await;
    house.record(&claim, shows(State::InReview, 10), 20).await;
    let order = house.history("o1").await.order;
    assert_eq!(
        (order.confirmed, order.provisional),
        (Some("IN_REVIEW"), Some("COMPLETED"))
    );
    assert_eq!(order.hints, ["COMPLETED"]);
    assert!(order.fetch_at.is_some());
}

#[tokio::test]
async fn failures_back_off_and_park_and_an_operator_unparks() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house.process(20).await;
    let failure = || {
        Err(Failure {
            reason: not_now(500),
            wait_min: Duration::ZERO,
        })
    };
    for (secs, next) in [(20, 21), (21, 23)] {
        let claim = house.claim(secs).await.remove(0);
        house.record(&claim, failure(), secs).await;
        assert_eq!(house.history("o1").await.order.fetch_at, Some(at(next)));
    }
    let claim = house.claim(23).await.remove(0);
    let Recorded::Done { parked, .. } = house.record(&claim, failure(), 23).await else {
        panic!("fenced");
    };
    let used_up = ParkReason::AttemptsUsedUp {
        attempts: 3,
        last: FetchOutcome::NoAnswer(not_now(500)),
    };
    assert_eq!(parked, Some(used_up));
    assert!(house.claim(99_999).await.is_empty());
    assert_eq!(
        house
            .store
            .summary(at(0))
            .await
            .expect("reads")
            .orders_parked,
        1
    );

    assert_eq!(house.store.request_fetch(key("o1"), at(30)).await, Ok(true));
    assert_eq!(
        house.store.request_fetch(key("o9"), at(30)).await,
        Ok(false)
    );
    assert_eq!(house.claim(30).await[0].attempts, 1);
}

#[tokio::test]
async fn orders_are_listed_by_state_and_page() {
    let house = House::new().await;
    for n in 0..5 {
        let state = if n % 2 == 0 {
            State::Blocked
        } else {
            State::Completed
        };
        house
            .accept(delivery(&format!("e{n}"), &format!("o{n}"), state, n))
            .await;
    }
    house.process(20).await;
    let mut filter = OrderFilter {
        state: Some("BLOCKED".to_owned()),
        limit: 2,
        ..OrderFilter::default()
    };
    let page = house.store.orders(&filter).await.expect("reads").items;
    assert_eq!(
        page.iter().map(|o| o.order.as_str()).collect::<Vec<_>>(),
        ["o0", "o2"]
    );
    filter.after = Some(page[1].row);
    let page = house.store.orders(&filter).await.expect("reads").items;
    assert_eq!(
        page.iter().map(|o| o.order.as_str()).collect::<Vec<_>>(),
        ["o4"]
    );
    let summary = house.store.summary(at(20)).await.expect("reads");
    let counts: Vec<(&str, i64)> = summary
        .orders_by_state
        .iter()
        .map(|c| (c.state.as_str(), c.orders))
        .collect();
    assert_eq!(counts, [("BLOCKED", 3), ("COMPLETED", 2)]);
    assert_eq!(summary.orders_due, 5);
    assert_eq!(summary.orders_unsettled, 5);
    assert_eq!(summary.oldest_unsettled_at, Some(at(0)));
}

/// Every corner case of the rules survives being written and read.
#[tokio::test]
async fn an_order_comes_back_as_it_was_written() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house.process(20).await;
    let fetches = [
        shows(State::InReview, 15),
        shows(State::Blocked, 15),
        Ok(Answer::NotFound),
        shows(State::Rejected, 16),
        shows(State::Blocked, 17),
    ];
    let policy = Policy::new(Duration::from_secs(15), Duration::from_secs(300));
    let mut expected = None;
    for (n, answer) in fetches.into_iter().enumerate() {
        let secs = 100 * (n as i64 + 1);
        house
            .store
            .request_fetch(key("o1"), at(secs))
            .await
            .expect("is known");
        let claim = house.claim(secs).await.remove(0);
        let event = delivery(&format!("x{n}"), "o1", State::Expired, secs + 1);
        house.accept(event).await;
        house.process(secs + 1).await;
        let mut db = SqliteConnection::connect(&format!("sqlite://{}", house.path().display()))
            .await
            .expect("connects");
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let stored: rows::StoredOrder = serde_json::from_str(row.get(0)).expect("reads");
            stored.order
        };
        let sql = concat!(
            "SELECT ",
            rows::order_text!(),
            " FROM orders AS o JOIN projects AS p ON p.id = o.project"
        );
        let before = read(&sqlx::query(sql).fetch_one(&mut db).await.expect("one row"));
        if let Ok(answer) = &answer {
            let change = number_order::reconcile(&before, answer, at(secs), &policy);
            // This fulfils the requested fetch, too.
            let order = number_order::Order {
                fetch_requested_at: None,
                ..change.order
            };
            expected = change.outcome.is_conclusive().then_some(order);
        }
        house.record(&claim, answer, secs).await;
        let after = read(&sqlx::query(sql).fetch_one(&mut db).await.expect("one row"));
        if let Some(expected) = &expected {
            assert_eq!(&after, expected, "answer {n}");
        }
    }
    assert!(expected.is_some_and(|order| order.confirmed.is_some_and(|c| c.reopened)));
}

#[tokio::test]
async fn a_watched_order_is_fetched_without_any_callback() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house.process(20).await;
    for new in [2, 0] {
        let request = WatchRequest {
            project: id(PROJECT),
            orders: vec![id("o1"), id("o2"), id("o3")],
            now: at(30),
        };
        assert_eq!(house.store.watch(request).await, Ok(new));
    }
    let mut claimed: Vec<String> = house
        .claim(30)
        .await
        .iter()
        .map(|c| c.key.order.to_string())
        .collect();
    claimed.sort();
    assert_eq!(claimed, ["o1", "o2", "o3"], "o1 by its event");
}

#[tokio::test]
async fn an_alert_is_new_until_it_is_reported_and_again_in_another_state() {
    let house = House::new().await;
    house.accept(delivery("e1", "o1", State::Blocked, 10)).await;
    house.process(20).await;
    let claim = house.claim(20).await.remove(0);
    house.record(&claim, shows(State::Blocked, 10), 20).await;
    let limits = Limits {
        expiring: vec![Duration::from_secs(900)],
        review: Duration::from_secs(500),
        blocked: Duration::from_secs(100),
    };
    let alerts = async |which, secs| {
        let found = house.store.alerts(at(secs), &limits, which, 9).await;
        found.expect("reads")
    };
    assert!(alerts(AlertFilter::All, 109).await.is_empty());
    assert_eq!(alerts(AlertFilter::All, 110).await.len(), 1);
    let found = alerts(AlertFilter::New, 110).await;
    assert_eq!(found[0].alert, AlertKind::long_blocked(limits.blocked));
    house.store.reported(&found).await.expect("is kept");
    assert!(alerts(AlertFilter::New, 120).await.is_empty());
    assert_eq!(alerts(AlertFilter::All, 120).await.len(), 1);

    house
        .store
        .request_fetch(key("o1"), at(200))
        .await
        .expect("is known");
    let claim = house.claim(200).await.remove(0);
    house.record(&claim, shows(State::InReview, 200), 200).await;
    assert!(alerts(AlertFilter::All, 300).await.is_empty());
    let found = alerts(AlertFilter::New, 700).await;
    assert_eq!(found.len(), 1, "another state, another condition");
}

#[tokio::test]
async fn a_reservation_that_runs_out_fires_an_alert_at_each_threshold() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house.process(12).await;
    let claim = house.claim(12).await.remove(0);
    // The order expires at 9010 s.
    house.record(&claim, shows(State::Created, 10), 12).await;
    let limits = Limits {
        expiring: [900, 7200].map(Duration::from_secs).to_vec(),
        review: Duration::MAX,
        blocked: Duration::MAX,
    };
    for (secs, expected) in [
        (1809, None),
        (1810, Some(AlertKind::expiring(limits.expiring[1]))),
        (8109, None),
        (8110, Some(AlertKind::expiring(limits.expiring[0]))),
        (9010, Some(AlertKind::Overdue)),
        (9999, None),
    ] {
        let found = house
            .store
            .alerts(at(secs), &limits, AlertFilter::New, 9)
            .await
            .expect("reads");
        assert_eq!(
            found.first().map(|row| row.alert.clone()),
            expected,
            "at {secs}"
        );
        house.store.reported(&found).await.expect("is kept");
    }
}

#[tokio::test]
async fn convergence_tells_announced_changes_from_others() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house.process(12).await;
    for (secs, state, updated) in [(13, State::InReview, 10), (40, State::Completed, 20)] {
        house
            .store
            .request_fetch(key("o1"), at(secs))
            .await
            .expect("is known");
        let claim = house.claim(secs).await.remove(0);
        house.record(&claim, shows(state, updated), secs).await;
    }
    let convergence = house.store.summary(at(0)).await.expect("reads").convergence;
    let expected = Convergence {
        changes: 2,
        unannounced: 1,
        p50_secs: 3.0,
        p90_secs: 20.0,
        max_secs: 20.0,
    };
    assert_eq!(convergence, expected);
}
