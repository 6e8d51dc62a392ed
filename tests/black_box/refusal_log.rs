//! Log lines about refused requests: they name the cause, and do not repeat themselves.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use sinch_callbacks::clock;

use testkit::{
    ALLOWED, Connection, File, PATH, PROJECT, Request, SECRET, Service, Settings, UNALLOWED, event,
    folder, until,
};

/// Refusals, as the log reports them.
fn refusals(service: &Service) -> Vec<Value> {
    let lines = service.lines();
    let objects = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let refused = |object: &Value| {
        let message = object["message"].as_str().unwrap_or_default();
        message.starts_with("refused a ")
    };
    objects.filter(refused).collect()
}

/// Waits for a refusal that has the given fields.
async fn logged_refusal(service: &Service, fields: &Value) -> Value {
    let fields = fields.as_object().expect("an object");
    let has = |line: &Value| fields.iter().all(|(name, value)| line[name] == *value);
    until(&format!("a line with {fields:?}"), async || {
        refusals(service).into_iter().find(|line| has(line))
    })
    .await
}

/// Sends a request until it is answered: a source that is not allowed has one second for its first byte, which can run
/// out on a busy machine.
async fn send_until_answered(service: &Service, from: Ipv4Addr, request: &Request) {
    until("an answer", async || {
        service.try_send_from(from, request).await
    })
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
async fn each_refusal_says_what_was_refused() {
    let folder = folder();
    let proxy = Ipv4Addr::new(127, 0, 0, 2);
    let settings = Settings::new(folder.path())
        .set("callbacks.body_max_bytes", 2000)
        .set("callbacks.body_timeout_secs", 0.3)
        .set("callbacks.trusted_proxies", json!(["127.0.0.2"]));
    let service = Service::start(&settings).await;
    let body = || event("e1", "o1", "IN_REVIEW", clock::now());
    let signed = |path: &str| Request::signed(path, SECRET, body());
    let plain = |path: &str| Request::post(path, "{}");
    let table = [
        (
            UNALLOWED,
            plain(PATH),
            json!({"why": "source", "status": 403, "source": "127.0.0.9"}),
        ),
        (
            proxy,
            plain("/callbacks?number=%2B46700000000").header("X-Forwarded-For", "203.0.113.9"),
            json!({
                "why": "source", "status": 403, "source": "203.0.113.9", "peer": "127.0.0.2",
                "path": PATH, "method": "POST",
            }),
        ),
        (
            proxy,
            plain(PATH).header("X-Forwarded-For", "nobody"),
            json!({"why": "source", "source": null, "peer": "127.0.0.2"}),
        ),
        (
            ALLOWED,
            Request::new("GET", PATH),
            json!({"why": "method", "status": 405, "method": "GET", "path": PATH, "project": PROJECT}),
        ),
        (
            ALLOWED,
            Request::post(PATH, vec![b'x'; 2001]),
            json!({"why": "size", "status": 413, "content_length": 2001, "limit_bytes": 2000}),
        ),
        (
            ALLOWED,
            signed(PATH).header("Content-Encoding", "gzip"),
            json!({"why": "encoding", "status": 415, "content_encoding": "gzip"}),
        ),
        (
            ALLOWED,
            Request::signed(PATH, "a-wrong-secret", body()),
            json!({"why": "signature", "status": 401, "signatures": 1, "project": PROJECT}),
        ),
    ];
    for (from, request, fields) in table {
        send_until_answered(&service, from, &request).await;
        let line = logged_refusal(&service, &fields).await;
        assert_eq!(line["left_out"], 0, "{line}");
        let has_source = fields.get("source") != Some(&Value::Null);
        assert_eq!(line["source"].is_string(), has_source, "{line}");
        if fields.get("peer").is_none() {
            assert_eq!(line["peer"], Value::Null, "{line}");
        }
    }
    // The head of this request does not arrive complete.
    let mut slow = Connection::open(ALLOWED, service.callbacks)
        .await
        .expect("a place");
    slow.send(signed(PATH).head()).await;
    logged_refusal(
        &service,
        &json!({"why": "body", "status": 408, "source": "127.0.0.1"}),
    )
    .await;
    // The database cannot store this request.
    let mut file = File::open(&settings.database()).await;
    file.execute("BEGIN IMMEDIATE").await;
    service
        .send(&signed(PATH))
        .await
        .assert_refusal(503, "locked");
    logged_refusal(
        &service,
        &json!({"why": "store", "status": 503, "project": PROJECT}),
    )
    .await;
    let said = service.said();
    assert!(
        !said.contains("46700000000"),
        "a query is nobody's business"
    );
}

#[tokio::test]
async fn a_path_that_is_nearly_right_is_told_from_one_that_is_not() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("callbacks.allow", json!(["127.0.0.0/8"]));
    let service = Service::start(&settings).await;
    // Each request comes from a source of its own, so that each has a line.
    let sources = (11..).map(|last| Ipv4Addr::new(127, 0, 0, last));
    let paths = [
        (
            "/callbacks/",
            "/callbacks/",
            json!("/callbacks: a slash too many"),
        ),
        (
            "/%63allbacks",
            "/%63allbacks",
            json!("/callbacks: percent-encoded"),
        ),
        (
            "/CALLBACKS",
            "/CALLBACKS",
            json!("/callbacks: differs by case"),
        ),
        ("/orders/%2B46700000000", "/orders/(a number)", Value::Null),
        (
            "/orders/46-700-000-000?x",
            "/orders/(a number)",
            Value::Null,
        ),
    ];
    for (from, (path, shown, nearly)) in sources.zip(paths) {
        let answer = service.send_from(from, &Request::post(path, "{}")).await;
        answer.assert_refusal(404, path);
        let line = logged_refusal(
            &service,
            &json!({"why": "path", "source": from.to_string()}),
        )
        .await;
        assert_eq!(line["path"], shown, "{line}");
        assert_eq!(line["nearly"], nearly, "{line}");
    }
}

#[tokio::test]
async fn a_noisy_source_hides_no_other() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    let noisy = Ipv4Addr::new(127, 0, 0, 2);
    let quiet = Ipv4Addr::new(127, 0, 0, 66);
    let request = Request::new("GET", "/");
    for nth in 0..60 {
        send_until_answered(&service, noisy, &request).await;
        if nth == 30 {
            send_until_answered(&service, quiet, &request).await;
        }
    }
    logged_refusal(&service, &json!({"source": "127.0.0.66", "left_out": 0})).await;
    // The next line about the noisy source says how many lines were left out.
    let total = until("a line that counts", async || {
        send_until_answered(&service, noisy, &request).await;
        let lines = refusals(&service);
        let of_noisy = lines.iter().filter(|line| line["source"] == "127.0.0.2");
        let left_out = of_noisy
            .clone()
            .filter_map(|line| line["left_out"].as_u64());
        let left_out: u64 = left_out.sum();
        (left_out > 0).then(|| left_out + of_noisy.count() as u64)
    })
    .await;
    let counted = service.refused("source").await as u64;
    assert!(total <= counted, "{total} of {counted}");
    assert!(counted >= 61, "each is counted: {counted}");
}
