//! `status`, and what it says cures what is stuck.

use serde_json::Value;

use testkit::{PROJECT, run, until};

use super::{ATTENTION, Place};
use crate::operators::by_state;

fn codes(status: &Value) -> Vec<&str> {
    let attention = status["attention"].as_array().expect("a list");
    let codes = attention.iter().map(|one| one["code"].as_str());
    codes.map(|code| code.expect("a code")).collect()
}

#[tokio::test]
async fn a_service_in_order_needs_no_attention() {
    let place = Place::new(&["o1"], |settings| settings).await;
    place.complete("o1").await;
    let screen = place.run(0, &["status"]).await;
    for words in [
        "Nothing needs attention.",
        "1 COMPLETED",
        "all of completed orders are ready",
        "0 wait to be processed",
        &format!("answers for project {PROJECT}"),
        &format!("version {}", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(!screen.contains('\u{1b}'), "no colours in a pipe: {screen}");
    let status = place.json(0, &["status"]).await;
    assert_eq!(codes(&status), Vec::<&str>::new());
    assert_eq!(
        status["status"]["orders_by_state"],
        by_state(Some("COMPLETED"))
    );
}

#[tokio::test]
async fn what_is_stuck_stands_first_with_the_command_that_cures_it() {
    let place = Place::new(&["o1", "o2"], |settings| settings).await;
    place.park("o1").await;
    place.service.deliver("no JSON").await;
    let is_shown = async || {
        let status = place.json(ATTENTION, &["status"]).await;
        (codes(&status) == ["orders-parked", "deliveries-parked"]).then_some(status)
    };
    let status = until("both to be parked", is_shown).await;
    let screen = place.run(ATTENTION, &["status"]).await;
    assert!(screen.starts_with("! 1 order is parked"), "{screen}");

    let cures = status["attention"][0]["cures"].as_array().expect("a list");
    let cure = cures.last().and_then(Value::as_str).expect("a command");
    let arguments: Vec<&str> = cure.split(' ').skip(1).collect();
    assert_eq!(arguments, ["fetch", "--parked"]);
    assert!(screen.contains(cure), "{screen}");
    place.run(0, &arguments).await;
    place.service.settles("o1", "COMPLETED").await;
    let status = place.json(ATTENTION, &["status"]).await;
    assert_eq!(codes(&status), ["deliveries-parked"]);
}

#[tokio::test]
async fn a_wrong_secret_is_seen() {
    let place = Place::new(&["o1"], |settings| settings).await;
    let body = testkit::event("e1", "o1", "COMPLETED", place.simulator.started_at());
    let request = testkit::Request::signed(testkit::PATH, "another-secret", body);
    let answer = place.service.send(&request).await;
    assert_eq!(answer.status, 401);
    let status = testkit::until("what was refused to be kept", async || {
        let status = place.json(ATTENTION, &["status"]).await;
        (codes(&status).len() > 1).then_some(status)
    })
    .await;
    assert_eq!(codes(&status), ["callbacks-refused", "quarantined"]);
    let text = status["attention"][0]["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("1 request was") && text.contains("signature"),
        "{text}"
    );
}

#[tokio::test]
async fn a_circuit_is_closed_by_a_command() {
    let place = Place::new(&["o1"], |settings| settings).await;
    let said = place.run(0, &["resume", PROJECT]).await;
    assert!(said.contains(PROJECT), "{said}");
    let ended = place.ended(&["resume", "nobodys"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("no such project is configured"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn without_a_service_the_status_is_a_failure() {
    let environment = [(
        "SINCH_CALLBACKS_OPERATORS__LISTEN",
        "127.0.0.1:9".to_owned(),
    )];
    let ended = testkit::Process::start_in(&environment, ["status", "--json"]);
    let ended = ended.ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let failed: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(failed["error"]["code"], "service", "{failed}");
    let ended = run(["status", "--colour"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}
