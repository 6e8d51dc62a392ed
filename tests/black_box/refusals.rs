//! Refusals: their reasons, the order of the checks, and that a refused callback leaves nothing in the database.

use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sinch_callbacks::clock;

use testkit::{
    ALLOWED, Answer, Connection, File, PATH, Request, SECRET, Service, Settings, event, folder,
};

/// Maximum length of a body that the services under test accept, in bytes.
const BODY_MAX: usize = 1000;

/// Settings with time-outs that no test waits for: each answer comes at once.
fn settings(folder: &tempfile::TempDir) -> Settings {
    Settings::new(folder.path())
        .set("callbacks.body_max_bytes", BODY_MAX)
        .set("callbacks.header_timeout_secs", 600)
        .set("callbacks.body_timeout_secs", 600)
}

fn body() -> String {
    event("e1", "o1", "IN_REVIEW", clock::now())
}

fn good() -> Request {
    Request::signed(PATH, SECRET, body())
}

/// Sends only the head, which declares the length; the answer must not wait for the rest.
async fn declared(service: &Service, request: &Request) -> Answer {
    let mut connection = Connection::open(ALLOWED, service.callbacks)
        .await
        .expect("connects");
    connection.send(request.head()).await;
    connection
        .answer()
        .await
        .expect("an answer to the head alone")
}

async fn assert_nothing_stored(settings: &Settings) {
    let mut file = File::open(&settings.database()).await;
    for table in ["deliveries", "orders"] {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(file.number(&sql).await, 0, "{table}");
    }
}

#[tokio::test]
async fn an_unallowed_source_gets_the_same_bytes_whatever_it_requests() {
    let folder = folder();
    let settings = settings(&folder);
    let service = Service::start(&settings).await;
    let mut requests = vec![
        good(),
        Request::new("GET", "/"),
        Request::signed("/nowhere", SECRET, body()),
        Request::post(PATH, ""),
        Request::post(PATH, vec![b'x'; 50 * BODY_MAX]),
        good().header("Content-Encoding", "gzip"),
        Request::post(PATH, body()).header("X-Sinch-Signature", "\u{ff} garbage"),
        good().header("X-Forwarded-For", "127.0.0.1"),
        good().header("Expect", "100-continue"),
        Request::post(PATH, "0\r\n\r\n").header("Transfer-Encoding", "chunked"),
        Request::new("GET", &format!("/{}", "x".repeat(5000))),
        Request::new("GET", "/readyz"),
    ];
    let methods = ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"];
    requests.extend(methods.map(|method| Request::new(method, PATH)));

    let usual = service.send_unallowed(good().bytes()).await;
    usual.assert_refusal(403, "an unallowed source");
    for request in &requests {
        let answer = service.send_unallowed(request.bytes()).await;
        assert_eq!(answer.timeless(), usual.timeless(), "{request:?}");
    }
    for bytes in [
        "\u{16}\u{3}\u{1}",
        "PRI * HTTP/2.0\r\n",
        "POST /callbacks HT",
    ] {
        let answer = service.send_unallowed(bytes).await;
        assert_eq!(answer.timeless(), usual.timeless(), "{bytes:?}");
    }
    assert_nothing_stored(&settings).await;
}

#[tokio::test]
async fn an_unallowed_source_reaches_neither_body_nor_database() {
    let folder = folder();
    let settings = settings(&folder);
    let service = Service::start(&settings).await;
    let mut file = File::open(&settings.database()).await;
    file.execute("BEGIN EXCLUSIVE").await;
    let traces = || {
        ["", "-wal"].map(|suffix| {
            let file = std::fs::metadata(File::beside(&settings.database(), suffix));
            let file = file.expect("the file is there");
            (
                file.len(),
                file.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            )
        })
    };
    let before = traces();
    for length in ["10", "1000000000000"] {
        let request = good().header("Content-Length", length);
        let answer = service.send_unallowed(request.head()).await;
        answer.assert_refusal(403, length);
    }
    assert_eq!(traces(), before);
    file.execute("ROLLBACK").await;
    assert_nothing_stored(&settings).await;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signature that Sinch's Compliance API would send under the same name.
fn sha256(body: &str) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes());
    let mut mac = mac.expect("HMAC takes a key of any length");
    mac.update(body.as_bytes());
    hex(&mac.finalize().into_bytes())
}

#[tokio::test]
async fn only_the_one_documented_signature_passes() {
    let folder = folder();
    let settings = settings(&folder);
    let service = Service::start(&settings).await;
    let body = body();
    let signed_by = |secret: &str, body: &str| {
        let secret = secrecy::SecretString::from(secret);
        sinch_numbers::signature::sign(&secret, body.as_bytes())
    };
    let right = signed_by(SECRET, &body);
    let wrong = vec![
        vec![],
        vec![String::new()],
        vec![signed_by("another secret", &body)],
        vec![signed_by("", &body)],
        vec![signed_by(SECRET, &format!("{body} "))],
        vec![right.to_uppercase()],
        vec![format!("sha1={right}")],
        vec![format!("{right}0")],
        vec![right[1..].to_owned()],
        vec![format!("{right}, {right}")],
        vec![right.clone(), right.clone()],
        vec![right.clone(), signed_by("another secret", &body)],
        vec![sha256(&body)],
        vec![sha256(&body)[..40].to_owned()],
        vec!["0".repeat(40)],
        vec!["ä".repeat(20)],
    ];
    for lines in &wrong {
        let mut request = Request::post(PATH, body.clone());
        for line in lines {
            request = request.header("X-Sinch-Signature", line);
        }
        let answer = service.send(&request).await;
        answer.assert_refusal(401, &format!("{lines:?}"));
    }
    // A signature in the header of another product does not help.
    let other = Request::post(PATH, body.clone()).header("X-Sinch-Webhook-Signature", &right);
    service
        .send(&other)
        .await
        .assert_refusal(401, "another header");
    assert_eq!(service.refused("signature").await, wrong.len() as i64 + 1);
    assert_nothing_stored(&settings).await;

    let plain = Request::post(PATH, body).header("x-sInCh-sIgNaTuRe", &right);
    assert_eq!(service.send(&plain).await.status, 200);
}

