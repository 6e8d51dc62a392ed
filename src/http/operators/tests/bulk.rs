//! Requests about all that a filter chooses.

use axum::http::StatusCode;

use super::{Fixture, project};
use crate::clock;
use crate::store::{DeliveryContent, NewDelivery, WatchRequest};
use number_order::{Id, NotUnderstood};

impl Fixture {
    async fn bulk(&self, request: &str) -> serde_json::Value {
        let answer = self
            .send("POST", &format!("/api/v1/bulk/{request}"), "")
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{request}: {}", answer.body);
        answer.json()
    }

    /// Adds callbacks that are not understood; none has a body that would be, now.
    async fn park(&self, callbacks: usize) {
        for number in 0..callbacks {
            let delivery = NewDelivery {
                callback_key: None,
                project: project(),
                event_id: None,
                subject: DeliveryContent::NotUnderstood(NotUnderstood::BodyNotAnObject),
                received_at: clock::now(),
                body: format!("[{number}]").into(),
            };
            self.store.accept(delivery).await.expect("is taken");
        }
    }
}

#[tokio::test]
async fn who_chooses_nothing_or_does_not_say_if_it_is_a_dry_run_is_refused() {
    let world = Fixture::new().await;
    world.park(1).await;
    for request in [
        "orders/fetch",
        "orders/dismiss",
        "orders/forget",
        "deliveries/replay",
        "deliveries/dismiss",
    ] {
        for (query, said) in [
            ("all=true", "dry_run: missing; write"),
            ("dry_run=true", "say which"),
            ("all=false&dry_run=true", "say which"),
            ("dry_run=maybe&all=true", "neither true nor false"),
            ("all=true&dry_run=true&limit=5", "limit: no such parameter"),
            ("all=true&dry_run=true&after=x", "after: not the `next`"),
        ] {
            let path = format!("/api/v1/bulk/{request}?{query}");
            let answer = world.send("POST", &path, "").await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
            assert!(answer.body.contains(said), "{path}: {}", answer.body);
        }
    }
    let path = "/api/v1/bulk/orders/dismiss?parked=false&dry_run=true";
    let answer = world.send("POST", path, "").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let done = world.bulk("deliveries/dismiss?all=true&dry_run=true").await;
    assert_eq!(done["count"], 1, "nothing was done before");
}

#[tokio::test]
async fn a_dry_run_counts_and_the_other_does_it_to_as_many() {
    let world = Fixture::new().await;
    // More than are handed over together.
    world.park(150).await;
    let chosen = "deliveries/dismiss?decision=body-not-an-object";
    for (query, count) in [
        ("dry_run=true", 150),
        ("dry_run=false", 150),
        ("dry_run=true", 0),
    ] {
        let done = world.bulk(&format!("{chosen}&{query}")).await;
        assert_eq!(done["count"], count, "{query}: {done}");
        assert!(done["next"].is_null());
    }
    let other = "deliveries/dismiss?decision=body-not-json&dry_run=true";
    assert_eq!(world.bulk(other).await["count"], 0);
}

#[tokio::test]
async fn what_cannot_be_done_is_named_with_the_reason_and_holds_up_nothing_else() {
    let world = Fixture::new().await;
    world.park(2).await;
    let done = world.bulk("deliveries/replay?all=true&dry_run=false").await;
    assert_eq!(
        (&done["count"], done["refused"].as_array().map(Vec::len)),
        (&0.into(), Some(2))
    );
    let reason = done["refused"][1]["text"].as_str().unwrap_or_default();
    assert!(reason.contains("not understood now either"), "{done}");

    let orders = ["o1", "o2"].map(|order| Id::new(order).expect("an id"));
    let request = WatchRequest {
        project: project(),
        orders: orders.to_vec(),
        now: clock::now(),
    };
    assert_eq!(world.store.watch(request).await, Ok(2));
    // The project's API is off.
    let done = world.bulk("orders/fetch?project=p1&dry_run=false").await;
    assert_eq!(done["count"], 0);
    assert_eq!(done["refused"][0]["name"], "o1", "{done}");

    for (dry_run, orders) in [(true, 2), (false, 2), (false, 0)] {
        let done = world
            .bulk(&format!("orders/forget?settled=false&dry_run={dry_run}"))
            .await;
        assert_eq!(done["count"], orders, "{done}");
        assert_eq!(done["kept"].is_object(), orders > 0);
    }
    let left = world.get("/api/v1/orders").await;
    assert_eq!(left["items"].as_array().map(Vec::len), Some(0));
}
