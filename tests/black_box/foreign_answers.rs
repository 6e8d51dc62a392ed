//! What commands make of answers that are not the service's, and of arguments of any length: nothing that a terminal obeys
//! is written, and nothing without an end.

use std::net::SocketAddr;

use testkit::{Ended, Process, folder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longest line that a failure has.
const LINE_MAX_BYTES: usize = 1000;

/// Serves every request with the same answer, on a port of its own.
async fn serve(status: &'static str, kind: &'static str, body: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(give(connection, answer.clone()));
        }
    });
    address
}

/// Answers the request, and reads on until the caller leaves: else the rest of the request could cost it the answer.
async fn give(mut connection: TcpStream, answer: String) {
    let mut request = vec![0; 1 << 12];
    let mut is_answered = false;
    while connection
        .read(&mut request)
        .await
        .is_ok_and(|read| read > 0)
    {
        if !is_answered {
            let _ = connection.write_all(answer.as_bytes()).await;
            let _ = connection.shutdown().await;
        }
        is_answered = true;
    }
}

async fn with(address: SocketAddr, arguments: &[&str]) -> Ended {
    let environment = [("SINCH_CALLBACKS_OPERATORS__LISTEN", address.to_string())];
    Process::start_in(&environment, arguments).ended().await
}

fn assert_harmless(ended: &Ended) {
    let written = format!("{}{}", ended.out, ended.err);
    let is_obeyed = |char: char| char.is_control() && char != '\n';
    assert!(!written.contains(is_obeyed), "{ended:?}");
    let is_short = |line: &str| line.len() <= LINE_MAX_BYTES;
    assert!(written.lines().all(is_short), "{ended:?}");
}

#[tokio::test]
async fn no_answer_of_others_reaches_the_terminal_as_it_is() {
    let folder = folder();
    let copy = folder.path().join("copy.db").display().to_string();
    let odd = "\u{1b}]0;title\u{7}\u{9b}2J";
    let html = format!("<html>{odd}{}</html>", "x".repeat(100_000));
    let detail = "{\"detail\":\"\\u001b[31mred\"}".to_owned();
    for (status, kind, body) in [
        ("500 Oops", "text/html", html.clone()),
        ("500 Oops", "application/problem+json", detail),
        ("404 Nothing", "text/plain", odd.to_owned()),
        ("502 Bad Gateway", "text/html", String::new()),
    ] {
        let address = serve(status, kind, body).await;
        for arguments in [
            &["watch", "o1"][..],
            &["healthcheck"],
            &["backup", "--from-service", &copy],
            &["status"],
            &["orders"],
            &["fetch", "o1"],
            &["unwatch", "o1"],
        ] {
            let ended = with(address, arguments).await;
            assert_eq!(ended.code, Some(1), "{status} {arguments:?}: {ended:?}");
            assert!(!ended.err.is_empty(), "{status} {arguments:?}");
            assert_harmless(&ended);
        }
    }
}

#[tokio::test]
async fn only_an_answer_of_the_service_is_a_success() {
    let odd = "<html>\u{1b}[31m</html>";
    for body in [odd, "", "[]", "{}", "null"] {
        let address = serve("200 OK", "text/html", body.to_owned()).await;
        let ended = with(address, &["watch", "o1"]).await;
        assert_eq!(ended.code, Some(1), "{body}: {ended:?}");
        assert_eq!(ended.out, "", "{body}");
        let words = "the service's answer cannot be read; is it this program?";
        assert!(ended.err.contains(words), "{body}: {ended:?}");
        assert_harmless(&ended);
    }
}

#[tokio::test]
async fn no_argument_is_repeated_whole_where_it_is_long() {
    let address = serve("500 Oops", "text/plain", String::new()).await;
    let long = "x y\u{1b}".repeat(25_000);
    let long = long.as_str();
    let option = format!("--{long}");
    for arguments in [
        &["order", "show", long][..],
        &["tail", long],
        &["watch", long],
        &["watch", "o1", "--project", long],
        &["unwatch", long],
        &["fetch", long],
        &["forget", long, "--yes"],
        &["dismiss", "orders", long],
        &["resume", long],
        &["orders", "--state", long],
        &["orders", "--changed-since", long],
        &["orders", "--limit", long],
        &["orders", &option],
        &["tail", "--since", long],
        &[long],
    ] {
        let ended = with(address, arguments).await;
        let command = &arguments[..1];
        assert_eq!(ended.code, Some(2), "{:.20}", command[0]);
        let is_short = ended.err.len() <= 2 * LINE_MAX_BYTES;
        assert!(is_short, "{:.20}: {:.300}", command[0], ended.err);
        assert!(!ended.err.contains('\u{1b}'), "{:.20}", command[0]);
        assert!(ended.err.contains("x y"), "{:.20}", command[0]);
    }
}