#[tokio::test]
async fn each_secret_in_force_opens_and_off_means_off() {
    let folder = folder();
    let rotating = settings(&folder).set_project("secrets", json!(["old-secret", SECRET]));
    let service = Service::start(&rotating).await;
    for secret in ["old-secret", SECRET] {
        let answer = service.send(&Request::signed(PATH, secret, body())).await;
        assert_eq!(answer.status, 200, "{secret}");
    }
    service.stop().await;

    let open = rotating
        .set_project("signature", "off")
        .unset_project("secrets");
    let service = Service::start(&open).await;
    let answer = service.send(&Request::post(PATH, body())).await;
    assert_eq!(answer.status, 200);
    let answer = service.send_unallowed(good().bytes()).await;
    answer.assert_refusal(403, "off is off for allowed sources only");
}

/// Returns a signed body of the given size, in chunks and without a length.
fn chunked(bytes: usize) -> Request {
    let text = " ".repeat(bytes);
    let signed = Request::signed(PATH, SECRET, text.clone());
    let signature = signed.head();
    let signature = signature
        .lines()
        .find_map(|line| line.strip_prefix("X-Sinch-Signature: "))
        .expect("the request is signed");
    let chunks: String = text
        .as_bytes()
        .chunks(100)
        .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), " ".repeat(chunk.len())))
        .collect();
    Request::post(PATH, format!("{chunks}0\r\n\r\n"))
        .header("Transfer-Encoding", "chunked")
        .header("X-Sinch-Signature", signature)
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413() {
    let folder = folder();
    let settings = settings(&folder);
    let service = Service::start(&settings).await;
    for length in [BODY_MAX + 1, 1 << 40] {
        let request = good().header("Content-Length", &length.to_string());
        let answer = declared(&service, &request).await;
        answer.assert_refusal(413, "by its length");
    }
    let answer = service.send(&chunked(BODY_MAX + 1)).await;
    answer.assert_refusal(413, "in chunks");
    assert_eq!(service.refused("size").await, 3);
    assert_nothing_stored(&settings).await;

    // A body of exactly the maximum size is accepted. Blanks are no JSON, so the delivery is parked.
    let full = Request::signed(PATH, SECRET, vec![b'\n'; BODY_MAX]);
    assert_eq!(service.send(&full).await.status, 200);
    assert_eq!(service.send(&chunked(BODY_MAX)).await.status, 200);
}

#[tokio::test]
async fn a_compressed_body_is_a_415() {
    let folder = folder();
    let settings = settings(&folder);
    let service = Service::start(&settings).await;
    for encodings in [
        vec!["gzip"],
        vec!["br"],
        vec!["identity, gzip"],
        vec!["identity", "gzip"],
        vec!["x-unheard-of"],
        vec!["utf-8"],
    ] {
        let mut request = good();
        for encoding in &encodings {
            request = request.header("Content-Encoding", encoding);
        }
        let answer = service.send(&request).await;
        answer.assert_refusal(415, &format!("{encodings:?}"));
    }
    assert_nothing_stored(&settings).await;
    for encoding in ["Identity", "", " identity "] {
        let plain = good().header("Content-Encoding", encoding);
        assert_eq!(service.send(&plain).await.status, 200, "{encoding:?}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let folder = folder();
    let settings = settings(&folder);
    let service = Service::start(&settings).await;
    let paths = [
        "/",
        "/callbacks/",
        "//callbacks",
        "/Callbacks",
        "/readyz",
        "/status",
    ];
    for path in paths {
        let request = Request::signed(path, SECRET, body());
        service.send(&request).await.assert_refusal(404, path);
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let answer = service.send(&Request::new(method, PATH)).await;
        answer.assert_refusal(405, method);
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
    assert_nothing_stored(&settings).await;
    let query = Request::signed(&format!("{PATH}?from=sinch"), SECRET, body());
    assert_eq!(service.send(&query).await.status, 200);
}

#[tokio::test]
async fn the_first_fault_decides_the_answer() {
    let folder = folder();
    let settings = settings(&folder);
    let service = Service::start(&settings).await;
    let forged = |path| Request::post(path, body()).header("X-Sinch-Signature", "forged");
    let large = (BODY_MAX + 1).to_string();
    for (request, expected) in [
        (forged("/nowhere"), 404),
        (forged("/nowhere").header("Content-Length", &large), 404),
        (
            Request::new("PUT", PATH).header("Content-Length", &large),
            405,
        ),
        (forged(PATH).header("Content-Length", &large), 413),
        (
            forged(PATH)
                .header("Content-Length", &large)
                .header("Content-Encoding", "gzip"),
            413,
        ),
        (forged(PATH).header("Content-Encoding", "gzip"), 415),
        // The request is refused before the body is read: the body is not there.
        (
            forged(PATH)
                .header("Content-Length", "17")
                .header("Content-Encoding", "gzip"),
            415,
        ),
    ] {
        let answer = declared(&service, &request).await;
        answer.assert_refusal(expected, &format!("{request:?}"));
    }
    let nonsense = Request::post(PATH, "no JSON").header("X-Sinch-Signature", "forged");
    service
        .send(&nonsense)
        .await
        .assert_refusal(401, "forged nonsense");
    assert_nothing_stored(&settings).await;
}
