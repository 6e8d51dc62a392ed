//! Tests that after an early answer the connection serves the next request, unless the answer has said that it closes.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::json;
use sinch_callbacks::clock;

use testkit::{
    ALLOWED, Answer, Connection, PATH, PATIENCE, PROJECT, Request, SECRET, Service, Settings,
    event, folder, until,
};

/// Maximum length of a body that the services under test accept, in bytes.
const BODY_MAX: usize = 1000;
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Way in which a request arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Head and body arrive in one packet.
    Together,
    /// The body arrives a little later than the head.
    Later,
    /// A body larger than the limit, and larger than what the system buffers, is sent in one go.
    Large,
    /// The body arrives in chunks, a little later than the head.
    Chunked,
    /// The body arrives in chunks, and is larger than the limit.
    LargeChunked,
    /// The peer sends its body after `100 Continue`, or never.
    Expect,
    /// The peer expects `100 Continue` and does not wait for it.
    ExpectAnyway,
}

const SHAPES: [Shape; 7] = [
    Shape::Together,
    Shape::Later,
    Shape::Large,
    Shape::Chunked,
    Shape::LargeChunked,
    Shape::Expect,
    Shape::ExpectAnyway,
];

/// Function that makes a request with the given body. The service refuses the request whatever the body is.
type MakeRequest = fn(Vec<u8>) -> Request;

fn good() -> Request {
    Request::signed(PATH, SECRET, event("e1", "o1", "IN_REVIEW", clock::now()))
}

fn settings(folder: &tempfile::TempDir) -> Settings {
    Settings::new(folder.path())
        .set("callbacks.allow", json!(["127.0.0.1", "203.0.113.1"]))
        .set("callbacks.trusted_proxies", json!(["127.0.0.2"]))
        .set("callbacks.body_max_bytes", BODY_MAX)
        // Bodies of megabytes take their time on a busy machine.
        .set("callbacks.body_timeout_secs", 600)
        .set("callbacks.idle_timeout_secs", 600)
}

fn chunks(body: &[u8]) -> Vec<u8> {
    [
        format!("{:x}\r\n", body.len()).as_bytes(),
        body,
        b"\r\n0\r\n\r\n",
    ]
    .concat()
}

/// Sends a request in one of the shapes, and reads its answer.
async fn exchange(connection: &mut Connection, shape: Shape, make: MakeRequest) -> Answer {
    let body = match shape {
        Shape::Large | Shape::LargeChunked => vec![b' '; 9_000_000],
        _ => vec![b' '; 600],
    };
    let mut request = make(body.clone());
    let mut bytes = body.clone();
    match shape {
        Shape::Together | Shape::Later | Shape::Large => {}
        Shape::Chunked | Shape::LargeChunked => {
            request = request.header("Transfer-Encoding", "chunked");
            bytes = chunks(&body);
        }
        Shape::Expect | Shape::ExpectAnyway => request = request.header("Expect", "100-continue"),
    }
    let head = request.head().into_bytes();
    match shape {
        Shape::Together | Shape::Large | Shape::ExpectAnyway => {
            connection.send([head, bytes.clone()].concat()).await;
        }
        Shape::Later | Shape::Chunked | Shape::LargeChunked => {
            connection.send(head).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            connection.send(&bytes).await;
        }
        Shape::Expect => {
            connection.send(head).await;
        }
    }
    let answer = connection.answer().await.expect("the answer can be read");
    if answer.status != 100 {
        return answer;
    }
    if shape == Shape::Expect {
        connection.send(&bytes).await;
    }
    connection.answer().await.expect("the answer can be read")
}

/// Asserts that the next request is served, or that the answer said that the connection closes, and it does.
async fn assert_settled(
    connection: &mut Connection,
    answer: &Answer,
    next: &Request,
    served: u16,
    what: &str,
) {
    if answer.header("connection") == Some("close") {
        assert!(
            connection.hangs_up_within(PATIENCE).await,
            "{what}: {answer:?}"
        );
        return;
    }
    connection.send(next.bytes()).await;
    match connection.answer().await {
        Ok(next) => assert_eq!(next.status, served, "{what}: {answer:?}, then {next:?}"),
        Err(error) => panic!("{what}: {answer:?}, then {error}"),
    }
}

