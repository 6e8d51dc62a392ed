//! First installations that go wrong: each mistake is named in the log with its cure, and `check` says what is expected.

use serde_json::{Value, json};
use sinch_callbacks::clock;
use testkit::{
    ALLOWED, Connection, PATH, Request, SECRET, Service, Settings, UNALLOWED, event, folder, run,
    until,
};

/// Waits for a refusal with words in its message, and returns its line.
async fn refused(service: &Service, words: &str) -> Value {
    until(&format!("a line with {words:?}"), async || {
        let lines = service.lines();
        let mut lines = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| {
            let message = line["message"].as_str().unwrap_or_default();
            message.starts_with("refused a ") && message.contains(words)
        })
    })
    .await
}

fn callback(path: &str, secret: &str) -> Request {
    let body = event("e1", "o1", "IN_REVIEW", clock::now());
    Request::signed(path, secret, body)
}

/// Settings of a service behind a proxy at the address from which the tests send.
fn behind_a_proxy(folder: &tempfile::TempDir) -> Settings {
    Settings::new(folder.path())
        .set("callbacks.allow", json!(["54.76.19.159"]))
        .set("callbacks.trusted_proxies", json!([ALLOWED.to_string()]))
}

/// Sends a request as the proxy passes it on, and expects an answer.
async fn forwarded(service: &Service, request: Request, status: u16) {
    let request = request.header("X-Forwarded-For", "54.76.19.159");
    assert_eq!(service.send(&request).await.status, status);
}

async fn spoken_to(bytes: &[u8], words: &str) {
    let folder = folder();
    let service = Service::start(&behind_a_proxy(&folder)).await;
    let mut connection = Connection::open(ALLOWED, service.callbacks)
        .await
        .expect("a place");
    connection.send(bytes).await;
    let answer = connection.answer().await.expect("an answer");
    assert_eq!(answer.status, 400);
    let line = refused(&service, words).await;
    assert_eq!(line["why"], "http", "{line}");
}

#[tokio::test]
async fn tls_on_the_plain_port() {
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    spoken_to(hello, "TLS on the plain-HTTP port").await;
}

#[tokio::test]
async fn the_proxy_protocol_on_the_plain_port() {
    let preamble = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n";
    spoken_to(preamble, "PROXY protocol: switch it off").await;
}

#[tokio::test]
async fn a_path_that_misses_by_a_slash_or_by_case() {
    let folder = folder();
    let service = Service::start(&behind_a_proxy(&folder)).await;
    forwarded(&service, callback("/callbacks/", SECRET), 404).await;
    let line = refused(&service, "no project has this path").await;
    assert_eq!(line["nearly"], "/callbacks: a slash too many", "{line}");
    forwarded(&service, callback("/Callbacks", SECRET), 404).await;
}

#[tokio::test]
async fn a_proxy_that_does_not_forward() {
    let folder = folder();
    let service = Service::start(&behind_a_proxy(&folder)).await;
    assert_eq!(service.send(&callback(PATH, SECRET)).await.status, 403);
    refused(&service, "make it set X-Forwarded-For").await;
}

#[tokio::test]
async fn a_proxy_that_is_not_named() {
    let folder = folder();
    let service = Service::start(&behind_a_proxy(&folder)).await;
    let request = callback(PATH, SECRET).header("X-Forwarded-For", "54.76.19.159");
    let answer = until("an answer", async || {
        service.try_send_from(UNALLOWED, &request).await
    });
    assert_eq!(answer.await.status, 403);
    refused(&service, "callbacks.trusted_proxies: name a proxy there").await;
}

#[tokio::test]
async fn a_secret_with_quotes_around_it() {
    let folder = folder();
    let settings = behind_a_proxy(&folder).set_project("secrets", json!([format!("\"{SECRET}\"")]));
    let config = settings.write();
    let checked = run(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).await;
    let words = "begins and ends with a quotation mark";
    assert!(checked.out.contains(words), "{checked:?}");
    let service = Service::start(&settings).await;
    forwarded(&service, callback(PATH, SECRET), 401).await;
    refused(&service, "by none of the project's secrets").await;
    assert!(service.said().contains(words), "the start says so as well");
}

#[tokio::test]
async fn a_health_check_on_the_wrong_port() {
    let folder = folder();
    let service = Service::start(&behind_a_proxy(&folder)).await;
    let belongs = "a health check belongs on operators.listen: GET /readyz";
    // As a balancer makes it: from an address of its own, and with nobody to name.
    assert_eq!(
        service.send(&Request::new("GET", "/readyz")).await.status,
        403
    );
    let line = refused(&service, belongs).await;
    assert_eq!(line["why"], "source", "{line}");
    for (method, path, status, why) in [("GET", "/", 404, "path"), ("GET", PATH, 405, "method")] {
        forwarded(&service, Request::new(method, path), status).await;
        until(why, async || {
            let said = service.said();
            let mut lines = said.lines();
            lines
                .find(|line| line.contains(&format!("\"why\":\"{why}\"")) && line.contains(belongs))
                .map(drop)
        })
        .await;
    }
}

#[tokio::test]
async fn check_says_what_is_expected_of_others() {
    let folder = folder();
    let settings =
        behind_a_proxy(&folder).set("callbacks.public_url", "https://callbacks.example.com");
    let config = settings.write();
    let checked = run(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    for expected in [
        "POST to /callbacks, to the letter, Sinch's URL being https://callbacks.example.com/callbacks",
        "plain HTTP/1.1 at 127.0.0.1",
        "the callers 54.76.19.159/32, each named in X-Forwarded-For by a proxy in 127.0.0.1/32",
        "GET /readyz, and none at callbacks.listen",
    ] {
        let mut lines = checked.out.lines();
        let found = lines.any(|line| line.starts_with("expects ") && line.contains(expected));
        assert!(found, "{expected}: {}", checked.out);
    }

    let alone = settings.set("callbacks.trusted_proxies", json!([]));
    let config = alone.write();
    let checked = run(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).await;
    let words = "only this machine can connect, and no callback may come from it";
    assert!(checked.out.contains(words), "{checked:?}");
    assert!(checked.out.contains("connect by themselves"), "{checked:?}");
}
