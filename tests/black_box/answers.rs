//! Genuine callbacks: answered 200 once they are on disk, with any content, and 503 if they cannot be stored.

use std::time::Duration;

use serde_json::Value;
use sinch_callbacks::clock;

use testkit::{
    ALLOWED, Connection, File, PATH, PROJECT, Request, SECRET, Service, Settings, about_number,
    event, folder, until,
};

/// Numbers of callbacks answered 200: new, duplicate, conflict.
async fn accepted(service: &Service) -> [i64; 3] {
    let status = service.status().await;
    ["new", "duplicate", "conflict"].map(|kind| {
        status["callbacks_accepted"][kind]["count"]
            .as_i64()
            .expect("a count")
    })
}

#[tokio::test]
async fn a_callback_is_kept_and_its_order_known() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let body = event("e1", "o1", "IN_REVIEW", clock::now());
    service.deliver(body.clone()).await;

    let order = service.order_when("o1", "news", |o| o["state"] == "IN_REVIEW");
    let order = order.await;
    assert_eq!(order["project"], PROJECT);
    assert_eq!(order["settled"], false);
    assert_ne!(order["fetch_at"], Value::Null, "Sinch is to be asked");
    let delivery = &order["deliveries"][0];
    assert_eq!(
        (&delivery["event"], &delivery["status"]),
        (&"e1".into(), &"IN_REVIEW".into())
    );
    let kept = service.body(delivery).await.body;
    assert_eq!(kept, body.as_bytes());
    assert_eq!(accepted(&service).await, [1, 0, 0]);
}

#[tokio::test]
async fn a_200_is_on_disk() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    service
        .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
        .await;
    service.kill().await;
    let bodies = File::open(&settings.database()).await.bodies().await;
    assert!(bodies.contains_key("e1"));
}

#[tokio::test]
async fn a_duplicate_is_counted_and_kept_once() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let body = event("e1", "o1", "IN_REVIEW", clock::now());
    for _ in 0..3 {
        service.deliver(body.clone()).await;
    }
    // Without an id, the bytes themselves identify a duplicate.
    let nameless = r#"{"resourceType":"NUMBER_ORDER","resourceId":"o1","status":"BLOCKED"}"#;
    for _ in 0..2 {
        service.deliver(nameless).await;
    }
    assert_eq!(accepted(&service).await, [2, 3, 0]);
    let order = service.order_with("o1", 2).await;
    let duplicates: Vec<i64> = order["deliveries"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|delivery| delivery["duplicates"].as_i64().expect("a count"))
        .collect();
    assert_eq!(duplicates, [2, 1]);
}

#[tokio::test]
async fn the_same_event_with_another_body_is_kept_too() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let now = clock::now();
    let bodies = ["IN_REVIEW", "COMPLETED"].map(|status| event("e1", "o1", status, now));
    for body in &bodies {
        service.deliver(body.clone()).await;
    }
    // Each of the two bodies is recognised by its own bytes.
    for body in &bodies {
        service.deliver(body.clone()).await;
    }
    assert_eq!(accepted(&service).await, [1, 2, 1]);

    let order = service.order_with("o1", 2).await;
    assert_ne!(order["fetch_at"], Value::Null, "Sinch is to be asked");
    let deliveries = order["deliveries"].as_array().expect("a list");
    let mut kept = Vec::new();
    for delivery in deliveries {
        assert_eq!(delivery["duplicates"], 1);
        kept.push(service.body(delivery).await.body);
    }
    assert_eq!(kept, bodies.map(String::into_bytes));
    let warned = |line: &String| line.contains("WARN") && line.contains("another body");
    until("a warning", async || {
        service.lines().iter().any(warned).then_some(())
    })
    .await;
}

/// Genuine bodies that cannot be used, each with the words that the reason must contain.
fn unusable_bodies() -> Vec<(Vec<u8>, &'static str)> {
    let elsewhere = event("e1", "o1", "IN_REVIEW", clock::now()).replace(PROJECT, "another");
    let long = format!(
        r#"{{"resourceType":"NUMBER_ORDER","resourceId":"o1","status":"{}"}}"#,
        "X".repeat(300)
    );
    let texts = [
        ("", "body-not-json"),
        ("{", "body-not-json"),
        ("hello", "body-not-json"),
        ("{}{}", "body-not-json"),
        ("null", "body-not-an-object"),
        (r#"["NUMBER_ORDER"]"#, "body-not-an-object"),
        ("{}", "property-missing resourceType"),
        (
            r#"{"resourceType":["NUMBER_ORDER"]}"#,
            "property-not-text resourceType",
        ),
        (
            r#"{"resourceType":"NUMBER_ORDER","status":"BLOCKED"}"#,
            "property-missing resourceId",
        ),
        (
            r#"{"resourceType":"NUMBER_ORDER","resourceId":null,"status":"BLOCKED"}"#,
            "property-missing resourceId",
        ),
        (
            r#"{"resourceType":"NUMBER_ORDER","resourceId":17,"status":"BLOCKED"}"#,
            "property-not-text resourceId",
        ),
        (
            r#"{"resourceType":"NUMBER_ORDER","resourceId":"../o","status":"BLOCKED"}"#,
            "unusable-order-id",
        ),
        (
            r#"{"resourceType":"NUMBER_ORDER","resourceId":"o1"}"#,
            "property-missing status",
        ),
        (
            r#"{"resourceType":"NUMBER_ORDER","resourceId":"o1","status":{}}"#,
            "property-not-text status",
        ),
        (
            r#"{"eventId":1,"resourceType":"NUMBER_ORDER","resourceId":"o1","status":"BLOCKED"}"#,
            "property-not-text eventId",
        ),
        (&elsewhere, "project-mismatch"),
        (&long, "property-too-long status"),
    ];
    let mut unusable_bodies: Vec<_> = texts
        .into_iter()
        .map(|(text, reason)| (text.as_bytes().to_vec(), reason))
        .collect();
    unusable_bodies.push((b"{\"eventId\":\"\xff\xfe\"}".to_vec(), "body-not-json"));
    unusable_bodies.push((vec![0; 64], "body-not-json"));
    unusable_bodies.push(("[".repeat(5000).into_bytes(), "body-not-json"));
    unusable_bodies
}

#[tokio::test]
async fn a_callback_that_is_not_understood_is_kept_byte_by_byte_with_the_reason() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let unusable_bodies = unusable_bodies();
    for (body, _) in &unusable_bodies {
        service.deliver(body.clone()).await;
    }
    let parked = service.list("/api/v1/parked").await;
    assert_eq!(parked.len(), unusable_bodies.len());
    for (row, (body, reason)) in parked.iter().zip(&unusable_bodies) {
        let decision = &row["decision"];
        let (code, property) = reason.split_once(' ').unwrap_or((reason, ""));
        assert_eq!(decision["code"], code, "{row}");
        assert_eq!(
            decision["fields"]["property"].as_str().unwrap_or(""),
            property,
            "{row}"
        );
        let kept = service.body(row).await;
        assert_eq!(&kept.body, body, "{reason}");
        assert_eq!(
            kept.header("content-type"),
            Some("application/octet-stream")
        );
    }
    assert!(service.list("/api/v1/orders").await.is_empty());
    let status = service.status().await;
    assert_eq!(status["deliveries_parked"], unusable_bodies.len());

    service.deliver(unusable_bodies[0].0.clone()).await;
    assert_eq!(service.list("/api/v1/parked").await[0]["duplicates"], 1);
}

