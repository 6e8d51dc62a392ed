//! Networks and servers that break off, never end, or are not there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::yield_now;

use super::server::{Reply, Server, Then};
use super::*;

/// Maximum number of bytes that the system may hold on the way from the server to the client, beside those that the
/// client has taken.
const ON_THE_WAY: usize = 16 * 1024 * 1024;

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\n";
    // Ten gigabytes of zeros, an order that goes on forever (with a length and without), and chunks without end.
    let zeros: &[u8] = &[0; 64];
    let numbers = b"{\"phoneNumber\":\"+1\"},".as_slice();
    let order =
        "{\"idNumberOrder\":\"o1\",\"projectId\":\"p1\",\"state\":\"BLOCKED\",\"orderNumbers\":[";
    for (framing, start, forever) in [
        ("Content-Length: 10000000000\r\n\r\n", "", zeros),
        ("Content-Length: 10000000000\r\n\r\n", order, numbers),
        ("Connection: close\r\n\r\n", order, numbers),
        (
            "Transfer-Encoding: chunked\r\n\r\n",
            "",
            b"10\r\n0123456789abcdef\r\n",
        ),
    ] {
        let endless =
            move |_: &str, _| Reply::raw(&format!("{HEAD}{framing}{start}"), Then::Repeat(forever));
        let server = Server::start(endless).await;
        let too_large = unreadable(200, BodyFault::TooLarge);
        let of_order = error(&server.basic()).await;
        assert_eq!(of_order, of_api(too_large.clone()), "{framing}");
        assert_eq!(error(&server.client()).await, of_token(too_large));
        let taken = server.repeated();
        assert!(taken < 2 * ON_THE_WAY, "{framing}: {taken} bytes");
    }
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    let endless = |_: &str, _| {
        Reply::raw(
            "HTTP/1.1 200 OK\r\n",
            Then::Repeat(b"X-Filler: 0123456789abcdef\r\n"),
        )
    };
    let server = Server::start(endless).await;
    let error = error(&server.basic()).await;
    assert!(matches!(error.failure, Failure::BrokenOff { .. }));
    let taken = server.repeated();
    assert!(taken < ON_THE_WAY, "{taken} bytes");
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_from_an_answer() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{";
    for bytes in ["", "HTTP/1.1 2", short, "SSH-2.0-x\r\n"] {
        let server = Server::start(move |_, _| Reply::raw(bytes, Then::Close)).await;
        let failure = error(&server.basic()).await.failure;
        assert!(
            matches!(failure, Failure::BrokenOff { .. }),
            "{bytes:?}: {failure:?}"
        );
        // A reset may be noticed while the request is still being sent.
        let server = Server::start(move |_, _| Reply::raw(bytes, Then::Reset)).await;
        let failure = error(&server.basic()).await.failure;
        assert!(
            matches!(
                failure,
                Failure::BrokenOff { .. } | Failure::Unreachable { .. }
            ),
            "{bytes:?}: {failure:?}"
        );
    }
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_named() {
    // Nothing listens on this port any more, and no other test takes ports of this address.
    let listener = TcpListener::bind("127.0.0.77:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let seen = Arc::default();
    let error = error(&Server { url, seen }.client()).await;
    assert_eq!(error.endpoint, Endpoint::Token);
    assert!(matches!(error.failure, Failure::Unreachable { .. }));
    let said = error.to_string();
    assert!(said.starts_with("the token endpoint cannot be reached: Connection refused"));
}

#[tokio::test]
async fn a_server_without_tls_gets_no_request() {
    let server = Server::start(|_, _| order("o1")).await;
    let mut access = server.access(Auth::Basic);
    access.api_url = url(&server.url.replace("http:", "https:"));
    // The server takes the first bytes of a connection for a request without an end.
    access.connect_timeout = Duration::from_millis(300);
    let failure = error(&client(access)).await.failure;
    assert!(
        matches!(failure, Failure::Unreachable { .. } | Failure::TimedOut),
        "{failure:?}"
    );
    // The server may notice later that the client is gone.
    let deadline = Instant::now() + PATIENCE;
    while server.connections() == 0 && Instant::now() < deadline {
        yield_now().await;
    }
    assert_eq!((server.connections(), server.counts()), (1, (0, 0)));
}

#[tokio::test]
async fn nothing_waits_for_ever() {
    let (head, body) = ("HTTP/1.1 200 OK\r\n", "Content-Length: 9000\r\n\r\n{");
    let whole = format!("{head}{body}");
    for (bytes, drip) in [
        ("", None),
        (whole.as_str(), None),
        // An answer that is never silent for long, and never complete.
        (head, Some(b"X-Filler: 0\r\n".as_slice())),
        (whole.as_str(), Some(b" ".as_slice())),
    ] {
        let bytes = bytes.to_owned();
        let server =
            Server::start(move |_, _| Reply::raw(&bytes, drip.map_or(Then::Hang, Then::Drip)))
                .await;
        for auth in [Auth::Basic, server.oauth2()] {
            let mut access = server.access(auth);
            access.request_timeout = Duration::from_millis(50);
            let began = Instant::now();
            let error = error(&client(access)).await;
            assert!(began.elapsed() < PATIENCE);
            assert_eq!(error.failure, Failure::TimedOut);
            assert!(error.to_string().ends_with("did not answer in time"));
        }
    }
}
