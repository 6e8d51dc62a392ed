//! Callers that are not allowed are refused on their address alone, and keep no other caller out.

use std::time::Instant;

use sinch_callbacks::clock;

use testkit::{
    HOME, Line, PATH, PATIENCE, Request, SECRET, STRANGER, Service, Settings, event, folder, until,
};

/// Time to send a head, in seconds, that no test outlasts. Callers that are not allowed have no such time.
const HEADER_TIMEOUT_SECS: u32 = 600;

fn good(event_id: &str) -> Request {
    let body = event(event_id, "o1", "IN_REVIEW", clock::now());
    Request::signed(PATH, SECRET, body)
}

#[tokio::test]
async fn strangers_take_no_connection_slot() {
    let folder = folder();
    let settings = Settings::new(folder.path())
        .set("callbacks.connections_max", 1)
        .set("callbacks.header_timeout_secs", HEADER_TIMEOUT_SECS);
    let service = Service::start(&settings).await;
    let mut strangers = Vec::new();
    for n in 0..40 {
        let mut line = Line::open(STRANGER, service.callbacks)
            .await
            .expect("connects");
        if n % 2 == 0 {
            line.send("POST /callbacks HTTP/1.1\r\nX: ").await;
        }
        strangers.push(line);
        let event = format!("e{n}");
        until("the only place", async || {
            let answer = service.try_send_from(HOME, &good(&event)).await;
            answer.filter(|answer| answer.status == 200)
        })
        .await;
    }
    assert!(service.refused("source").await >= 40);
    for mut line in strangers {
        assert!(line.hangs_up_within(PATIENCE).await);
    }
}

#[tokio::test]
async fn a_stranger_is_answered_before_its_headers_end() {
    let folder = folder();
    let settings =
        Settings::new(folder.path()).set("callbacks.header_timeout_secs", HEADER_TIMEOUT_SECS);
    let service = Service::start(&settings).await;
    let answer = service.tell_stranger("P").await;
    answer.assert_refusal(403, "a stranger");
    assert_eq!(answer.header("connection"), Some("close"));
    let before = service.refused("source").await;

    // The service closes the connection of an unallowed caller that sends without an end.
    let mut line = Line::open(STRANGER, service.callbacks)
        .await
        .expect("connects");
    let header = format!("X: {}\r\n", "x".repeat(1000));
    let since = Instant::now();
    line.send("POST /callbacks HTTP/1.1\r\n").await;
    while line.send(&header).await {
        assert!(
            since.elapsed() < PATIENCE,
            "the service goes on reading from the caller"
        );
    }
    assert_eq!(service.refused("source").await, before + 1);
}

#[tokio::test]
async fn strangers_beyond_the_limit_are_disconnected() {
    let folder = folder();
    let settings =
        Settings::new(folder.path()).set("callbacks.header_timeout_secs", HEADER_TIMEOUT_SECS);
    let service = Service::start(&settings).await;
    let mut silent = Vec::new();
    for n in 0..600 {
        silent.push(
            Line::open(STRANGER, service.callbacks)
                .await
                .expect("connects"),
        );
        if n % 100 == 0 {
            assert_eq!(service.send(&good(&format!("e{n}"))).await.status, 200);
        }
    }
    for line in &mut silent {
        assert!(line.hangs_up_within(PATIENCE).await);
    }
    assert_eq!(service.refused("source").await, 600);
    let mut last = Line::open(HOME, service.callbacks).await.expect("connects");
    last.send(good("last").bytes()).await;
    assert_eq!(last.answer().await.expect("an answer").status, 200);
}
