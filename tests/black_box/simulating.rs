//! The simulator as a command: a steady load of orders, and an outage of the API.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use testkit::{ALLOWED, Connection, Process, Request, run, until};

/// Returns the status with which the simulated API answers a request for a token without a key.
async fn status(api: SocketAddr) -> u16 {
    let request = Request::post("/oauth2/token", "");
    let mut connection = Connection::open(ALLOWED, api).await.expect("connects");
    let answer = connection.exchange(request.bytes()).await;
    answer.expect("an answer").status
}

#[tokio::test]
async fn an_outage_begins_and_ends_as_it_was_asked_for() {
    let simulate = [
        "simulate",
        "--listen",
        "127.0.0.1:0",
        "--callback-url",
        "http://127.0.0.1:9/callbacks",
        "--orders",
        "4",
        "--orders-per-minute",
        "600",
        "--outage-after",
        "1s",
        "--outage-lasts",
        "3s",
    ];
    let began = Instant::now();
    let simulator = Process::start(simulate);
    let api = until("the address", async || {
        let said = simulator.said();
        let (_, after) = said.split_once("sinch.api_url    http://")?;
        after.lines().next()?.parse().ok()
    })
    .await;
    until("the outage", async || {
        (status(api).await == 503).then_some(())
    })
    .await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    until("its end", async || (status(api).await == 401).then_some(())).await;
    assert!(began.elapsed() >= Duration::from_secs(4));
    let said = simulator.said();
    for words in [
        "4 orders over 60 s each, one created every 0.1 s",
        "The outage begins",
        "The outage is over",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    simulator.stop_well().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    for (option, value, words) in [
        ("--outage-after", "1min", "--outage-lasts"),
        ("--outage-lasts", "1min", "--outage-after"),
        ("--outage-after", "soon", "write a span"),
        ("--orders-per-minute", "0", "0"),
    ] {
        let ended = run(["simulate", option, value]).await;
        assert_eq!(ended.code, Some(2), "{option} {value}: {ended:?}");
        assert!(ended.err.contains(words), "{option} {value}: {ended:?}");
    }
}
