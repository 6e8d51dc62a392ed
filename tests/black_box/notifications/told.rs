//! A target that takes what it is told.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use notifications::{SignedHeaders, VerifyingKey, verify};
use serde_json::json;
use standardwebhooks::Webhook;
use testkit::target::Told;
use testkit::{TARGET_SECRET, Target, folder, until};

use super::{Played, crm};

/// The present time, by which the reference implementation verifies.
#[expect(
    clippy::disallowed_methods,
    reason = "the reference implementation reads the clock"
)]
pub fn now_secs() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("a time").as_secs().cast_signed()
}

/// Asserts that both implementations take the request as genuine, and neither takes it with another body.
pub fn assert_genuine(told: &Told, secret: &str) {
    let headers = SignedHeaders {
        id: Some(told.id()),
        timestamp: Some(told.header("webhook-timestamp")),
        signature: Some(told.header("webhook-signature")),
    };
    let keys = [VerifyingKey::new(secret).expect("a key")];
    let own = |body: &[u8]| verify(&keys, &headers, body, now_secs(), Duration::from_secs(300));
    let reference = Webhook::new(secret).expect("a secret");
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let received: HeaderMap = names
        .into_iter()
        .map(|name| {
            let value = HeaderValue::from_str(told.header(name)).expect("a value");
            (HeaderName::from_static(name), value)
        })
        .collect();
    assert_eq!(own(&told.body), Ok(0), "{told:?}");
    assert!(reference.verify(&told.body, &received).is_ok(), "{told:?}");
    let mut changed = told.body.clone();
    changed[10] ^= 1;
    assert!(own(&changed).is_err());
    assert!(reference.verify(&changed, &received).is_err());
}

#[tokio::test]
async fn each_confirmed_change_is_told_once_and_in_sequence() {
    let target = Target::willing().await;
    let url = target.url();
    let orders = ["o1", "o2", "o3"];
    let played = Played::with(&orders, |settings| crm(settings, &url)).await;
    for order in orders {
        played.enter(order, "IN_REVIEW", 1).await;
    }
    for order in orders {
        played.enter(order, "COMPLETED", 2).await;
    }
    target.told_when(6).await;
    played.service.stop_well().await;
    let told = target.told();
    assert_eq!(told.len(), 6, "{told:#?}");
    for order in orders {
        let of_order = told
            .iter()
            .filter(|told| told.json()["data"]["order"] == order);
        let of_order: Vec<&Told> = of_order.collect();
        let types: Vec<_> = of_order
            .iter()
            .map(|told| told.json()["type"].clone())
            .collect();
        assert_eq!(types, ["order.in_review", "order.completed"]);
        let numbers = of_order.iter().map(|told| {
            told.json()["data"]["order_sequence"]
                .as_i64()
                .expect("a number")
        });
        assert!(numbers.is_sorted());
    }
    for one in &told {
        assert_genuine(one, TARGET_SECRET);
        assert_eq!(one.id(), one.json()["id"]);
        assert_eq!(one.json()["data"]["confirmed"], true);
        assert_eq!(one.header("content-type"), "application/json");
        assert!(one.header("user-agent").starts_with("sinch-callbacks/"));
        assert!(one.head.starts_with("POST /hooks HTTP/1.1\r\n"), "{one:?}");
        assert_eq!(one.header("accept-encoding"), "");
    }
}

#[tokio::test]
async fn a_command_is_told_in_the_form_that_is_asked_for() {
    let home = folder();
    let path = home.path().join("told");
    let script = format!("cat >>{0}; echo \"$WEBHOOK_TYPE\" >>{0}", path.display());
    let played = Played::with(&["o1"], |settings| {
        settings
            .add_command("local", &["/bin/sh", "-c", &script])
            .set_target("types", json!(["order.*"]))
            .set_target("format", "text")
    })
    .await;
    played.enter("o1", "COMPLETED", 2).await;
    let told = until("the command to be told", async || {
        let told = std::fs::read_to_string(&path).ok()?;
        told.ends_with("order.completed\n").then_some(told)
    })
    .await;
    assert!(told.contains("o1") && !told.contains('{'), "{told}");
}
