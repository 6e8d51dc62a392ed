//! Strangers are told so from their address alone, and keep nobody out.

use std::time::{Duration, Instant};

use sinch_callbacks::clock;

use crate::instrument::{
    HOME, Line, PATH, Request, SECRET, STRANGER, Service, Settings, event, folder, until,
};

/// The latest that a stranger may be hung up on, on a busy machine.
const LATEST: Duration = Duration::from_secs(30);

fn good(event_id: &str) -> Request {
    let body = event(event_id, "o1", "IN_REVIEW", clock::now());
    Request::signed(PATH, SECRET, body)
}

#[tokio::test]
async fn strangers_take_no_place() {
    let folder = folder();
    let settings = Settings::new(folder.path())
        .set("callbacks.connections_max", 1)
        .set("callbacks.header_timeout_secs", 60);
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
            (service.send(&good(&event)).await.status == 200).then_some(())
        })
        .await;
    }
    assert!(service.refused("source").await >= 40);
    // Not even its time to send a head does a stranger have.
    let since = Instant::now();
    for mut line in strangers {
        assert!(line.hangs_up_within(LATEST).await);
    }
    assert!(since.elapsed() < LATEST * 2);
}

#[tokio::test]
async fn a_stranger_is_answered_before_its_headers_end() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("callbacks.header_timeout_secs", 60);
    let service = Service::start(&settings).await;
    let mut line = Line::open(STRANGER, service.callbacks)
        .await
        .expect("connects");
    line.send("P").await;
    let answer = line.answer().await.expect("an answer to a single byte");
    answer.assert_refusal(403, "a stranger");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(line.hangs_up_within(LATEST).await);

    // Whoever sends without an end is hung up on.
    let mut line = Line::open(STRANGER, service.callbacks)
        .await
        .expect("connects");
    let header = format!("X: {}\r\n", "x".repeat(1000));
    let since = Instant::now();
    line.send("POST /callbacks HTTP/1.1\r\n").await;
    while line.send(&header).await {
        assert!(since.elapsed() < LATEST, "it is listened to");
    }
    assert_eq!(service.refused("source").await, 2);
}

#[tokio::test]
async fn more_strangers_than_are_told_so_are_hung_up_on() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("callbacks.header_timeout_secs", 60);
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
    let since = Instant::now();
    for line in &mut silent {
        assert!(line.hangs_up_within(LATEST).await, "{:?}", since.elapsed());
    }
    assert_eq!(service.refused("source").await, 600);
    let mut last = Line::open(HOME, service.callbacks).await.expect("connects");
    last.send(good("last").bytes()).await;
    assert_eq!(last.answer().await.expect("an answer").status, 200);
}
