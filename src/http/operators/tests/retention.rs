//! The retention report: by the periods in force, and by others that are tried.

use axum::http::StatusCode;

use super::{Fixture, project};
use crate::clock;
use crate::store::{DeliveryContent, NewDelivery};
use number_order::OtherEvent;

impl Fixture {
    /// Adds a delivery about no order that came the given number of days ago.
    async fn add_old(&self, days_ago: u64) {
        let delivery = NewDelivery {
            callback_key: None,
            project: project(),
            event_id: Some(format!("of {days_ago} days ago")),
            subject: DeliveryContent::Other(OtherEvent::default()),
            received_at: clock::now().minus(super::days(days_ago)),
            body: "body".into(),
        };
        self.store.accept(delivery).await.expect("is taken");
    }

    /// Returns the number of bodies and of deliveries that are due.
    async fn due(&self, query: &str) -> [u64; 2] {
        let answer = self.get(&format!("/api/v1/retention?{query}")).await;
        let items = answer["items"].as_array().expect("a list");
        ["bodies", "deliveries"].map(|kind| {
            let item = items.iter().find(|item| item["kind"] == kind);
            let due = &item.expect("each kind is there")["due"];
            assert_eq!(due["precision"], "exact");
            due["count"].as_u64().expect("a number")
        })
    }
}

#[tokio::test]
async fn other_periods_are_tried_and_change_nothing() {
    let fixture = Fixture::new().await;
    for days_ago in [100, 40, 20, 5] {
        fixture.add_old(days_ago).await;
    }
    // What came is processed with it.
    fixture.add_event("o1").await;
    for _ in 0..2 {
        for (query, due) in [
            ("", [1, 1]),
            ("bodies_days=10", [2, 1]),
            ("bodies_days=10&deliveries_days=30", [1, 2]),
            ("bodies_days=1.5&deliveries_days=1.5", [0, 4]),
            ("bodies_days=90", [0, 1]),
        ] {
            assert_eq!(fixture.due(query).await, due, "{query}");
        }
    }
    let answer = fixture
        .get("/api/v1/retention?orders_days=390&events_days=395")
        .await;
    let of = |kind: &str| {
        let items = answer["items"].as_array().expect("a list");
        let item = items.iter().find(|item| item["kind"] == kind);
        item.expect("each kind is there").clone()
    };
    let orders = of("orders");
    assert_eq!(orders["key"], "orders_days");
    assert_eq!(
        (orders["days"].as_f64(), orders["days_in_force"].as_f64()),
        (Some(390.0), Some(400.0))
    );
    assert_eq!(
        of("events")["days"],
        390.0,
        "events do not outlast their orders"
    );
    assert_eq!(of("bodies")["days"], 30.0);
}

#[tokio::test]
async fn periods_that_the_configuration_could_not_have_are_refused_with_the_cure() {
    let fixture = Fixture::new().await;
    for (query, said) in [
        (
            "deliveries_days=7",
            "deliveries_days: below bodies_days; write 30 or more, or a lower bodies_days too",
        ),
        (
            "parked_days=89.5",
            "parked_days: below deliveries_days; write 90 or more",
        ),
        (
            "parked_days=401",
            "orders_days: below parked_days; write 401 or more",
        ),
        (
            "bodies_days=0",
            "bodies_days: \\\"0\\\" is no number of days from 0.00001 to 36500",
        ),
        ("bodies_days=7d", "is no number of days"),
        ("events_days=NaN", "is no number of days"),
        ("events_days=-1", "is no number of days"),
        (
            "bodies=7",
            "bodies: no such parameter; write one of bodies_days, deliveries_days",
        ),
    ] {
        let path = format!("/api/v1/retention?{query}");
        let answer = fixture.send("GET", &path, "").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.body.contains(said), "{query}: {}", answer.body);
    }
}
