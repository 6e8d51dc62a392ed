//! Input that is no HTTP request: it is counted, and named in the log with its cure.

use sinch_callbacks::clock;

use testkit::{
    ALLOWED, Connection, PATH, PROJECT, Request, SECRET, Service, Settings, event, folder, until,
};

/// Input that is no HTTP request, by name and bytes, with the status of the answer (`None`: no answer) and the words
/// that the log must contain.
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn not_http_inputs() -> Vec<(&'static str, Vec<u8>, Option<u16>, &'static str)> {
    let with = |headers: String| format!("POST /callbacks HTTP/1.1\r\n{headers}\r\n").into_bytes();
    let many = (0..101).map(|n| format!("X-{n}: x\r\n")).collect();
    let head = Request::post(PATH, "{}").head();
    let named = format!("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n{head}{{}}");
    vec![
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            Some(400),
            "TLS on the plain-HTTP port",
        ),
        (
            "PROXY, version 1",
            named.into_bytes(),
            Some(400),
            "PROXY protocol: switch it off",
        ),
        (
            "PROXY, version 2",
            b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec(),
            Some(400),
            "PROXY protocol: switch it off",
        ),
        (
            "HTTP/2",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            Some(400),
            "HTTP/1.1 to this service",
        ),
        ("101 headers", with(many), Some(431), "16 KiB"),
        (
            "a large header",
            with(format!("X: {}\r\n", "x".repeat(17_000))),
            Some(431),
            "16 KiB",
        ),
        (
            "a long target",
            format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)).into_bytes(),
            Some(431),
            "16 KiB",
        ),
        (
            "a header that is none",
            with("X: \u{1}\r\n".to_owned()),
            Some(400),
            "not HTTP/1.1",
        ),
        (
            "no HTTP",
            b"HELO here\r\n\r\n".to_vec(),
            Some(400),
            "not HTTP/1.1",
        ),
        (
            "half a request line",
            b"POST /callb".to_vec(),
            None,
            "half a request's head",
        ),
        (
            "half a head",
            b"POST /callbacks HTTP/1.1\r\nHost: h".to_vec(),
            None,
            "half a request's head",
        ),
    ]
}

#[tokio::test]
async fn what_is_no_request_is_counted_and_named_with_its_cure() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    for (what, bytes, status, advice) in not_http_inputs() {
        let before = service.refused("http").await;
        until(&format!("the log's line about {what}"), async || {
            let mut connection = Connection::open(ALLOWED, service.callbacks).await.ok()?;
            connection.send(&bytes).await;
            match status {
                Some(status) => {
                    let answer = connection.answer().await.expect("an answer");
                    assert_eq!(answer.status, status, "{what}");
                    assert_eq!(answer.header("connection"), Some("close"), "{what}");
                }
                None => drop(connection),
            }
            // The log may leave the line out in a flood, so the input is sent until the line comes.
            let lines = service.lines();
            let mut lines = lines.iter().rev();
            lines
                .any(|line| line.contains(advice) && line.contains("127.0.0.1"))
                .then_some(())
        })
        .await;
        let counted = format!("{what} to be counted");
        until(&counted, async || {
            (service.refused("http").await > before).then_some(())
        })
        .await;
    }
    assert_eq!(service.refused("body").await, 0);
}

#[tokio::test]
async fn silent_connections_are_not_counted() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    for _ in 0..20 {
        drop(
            Connection::open(ALLOWED, service.callbacks)
                .await
                .expect("connects"),
        );
    }
    let body = event("e1", "o1", "IN_REVIEW", clock::now());
    let mut connection = Connection::open(ALLOWED, service.callbacks)
        .await
        .expect("connects");
    connection
        .send(Request::signed(PATH, SECRET, body).bytes())
        .await;
    assert_eq!(connection.answer().await.expect("an answer").status, 200);
    drop(connection);
    assert_eq!(service.refused("http").await, 0);
}

#[tokio::test]
async fn heads_have_a_limit_and_bodies_another() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let full = Request::signed(PATH, SECRET, vec![b' '; 65_536]).header("X", &"x".repeat(15_000));
    assert_eq!(service.send(&full).await.status, 200);
    let more = Request::signed(PATH, SECRET, vec![b' '; 65_536]).header("X", &"x".repeat(17_000));
    assert_eq!(service.send(&more).await.status, 431);
    let list: String = (0..20_000)
        .map(|n| format!("a-long-order-id-{n}\n"))
        .collect();
    let list = Request::post(&format!("/api/v1/orders/{PROJECT}"), list);
    assert_eq!(service.send_to_operators(&list).await.status, 200);
    let request = Request::new("GET", "/livez").header("X", &"x".repeat(17_000));
    assert_eq!(service.send_to_operators(&request).await.status, 431);
}
