//! The commands about the project's numbers, against the simulator: list, show, release.

use serde_json::Value;
use sinch_numbers::api::{NumberType, NumberUpdate, SmsSetup};
use sinch_simulator::ordering::{Call, Failure, Fault, NumberCallbacks, Provisioning};
use testkit::{PATH, until};

use crate::played::{NUMBER, Played, number, one_us, several};

#[tokio::test]
async fn all_pages_of_the_projects_numbers_are_listed() {
    let played = Played::with(|_| {}).await;
    assert_eq!(
        played.output(&["numbers", "list"]).await,
        "The project has no number that fits."
    );
    played.order(several("US", NumberType::LOCAL, 60)).await;
    played.order(several("GB", NumberType::MOBILE, 60)).await;
    let list = until("120 numbers", async || {
        let list = played.output(&["numbers", "list"]).await;
        (list.lines().count() == 121).then_some(list)
    })
    .await;
    let calls = played.simulator.ordering().calls();
    let pages = calls
        .iter()
        .filter(|call| call.call == Call::ListActiveNumbers);
    assert!(pages.count() > 1, "there is a second page");
    let heads = list.lines().filter(|line| line.starts_with("NUMBER"));
    assert_eq!(heads.count(), 1, "{list}");
    let us = played.output(&["numbers", "list", "--region", "US"]).await;
    assert_eq!(us.lines().count(), 61);
    let json = played.json(&["numbers", "list", "--json"]).await;
    let numbers = json["activeNumbers"].as_array().expect("a list");
    let numbers: std::collections::BTreeSet<&str> = numbers
        .iter()
        .filter_map(|number| number["phoneNumber"].as_str())
        .collect();
    assert_eq!(numbers.len(), 120);

    // A second page that does not come must not pass for the end.
    let ordering = played.simulator.ordering();
    ordering.push_fault(Call::ListActiveNumbers, None);
    ordering.push_fault(Call::ListActiveNumbers, Some(Fault::Throttled));
    let ended = played.run(&["numbers", "list", "--json"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        serde_json::from_str::<Value>(&ended.out).is_err(),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_number_shows_its_services_and_where_its_callbacks_go() {
    let failure = Failure::with_code("EXCEEDED_10DLC_LIMIT").expect("a failure");
    let played = Played::with(|readings| {
        readings.provisioning = Provisioning::FailsOnce;
        readings.failure = failure;
        readings.number_callbacks = NumberCallbacks::CarriedOver;
    })
    .await;
    let mut order = one_us();
    order.sms_configuration = Some(SmsSetup {
        service_plan_id: "the-plan".to_owned(),
        campaign_id: Some("the-campaign".to_owned()),
    });
    order.callback_url = Some(format!("http://127.0.0.1:9{PATH}"));
    played.order(order).await;
    let shown = until("the failure", async || {
        let ended = played.run(&["numbers", "show", NUMBER]).await;
        ended
            .out
            .contains("EXCEEDED_10DLC_LIMIT")
            .then_some(ended.out)
    })
    .await;
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "text messages ready: the-plan",
        "10DLC campaign failed: the-campaign",
        "calls not linked",
        "EXCEEDED_10DLC_LIMIT: the campaign has too many numbers. Does trying again help? afterwards:",
        "text messages to the US are presumably still blocked",
        "callbacks: the path is this project's in the configuration",
    ] {
        assert!(words.contains(expected), "{expected}: {shown}");
    }
    let json = played.json(&["numbers", "show", NUMBER, "--json"]).await;
    assert_eq!(json["number"]["phoneNumber"], NUMBER);
    assert_eq!(json["services"][1]["state"], "failed");
    assert_eq!(json["failures"][0]["try_again"], "afterwards");

    let update = NumberUpdate {
        display_name: Some("till\u{1b}[2J\u{9b}7".to_owned()),
        callback_url: Some("https://other.example/elsewhere".to_owned()),
        ..NumberUpdate::default()
    };
    let updated = played
        .client
        .update_active_number(&number(NUMBER), &update)
        .await;
    updated.expect("updated");
    for command in [&["numbers", "show", NUMBER][..], &["numbers", "list"]] {
        let json = played.output(&[command, &["--json"]].concat()).await;
        for shown in [played.output(command).await, json] {
            assert!(shown.contains("till"), "{shown:?}");
            assert!(!shown.contains(['\u{1b}', '\u{9b}']), "{shown:?}");
        }
    }
    let shown = played.output(&["numbers", "show", NUMBER]).await;
    assert!(shown.contains("not the path of this project"), "{shown}");
}

#[tokio::test]
async fn a_number_is_released_only_with_yes() {
    let played = Played::with(|_| {}).await;
    played.order(one_us()).await;
    until("the number", async || {
        let ended = played.run(&["numbers", "show", NUMBER]).await;
        (ended.code == Some(0)).then_some(())
    })
    .await;
    let releases = || {
        let calls = played.simulator.ordering().calls();
        calls
            .iter()
            .filter(|call| call.call == Call::ReleaseActiveNumber)
            .count()
    };
    let said = played.output(&["numbers", "release", NUMBER]).await;
    assert!(
        said.starts_with("A release is no undo: +12015550100 stays"),
        "{said}"
    );
    assert!(
        said.ends_with("Nothing is done; with --yes the number is released."),
        "{said}"
    );
    let json = played.json(&["numbers", "release", NUMBER, "--json"]).await;
    assert_eq!((&json["released"], releases()), (&false.into(), 0));
    let said = played
        .output(&["numbers", "release", NUMBER, "--yes"])
        .await;
    assert!(
        said.starts_with("A release is no undo") && said.contains("\nReleased; "),
        "{said}"
    );
    assert_eq!(releases(), 1);
    let shown = played.output(&["numbers", "show", NUMBER]).await;
    assert!(shown.contains("the number was released"), "{shown}");
    assert!(shown.contains("no URL is set"), "{shown}");
    let json = played
        .json(&["numbers", "release", NUMBER, "--yes", "--json"])
        .await;
    assert_eq!(json["released"], true);
    assert_eq!(json["number"]["expireAt"], json["number"]["nextChargeDate"]);
}
