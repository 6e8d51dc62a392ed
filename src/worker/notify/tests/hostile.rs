//! Receivers that misbehave on the network: each attempt ends in time, takes little, and has the code that fits.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use notifications::{Attempt, Awaited, DeliveryFailure};
use testkit::Target;
use testkit::target::{Reply, Then};
use tokio::net::TcpListener;

use super::{TIMEOUT, post};

const LOOPBACK: &[&str] = &["127.0.0.1/32"];

/// Slack of the machine, beyond the time-out.
const SLACK: Duration = Duration::from_secs(20);

/// Returns how an attempt ends, and the number of bytes that were taken of a reply without an end. It must end in time.
async fn told(reply: Reply) -> (Attempt, usize) {
    let target = Target::start(move |_, _| reply.clone()).await;
    let began = Instant::now();
    let attempt = post(&target.url(), LOOPBACK, TIMEOUT).await;
    assert!(began.elapsed() < TIMEOUT + SLACK, "{:?}", began.elapsed());
    (attempt, target.repeated())
}

async fn code_of(reply: Reply) -> &'static str {
    told(reply).await.0.code()
}

#[tokio::test]
async fn the_status_decides() {
    for (status, code) in [
        (200, "delivered"),
        (299, "delivered"),
        (301, "redirected"),
        (308, "redirected"),
        (400, "refused"),
        (401, "refused"),
        (404, "refused"),
        (410, "gone"),
        (429, "refused"),
        (500, "refused"),
        (503, "refused"),
        (999, "refused"),
    ] {
        assert_eq!(code_of(Reply::status(status)).await, code, "{status}");
    }
    // An answer that is none, and the one that follows it.
    let twice = "HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(code_of(Reply::raw(twice, Then::Listen)).await, "delivered");
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_heard() {
    let target = Target::start(|_, _| Reply::with(503, "Retry-After: 120\r\n", "busy")).await;
    let Attempt::Failed { retry_after, .. } = post(&target.url(), LOOPBACK, TIMEOUT).await else {
        panic!("a failure");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(120)));
}

