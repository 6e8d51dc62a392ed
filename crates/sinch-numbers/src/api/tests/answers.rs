//! Answers: said as they are, with their status, and never with a secret.

use super::server::{Reply, Server};
use super::*;
use crate::Property;

#[tokio::test]
async fn an_id_stays_in_its_segment() {
    let server = Server::start(|_, _| order("o1")).await;
    let mut access = server.access(Auth::Basic);
    access.api_url = url(&format!("{}/base/", server.url));
    let client = client(access);
    for odd in ["+46", "a:submit", "...", "a;b=c&d", "~[@]!$'()*,"] {
        let _ = client.get_order(&id(odd)).await;
        let requests = server.requests("GET");
        let line = requests.last().and_then(|r| r.lines().next());
        let expected = format!("GET /base/v1/projects/p1/numberOrders/{odd} HTTP/1.1");
        assert_eq!(line, Some(expected.as_str()));
    }
}

#[tokio::test]
async fn an_answer_is_said_as_it_is() {
    let date = "Date: Tue, 03 Feb 2026 04:05:06 GMT\r\n";
    let server = Server::start(move |_, nth| match nth {
        0 => Reply::new(200, date, &body("o1")),
        // An answer about another order is no fault to the client, which judges none.
        1 => order("o2"),
        _ => Reply::new(200, "", "{}"),
    })
    .await;
    let client = server.basic();
    let mut dated = shown("o1").expect("an answer");
    dated.sent_at = Some("2026-02-03T04:05:06Z".parse().expect("a time"));
    assert_eq!(client.get_order(&id("o1")).await, Ok(dated));
    assert_eq!(client.get_order(&id("o1")).await, shown("o2"));
    let empty = client.get_order(&id("o1")).await.expect("an answer");
    assert_eq!(empty.content.state, Property::Absent);
}

#[tokio::test]
async fn a_404_counts_only_if_it_is_the_apis() {
    let server = Server::start(|_, nth| match nth {
        0 => Reply::new(404, "", r#"{"error":{"code":404,"status":"NOT_FOUND"}}"#),
        1 => Reply::new(404, "", "<h1>404</h1>"),
        _ => Reply::new(404, "", r#"{"error":"Not Found"}"#),
    })
    .await;
    let client = server.basic();
    for failure in [
        Failure::NotFound,
        unreadable(404, BodyFault::Html),
        unreadable(404, BodyFault::NotAnError),
    ] {
        assert_eq!(error(&client).await, of_api(failure));
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_apis_is_described() {
    let server = Server::start(|_, nth| match nth {
        0 => Reply::new(200, "", "<html>Please log in</html>"),
        1 => Reply::new(200, "Content-Type: text/plain\r\n", "log in"),
        _ => Reply::new(200, "", ""),
    })
    .await;
    let client = server.basic();
    for fault in [BodyFault::Html, BodyFault::NotJson, BodyFault::NotAnObject] {
        assert_eq!(error(&client).await, of_api(unreadable(200, fault)));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Server::start(|_, _| order("o1")).await;
    let location = format!("Location: {}/\r\n", target.url);
    let server = Server::start(move |_, _| Reply::new(307, &location, "")).await;
    assert_eq!(error(&server.basic()).await, of_api(status(307, None)));
    assert_eq!(error(&server.client()).await, of_token(status(307, None)));
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_status_is_said_with_its_wait() {
    let date =
        "Date: Tue, 03 Feb 2026 04:05:06 GMT\r\nRetry-After: Tue, 03 Feb 2026 04:05:36 GMT\r\n";
    for (code, headers, wait) in [
        (429, "Retry-After: 17\r\n", Some(17)),
        (429, date, Some(30)),
        (429, "Retry-After: later\r\n", None),
        (503, "Retry-After: 86400\r\n", Some(86_400)),
        (502, "", None),
        (504, "", None),
        (403, "Retry-After: 17\r\n", Some(17)),
        (500, "", None),
        (400, "", None),
        (409, "", None),
        (204, "", None),
        (203, "", None),
    ] {
        let server = Server::with_tokens(move |_, _| Reply::new(code, headers, "")).await;
        let error = error(&server.client()).await;
        assert_eq!(server.counts(), (1, 1), "{code}");
        assert_eq!(error, of_api(status(code, wait)));
    }
}

#[tokio::test]
async fn errors_keep_secrets() {
    for code in [200, 302, 400, 401, 403, 404, 409, 429, 500, 503] {
        let reply = move |_: &str, _| Reply::new(code, "Location: token-0\r\n", PRIVATE);
        let api = Server::with_tokens(reply).await;
        let all = Server::start(reply).await;
        for client in [api.client(), api.basic(), all.client()] {
            let error = error(&client).await;
            let said = format!("{error} {error:?} {client:?}");
            for secret in [SECRET, "token-", PRIVATE, "127.0.0.1", "a2V5"] {
                assert!(!said.contains(secret), "{code}: {said}");
            }
        }
    }
}

#[tokio::test]
async fn an_address_must_not_bring_its_own_password() {
    let server = Server::start(|_, _| order("o1")).await;
    for bad in [
        "http://user:pass@localhost",
        "http://user@localhost",
        "ftp://localhost",
        "data:x",
    ] {
        let mut access = server.access(Auth::Basic);
        access.api_url = url(bad);
        let token_url = server.access(Auth::OAuth2 {
            token_url: url(bad),
        });
        for access in [access, token_url] {
            let error = Client::new(id("p1"), access).expect_err("not built");
            assert!(error.to_string().contains("_url must be"), "{bad}: {error}");
        }
    }
}
