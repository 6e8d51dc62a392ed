//! Targets whose answers have no end: what they cost the service's memory is bounded.

use serde_json::{Value, json};
use testkit::target::{Reply, Then};
use testkit::{Target, until};

use super::{Played, orders_of};

/// Maximum growth of the service's memory at any time. Each slot may hold a head of some hundred KiB.
const GROWTH_MAX_MIB: f64 = 64.0;

/// An answer that goes on for ever, as fast as it is taken: a name, its beginning, and what is repeated.
type Endless = (&'static str, &'static str, &'static [u8]);

const ENDLESS: [Endless; 7] = [
    ("informational", "", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ("headers", "HTTP/1.1 200 OK\r\n", b"X-Endless: a\r\n"),
    ("value", "HTTP/1.1 200 OK\r\nX: ", b"aaaaaaaaaaaaaa"),
    (
        "length",
        "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n",
        b"abcdefghij",
    ),
    (
        "chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"5\r\nabcde\r\n",
    ),
    (
        "trailers",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X: a\r\n",
    ),
    (
        "bomb",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10000000000\r\n\r\n\x1f",
        &[0; 64],
    ),
];

#[tokio::test]
async fn answers_without_an_end_cost_little_memory() {
    let mut targets = Vec::new();
    for (name, begin, more) in ENDLESS {
        let reply = Reply::raw(begin, Then::Repeat(more));
        targets.push((name, Target::start(move |_, _| reply.clone()).await));
    }
    let played = Played::with(&["o1"], |settings| {
        targets.iter().fold(settings, |settings, (name, target)| {
            orders_of(settings, name, &target.url())
                .set_target("timeout_secs", 1)
                .set_target("retry_waits_secs", json!([]))
        })
    })
    .await;
    let (_, before) = played.service.memory_mib();
    played.enter("o1", "COMPLETED", 2).await;
    until("each attempt to end", async || {
        let told = played.service.list("/api/v1/notifications").await;
        let is_over = |row: &Value| row["phase"] != "waiting";
        (told.len() >= ENDLESS.len() && told.iter().all(is_over)).then_some(())
    })
    .await;
    // No attempt outlived its lease, after which it would have been made again.
    for row in played.service.list("/api/v1/notifications").await {
        assert_eq!(row["attempts"], 1, "{row}");
    }
    let (_, after) = played.service.memory_mib();
    let taken: usize = targets.iter().map(|(_, target)| target.repeated()).sum();
    println!("{before} MiB before, {after} MiB at most; {taken} bytes taken");
    assert!(taken > 4 << 20, "the control: {taken} bytes taken");
    assert!(
        after - before < GROWTH_MAX_MIB,
        "{before} MiB before, {after} MiB at most"
    );
}