#[tokio::test]
async fn what_never_answers_is_left_in_time() {
    let answer = DeliveryFailure::TimedOut {
        awaited: Awaited::Answer,
    };
    for reply in [
        Reply::raw("", Then::Hang),
        Reply::raw("HTTP/1.1 200 OK\r\nX-A: ", Then::Hang),
        Reply::raw("HTTP/1.1 200 OK\r\nX-A: ", Then::Drip(b"a")),
        Reply::raw("", Then::Drip(b"HTTP/1.1 100 X\r\n\r\n")),
    ] {
        let (attempt, _) = told(reply.clone()).await;
        assert_eq!(attempt, answer.clone().into(), "{reply:?}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_named() {
    for (reply, code) in [
        (Reply::raw("", Then::Close), "broken-off"),
        (Reply::raw("", Then::Reset), "broken-off"),
        (
            Reply::raw("HTTP/1.1 200 OK\r\nX", Then::Close),
            "broken-off",
        ),
        (
            Reply::raw("HTTP/1.1 200 OK\r\nX", Then::Reset),
            "broken-off",
        ),
        (
            Reply::raw("SSH-2.0-OpenSSH_9.2\r\n\r\n", Then::Hang),
            "not-http",
        ),
        (
            Reply::raw("\x15\x03\x01\x00\x02\x02\x46\r\n\r\n", Then::Hang),
            "not-http",
        ),
        (
            Reply::raw("HTTP/1.1 abc OK\r\n\r\n", Then::Hang),
            "not-http",
        ),
        (
            Reply::raw("HTTP/9.9 200 OK\r\n\r\n", Then::Hang),
            "not-http",
        ),
        (
            Reply::raw("HTTP/1.1 200 OK\r\nno header\r\n\r\n", Then::Hang),
            "not-http",
        ),
        (
            Reply::raw(
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                Then::Hang,
            ),
            "not-http",
        ),
        (
            Reply::raw("<html>", Then::Repeat(b"<p>garbage</p>")),
            "not-http",
        ),
        (
            Reply::raw("HTTP/1.1 200 OK\r\n", Then::Repeat(b"X-Endless: a\r\n")),
            "too-long-answer",
        ),
        (
            Reply::raw("HTTP/1.1 200 OK\r\nX: ", Then::Repeat(b"aaaaaaaaaaaaaa")),
            "too-long-answer",
        ),
    ] {
        let shown = format!("{reply:?}");
        let (attempt, taken) = told(reply).await;
        assert_eq!(attempt.code(), code, "{attempt:?} {shown:.80}");
        // What the system buffers on the way is taken too.
        assert!(taken < 16_000_000, "{taken} {shown:.80}");
    }
}

/// A body decides nothing: a short one is read, and of another little is taken.
#[tokio::test]
async fn a_body_is_not_waited_for() {
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}\r\n");
    let huge = head("Content-Length: 10000000000\r\n");
    let chunked = head("Transfer-Encoding: chunked\r\n");
    let bomb = head("Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n");
    for reply in [
        Reply::raw(huge.clone(), Then::Repeat(b"abcdefghij")),
        Reply::raw(huge, Then::Hang),
        Reply::raw(chunked.clone(), Then::Repeat(b"5\r\nabcde\r\n")),
        Reply::raw(chunked.clone(), Then::Drip(b"1\r\na\r\n")),
        Reply::raw(chunked, Then::Repeat(b"zzzz\r\n")),
        Reply::raw(bomb, Then::Repeat(b"5\r\n\x1f\x8b\x08\0\0\r\n")),
        Reply::raw(head("Content-Length: 100\r\n"), Then::Close),
        Reply::raw(head(""), Then::Drip(b"a")),
    ] {
        let shown = format!("{reply:?}");
        let (attempt, taken) = told(reply).await;
        assert_eq!(attempt, Attempt::Delivered, "{shown:.80}");
        assert!(taken < 16_000_000, "{taken} {shown:.80}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_unreachable() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let url = format!(
        "http://{}/marker",
        listener.local_addr().expect("an address")
    );
    drop(listener);
    let attempt = post(&url, LOOPBACK, TIMEOUT).await;
    assert_eq!(attempt.code(), "unreachable");
    let told = format!("{attempt:?}");
    assert!(
        told.contains("refused") && !told.contains("marker"),
        "{told}"
    );
}

#[tokio::test]
async fn tls_that_fails_is_named() {
    let target = Target::willing().await;
    let url = target.url().replace("http://", "https://");
    let attempt = post(&url, LOOPBACK, TIMEOUT).await;
    // The target reads the greeting as a head that has no end.
    assert_eq!(
        attempt,
        DeliveryFailure::TimedOut {
            awaited: Awaited::Connection
        }
        .into()
    );
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let url = format!(
        "https://{}/marker",
        listener.local_addr().expect("an address")
    );
    let plain = async {
        let (mut peer, _) = listener.accept().await.expect("a peer");
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut peer, answer)
            .await
            .expect("is sent");
        std::future::pending::<()>().await;
    };
    let attempt = tokio::select! {
        attempt = post(&url, LOOPBACK, TIMEOUT) => attempt,
        () = plain => unreachable!(),
    };
    assert_eq!(attempt.code(), "tls", "{attempt:?}");
    assert!(!format!("{attempt:?}").contains("marker"));
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_short_answer_only() {
    for (body, connections) in [("", 1), ("thanks", 1), (&*"x".repeat(400_000), 3)] {
        let body = body.to_owned();
        let target = Target::start(move |_, _| Reply::with(200, "", &body)).await;
        let keys = Vec::new();
        let allow = super::nets(LOOPBACK);
        let endpoint = super::Endpoint::new(&target.url(), keys, allow, 2, TIMEOUT * 60);
        let endpoint = endpoint.expect("a client");
        for _ in 0..3 {
            assert_eq!(
                endpoint.post(super::EVENT, super::content()).await,
                Attempt::Delivered
            );
        }
        assert_eq!(target.connections(), connections);
        assert!(
            target
                .told()
                .iter()
                .all(|told| told.header("webhook-signature").is_empty())
        );
    }
}
