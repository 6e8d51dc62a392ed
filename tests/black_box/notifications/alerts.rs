//! Alerts about the service, from outside: targets are told when one fires and when it is resolved, once each.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sinch_callbacks::clock;
use sinch_simulator::Outage;
use testkit::target::{Reply, Told};
use testkit::{PATH, PROJECT, Request, SECRET, Service, Settings, Target, event, until};

use super::Played;

/// Settings by which trouble is told at once, and over as soon as can be configured.
fn impatient(settings: Settings) -> Settings {
    settings
        .set("deadlines.trouble_secs", 1)
        .set("deadlines.quiet_secs", 30)
        .set("worker.attempts_max", 1000)
        .set_project("auth", "basic")
}

/// Adds a target that is told of alerts in a form.
fn alerts_to(settings: Settings, name: &str, target: &Target, format: &str) -> Settings {
    let settings = settings.add_target(name, &target.url());
    settings
        .set_target("types", json!(["alert.*"]))
        .set_target("format", format)
}

/// What a target was told, each event once: one whose answer a kill has lost is told again.
fn once(target: &Target) -> Vec<Told> {
    let mut ids = BTreeSet::new();
    let told = target.told().into_iter();
    told.filter(|one| ids.insert(one.id().to_owned())).collect()
}

/// Waits until the target was told so of an alert with this code, and returns the event.
async fn told(target: &Target, event_type: &str, code: &str) -> Value {
    until(&format!("{event_type} {code}"), async || {
        let told = target.told();
        let mut events = told.iter().map(Told::json);
        events.find(|event| event["type"] == event_type && event["data"]["alert"]["code"] == code)
    })
    .await
}

/// Codes of the alerts that `/status` shows, and the number that `/metrics` gives for one.
async fn shown(service: &Service, code: &str) -> (Vec<String>, String) {
    let status = service.status().await;
    let rows = status["service_alerts"].as_array().cloned();
    let codes = rows.unwrap_or_default().into_iter();
    let codes = codes.map(|row| row["alert"]["code"].as_str().unwrap_or_default().to_owned());
    let metrics = service.get("/metrics").await;
    let series = format!("sinch_callbacks_service_alerts_firing{{alert=\"{code}\"}} ");
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(&series));
    (codes.collect(), line.unwrap_or_default().to_owned())
}

/// Has Sinch fail, and a callback come that another secret signs.
async fn have_trouble(played: &Played, orders: &[String]) {
    let service = &played.service;
    played
        .simulator
        .set_outage(Outage::Unavailable { retry_after: None });
    for order in orders {
        let body = event(order, order, "IN_REVIEW", clock::now());
        service.deliver(body).await;
    }
    // What an address that is not allowed sends is noise, and so is what is no callback.
    let body = event("e1", "o1", "COMPLETED", clock::now());
    service
        .send_unallowed(Request::signed("/nowhere", SECRET, body.clone()).bytes())
        .await;
    service.send(&Request::new("GET", "/favicon.ico")).await;
    let forged = Request::signed(PATH, "another secret", body);
    assert_eq!(service.send(&forged).await.status, 401);
}