async fn assert_all_settled(
    service: &Service,
    kinds: &[(u16, Ipv4Addr, MakeRequest)],
    served: u16,
) {
    for (status, from, make) in kinds {
        for shape in SHAPES {
            let what = format!("{status} {shape:?}");
            let connection = Connection::open(*from, service.callbacks).await;
            let mut connection = connection.expect("connects");
            let answer = exchange(&mut connection, shape, *make).await;
            assert!(
                [*status, 413].contains(&answer.status),
                "{what}: {answer:?}"
            );
            let next = good().header("X-Forwarded-For", "203.0.113.1");
            assert_settled(&mut connection, &answer, &next, served, &what).await;
        }
    }
}

#[tokio::test]
async fn every_refusal_settles_what_becomes_of_the_connection() {
    let folder = folder();
    let service = Service::start(&settings(&folder)).await;
    let kinds: [(u16, Ipv4Addr, MakeRequest); 6] = [
        (403, PROXY, |body| {
            Request::post(PATH, body).header("X-Forwarded-For", "203.0.113.9")
        }),
        (404, ALLOWED, |body| Request::post("/no", body)),
        (404, PROXY, |body| {
            Request::post("/no", body).header("X-Forwarded-For", "203.0.113.1")
        }),
        (405, ALLOWED, |body| {
            Request::new("PUT", PATH).carrying(body)
        }),
        (415, ALLOWED, |body| {
            Request::post(PATH, body).header("Content-Encoding", "gzip")
        }),
        (401, ALLOWED, |body| Request::post(PATH, body)),
    ];
    assert_all_settled(&service, &kinds, 200).await;
}

#[tokio::test]
async fn so_does_a_store_that_takes_nothing() {
    let folder = folder();
    let settings = settings(&folder).set("database.free_min_bytes", 1_i64 << 50);
    let service = Service::listening(&settings).await;
    let kinds: [(u16, Ipv4Addr, MakeRequest); 1] =
        [(503, ALLOWED, |body| Request::signed(PATH, SECRET, body))];
    assert_all_settled(&service, &kinds, 503).await;
}

#[tokio::test]
async fn so_do_bodies_that_break_or_never_come() {
    let folder = folder();
    let settings = settings(&folder).set("callbacks.body_timeout_secs", 0.5);
    let service = Service::start(&settings).await;
    let broken = Request::post(PATH, "no chunk\r\n").header("Transfer-Encoding", "chunked");
    let short = Request::post(PATH, "{").header("Content-Length", "20");
    for (status, request) in [(400, broken), (408, short)] {
        let mut line = Connection::open(ALLOWED, service.callbacks)
            .await
            .expect("connects");
        line.send(request.bytes()).await;
        let answer = line.answer().await.expect("an answer");
        answer.assert_refusal(status, "a body that is none");
        assert_settled(&mut line, &answer, &good(), 200, &status.to_string()).await;
    }
}

#[tokio::test]
async fn who_is_still_sending_after_the_last_answer_is_not_reset() {
    let folder = folder();
    let service = Service::start(&settings(&folder)).await;
    // On a busy machine the peer's time can run out between two pieces, so the test tries until it succeeds.
    until("a peer that can send all of its body", async || {
        let mut connection = Connection::open(ALLOWED, service.callbacks).await.ok()?;
        let request = Request::post(PATH, "").header("Content-Length", "300000");
        connection.send(request.head()).await;
        let answer = connection.answer().await.expect("an answer");
        answer.assert_refusal(413, "by its length");
        assert_eq!(answer.header("connection"), Some("close"));
        for _ in 0..30 {
            if !connection.send(vec![b' '; 10_000]).await {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Some(())
    })
    .await;
}

#[tokio::test]
async fn so_do_the_refusals_that_operators_get() {
    let folder = folder();
    let settings = settings(&folder).set("operators.token", "operators-token-u81xnb");
    let service = Service::start(&settings).await;
    let kinds: [(u16, MakeRequest); 4] = [
        (401, |body| {
            Request::post(&format!("/api/v1/orders/{PROJECT}"), body)
        }),
        (404, |body| Request::post("/nowhere", body)),
        (405, |body| Request::new("PUT", "/livez").carrying(body)),
        (404, |body| {
            Request::post(&format!("/api/v1/orders/{PROJECT}/o1/fetch"), body)
                .header("Authorization", "Bearer operators-token-u81xnb")
        }),
    ];
    for (status, make) in kinds {
        for shape in SHAPES {
            let what = format!("{status} {shape:?}");
            let mut connection = Connection::open(ALLOWED, service.operators)
                .await
                .expect("connects");
            let answer = exchange(&mut connection, shape, make).await;
            assert_eq!(answer.status, status, "{what}: {answer:?}");
            let next = Request::new("GET", "/livez");
            assert_settled(&mut connection, &answer, &next, 200, &what).await;
        }
    }
}
