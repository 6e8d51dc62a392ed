//! Sources that are not allowed: they are answered as ever, and examined within bounds.

use std::net::Ipv4Addr;
use std::time::Instant;

use serde_json::{Value, json};
use testkit::{
    Connection, PATH, PATIENCE, PROJECT, Request, SECRET, Service, Settings, UNALLOWED, event,
    folder, now, until,
};
use tokio::task::JoinSet;

use super::{OTHER_SECRET, callback, kept, reload, send_from};

/// A proxy that is trusted, and a source for which it speaks that is not allowed.
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const BEHIND_PROXY: &str = "203.0.113.9";

/// Maximum number of requests of one network that are examined in a second, with the default limits.
const EXAMINED_OF_ONE: usize = 32;

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn behind_a_proxy_an_unknown_source_is_answered_before_its_body_and_kept() {
    let folder = folder();
    let settings = Settings::new(folder.path())
        .fix_addresses()
        .set_project("api", "off")
        .set("callbacks.trusted_proxies", json!([PROXY.to_string()]));
    let service = Service::start(&settings).await;
    let by_proxy = |request: Request| request.header("X-Forwarded-For", BEHIND_PROXY);
    let genuine = by_proxy(callback(SECRET, "e1", "o1"));
    let forged = by_proxy(callback(OTHER_SECRET, "e8", "o8"));
    let elsewhere = by_proxy(Request::signed("/other", SECRET, "x"));
    let answer = service.send_from(PROXY, &genuine).await;
    answer.assert_refusal(403, "an unknown source");
    for other in [&forged, &elsewhere] {
        let other = service.send_from(PROXY, other).await;
        assert_eq!(other.timeless(), answer.timeless());
    }
    let listed = kept(&service, 1).await;
    assert_eq!(listed[0]["source"], BEHIND_PROXY, "{listed:?}");

    // The answer does not wait for the body, and a body that never comes holds the connection for a moment only.
    let mut slow = Connection::open(PROXY, service.callbacks)
        .await
        .expect("connects");
    slow.send(by_proxy(callback(SECRET, "e3", "o3")).head())
        .await;
    let early = slow.answer().await.expect("an answer");
    assert_eq!(early.timeless(), answer.timeless());
    assert!(slow.hangs_up_within(PATIENCE).await);
    // One that comes after the answer is examined as well. A busy machine can be late with it.
    let late = by_proxy(callback(SECRET, "e3", "o3"));
    until("a body in time", async || {
        let mut connection = Connection::open(PROXY, service.callbacks).await.ok()?;
        connection.send(late.head()).await;
        let early = connection.answer().await.ok()?;
        assert_eq!(early.timeless(), answer.timeless());
        connection.send(&late.bytes()[late.head().len()..]).await;
        let listed = testkit::within(PATIENCE / 10, async || {
            let listed = service.list("/api/v1/quarantine").await;
            (listed.len() > 1).then_some(())
        });
        listed.await
    })
    .await;
    // No caller is told to go on.
    let waits = by_proxy(callback(SECRET, "e4", "o4")).header("Expect", "100-continue");
    let mut waiting = Connection::open(PROXY, service.callbacks)
        .await
        .expect("connects");
    waiting.send(waits.head()).await;
    let early = waiting.answer().await.expect("an answer");
    assert_eq!(early.timeless(), answer.timeless());
    let unnamed = callback(SECRET, "e5", "o5").header("X-Forwarded-For", "unknown");
    assert_eq!(service.send_from(PROXY, &unnamed).await.status, 403);
    service
        .send_from(PROXY, &by_proxy(callback(SECRET, "e6", "o6")))
        .await;
    let listed = kept(&service, 3).await;
    let orders: Vec<&Value> = listed.iter().map(|row| &row["order"]).collect();
    assert_eq!(orders, ["o1", "o3", "o6"], "{listed:?}");

    let reverify = Request::post("/api/v1/quarantine/reverify", r#"{"dry_run":false}"#);
    let reverify = async || service.send_to_operators(&reverify).await.json();
    let done = reverify().await;
    assert_eq!(
        (&done["admitted"], &done["refused"]["unknown-source"]),
        (&json!(0), &json!(3))
    );
    let allowed = json!(["127.0.0.1", BEHIND_PROXY]);
    reload(&service, &settings.set("callbacks.allow", allowed)).await;
    assert_eq!(reverify().await["admitted"], 3);
    service.order_with("o6", 1).await;
    service.stop_well().await;
}

/// However many come at once, a fixed number is examined in a second, and allowed callers do not wait for them.
#[tokio::test]
async fn a_flood_of_unknown_sources_is_examined_within_bounds() {
    const FLOOD: usize = 400;
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    let began = Instant::now();
    let mut flood = JoinSet::new();
    for n in 0..FLOOD {
        let (callbacks, request) = (service.callbacks, callback(SECRET, &format!("f{n}"), "o1"));
        flood.spawn(async move {
            let answer = testkit::send_and_receive(UNALLOWED, callbacks, &request).await;
            answer.ok().map(|answer| answer.status)
        });
    }
    let mut answered = 0;
    while let Some(status) = flood.join_next().await {
        // Beyond the limit on their connections they are disconnected.
        if let Some(status) = status.expect("no panic") {
            assert_eq!(status, 403);
            answered += 1;
        }
        if answered % 50 == 1 {
            service
                .deliver(event(&format!("a{answered}"), "o2", "IN_REVIEW", now()))
                .await;
        }
    }
    let seconds = began.elapsed().as_secs() as usize + 1;
    // The control: what came first was examined, and is kept. The last that could be is one that comes now.
    assert!(answered > EXAMINED_OF_ONE, "{answered} were answered");
    let listed = kept(&service, EXAMINED_OF_ONE.min(answered)).await;
    assert!(
        listed.len() <= EXAMINED_OF_ONE * (seconds + 1),
        "{} in {seconds} s",
        listed.len()
    );
    let status = service.status().await;
    let unexamined = status["sources_unexamined"].as_u64().unwrap_or(0) as usize;
    assert!(
        unexamined > 0 && unexamined + listed.len() >= answered,
        "{unexamined} and {}",
        listed.len()
    );
    service.stop_well().await;
}

#[tokio::test]
async fn without_a_signature_check_an_unknown_source_has_passed_none() {
    let folder = folder();
    let settings = Settings::new(folder.path())
        .unset_project("secrets")
        .set_project("signature", "off")
        .set_project("api", "off");
    let service = Service::start(&settings).await;
    let body = event("e1", "o1", "COMPLETED", now());
    let answer = send_from(&service, UNALLOWED, &Request::post(PATH, body)).await;
    answer.assert_refusal(403, "an unknown source");
    service.deliver(event("e2", "o2", "COMPLETED", now())).await;
    service.order_with("o2", 1).await;
    let status = service.status().await;
    assert_eq!(
        status["quarantined"][PROJECT]["unknown-source"], 0,
        "{status}"
    );
    assert_eq!(status["sources_unexamined"], 0, "{status}");
    assert_eq!(
        service.list("/api/v1/quarantine").await,
        Vec::<Value>::new()
    );
    service.stop_well().await;
}
