//! The commands that call Sinch themselves, against the simulator: regions, searches, and Sinch's reasons.

use serde_json::json;
use sinch_simulator::ordering::{Call, Fault, Readings, Verdict, WithoutForm};
use testkit::{PROJECT, SECRET, Service, until};

use crate::played::{NUMBER, Played, one_us};

#[tokio::test]
async fn regions_are_listed() {
    let played = Played::with(|_| {}).await;
    assert_eq!(
        played.output(&["order", "regions"]).await,
        "REGION  NAME            TYPES\n\
         AU      Australia       MOBILE\n\
         GB      United Kingdom  MOBILE\n\
         SE      Sweden          LOCAL\n\
         US      United States   LOCAL, TOLL_FREE"
    );
    let toll_free = ["order", "regions", "--type", "toll-free"];
    assert_eq!(
        played.output(&toll_free).await,
        "REGION  NAME           TYPES\nUS      United States  TOLL_FREE"
    );
    let json = played.json(&["order", "regions", "--json"]).await;
    assert_eq!(json["availableRegions"][0]["regionCode"], "AU");
}

#[tokio::test]
async fn a_search_shows_prices_and_reserves_nothing() {
    let played = Played::with(|_| {}).await;
    let pattern = ["--pattern", "+61491571007", "--starts"];
    let search = ["order", "search", "au", "mobile"];
    let few = ["--size", "5", "--capability", "sms"];
    let found = played.output(&[&search[..], &few].concat()).await;
    assert_eq!(
        found.lines().count(),
        7,
        "heads, numbers, a last line: {found}"
    );
    let found = played.output(&[&search[..], &pattern].concat()).await;
    assert_eq!(
        found,
        "NUMBER        TYPE    CAPABILITIES  SET-UP    MONTHLY   PAID EVERY\n\
         +61491571007  MOBILE  SMS           1.00 EUR  3.50 EUR  month\n\
         A search reserves no number, and the next one may find others."
    );
    let json = played
        .json(&[&search[..], &pattern, &["--json"]].concat())
        .await;
    assert_eq!(json["availableNumbers"][0]["phoneNumber"], "+61491571007");

    let nothing = played
        .output(&[&search[..], &["--capability", "VOICE"]].concat())
        .await;
    assert!(
        nothing.starts_with("No MOBILE number of region AU"),
        "{nothing}"
    );

    let starts = played
        .run(&[&search[..], &["--pattern", "61491571007", "--starts"]].concat())
        .await;
    assert_eq!(starts.code, Some(0), "{starts:?}");
    assert!(starts.err.contains("write +61491571007"), "{starts:?}");
    let ends = played
        .run(&[&search[..], &["--pattern", "571007", "--ends"]].concat())
        .await;
    assert!(
        ends.err.is_empty() && ends.out.contains("+61491571007"),
        "{ends:?}"
    );

    for bad in [
        &["order", "search", "AUS", "MOBILE"][..],
        &["order", "search", "AU", "MOBILE", "--pattern", "61"],
        &["order", "search", "AU", "MOBILE", "--starts"],
        &[
            "order",
            "search",
            "AU",
            "MOBILE",
            "--pattern",
            "+61 4",
            "--starts",
        ],
        &["order", "search", "AU", "MOBILE", "--size", "0"],
    ] {
        assert_eq!(played.run(bad).await.code, Some(2), "{bad:?}");
    }
}

/// A user who may order numbers need not be able to read the secrets of callbacks, nor the database.
#[tokio::test]
async fn a_command_needs_the_addresses_and_the_key_alone() {
    let mut played = Played::with(|_| {}).await;
    played.settings = played
        .settings
        .unset_project("secrets")
        .set_project("secrets_file", "/nowhere/secrets")
        .set("database.path", "/nowhere/service.db")
        .set("log.filter", "=loud=");
    played.output(&["order", "regions"]).await;

    played.settings = played.settings.add_project("second", "/second", SECRET);
    let ended = played.run(&["order", "regions"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let both = format!("{PROJECT}, second");
    assert!(ended.err.contains(&both), "{ended:?}");
    played
        .output(&["order", "regions", "--project", PROJECT])
        .await;
    let ended = played
        .run(&["order", "regions", "--project", "nobodys"])
        .await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.err.contains("\"nobodys\"") && ended.err.contains(&both),
        "{ended:?}"
    );
    let ended = played
        .run(&["order", "regions", "--project", "second"])
        .await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.err.contains("second has api = \"off\""), "{ended:?}");

    played.settings = played.settings.unset_project("key_id");
    let ended = played
        .run(&["order", "regions", "--project", PROJECT])
        .await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.err.contains("projects[0].key_id"), "{ended:?}");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_cure() {
    let played = Played::with(|_| {}).await;
    played
        .simulator
        .ordering()
        .push_fault(Call::ListRegions, Some(Fault::Forbidden));
    let ended = played.run(&["order", "regions"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("check that the access key has a right")
            && ended.err.contains("\n  Sinch "),
        "{ended:?}"
    );
    let ended = played.run(&["numbers", "show", NUMBER]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("not active, or not yet"), "{ended:?}");
}

#[tokio::test]
async fn an_order_is_shown_with_sinchs_reasons_only_on_request() {
    let mut played = Played::with(|readings| readings.without_form = WithoutForm::Later).await;
    played.simulator.ordering().push_verdict(Verdict::Blocked);
    let order = played.order(one_us()).await;
    let service = Service::start(&played.settings).await;
    played.settings = played
        .settings
        .set("operators.listen", service.operators.to_string());
    until("the review", async || {
        let found = played.client.get_order(&order).await.expect("an answer");
        (found.content.state.text() == Some("BLOCKED")).then_some(())
    })
    .await;
    let order = order.as_str();
    let ended = played.run(&["order", "show", order]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("not shown: "), "{ended:?}");
    let cure = format!("watch {order}");
    assert!(ended.err.contains(&cure), "{ended:?}");

    played.output(&["watch", order]).await;
    service.settles(order, "BLOCKED").await;
    let shown = played.output(&["order", "show", order]).await;
    for expected in [
        order,
        "BLOCKED, confirmed by Sinch at ",
        NUMBER,
        "With --reasons",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert!(!shown.contains("Dear"), "{shown}");
    let json = played.json(&["order", "show", order, "--json"]).await;
    assert_eq!(json["order"]["state"], "BLOCKED");
    assert_eq!(json.get("logs"), None);

    let shown = played
        .output(&["order", "show", order, "--project", PROJECT, "--reasons"])
        .await;
    for expected in [
        "\n  Dear customer,\n  Something in this registration",
        "lists no document",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let json = played
        .json(&["order", "show", order, "--reasons", "--json"])
        .await;
    let message = json["logs"][0]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("Dear customer,\n"), "{json}");
    assert_eq!(json["attachments"], json!([]));

    let log = service.said();
    assert!(!log.contains("Dear"), "{log}");
    let ended = played.run(&["order", "show", "a/b"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

/// A user of the simulator sees which of the ways that Sinch leaves open are played.
#[tokio::test]
async fn simulate_says_which_readings_hold() {
    let process = testkit::Process::start(["simulate", "--listen", "127.0.0.1:0", "--orders", "1"]);
    until("the readings", async || {
        let said = process.said();
        let is_said = |words: &str| said.contains(words);
        let all = Readings::by_seed(1).to_string();
        (is_said("leaves open") && all.lines().all(is_said)).then_some(())
    })
    .await;
    process.stop_well().await;
}
