//! Effects of events and fetches on one order at a time, with a simulated Sinch.

use std::time::Duration;

use number_order::State::{Completed, Created, InReview};
use number_order::{State, Time};
use serde_json::Value;
use sinch_callbacks::clock;
use sinch_simulator::ordering::Tokens;
use sinch_simulator::{Outage, Reply, Simulator, World};

use testkit::{
    PATH, PROJECT, Request, SECRET, Service, Settings, event, folder, id, order_history, play,
};

/// Starts a service and a Sinch with orders that have all been through the given history when the test begins.
async fn start_with_history(
    folder: &tempfile::TempDir,
    orders: &[&str],
    history: &[(u64, State)],
    settings: impl FnOnce(Settings) -> Settings,
) -> (Service, Simulator) {
    let orders = orders.iter().map(|order| order_history(order, history));
    let world = World::from_orders(id(PROJECT), orders);
    let (simulator, settings) = play(world, settings(Settings::new(folder.path()))).await;
    // A token that wears out costs a fetch, and the tests count them.
    let mut readings = simulator.ordering().readings();
    readings.tokens = Tokens::Full;
    simulator.ordering().set_readings(readings);
    let service = Service::start(&settings).await;
    (service, simulator)
}

/// Time at the given offset in an order's history, as Sinch's clock would stamp it.
fn at(simulator: &Simulator, millis: u64) -> Time {
    simulator.started_at().plus(Duration::from_millis(millis))
}

fn says(state: &str, updated_millis: u64) -> Reply {
    Reply::Shows {
        state: state.to_owned(),
        updated: Duration::from_millis(updated_millis),
    }
}

/// Number of fetches of the given order that reached Sinch.
fn fetches_of(simulator: &Simulator, order: &str) -> usize {
    let fetches = simulator.fetches();
    fetches.iter().filter(|f| f.order == order).count()
}

