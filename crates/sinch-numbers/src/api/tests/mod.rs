//! The client against servers that behave well and badly.

mod server;

use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinSet, yield_now};

use super::*;
use number_order::{NoAnswer, OrderDetails, OrderNumber, Snapshot, State, Status, Time};
use server::{Reply, Server, Then};

/// Maximum time for anything that is sure to come, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const SECRET: &str = "hush-hush";
const PRIVATE: &str = "+61411000111";

impl Server {
    /// Starts a server whose token endpoint works, with the tokens `token-0`, `token-1` and so on.
    async fn with_tokens(api: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Server {
        Server::start(move |request, nth| {
            if request.starts_with("POST") {
                token(nth)
            } else {
                api(request, nth)
            }
        })
        .await
    }

    fn access(&self, auth: Auth) -> Access {
        Access {
            api_url: url(&self.url),
            auth,
            key_id: "key-1".to_owned(),
            key_secret: SecretString::from(SECRET),
            request_timeout: PATIENCE,
            connect_timeout: PATIENCE,
            proxy_from_environment: false,
        }
    }

    fn oauth2(&self) -> Auth {
        Auth::OAuth2 {
            token_url: url(&format!("{}/oauth2/token", self.url)),
        }
    }

    fn client(&self) -> Arc<Client> {
        client(self.access(self.oauth2()))
    }

    fn basic(&self) -> Arc<Client> {
        client(self.access(Auth::Basic))
    }
}

/// Returns the results of 20 simultaneous fetches. All of them wait for the token before `gate` is notified.
async fn ask_20(client: &Arc<Client>, gate: &Notify) -> Vec<Result<Answer, FetchError>> {
    let mut all = JoinSet::new();
    for _ in 0..20 {
        let client = Arc::clone(client);
        all.spawn(async move { client.get_order(&id("o1")).await });
    }
    // All of them run on one thread: after this, each has run until it had to wait.
    yield_now().await;
    gate.notify_one();
    all.join_all().await
}

fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

fn url(text: &str) -> Url {
    text.parse().expect("a URL")
}

fn client(access: Access) -> Arc<Client> {
    Arc::new(Client::new(id("p1"), access).expect("a client"))
}

fn token(nth: usize) -> Reply {
    let body = format!(r#"{{"access_token":"token-{nth}","expires_in":3599}}"#);
    Reply::new(200, "", &body)
}

fn order(name: &str) -> Reply {
    let body = format!(
        r#"{{"projectId":"p1","idNumberOrder":"{name}","state":"BLOCKED","updateTime":"2026-02-03T04:05:06.5Z",
            "expireTime":null,"orderNumbers":[{{"phoneNumber":"{PRIVATE}"}}]}}"#
    );
    Reply::new(200, "Content-Type: application/json\r\n", &body)
}

fn blocked() -> Result<Answer, FetchError> {
    let number = OrderNumber {
        phone_number: "+61411000111".to_owned(),
        setup_price: None,
        monthly_price: None,
        payment_interval_months: None,
        capabilities: Vec::new(),
    };
    let subject = OrderDetails {
        numbers: vec![number],
        ..OrderDetails::default()
    };
    Ok(Answer::Found(Snapshot {
        state: Status::Known(State::Blocked),
        updated_at: Time(1_770_091_506_500_000),
        expires_at: None,
        unreadable_expiry: None,
        details: Some(Box::new(subject)),
        sent_at: None,
    }))
}

/// Flaw of the answer, if it came.
fn flaw(error: &FetchError) -> Option<Flaw> {
    match error.reason {
        NoAnswer::UnusableAnswer { flaw, .. } => Some(flaw),
        _ => None,
    }
}

async fn refusal(client: &Client) -> FetchError {
    let answer = client.get_order(&id("o1")).await;
    answer.expect_err("not an answer")
}

