//! Callers by name: what a token allows, and the record of what was done with it.

use serde_json::Value;

use testkit::{Answer, Process, Request, Settings};

use super::Place;

const READER: &str = "token-marker-of-grafana";
const OPERATOR: &str = "token-marker-of-lee";

/// A service with a caller who may read and one who may act.
async fn place() -> Place {
    let change = |settings: Settings| {
        let tokens = [
            ("SINCH_CALLBACKS_TOKENS__0__NAME", "grafana"),
            ("SINCH_CALLBACKS_TOKENS__0__TOKEN", READER),
            ("SINCH_CALLBACKS_TOKENS__1__NAME", "lee"),
            ("SINCH_CALLBACKS_TOKENS__1__SCOPE", "operate"),
            ("SINCH_CALLBACKS_TOKENS__1__TOKEN", OPERATOR),
        ];
        tokens
            .into_iter()
            .fold(settings, |settings, (name, value)| {
                settings.set_environment(name, value)
            })
    };
    let place = Place::new(&["o1"], change).await;
    place.say("o1", "COMPLETED").await;
    place
}

async fn send(place: &Place, request: Request, token: &str) -> Answer {
    let request = request.header("Authorization", &format!("Bearer {token}"));
    place.service.send_to_operators(&request).await
}

/// Runs a command with a token, and returns the value that it printed.
async fn json(place: &Place, token: &str, arguments: &[&str]) -> Value {
    let environment = [
        (
            "SINCH_CALLBACKS_OPERATORS__LISTEN",
            place.service.operators.to_string(),
        ),
        ("SINCH_CALLBACKS_OPERATORS__TOKEN", token.to_owned()),
    ];
    let arguments = [arguments, &["--json"]].concat();
    let ended = Process::start_in(&environment, &arguments).ended().await;
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    serde_json::from_str(&ended.out).expect("JSON")
}

#[tokio::test]
async fn a_token_that_may_read_changes_nothing() {
    let place = place().await;
    let path = format!("/api/v1/orders/{}/o1/fetch", testkit::PROJECT);
    let fetch = || Request::new("POST", &path);
    for (request, token, status, challenge) in [
        (Request::new("GET", "/status"), READER, 200, None),
        (Request::new("GET", "/status"), OPERATOR, 200, None),
        (
            Request::new("GET", "/status"),
            "neither",
            401,
            Some("Bearer"),
        ),
        (
            fetch(),
            READER,
            403,
            Some("Bearer error=\"insufficient_scope\", scope=\"operate\""),
        ),
        (
            Request::new("DELETE", "/api/v1/projects/p"),
            READER,
            403,
            Some("Bearer error=\"insufficient_scope\", scope=\"operate\""),
        ),
        (fetch(), "neither", 401, Some("Bearer")),
    ] {
        let answer = send(&place, request.clone(), token).await;
        assert_eq!(answer.status, status, "{request:?}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), challenge, "{request:?}");
    }
}

#[tokio::test]
async fn every_action_is_recorded_with_its_caller() {
    let place = place().await;
    let refused = send(
        &place,
        Request::post("/api/v1/projects/p/resume", ""),
        READER,
    );
    assert_eq!(refused.await.status, 403);
    json(&place, OPERATOR, &["fetch", "o1"]).await;
    let missing = Request::post(
        "/api/v1/notifications/redrive",
        "{\"target\":\"+61 491 570 006\"}",
    );
    let missing = send(&place, missing, OPERATOR).await;
    assert!(missing.status >= 400, "{missing:?}");

    let shown = json(&place, READER, &["actions"]).await;
    let actions = shown["items"].as_array().expect("a list");
    let [fetched, redriven] = &actions[..] else {
        panic!("two actions: {shown}");
    };
    assert_eq!(fetched["caller"], "lee");
    assert_eq!(fetched["method"], "POST");
    assert_eq!(fetched["status"], 202);
    let path = fetched["path"].as_str().expect("a path");
    assert!(path.ends_with("/o1/fetch"), "{path}");
    assert_eq!(redriven["status"], missing.status);
    assert_eq!(redriven["body"], "{\"target\":\"(a number)\"}");
    let of_nobody = json(&place, READER, &["actions", "--caller", "kim"]).await;
    assert_eq!(of_nobody["items"], Value::Array(Vec::new()));
    for secret in [READER, OPERATOR] {
        assert!(!place.service.said().contains(secret));
        assert!(!shown.to_string().contains(secret));
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let place = Place::new(&["o1"], |settings| settings).await;
    place.complete("o1").await;
    let mut file = testkit::File::open(&place.settings.database()).await;
    let refuse = "CREATE TRIGGER no_record BEFORE INSERT ON actions BEGIN SELECT RAISE(ABORT, 'no record'); END";
    file.execute(refuse).await;
    let path = format!("/api/v1/orders/{}/o1/forget", testkit::PROJECT);
    let forget = || Request::post(&path, "{\"dry_run\":false}");
    let answer = place.service.send_to_operators(&forget()).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(place.service.order("o1").await["state"], "COMPLETED");
    // The control: it is done once it can be recorded.
    file.execute("DROP TRIGGER no_record").await;
    file.close().await;
    let answer = place.service.send_to_operators(&forget()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let gone = place.service.get("/api/v1/orders/o1").await;
    assert_eq!(gone.status, 404, "{gone:?}");
}
