//! Access to the operators' listener: the token, web pages, and requests that arrive slowly.

use std::time::Duration;

use testkit::{ALLOWED, Connection, PROJECT, Request, Service, Settings, folder};

const TOKEN: &str = "operators-token-r72hxm";

#[tokio::test]
async fn the_token_guards_everything_but_health() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("operators.token", TOKEN);
    let service = Service::start(&settings).await;
    let guarded = [
        ("GET", "/status"),
        ("GET", "/api/v1/configuration"),
        ("GET", "/api/v1/orders"),
        ("GET", "/api/v1/orders/o1"),
        ("GET", "/api/v1/orders/p/o1"),
        ("POST", "/api/v1/orders/p/o1/fetch"),
        ("GET", "/api/v1/parked"),
        ("GET", "/api/v1/deliveries/1/body"),
        ("POST", "/api/v1/deliveries/1/replay"),
        ("POST", "/api/v1/deliveries/1/dismiss"),
        ("POST", "/api/v1/orders/p/o1/dismiss"),
        ("POST", "/api/v1/orders/p/o1/forget"),
        ("GET", "/api/v1/events"),
        ("GET", "/api/v1/events/stream"),
        ("GET", "/api/v1/targets"),
        ("POST", "/api/v1/targets/crm/resume"),
        ("POST", "/api/v1/targets/crm/test"),
        ("GET", "/api/v1/notifications"),
        ("POST", "/api/v1/notifications/redrive"),
    ];
    let wrong = [
        None,
        Some("Bearer ".to_owned()),
        Some(format!("Bearer {TOKEN}x")),
        Some(format!("Bearer {}", &TOKEN[1..])),
        Some(format!("Bearer {}", TOKEN.to_uppercase())),
        Some(format!("Basic {TOKEN}")),
        Some(TOKEN.to_owned()),
    ];
    for (method, path) in guarded {
        for shown in &wrong {
            let mut request = Request::new(method, path);
            if let Some(shown) = shown {
                request = request.header("Authorization", shown);
            }
            let answer = service.send_to_operators(&request).await;
            answer.assert_refusal(401, &format!("{method} {path} {shown:?}"));
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
            let shown = format!("{scheme} {TOKEN}");
            let request = Request::new(method, path)
                .header("Authorization", &shown)
                .header("Host", "operators.example")
                .header("Origin", "https://operators.example");
            let answer = service.send_to_operators(&request).await;
            assert!(
                matches!(answer.status, 200 | 404 | 422),
                "{method} {path} {scheme:?}: {answer:?}"
            );
        }
    }
    assert_eq!(service.get("/livez").await.status, 200);
    service.is_ready().await;
}

#[tokio::test]
async fn a_request_says_once_who_asks_and_whom() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("operators.token", TOKEN);
    let service = Service::start(&settings).await;
    let own = format!("Bearer {TOKEN}");
    for (name, values) in [
        ("Authorization", [&own, "Bearer of-another"]),
        ("Authorization", ["Bearer of-another", &own]),
        ("Authorization", [&own, &own]),
        ("Host", ["localhost", "operators.example"]),
    ] {
        let mut request = Request::new("GET", "/status");
        if name == "Host" {
            request = request.header("Authorization", &own);
        }
        for value in values {
            request = request.header(name, value);
        }
        let answer = service.send_to_operators(&request).await;
        answer.assert_refusal(400, &format!("{name}: {values:?}"));
        assert!(answer.timeless().contains(name), "{answer:?}");
    }
}

#[tokio::test]
async fn without_a_token_no_web_page_is_answered() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let fetch = format!("/api/v1/orders/{PROJECT}/o1/fetch");
    let requests = [
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/status"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/orders"),
        ("GET", "/nowhere"),
        ("POST", &fetch),
        ("POST", "/status"),
    ];
    for (method, path) in requests {
        for (name, value) in [
            ("Host", "evil.example:9090"),
            ("Host", "localhost.evil.example"),
            ("Host", ""),
            ("Host", "127.0.0.1 evil"),
            ("Origin", "http://evil.example"),
            ("Origin", "http://localhost:3000"),
            ("Origin", "null"),
            ("Sec-Fetch-Site", "cross-site"),
        ] {
            let request = Request::new(method, path).header(name, value);
            let answer = service.send_to_operators(&request).await;
            answer.assert_refusal(403, &format!("{method} {path} {name}: {value}"));
        }
        for (name, value) in [
            ("Host", "localhost:9090"),
            ("Host", "127.0.0.1:9090"),
            ("Host", "[::1]:9090"),
            ("Sec-Fetch-Site", "none"),
        ] {
            let request = Request::new(method, path).header(name, value);
            let answer = service.send_to_operators(&request).await;
            assert_ne!(answer.status, 403, "{method} {path} {name}: {value}");
        }
    }
}

#[tokio::test]
async fn a_list_that_trickles_is_cut_off() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("callbacks.body_timeout_secs", 0.7);
    let service = Service::start(&settings).await;
    let path = format!("/api/v1/orders/{PROJECT}");
    let request = Request::post(&path, "").header("Content-Length", "100000");
    let mut connection = Connection::open(ALLOWED, service.operators)
        .await
        .expect("connects");
    connection.send(request.head()).await;
    // Each byte comes well within the time limit, but the whole list never does.
    let mut sent = 0;
    while !connection.hangs_up_within(Duration::from_millis(100)).await {
        sent += 1;
        assert!(sent < 200, "the list is read to no end");
        connection.send("o").await;
    }
    connection
        .answer()
        .await
        .expect("an answer")
        .assert_refusal(408, "a list that trickles");
}
