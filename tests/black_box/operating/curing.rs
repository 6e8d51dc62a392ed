//! The cures of what is stuck, and the end of an order: `replay`, `dismiss` and `forget`.

use serde_json::Value;

use testkit::{PROJECT, Service, event, run};

use super::{ATTENTION, Place};

/// Ids of the parked deliveries.
async fn parked(place: &Place) -> Vec<String> {
    let parked = place.json(0, &["parked"]).await;
    let deliveries = parked["deliveries"].as_array().expect("a list").iter();
    deliveries
        .map(|delivery| delivery["id"].to_string())
        .collect()
}

#[tokio::test]
async fn what_an_operator_has_seen_to_needs_no_attention() {
    let place = Place::new(&["o1", "o2"], |settings| settings).await;
    for order in ["o1", "o2"] {
        place.park(order).await;
    }
    for body in ["no JSON", "[]"] {
        place.service.deliver_to_be_parked(body).await;
    }
    place.run(ATTENTION, &["status"]).await;
    let counted = place
        .json(0, &["dismiss", "orders", "--parked", "--dry-run"])
        .await;
    assert_eq!(counted["orders"], 2, "{counted}");
    place.run(0, &["dismiss", "orders", "o1"]).await;
    let counted = place
        .json(0, &["dismiss", "orders", "--all", "--dry-run"])
        .await;
    assert_eq!(counted["orders"], 1, "{counted}");
    place.run(0, &["dismiss", "orders", "--all"]).await;
    place
        .run(0, &["dismiss", "deliveries", "--decision", "body-not-json"])
        .await;
    assert_eq!(parked(&place).await.len(), 1);
    place.run(0, &["dismiss", "deliveries", "--all"]).await;
    place.run(0, &["status"]).await;
    assert_eq!(place.run(0, &["parked"]).await, "Nothing is parked.");
    let all = place.json(0, &["parked", "--dismissed"]).await;
    for list in ["orders", "deliveries"] {
        let all = all[list].as_array().expect("a list");
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(
            all.iter().all(|row| row["dismissed_at"].is_string()),
            "{all:?}"
        );
    }
    // What comes of an order ends that.
    place.run(0, &["fetch", "o1"]).await;
    place.service.settles("o1", "COMPLETED").await;
    for (arguments, words) in [
        (&["dismiss", "orders", "o1"][..], "is not parked"),
        (&["dismiss", "orders", "o9"], "does not know"),
        (&["dismiss", "deliveries", "999"], "no such delivery"),
    ] {
        let ended = place.ended(arguments).await;
        assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(words), "{arguments:?}: {ended:?}");
    }
    let ended = run(["dismiss", "deliveries"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[tokio::test]
async fn what_only_the_api_explains_is_replayed_once_it_is_on() {
    let mut place = Place::new(&["o1"], |settings| settings.set_project("api", "off")).await;
    place.say("o1", "IN_REVIEW").await;
    place.service.order_with("o1", 1).await;
    // An older event cannot be put in order without the API.
    let before = place
        .simulator
        .started_at()
        .minus(std::time::Duration::from_secs(9));
    place
        .service
        .deliver(event("e0", "o1", "BLOCKED", before))
        .await;
    place.service.order_with("o1", 2).await;
    place.service.deliver_to_be_parked("no JSON").await;
    let [first, stale, garbled] = &parked(&place).await[..] else {
        panic!("three are parked");
    };
    let on = place.settings.clone().set_project("api", "on");
    place.service.stop_well().await;
    place.service = Service::start(&on).await;

    let counted = place.json(0, &["replay", "--all", "--dry-run"]).await;
    assert_eq!(counted["deliveries"], 3, "{counted}");
    place.run(0, &["replay", "--decision", "api-off"]).await;
    // A fetch of its own may have settled the order before the callbacks are processed.
    let are_processed = |order: &Value| {
        let deliveries = order["deliveries"].as_array().expect("a list");
        deliveries.len() == 2 && deliveries.iter().all(|row| row["phase"] == "processed")
    };
    place
        .service
        .order_when("o1", "both to be processed", are_processed)
        .await;
    place.service.settles("o1", "COMPLETED").await;
    assert_eq!(parked(&place).await, std::slice::from_ref(garbled));
    let refused = place.json(1, &["replay", "--all"]).await;
    assert_eq!(refused["deliveries"], 0, "{refused}");
    let text = refused["refused"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("not understood now either"), "{refused}");
    for replayed in [first, stale] {
        let ended = place.ended(&["replay", replayed]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn an_order_is_forgotten_with_all_that_was_kept() {
    let place = Place::new(&["o1", "o2"], |settings| settings).await;
    for order in ["o1", "o2"] {
        place.complete(order).await;
    }
    let counted = place.json(0, &["forget", "o1"]).await;
    assert_eq!(
        (&counted["orders"], &counted["dry_run"]),
        (&1.into(), &true.into())
    );
    assert!(
        counted["kept"]["deliveries"] == 1 && counted["kept"]["events"].as_u64() > Some(1),
        "{counted}"
    );
    let said = place.run(0, &["forget", "o1", "--dry-run"]).await;
    assert!(
        said.contains("nothing is removed yet") && said.contains("backups"),
        "{said}"
    );
    place.service.settles("o1", "COMPLETED").await;

    let said = place.run(0, &["forget", "o1", "--yes"]).await;
    for words in [
        "1 order is forgotten",
        "With them: ",
        "1 delivery",
        "backups",
        "the log",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(place.service.order("o1").await, Value::Null);
    let page = place
        .service
        .get("/api/v1/events?after=oldest&provisional=true")
        .await
        .json();
    let events = page["events"].as_array().expect("a list");
    assert!(
        !events.is_empty() && events.iter().all(|one| one["data"]["order"] == "o2"),
        "{page}"
    );
    place.service.settles("o2", "COMPLETED").await;
    let ended = place.ended(&["forget", "o1", "--yes"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");

    let all = place
        .json(
            0,
            &[
                "forget",
                "--state",
                "COMPLETED",
                "--project",
                PROJECT,
                "--yes",
            ],
        )
        .await;
    assert_eq!(all["orders"], 1, "{all}");
    let orders = place.json(0, &["orders"]).await;
    assert_eq!(orders["items"], serde_json::json!([]));
    let ended = run(["forget", "--yes"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}
