//! Commands about events and targets, and the receiver that shows what comes.

use number_order::State::{Completed, Created, InReview};
use serde_json::Value;
use sinch_simulator::World;

use testkit::{
    PROJECT, Process, Request, Service, Settings, event, folder, id, order_history, play, run,
    until,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

#[tokio::test]
async fn the_feed_is_listed_and_followed_at_the_terminal() {
    let folder = folder();
    let history = [(0, Created), (1, InReview), (2, Completed)];
    let world = World::from_orders(
        id(PROJECT),
        ["o1", "o2"].map(|order| order_history(order, &history)),
    );
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let environment = [(
        "SINCH_CALLBACKS_OPERATORS__LISTEN",
        service.operators.to_string(),
    )];
    let with = async |arguments: &[&str]| {
        let ended = Process::start_in(&environment, arguments).ended().await;
        (ended.code, ended.out, ended.err)
    };
    let said_at = simulator.started_at();
    service
        .deliver(event("e1", "o1", "COMPLETED", said_at))
        .await;
    service
        .order_when("o1", "its number", |order| !order["ready_at"].is_null())
        .await;

    let (code, out, err) = with(&["events", "list"]).await;
    assert_eq!(code, Some(0), "{err}");
    let heads: Vec<&str> = out
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(heads, ["NUMBER", "TIME", "TYPE", "ORDER", "STATE", "ABOUT"]);
    assert!(
        out.contains("order.completed") && out.contains("number.ready"),
        "{out}"
    );
    let json = ["events", "list", "--types", "order.completed", "--json"];
    let (code, out, err) = with(&json).await;
    assert_eq!(code, Some(0), "{err}");
    let listed: Value = serde_json::from_str(&out).expect("one JSON value");
    assert_eq!(
        listed["events"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    assert_eq!(listed["next"], service.status().await["newest_event"]);

    let following = ["events", "list", "--follow", "--json", "--after", "0"];
    let mut followed = Process::start_in(&environment, following);
    let of_order = async |order: &str| {
        until(&format!("an event of {order}"), async || {
            let lines = followed.lines();
            lines
                .into_iter()
                .find(|line| line.contains(&format!("\"order\":\"{order}\"")))
        })
        .await
    };
    of_order("o1").await;
    service
        .deliver(event("e2", "o2", "COMPLETED", said_at))
        .await;
    let line: Value = serde_json::from_str(&of_order("o2").await).expect("one JSON value a line");
    assert_eq!(line["data"]["confirmed"], true, "{line}");
    assert!(followed.is_running());

    let (code, _, err) = with(&["events", "list", "--after", "100000"]).await;
    assert!(code == Some(1) && err.contains("restored"), "{err}");
    let (code, out, _) = with(&["events", "list", "--after", "100000", "--json"]).await;
    let failed: Value = serde_json::from_str(&out).expect("one JSON value");
    assert!(
        code == Some(1) && failed["error"]["code"] == "service",
        "{out}"
    );
}

#[tokio::test]
async fn targets_are_seen_to_at_the_terminal() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let environment = [(
        "SINCH_CALLBACKS_OPERATORS__LISTEN",
        service.operators.to_string(),
    )];
    for (arguments, code, words) in [
        (&["events", "targets"][..], 0, "No target"),
        (&["events", "notifications"], 0, "no notification"),
        (
            &["events", "notifications", "--target", "crm"],
            1,
            "no such target",
        ),
        (
            &["events", "notifications", "--phase", "lost"],
            2,
            "waiting",
        ),
        (&["events", "redrive"], 2, "--target"),
        (&["events", "redrive", "--dry-run"], 2, "--target"),
        (
            &["events", "redrive", "--phase", "delivered"],
            2,
            "--target",
        ),
        (
            &["events", "redrive", "--all", "--dry-run"],
            0,
            "0 notifications fit",
        ),
        (
            &["events", "redrive", "--all"],
            0,
            "0 notifications are sent",
        ),
        (
            &["events", "redrive", "--all", "--json"],
            0,
            "\"dry_run\":false",
        ),
        (
            &["events", "redrive", "--since", "today"],
            1,
            "since: write a time",
        ),
        (
            &["events", "resume", "crm"],
            1,
            "not resumed: no such target",
        ),
        (
            &["events", "send-test", "crm", "order.completed"],
            1,
            "not sent: no such",
        ),
        (
            &["events", "send-test", "crm", "order.gone"],
            2,
            "order.completed",
        ),
    ] {
        let ended = Process::start_in(&environment, arguments).ended().await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        let said = format!("{}{}", ended.out, ended.err);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    service.stop_well().await;
    let ended = Process::start_in(&environment, ["events", "targets"])
        .ended()
        .await;
    assert!(
        ended.code == Some(1) && ended.err.contains("no service"),
        "{ended:?}"
    );
}

/// Sends what a target would get, and returns the status of the answer.
async fn tell(address: &str, body: &str, signature: &str) -> u16 {
    let now = sinch_callbacks::clock::now().0 / 1_000_000;
    let signature = if signature.is_empty() {
        let key = notifications::SigningKey::new(SECRET).expect("a key");
        notifications::sign(&[key], "evt_1", now, body.as_bytes())
    } else {
        signature.to_owned()
    };
    let request = Request::post("/hooks", body)
        .header("webhook-id", "evt_1")
        .header("webhook-timestamp", &now.to_string())
        .header("webhook-signature", &signature);
    let address = address.parse().expect("an address");
    let mut connection = testkit::Connection::connect(address)
        .await
        .expect("connects");
    connection
        .exchange(request.bytes())
        .await
        .expect("an answer")
        .status
}

#[tokio::test]
async fn what_a_target_is_sent_is_shown_with_its_verification() {
    let folder = folder();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).expect("written");
    let file = file.display().to_string();
    let listening = [
        "listen",
        "--address",
        "127.0.0.1:0",
        "--secret-file",
        &file,
        "--status",
        "503",
    ];
    let receiver = Process::start(listening);
    let address = until("the address", async || {
        let lines = receiver.lines();
        let (_, rest) = lines.first()?.split_once("http://")?;
        rest.split_once('/').map(|(address, _)| address.to_owned())
    })
    .await;
    let body = r#"{"id":"evt_1","type":"order.completed","sequence":7,"data":{"order":"o1"}}"#;
    assert_eq!(tell(&address, body, "").await, 503);
    assert_eq!(tell(&address, body, "v1,AAAA").await, 503);
    let said = until("both", async || {
        let said = receiver.lines().join("\n");
        (said.matches("answered 503").count() == 2).then_some(said)
    })
    .await;
    for words in [
        "POST /hooks  order.completed event 7 (evt_1)",
        "genuine: signed with the key of --secret-file 1",
        "NOT GENUINE: no signature matches",
        "    \"order\": \"o1\"",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let ended = receiver.stop().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let ended = run(["listen", "--secret-file", "/nowhere"]).await;
    assert!(
        ended.code == Some(2) && ended.err.contains("no such file"),
        "{ended:?}"
    );
    let ended = run(["--config", "x", "listen"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}