#[tokio::test]
async fn an_unreadable_time_stamp_spoils_nothing() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    for (order, timestamp) in [
        ("o1", r#""tomorrow""#),
        ("o2", "17"),
        ("o3", "null"),
        ("o4", r#""9999999-01-01""#),
    ] {
        service
            .deliver(format!(
                r#"{{"timestamp":{timestamp},"resourceType":"NUMBER_ORDER","resourceId":"{order}","status":"BLOCKED"}}"#
            ))
            .await;
        let known = service.order_when(order, "known", |o| {
            o["deliveries"][0]["phase"] == "processed"
        });
        assert_eq!(known.await["deliveries"][0]["said_at"], Value::Null);
    }
}

#[tokio::test]
async fn what_is_about_something_else_touches_no_order() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    let kinds = [
        "ACTIVE_NUMBER",
        "IMPORTED_NUMBER",
        "HOSTING_ORDER_NUMBER",
        "INVENTED_LATER",
        "number_order",
    ];
    for (n, kind) in kinds.iter().enumerate() {
        service
            .deliver(about_number(&format!("e{n}"), kind, "+46700000000"))
            .await;
    }
    assert!(service.list("/api/v1/orders").await.is_empty());
    assert!(service.list("/api/v1/parked").await.is_empty());
    let mut file = File::open(&settings.database()).await;
    let recorded = "SELECT count(*) FROM deliveries WHERE phase = 'recorded'";
    assert_eq!(
        usize::try_from(file.number(recorded).await),
        Ok(kinds.len())
    );
    assert_eq!(file.number("SELECT count(*) FROM orders").await, 0);
}

#[tokio::test]
async fn a_locked_database_is_a_503_and_passes() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    let mut file = File::open(&settings.database()).await;
    file.execute("BEGIN EXCLUSIVE").await;

    let body = event("e1", "o1", "IN_REVIEW", clock::now());
    let request = Request::signed(PATH, SECRET, body);
    let answer = service.send(&request).await;
    answer.assert_refusal(503, "while the database is locked");
    let retry_after = answer.header("retry-after").expect("Retry-After");
    assert!(retry_after.parse::<u32>().is_ok_and(|secs| secs > 0));
    assert_eq!(service.get("/readyz").await.status, 503);

    file.execute("ROLLBACK").await;
    assert_eq!(file.number("SELECT count(*) FROM deliveries").await, 0);
    assert_eq!(service.refused("store").await, 1);
    assert_eq!(service.send(&request).await.status, 200);
    service.is_ready().await;
}

#[tokio::test]
async fn while_too_much_waits_no_body_is_read() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("database.waiting_max", 1);
    let service = Service::start(&settings).await;
    let mut file = File::open(&settings.database()).await;
    file.execute("BEGIN EXCLUSIVE").await;
    let good = |n: usize| {
        let body = event(&format!("e{n}"), "o1", "IN_REVIEW", clock::now());
        Request::signed(PATH, SECRET, body)
    };
    let mut waiting = Vec::new();
    until("a refusal that no body was needed for", async || {
        // One callback is being written and one waits; there is no room for more.
        for _ in 0..3 {
            let mut connection = Connection::open(ALLOWED, service.callbacks).await.ok()?;
            connection.send(good(waiting.len()).bytes()).await;
            waiting.push(connection);
        }
        let mut connection = Connection::open(ALLOWED, service.callbacks).await.ok()?;
        connection.send(good(waiting.len()).head()).await;
        let answer = tokio::time::timeout(Duration::from_secs(3), connection.answer());
        let answer = answer.await.ok()?.expect("an answer");
        answer.assert_refusal(503, "without a body");
        assert_eq!(answer.header("retry-after"), Some("5"));
        Some(())
    })
    .await;
    file.execute("ROLLBACK").await;
    let again = good(waiting.len());
    until("room again", async || {
        (service.send(&again).await.status == 200).then_some(())
    })
    .await;
}