#[tokio::test]
async fn a_token_is_bought_and_used() {
    let server = Server::with_tokens(|_, _| order("o1")).await;
    let client = server.client();
    for _ in 0..2 {
        assert_eq!(client.get_order(&id("o1")).await, blocked());
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
    assert_eq!(server.basic().get_order(&id("o1")).await, blocked());
    assert_eq!(server.counts(), (0, 1));
    assert!(server.requests("GET")[0].contains("authorization: Basic a2V5LTE6aHVzaC1odXNo\r\n"));
}

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
async fn many_share_one_token() {
    let gate = Arc::new(Notify::new());
    let opened = Arc::clone(&gate);
    let server = Server::start(move |request, _| {
        if request.starts_with("POST") {
            // Even with a life of zero it serves the fetches that waited for it.
            Reply::new(200, "", r#"{"access_token":"t","expires_in":0}"#).after(&opened)
        } else {
            order("o1")
        }
    })
    .await;
    let answers = ask_20(&server.client(), &gate).await;
    assert!(answers.iter().all(|answer| *answer == blocked()));
    assert_eq!(server.counts(), (1, 20));
}

#[tokio::test]
async fn many_share_one_failure() {
    let gate = Arc::new(Notify::new());
    let opened = Arc::clone(&gate);
    let server =
        Server::start(move |_, _| Reply::new(503, "Retry-After: 9\r\n", "").after(&opened)).await;
    let client = server.client();
    let answers = ask_20(&client, &gate).await;
    let failure = Err(FetchError {
        reason: NoAnswer::NotNow {
            endpoint: Endpoint::Token,
            status: 503,
        },
        retry_after: Some(Duration::from_secs(9)),
    });
    assert!(answers.iter().all(|answer| *answer == failure));
    assert_eq!(server.counts(), (1, 0));
    // A later fetch makes its own attempt.
    gate.notify_one();
    assert_eq!(client.get_order(&id("o1")).await, failure);
    assert_eq!(server.counts(), (2, 0));
}

#[tokio::test]
async fn who_gives_up_does_not_take_the_others_along() {
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
    assert_eq!(second.await.expect("no panic"), blocked());
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
    let answers = ask_20(&client, &Notify::new()).await;
    assert!(answers.iter().all(|answer| *answer == blocked()));
    assert_eq!(server.counts().0, 2);
    assert_eq!(client.get_order(&id("o1")).await, blocked());
    assert_eq!(server.counts().0, 2);
}

#[tokio::test]
async fn a_second_401_ends_it() {
    let server = Server::with_tokens(|_, _| Reply::new(401, "", PRIVATE)).await;
    let error = refusal(&server.client()).await;
    assert_eq!(server.counts(), (2, 2));
    assert!(error.is_refused());
    assert_eq!(error.whose(), Fault::Provider);
    assert_eq!(
        error.to_string(),
        "the Number Order API answered 401: check key_id and key_secret of project p1"
    );
    let basic = refusal(&server.basic()).await;
    assert_eq!(basic, error);
    assert_eq!(server.counts(), (2, 3));
}

#[tokio::test]
async fn a_404_counts_only_if_it_is_the_apis() {
    let server = Server::start(|_, nth| match nth {
        0 => Reply::new(404, "", r#"{"error":{"code":404,"status":"NOT_FOUND"}}"#),
        _ => Reply::new(404, "", "<h1>404</h1>"),
    })
    .await;
    let client = server.basic();
    assert_eq!(client.get_order(&id("o1")).await, Ok(Answer::NotFound));
    let error = refusal(&client).await;
    assert_eq!((error.whose(), error.status()), (Fault::Order, Some(404)));
    assert_eq!(flaw(&error), Some(Flaw::Html));
}

#[tokio::test]
async fn only_the_answer_to_the_question_is_believed() {
    let server = Server::start(|_, nth| match nth {
        0 => order("o2"),
        1 => Reply::new(200, "", r#"{"projectId":"p2","idNumberOrder":"o1"}"#),
        2 => Reply::new(200, "", "<html>Please log in</html>"),
        _ => Reply::new(200, "", ""),
    })
    .await;
    let client = server.basic();
    for expected in [
        Flaw::OtherOrder,
        Flaw::OtherProject,
        Flaw::Html,
        Flaw::NotAnObject,
    ] {
        let error = refusal(&client).await;
        assert_eq!((error.whose(), error.status()), (Fault::Order, Some(200)));
        assert_eq!(flaw(&error), Some(expected));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Server::start(|_, _| order("o1")).await;
    let location = format!("Location: {}/\r\n", target.url);
    let server = Server::start(move |_, _| Reply::new(307, &location, "")).await;
    let error = refusal(&server.basic()).await;
    assert_eq!((error.whose(), error.status()), (Fault::Order, Some(307)));
    assert_eq!(flaw(&error), Some(Flaw::Redirect));
    let error = refusal(&server.client()).await;
    assert_eq!(
        (error.whose(), error.status()),
        (Fault::Provider, Some(307))
    );
    assert_eq!(target.connections(), 0);
}

/// Maximum number of bytes that the system may hold on the way from the server to the client, beside those that the
/// client has taken.
const ON_THE_WAY: usize = 16 * 1024 * 1024;

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\n";
    // Ten gigabytes of zeros, an order that goes on for ever (with a length and without), and chunks without end.
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
        let error = refusal(&server.basic()).await;
        assert_eq!((error.whose(), error.status()), (Fault::Order, Some(200)));
        assert_eq!(flaw(&error), Some(Flaw::TooLarge), "{framing}");
        let error = refusal(&server.client()).await;
        assert_eq!(error.whose(), Fault::Provider);
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
    let error = refusal(&server.basic()).await;
    assert_eq!((error.whose(), error.status()), (Fault::Provider, None));
    assert_eq!(error.reason.code(), "broken-off");
    let taken = server.repeated();
    assert!(taken < ON_THE_WAY, "{taken} bytes");
}

#[tokio::test]
async fn a_connection_that_breaks_is_the_providers_fault() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{";
    for bytes in ["", "HTTP/1.1 2", short, "SSH-2.0-x\r\n"] {
        let server = Server::start(move |_, _| Reply::raw(bytes, Then::Close)).await;
        let error = refusal(&server.basic()).await;
        assert_eq!((error.whose(), error.status()), (Fault::Provider, None));
        assert_eq!(error.reason.code(), "broken-off", "{bytes:?}");
        let server = Server::start(move |_, _| Reply::raw(bytes, Then::Reset)).await;
        let error = refusal(&server.basic()).await;
        assert_eq!((error.whose(), error.status()), (Fault::Provider, None));
    }
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    // No other test takes ports of this address.
    let listener = TcpListener::bind("127.0.0.77:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let seen = Arc::default();
    let error = refusal(&Server { url, seen }.client()).await;
    assert_eq!((error.whose(), error.status()), (Fault::Provider, None));
    let said = error.to_string();
    assert!(said.starts_with("the token endpoint cannot be reached: Connection refused"));
}

#[tokio::test]
async fn what_speaks_no_tls_is_not_spoken_to() {
    let server = Server::start(|_, _| order("o1")).await;
    let mut access = server.access(Auth::Basic);
    access.api_url = url(&server.url.replace("http:", "https:"));
    // The server takes the first bytes for a request without an end.
    access.connect_timeout = Duration::from_millis(300);
    let error = refusal(&client(access)).await;
    assert_eq!(error.whose(), Fault::Provider);
    // The server may notice later.
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
        // Never silent for long, and never complete.
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
            let error = refusal(&client(access)).await;
            assert!(began.elapsed() < PATIENCE);
            assert_eq!((error.whose(), error.status()), (Fault::Provider, None));
            assert!(error.to_string().ends_with("did not answer in time"));
        }
    }
}

#[tokio::test]
async fn every_status_has_its_fault() {
    let date =
        "Date: Tue, 03 Feb 2026 04:05:06 GMT\r\nRetry-After: Tue, 03 Feb 2026 04:05:36 GMT\r\n";
    for (status, headers, fault, wait) in [
        (429, "Retry-After: 17\r\n", Fault::Provider, Some(17)),
        (429, date, Fault::Provider, Some(30)),
        (429, "Retry-After: later\r\n", Fault::Provider, None),
        (503, "Retry-After: 86400\r\n", Fault::Provider, Some(3600)),
        (502, "", Fault::Provider, None),
        (504, "", Fault::Provider, None),
        (403, "Retry-After: 17\r\n", Fault::Provider, None),
        (500, "", Fault::Order, None),
        (400, "", Fault::Order, None),
        (409, "", Fault::Order, None),
        (204, "", Fault::Order, None),
        (203, "", Fault::Order, None),
    ] {
        let server = Server::with_tokens(move |_, _| Reply::new(status, headers, "")).await;
        let error = refusal(&server.client()).await;
        assert_eq!(server.counts(), (1, 1), "{status}");
        assert_eq!((error.whose(), error.status()), (fault, Some(status)));
        assert_eq!(error.retry_after, wait.map(Duration::from_secs));
        assert_eq!(error.is_refused(), status == 403, "{status}");
        assert_eq!(error.endpoint(), Endpoint::Orders);
    }
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_the_providers_fault() {
    for status in [200, 204, 302, 400, 401, 403, 404, 429, 500, 503] {
        let server = Server::start(move |_, _| Reply::new(status, "", "<html>")).await;
        let error = refusal(&server.client()).await;
        assert_eq!(server.counts(), (1, 0), "{status}");
        assert_eq!(error.whose(), Fault::Provider);
        assert_eq!(error.status(), Some(status));
        assert_eq!(error.is_refused(), matches!(status, 400 | 401 | 403));
        assert_eq!(error.endpoint(), Endpoint::Token);
        assert!(error.to_string().starts_with("the token endpoint "));
    }
}

#[tokio::test]
async fn errors_keep_secrets() {
    for status in [200, 302, 400, 401, 403, 404, 409, 429, 500, 503] {
        let reply = move |_: &str, _| Reply::new(status, "Location: token-0\r\n", PRIVATE);
        let api = Server::with_tokens(reply).await;
        let all = Server::start(reply).await;
        for client in [api.client(), api.basic(), all.client()] {
            let error = refusal(&client).await;
            let said = format!("{error} {error:?} {client:?}");
            for secret in [SECRET, "token-", PRIVATE, "127.0.0.1", "a2V5"] {
                assert!(!said.contains(secret), "{status}: {said}");
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
