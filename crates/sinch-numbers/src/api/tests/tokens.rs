//! Tests of tokens: one for all calls, renewed when it must be.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::{JoinSet, yield_now};

use super::server::{Reply, Server, Then};
use super::*;
use crate::api::client::USER_AGENT;

/// Returns the results of 20 simultaneous fetches. All of them wait for the token before `gate` is notified.
async fn fetch_20(
    client: &Arc<Client>,
    gate: &Notify,
) -> Vec<Result<Answer<NumberOrder<'static>>, RequestError>> {
    let mut all = JoinSet::new();
    for _ in 0..20 {
        let client = Arc::clone(client);
        all.spawn(async move { client.get_order(&id("o1")).await });
    }
    // All fetches run on one thread: after this yield, each has run until it had to wait.
    yield_now().await;
    gate.notify_one();
    all.join_all().await
}

#[tokio::test]
async fn a_token_is_requested_and_used() {
    let server = Server::with_tokens(|_, _| order("o1")).await;
    let client = server.client();
    for _ in 0..2 {
        assert_eq!(client.get_order(&id("o1")).await, shown("o1"));
    }
    assert_eq!(server.counts(), (1, 2));
    assert_eq!(server.connections(), 1);
    let bought = &server.requests("POST")[0];
    assert!(bought.starts_with("POST /oauth2/token HTTP/1.1\r\n"));
    assert!(bought.contains("authorization: Basic a2V5LTE6aHVzaC1odXNo\r\n"));
    assert!(bought.contains("content-type: application/x-www-form-urlencoded\r\n"));
    assert!(bought.ends_with("\r\n\r\ngrant_type=client_credentials"));
    let asked = &server.requests("GET")[0];
    assert!(asked.starts_with("GET /v1/projects/p1/numberOrders/o1 HTTP/1.1\r\n"));
    assert!(asked.contains("authorization: Bearer token-0\r\n"));
    assert!(asked.contains(&format!("user-agent: {USER_AGENT}\r\n")));
}

#[tokio::test]
async fn basic_needs_no_token() {
    let server = Server::start(|_, _| order("o1")).await;
    assert_eq!(server.basic().get_order(&id("o1")).await, shown("o1"));
    assert_eq!(server.counts(), (0, 1));
    assert!(server.requests("GET")[0].contains("authorization: Basic a2V5LTE6aHVzaC1odXNo\r\n"));
}

#[tokio::test]
async fn many_share_one_token() {
    let gate = Arc::new(Notify::new());
    let opened = Arc::clone(&gate);
    let server = Server::start(move |request, _| {
        if request.starts_with("POST") {
            // A token with a life of zero still serves the fetches that waited for it.
            Reply::new(200, "", r#"{"access_token":"t","expires_in":0}"#).after(&opened)
        } else {
            order("o1")
        }
    })
    .await;
    let answers = fetch_20(&server.client(), &gate).await;
    assert!(answers.iter().all(|answer| *answer == shown("o1")));
    assert_eq!(server.counts(), (1, 20));
}

#[tokio::test]
async fn many_share_one_failure() {
    let gate = Arc::new(Notify::new());
    let opened = Arc::clone(&gate);
    let server =
        Server::start(move |_, _| Reply::new(503, "Retry-After: 9\r\n", "").after(&opened)).await;
    let client = server.client();
    let answers = fetch_20(&client, &gate).await;
    let failure = Err(of_token(status(503, Some(9))));
    assert!(answers.iter().all(|answer| *answer == failure));
    assert_eq!(server.counts(), (1, 0));
    // A fetch that begins later requests a token of its own.
    gate.notify_one();
    assert_eq!(client.get_order(&id("o1")).await, failure);
    assert_eq!(server.counts(), (2, 0));
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_fail_the_others() {
    let server = Server::start(|request, nth| match (request.starts_with("POST"), nth) {
        (true, 0) => Reply::raw("", Then::Hang),
        (true, _) => token(nth),
        (false, _) => order("o1"),
    })
    .await;
    let client = server.client();
    let first = Arc::clone(&client);
    let first = tokio::spawn(async move { first.get_order(&id("o1")).await });
    while server.counts() == (0, 0) {
        yield_now().await;
    }
    let second = Arc::clone(&client);
    let second = tokio::spawn(async move { second.get_order(&id("o1")).await });
    yield_now().await;
    first.abort();
    assert_eq!(second.await.expect("no panic"), shown("o1"));
    assert_eq!(server.counts(), (2, 1));
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once_for_all() {
    let server = Server::with_tokens(|request, _| {
        if request.contains("Bearer token-1") {
            order("o1")
        } else {
            Reply::new(401, "", "")
        }
    })
    .await;
    let client = server.client();
    let answers = fetch_20(&client, &Notify::new()).await;
    assert!(answers.iter().all(|answer| *answer == shown("o1")));
    assert_eq!(server.counts().0, 2);
    assert_eq!(client.get_order(&id("o1")).await, shown("o1"));
    assert_eq!(server.counts().0, 2);
}

#[tokio::test]
async fn a_second_401_means_that_the_key_is_refused() {
    let server = Server::with_tokens(|_, _| Reply::new(401, "", PRIVATE)).await;
    let refused = error(&server.client()).await;
    assert_eq!(server.counts(), (2, 2));
    assert_eq!(refused, of_api(status(401, None)));
    assert_eq!(refused.to_string(), "the Number Order API answered 401");
    assert_eq!(error(&server.basic()).await, refused);
    assert_eq!(server.counts(), (2, 3));
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_named() {
    for code in [200, 204, 302, 400, 401, 403, 404, 429, 500, 503] {
        let server = Server::start(move |_, _| Reply::new(code, "", "<html>")).await;
        let error = error(&server.client()).await;
        assert_eq!(server.counts(), (1, 0), "{code}");
        let failure = match code {
            200 => unreadable(200, BodyFault::NoToken),
            _ => status(code, None),
        };
        assert_eq!(error, of_token(failure));
        assert!(error.to_string().starts_with("the token endpoint "));
    }
}
