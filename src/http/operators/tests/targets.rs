//! Targets and notifications, as operators see and change them.

use serde_json::{Value, json};

use super::Fixture;
use crate::store::NotificationOutcome;
use notifications::DeliveryFailure;

fn refused() -> NotificationOutcome {
    NotificationOutcome::Failed {
        failure: DeliveryFailure::Refused { status: 503 },
        again_at: None,
    }
}

/// Returns one property of each item of a list.
fn each<'a>(list: &'a Value, property: &str) -> Vec<&'a Value> {
    let items = list["items"].as_array().expect("a list");
    items.iter().map(|item| &item[property]).collect()
}

#[tokio::test]
async fn parked_notifications_are_counted_and_then_sent_again() {
    let world = Fixture::new().await;
    for order in ["o1", "o2", "o3"] {
        world.add_event(order).await;
    }
    let mut claims = world.claim().await;
    assert_eq!(claims.len(), 3);
    world.settle(claims.split_off(2), refused()).await;
    world.settle(claims, NotificationOutcome::Delivered).await;

    let all = world.get("/api/v1/notifications?sort=newest").await;
    assert_eq!(each(&all, "sequence"), [3, 2, 1]);
    let parked = world
        .get("/api/v1/notifications?phase=parked&target=crm")
        .await;
    assert_eq!(each(&parked, "sequence"), [3]);
    assert_eq!(parked["items"][0]["failure"]["code"], "refused");
    let blocked = world.get("/api/v1/notifications?type=order.blocked").await;
    assert_eq!(blocked["items"], json!([]));

    let fitting = json!({ "target": "crm", "dry_run": true });
    let expected = json!({ "notifications": 1, "dry_run": true });
    assert_eq!(world.redrive(&fitting).await, expected);
    assert_eq!(world.redrive(&fitting).await, expected, "nothing was sent");
    assert!(world.claim().await.is_empty());
    let sent = world.redrive(&json!({ "type": "order.in_review" })).await;
    assert_eq!(sent, json!({ "notifications": 1, "dry_run": false }));
    let [again] = &world.claim().await[..] else {
        panic!("one waits again");
    };
    assert_eq!((again.sequence, again.attempts), (3, 0));

    let delivered = each(&all, "id")[2];
    let sent = world.redrive(&json!({ "id": delivered })).await;
    assert_eq!(sent["notifications"], 1, "one that is named is sent again");
    let refused = world.redrive(&json!({ "dry_run": true })).await;
    assert_eq!(refused["status"], 422, "{refused}");
    let refused = world.redrive(&json!({ "target": "crn" })).await;
    assert_eq!(refused["status"], 404, "{refused}");
}

#[tokio::test]
async fn a_target_shows_how_it_receives_and_is_resumed_and_tried() {
    let world = Fixture::new().await;
    for order in ["o1", "o2"] {
        world.add_event(order).await;
    }
    let claims = world.claim().await;
    let gone = NotificationOutcome::Gone {
        failure: DeliveryFailure::Refused { status: 410 },
    };
    world.settle(claims, gone).await;
    let targets = world.get("/api/v1/targets").await;
    assert_eq!(each(&targets, "name"), ["crm", "ops"]);
    assert_eq!(each(&targets, "waiting"), [2, 0]);
    assert_eq!(targets["items"][0]["attention"][0]["code"], "switched-off");
    assert_eq!(targets["items"][1]["attention"], json!([]));

    let status = world.get("/status").await;
    assert_eq!(status["newest_event"], 2);
    let attention = &status["targets_needing_attention"];
    assert_eq!(attention["switched-off"], 1, "{attention}");
    assert_eq!(attention["failing"], 0, "{attention}");
    let crm = &status["targets"]["crm"];
    assert_eq!(
        (&crm["waiting"], &crm["switched_off"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(crm["attention"][0]["code"], "switched-off");
    assert!(crm["oldest_at"].is_string() && crm["delivered_at"].is_null());
    let metrics = world.send("GET", "/metrics", "").await.body;
    for line in [
        "sinch_callbacks_target_waiting{target=\"crm\"} 2.0",
        "sinch_callbacks_target_waiting{target=\"ops\"} 0.0",
        "sinch_callbacks_target_switched_off{target=\"crm\"} 1.0",
        "sinch_callbacks_targets_needing_attention{reason=\"switched-off\"} 1.0",
        "sinch_callbacks_newest_event 2.0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }

    let post = async |path: &str, body: &str| {
        let answer = world.send("POST", path, body).await;
        (answer.status.as_u16(), answer.body)
    };
    assert_eq!(post("/api/v1/targets/crm/resume", "").await.0, 202);
    assert_eq!(post("/api/v1/targets/crn/resume", "").await.0, 404);
    assert_eq!(world.claim().await.len(), 2, "it is told again");
    let tried = r#"{"type": "order.completed"}"#;
    let (status, sent) = post("/api/v1/targets/ops/test", tried).await;
    assert_eq!((status, sent.as_str()), (202, r#"{"sequence":3}"#));
    assert_eq!(post("/api/v1/targets/crn/test", tried).await.0, 404);
    let (status, why) = post("/api/v1/targets/ops/test", r#"{"type": "order"}"#).await;
    assert!(status == 422 && why.contains("type: write a type"), "{why}");
    // The feed has no event that only tried a target.
    let feed = world.get("/api/v1/events?after=0&provisional=true").await;
    assert_eq!(feed["events"].as_array().map(Vec::len), Some(2), "{feed}");
}
