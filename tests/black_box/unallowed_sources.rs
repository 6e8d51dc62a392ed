//! Sources that are not allowed are refused on their address alone, and keep no other caller out.

use std::time::Instant;

use sinch_callbacks::clock;

use testkit::{
    ALLOWED, Connection, PATH, PATIENCE, Request, SECRET, Service, Settings, UNALLOWED, event,
    folder, until,
};

/// Time to send a head, in seconds, that no test outlasts: sources that are not allowed have none of it.
const HEADER_TIMEOUT_SECS: u32 = 600;

fn good(event_id: &str) -> Request {
    let body = event(event_id, "o1", "IN_REVIEW", clock::now());
    Request::signed(PATH, SECRET, body)
}

#[tokio::test]
async fn unallowed_sources_take_no_connection_slot() {
    let folder = folder();
    let settings = Settings::new(folder.path())
        .set("callbacks.connections_max", 1)
        .set("callbacks.header_timeout_secs", HEADER_TIMEOUT_SECS);
    let service = Service::start(&settings).await;
    let mut unallowed = Vec::new();
    for n in 0..40 {
        let mut connection = Connection::open(UNALLOWED, service.callbacks)
            .await
            .expect("connects");
        if n % 2 == 0 {
            connection.send("POST /callbacks HTTP/1.1\r\nX: ").await;
        }
        unallowed.push(connection);
        let event = format!("e{n}");
        until("the only place", async || {
            let answer = service.try_send_from(ALLOWED, &good(&event)).await;
            answer.filter(|answer| answer.status == 200)
        })
        .await;
    }
    assert!(service.refused("source").await >= 40);
    for mut connection in unallowed {
        assert!(connection.hangs_up_within(PATIENCE).await);
    }
}

#[tokio::test]
async fn an_unallowed_source_is_answered_before_its_headers_end() {
    let folder = folder();
    let settings =
        Settings::new(folder.path()).set("callbacks.header_timeout_secs", HEADER_TIMEOUT_SECS);
    let service = Service::start(&settings).await;
    let answer = service.send_unallowed("P").await;
    answer.assert_refusal(403, "an unallowed source");
    assert_eq!(answer.header("connection"), Some("close"));
    let before = service.refused("source").await;

    // A source that sends without an end is hung up on.
    let mut connection = Connection::open(UNALLOWED, service.callbacks)
        .await
        .expect("connects");
    let header = format!("X: {}\r\n", "x".repeat(1000));
    let since = Instant::now();
    connection.send("POST /callbacks HTTP/1.1\r\n").await;
    while connection.send(&header).await {
        assert!(
            since.elapsed() < PATIENCE,
            "the service goes on reading from the caller"
        );
    }
    assert_eq!(service.refused("source").await, before + 1);
}

#[tokio::test]
async fn unallowed_sources_beyond_the_limit_are_disconnected() {
    let folder = folder();
    let settings =
        Settings::new(folder.path()).set("callbacks.header_timeout_secs", HEADER_TIMEOUT_SECS);
    let service = Service::start(&settings).await;
    let mut silent = Vec::new();
    for n in 0..600 {
        silent.push(
            Connection::open(UNALLOWED, service.callbacks)
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
    let mut last = Connection::open(ALLOWED, service.callbacks)
        .await
        .expect("connects");
    last.send(good("last").bytes()).await;
    assert_eq!(last.answer().await.expect("an answer").status, 200);
}
