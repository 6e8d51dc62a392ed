//! Times and periods: every command that takes them takes the same, and none takes a period that ends before it begins.

use testkit::Request;

use super::Place;

/// Commands that take a period, with what else they need.
const COMMANDS: [&[&str]; 7] = [
    &["actions"],
    &["quarantine"],
    &["tail"],
    &["replay", "--dry-run"],
    &["dismiss", "deliveries", "--dry-run"],
    &["events", "notifications"],
    &["events", "redrive", "--dry-run"],
];

/// Lists of the API that take a period.
const LISTS: [&str; 6] = [
    "actions",
    "alerts",
    "deliveries",
    "notifications",
    "quarantine",
    "transitions",
];

const EARLY: &str = "2026-01-31T11:00:00Z";
const LATE: &str = "2026-01-31T12:00:00Z";

#[tokio::test]
async fn every_command_takes_a_period_as_times_or_spans_and_no_other() {
    let place = Place::new(&[], |settings| settings).await;
    for command in COMMANDS {
        let ended = async |since: &str, until: &str| {
            let period = ["--since", since, "--until", until];
            place.ended(&[command, &period].concat()).await
        };
        for (since, until) in [("2h", "1min"), (EARLY, LATE), (EARLY, "0s")] {
            let ended = ended(since, until).await;
            assert_eq!(
                ended.code,
                Some(0),
                "{command:?} {since} {until}: {ended:?}"
            );
        }
        for (since, until) in [
            ("1min", "2min"),
            ("60s", "1min"),
            (LATE, EARLY),
            ("1s", LATE),
        ] {
            let ended = ended(since, until).await;
            assert_eq!(
                ended.code,
                Some(2),
                "{command:?} {since} {until}: {ended:?}"
            );
            let named = format!("--since {since} is not before --until {until}");
            assert!(ended.err.contains(&named), "{command:?}: {ended:?}");
        }
    }
    for command in [&["orders"][..], &["fetch", "--dry-run"], &["forget"]] {
        for since in ["2h", EARLY] {
            let changed = [command, &["--changed-since", since]].concat();
            place.run(0, &changed).await;
        }
    }
}

#[tokio::test]
async fn the_period_of_a_command_is_the_one_that_is_meant() {
    let place = Place::new(&["o1"], |settings| settings).await;
    place.service.deliver_to_be_parked("no JSON").await;
    place.complete("o1").await;
    for (period, callbacks) in [
        (&["--since", "1h"][..], 1),
        (&["--since", "1h", "--until", "0s"], 1),
        (&["--until", "0s"], 1),
        (&["--until", "1h"], 0),
        (&["--since", "2h", "--until", "1h"], 0),
    ] {
        let counted = [&["replay", "--dry-run"], period].concat();
        let counted = place.json(0, &counted).await;
        assert_eq!(counted["deliveries"], callbacks, "{period:?}");
    }
    for (since, orders) in [("1h", 1), ("0s", 0)] {
        let page = place.json(0, &["orders", "--changed-since", since]).await;
        let listed = page["items"].as_array().map(Vec::len);
        assert_eq!(listed, Some(orders), "{since}");
    }
}

#[tokio::test]
async fn a_tail_of_an_order_begins_with_its_first_event() {
    let place = Place::new(&["o1", "o2"], |settings| settings).await;
    for order in ["o1", "o2"] {
        place.complete(order).await;
    }
    let told = place.run(0, &["tail", "o1", "--until", "0s"]).await;
    assert!(told.contains("order.completed"), "{told}");
    assert!(!told.contains("o2"), "{told}");
    let told = place.run(0, &["tail", "o1", "--until", "1h"]).await;
    assert_eq!(told, "");
    // All orders are told from now on, so nothing lies between now and an hour ago.
    let ended = place.ended(&["tail", "--until", "1h"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("--until 1h is over"), "{ended:?}");
}

#[tokio::test]
async fn the_api_refuses_a_period_that_ends_before_it_begins() {
    let place = Place::new(&[], |settings| settings).await;
    for list in LISTS {
        for (since, until, status) in [(EARLY, LATE, 200), (LATE, EARLY, 400), (LATE, LATE, 400)] {
            let path = format!("/api/v1/{list}?since={since}&until={until}");
            let answer = place.service.get(&path).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            if status == 400 {
                let detail = answer.json()["detail"].to_string();
                let named = format!("since: {since} is not before until, {until};");
                assert!(detail.contains(&named), "{path}: {detail}");
            }
        }
    }
    let chosen = format!("since={LATE}&until={EARLY}&dry_run=true");
    let body = format!(r#"{{"since": "{LATE}", "until": "{EARLY}", "dry_run": true}}"#);
    for (path, body, status) in [
        (format!("/api/v1/bulk/deliveries/dismiss?{chosen}"), "", 400),
        ("/api/v1/notifications/redrive".to_owned(), &body, 422),
    ] {
        let request = Request::post(&path, body);
        let answer = place.service.send_to_operators(&request).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("is not before until"), "{path}: {detail}");
    }
}