#[tokio::test]
async fn refused_callbacks_and_an_outage_are_told_once_each_and_in_every_form() {
    let (ops, chat) = (Target::willing().await, Target::willing().await);
    let (mail, bus) = (Target::willing().await, Target::willing().await);
    let orders: Vec<String> = (0..15).map(|n| format!("o{n}")).collect();
    let names: Vec<&str> = orders.iter().map(String::as_str).collect();
    let played = Played::with(&names, |settings| {
        let settings = alerts_to(impatient(settings), "ops", &ops, "json");
        let settings = alerts_to(settings, "chat", &chat, "slack");
        let settings = alerts_to(settings, "mail", &mail, "text");
        alerts_to(settings, "bus", &bus, "cloudevents")
    })
    .await;
    have_trouble(&played, &orders).await;

    let fired = told(&ops, "alert.fired", "callbacks-refused").await;
    assert_eq!(fired["data"]["project"], PROJECT);
    assert_eq!(
        fired["data"]["alert"]["fields"],
        json!({"refusal": "signature"})
    );
    let fired = told(&ops, "alert.fired", "provider-trouble").await;
    assert_eq!(
        fired["data"]["alert"]["fields"]["reason"]["code"],
        "not-now"
    );
    let (codes, firing) = shown(&played.service, "provider-trouble").await;
    assert_eq!((codes.len(), firing.as_str()), (2, "1.0"), "{codes:?}");

    // A kill forgets what was seen, and tells of nothing again.
    let Played {
        simulator,
        settings,
        service,
        _folder,
    } = played;
    service.kill().await;
    let service = Service::start(&settings).await;
    simulator.set_outage(Outage::None);
    told(&ops, "alert.resolved", "callbacks-refused").await;
    told(&ops, "alert.resolved", "provider-trouble").await;
    let (codes, firing) = shown(&service, "provider-trouble").await;
    assert_eq!((codes, firing.as_str()), (Vec::new(), "0.0"));

    for target in [&chat, &mail, &bus] {
        until("all is told", async || {
            (once(target).len() == 4).then_some(())
        })
        .await;
    }
    service.stop_well().await;
    assert_each_told_once(&ops);
    assert_told_in_words(&chat, &mail, &bus);
}

/// Each alert was told when it fired and when it was resolved, and no second time.
fn assert_each_told_once(ops: &Target) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = once(ops).into_iter().map(|told| told.json());
    let told = told.map(|event| (text(&event["type"]), text(&event["data"]["alert"]["code"])));
    let mut all: Vec<(String, String)> = told.collect();
    all.sort();
    let pair = |what: &str, code: &str| (format!("alert.{what}"), code.to_owned());
    assert_eq!(
        all,
        [
            pair("fired", "callbacks-refused"),
            pair("fired", "provider-trouble"),
            pair("resolved", "callbacks-refused"),
            pair("resolved", "provider-trouble"),
        ]
    );
}

/// The other forms say the same.
fn assert_told_in_words(chat: &Target, mail: &Target, bus: &Target) {
    let refused = format!(
        "Alert about project {PROJECT}: callbacks are refused: their signature is missing or wrong"
    );
    let said = once(chat).into_iter().map(|told| told.json());
    let said = said.filter(|message| message["text"] == refused);
    assert_eq!(said.count(), 1, "{:?}", chat.told());
    let said = once(mail).into_iter();
    let said = said.map(|told| String::from_utf8_lossy(&told.body).into_owned());
    let said = said.filter(|text| text.starts_with(&format!("{refused}\n\n")));
    assert_eq!(said.count(), 1, "{:?}", mail.told());
    let told = once(bus).into_iter().map(|told| told.json());
    let codes = told.map(|event| event["data"]["alert"]["code"].clone());
    assert_eq!(codes.filter(|code| code == "callbacks-refused").count(), 2);
}

#[tokio::test]
async fn a_target_that_fails_is_told_of_by_another_and_has_nothing_more_to_fail_at() {
    let (failing, ops) = (
        Target::start(|_, _| Reply::status(410)).await,
        Target::willing().await,
    );
    let url = failing.url();
    let played = Played::with(&["o1"], |settings| {
        let settings = impatient(settings).add_target("failing", &url);
        let settings = settings.set_target("types", json!(["order.*", "alert.*"]));
        alerts_to(settings, "ops", &ops, "json")
    })
    .await;
    played.enter("o1", "COMPLETED", 2).await;
    let fired = told(&ops, "alert.fired", "target-switched-off").await;
    assert_eq!(
        fired["data"]["alert"]["fields"],
        json!({"target": "failing"})
    );
    assert_eq!(fired["data"]["project"], Value::Null);
    let waiting = played.service.status().await["targets"]["failing"]["waiting"].clone();
    assert_eq!(waiting, 1, "the order's event alone");
    assert_eq!(failing.told().len(), 1);
    let line = until("a line in the log", async || {
        let mut lines = played.service.lines().into_iter();
        lines.find(|line| line.contains("the service needs attention"))
    })
    .await;
    assert!(line.contains("\"alert\":\"target-switched-off\""), "{line}");
}