async fn request_fetch(service: &Service, order: &str) {
    let path = format!("/api/v1/orders/{PROJECT}/{order}/fetch");
    let answer = service.send_to_operators(&Request::post(&path, "")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

/// Returns `true` if a row of an order's history has the given code in a column.
fn has(order: &Value, rows: &str, column: &str, code: &str) -> bool {
    let rows = order[rows].as_array();
    rows.into_iter()
        .flatten()
        .any(|row| row[column]["code"] == code)
}

const REVIEWED: [(u64, State); 2] = [(0, Created), (1, InReview)];
const DONE: [(u64, State); 3] = [(0, Created), (1, InReview), (2, Completed)];

#[tokio::test]
async fn a_first_event_leads_to_a_fetch_and_is_confirmed() {
    let folder = folder();
    let (service, simulator) = start_with_history(&folder, &["o1"], &REVIEWED, |s| s).await;
    service
        .deliver(event("e1", "o1", "IN_REVIEW", at(&simulator, 1)))
        .await;
    let order = service.settles("o1", "IN_REVIEW").await;
    assert_eq!(fetches_of(&simulator, "o1"), 1);
    assert_eq!(order["provisional"], Value::Null);
    assert_eq!(order["attempts"], 0);
    assert!(
        has(&order, "deliveries", "decision", "first-event"),
        "{order}"
    );
    assert!(has(&order, "fetches", "outcome", "first-answer"));
    let moves = order["transitions"].as_array().expect("a list");
    let confirmed: Vec<_> = moves
        .iter()
        .map(|m| (&m["to_state"], &m["confirmed"]))
        .collect();
    assert_eq!(
        confirmed,
        [
            (&"IN_REVIEW".into(), &false.into()),
            (&"IN_REVIEW".into(), &true.into())
        ]
    );
}

#[tokio::test]
async fn what_fits_shows_at_once_while_the_api_hangs() {
    let folder = folder();
    let (service, simulator) = start_with_history(&folder, &["o1"], &DONE, |s| s).await;
    simulator.push_reply(&id("o1"), says("IN_REVIEW", 1));
    service
        .deliver(event("e1", "o1", "IN_REVIEW", at(&simulator, 1)))
        .await;
    service.settles("o1", "IN_REVIEW").await;

    simulator.set_outage(Outage::Hang);
    service
        .deliver(event("e2", "o1", "COMPLETED", at(&simulator, 2)))
        .await;
    let moved = service.order_when("o1", "moved", |o| o["state"] == "COMPLETED");
    let moved = moved.await;
    assert_eq!(moved["confirmed"], "IN_REVIEW");
    assert_eq!(moved["provisional"], "COMPLETED");
    assert_eq!(moved["settled"], false);
    assert!(has(&moved, "deliveries", "decision", "fits"));

    simulator.set_outage(Outage::None);
    let order = service.settles("o1", "COMPLETED").await;
    assert_eq!(order["provisional"], Value::Null);
}

#[tokio::test]
async fn an_event_that_was_overtaken_moves_nothing_back() {
    let folder = folder();
    let (service, simulator) = start_with_history(&folder, &["o1"], &DONE, |s| s).await;
    service
        .deliver(event("late", "o1", "COMPLETED", at(&simulator, 2)))
        .await;
    service.settles("o1", "COMPLETED").await;
    service
        .deliver(event("early", "o1", "IN_REVIEW", at(&simulator, 1)))
        .await;
    let doubted = service.order_when("o1", "in doubt", |o| {
        has(o, "deliveries", "decision", "after-final")
    });
    assert_eq!(doubted.await["state"], "COMPLETED");
    let order = service.settles("o1", "COMPLETED").await;
    assert!(
        fetches_of(&simulator, "o1") >= 2,
        "the doubt is put to Sinch"
    );
    assert_eq!(order["reopened"], false);
}

#[tokio::test]
async fn a_stale_answer_is_not_applied() {
    let folder = folder();
    let (service, simulator) = start_with_history(&folder, &["o1"], &DONE, |s| s).await;
    service
        .deliver(event("e1", "o1", "COMPLETED", at(&simulator, 2)))
        .await;
    service.settles("o1", "COMPLETED").await;

    simulator.push_reply(&id("o1"), says("IN_REVIEW", 1));
    request_fetch(&service, "o1").await;
    let stale = service.order_when("o1", "a stale answer", |o| {
        has(o, "fetches", "outcome", "older")
    });
    let stale = stale.await;
    assert_eq!(
        (&stale["state"], &stale["confirmed"]),
        (&"COMPLETED".into(), &"COMPLETED".into())
    );
    let again = service.order_when("o1", "asked again", |o| {
        has(o, "fetches", "outcome", "unchanged")
    });
    assert_eq!(again.await["state"], "COMPLETED");
}

#[tokio::test]
async fn undocumented_states_are_kept_and_never_applied() {
    let folder = folder();
    let (service, simulator) = start_with_history(&folder, &["o1"], &REVIEWED, |s| s).await;
    // As long as Sinch shows nothing, only the event's claim is known.
    simulator.set_outage(Outage::Unavailable { retry_after: None });
    service
        .deliver(event("e1", "o1", "THAWING", at(&simulator, 1)))
        .await;
    let surprised = service.order_with("o1", 1).await;
    assert_eq!(surprised["state"], Value::Null);
    assert_eq!(surprised["hints"], serde_json::json!(["UNKNOWN"]));
    assert_eq!(surprised["deliveries"][0]["status"], "THAWING");
    assert!(has(&surprised, "deliveries", "decision", "unknown-status"));

    simulator.push_reply(&id("o1"), says("FROZEN", 1));
    simulator.set_outage(Outage::None);
    let order = service.settles("o1", "IN_REVIEW").await;
    assert_eq!(order["hints"], serde_json::json!([]));
    let rows = |list: &str| order[list].as_array().cloned().unwrap_or_default();
    let is_frozen = |fetch: &Value| fetch["state"] == "FROZEN";
    let frozen: Vec<Value> = rows("fetches").into_iter().filter(is_frozen).collect();
    assert_eq!(frozen.len(), 1, "{order}");
    assert_eq!(frozen[0]["outcome"]["code"], "unknown-state", "{order}");
    let moves = rows("transitions");
    let states: Vec<&Value> = moves.iter().map(|row| &row["to_state"]).collect();
    assert_eq!(states, ["IN_REVIEW"]);
}

#[tokio::test]
async fn an_order_that_is_not_there_yet_is_fetched_again() {
    let folder = folder();
    let (service, simulator) = start_with_history(&folder, &["o1"], &REVIEWED, |s| s).await;
    simulator.push_reply(&id("o1"), Reply::NotFound);
    service
        .deliver(event("e1", "o1", "IN_REVIEW", at(&simulator, 1)))
        .await;
    let order = service.settles("o1", "IN_REVIEW").await;
    assert!(has(&order, "fetches", "outcome", "not-found"), "{order}");
    assert_eq!(fetches_of(&simulator, "o1"), 2);
}

#[tokio::test]
async fn a_refused_token_is_renewed_on_the_way() {
    let folder = folder();
    let (service, simulator) = start_with_history(&folder, &["o1"], &REVIEWED, |s| s).await;
    service
        .deliver(event("e1", "o1", "IN_REVIEW", at(&simulator, 2)))
        .await;
    service.settles("o1", "IN_REVIEW").await;
    assert_eq!(simulator.stats().tokens, 1);

    simulator.revoke_tokens();
    request_fetch(&service, "o1").await;
    let order = service.order_when("o1", "asked again", |o| {
        has(o, "fetches", "outcome", "unchanged")
    });
    let order = order.await;
    assert_eq!(simulator.stats().tokens, 2);
    assert!(!has(&order, "fetches", "outcome", "key-refused"), "{order}");
    // The two fetches are the refused one and its repetition; none was counted as failed.
    assert_eq!(fetches_of(&simulator, "o1"), 3);
}

#[tokio::test]
async fn one_order_that_always_fails_is_parked_and_holds_up_nobody() {
    const TRIES: usize = 3;
    let folder = folder();
    let others: Vec<String> = (0..12).map(|n| format!("o{n}")).collect();
    let names: Vec<&str> = others.iter().map(String::as_str).chain(["bad"]).collect();
    let hasty = |s: Settings| s.set("worker.attempts_max", TRIES);
    let (service, simulator) = start_with_history(&folder, &names, &DONE, hasty).await;
    for _ in 0..TRIES {
        simulator.push_reply(&id("bad"), Reply::ServerError { status: 500 });
    }
    for order in &names {
        let body = event(&format!("e-{order}"), order, "COMPLETED", at(&simulator, 2));
        service.deliver(body).await;
    }
    for order in &others {
        service.settles(order, "COMPLETED").await;
    }
    let parked = service.order_when("bad", "parked", |o| o["parked"] != Value::Null);
    let parked = parked.await;
    let reason = &parked["parked"];
    assert_eq!(reason["code"], "attempts-used-up", "{reason}");
    assert_eq!(reason["fields"]["attempts"], TRIES, "{reason}");
    assert_eq!(
        reason["fields"]["last"]["fields"]["flaw"], "server-failed",
        "{reason}"
    );
    assert_eq!(parked["fetch_at"], Value::Null);
    assert_eq!(fetches_of(&simulator, "bad"), TRIES);
    assert_eq!(service.list("/api/v1/orders?parked=true").await.len(), 1);
    assert_eq!(service.status().await["orders_parked"], 1);

    // An operator requests a fetch of the parked order, which has all its attempts again.
    request_fetch(&service, "bad").await;
    let order = service.settles("bad", "COMPLETED").await;
    assert_eq!(
        (&order["parked"], &order["attempts"]),
        (&Value::Null, &0.into())
    );
    assert_eq!(service.status().await["orders_parked"], 0);
}

#[tokio::test]
async fn an_event_unparks_an_order() {
    let folder = folder();
    let hasty = |s: Settings| s.set("worker.attempts_max", 1);
    let (service, simulator) = start_with_history(&folder, &["o1"], &DONE, hasty).await;
    simulator.push_reply(&id("o1"), Reply::ServerError { status: 500 });
    service
        .deliver(event("e1", "o1", "IN_REVIEW", at(&simulator, 1)))
        .await;
    let parked = service.order_when("o1", "parked", |o| o["parked"] != Value::Null);
    parked.await;
    service
        .deliver(event("e2", "o1", "COMPLETED", at(&simulator, 2)))
        .await;
    service.settles("o1", "COMPLETED").await;
}

#[tokio::test]
async fn without_the_api_only_what_fits_moves() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    let now = clock::now();
    let later = |secs| now.plus(Duration::from_secs(secs));
    for (name, status, said_at) in [
        ("e1", "IN_REVIEW", now),
        ("e2", "BLOCKED", later(1)),
        // BLOCKED does not lead directly to COMPLETED: that would need a fetch.
        ("e3", "COMPLETED", later(2)),
    ] {
        service.deliver(event(name, "o1", status, said_at)).await;
        service
            .order_when("o1", "looked at", |o| {
                let deliveries = o["deliveries"].as_array().into_iter().flatten();
                deliveries
                    .last()
                    .is_some_and(|d| d["event"] == name && d["phase"] != "waiting")
            })
            .await;
    }
    let order = service.order("o1").await;
    assert_eq!(
        (&order["state"], &order["confirmed"]),
        (&"BLOCKED".into(), &Value::Null)
    );
    assert_eq!(order["fetch_at"], Value::Null);
    let phases: Vec<_> = (0..3).map(|n| &order["deliveries"][n]["phase"]).collect();
    assert_eq!(phases, ["parked", "processed", "parked"]);
    let parked = service.list("/api/v1/parked").await;
    assert_eq!(parked.len(), 2);
    for row in parked {
        assert_eq!(row["decision"]["code"], "api-off", "{row}");
    }
}

#[tokio::test]
async fn an_unsigned_event_reaches_no_order() {
    let folder = folder();
    let (service, simulator) = start_with_history(&folder, &["o1"], &DONE, |s| s).await;
    let body = event("e1", "o1", "COMPLETED", at(&simulator, 2));
    let forged = Request::signed(PATH, &format!("{SECRET}x"), body.clone());
    service.send(&forged).await.assert_refusal(401, "forged");
    service
        .deliver(event("e2", "o2", "COMPLETED", at(&simulator, 2)))
        .await;
    service
        .order_when("o2", "asked about", |o| {
            has(o, "fetches", "outcome", "not-found")
        })
        .await;
    assert_eq!(service.order("o1").await, Value::Null);
    assert_eq!(fetches_of(&simulator, "o1"), 0);
}
