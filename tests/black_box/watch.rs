//! Orders that no callback announces, and the actions that operators can request.

use std::ffi::OsStr;
use std::time::Duration;

use number_order::State::{Completed, Created, Expired, InReview};
use number_order::Time;
use serde_json::Value;
use sinch_callbacks::clock;
use sinch_simulator::{Outage, Reply, World};

use testkit::{
    Ended, File, PROJECT, Request, Service, Settings, event, folder, id, order_history, play, run,
    until,
};

const REVIEWED: [(u64, number_order::State); 2] = [(0, Created), (1, InReview)];

/// Answer to the first fetch, as if later changes had not happened yet.
fn at_first(state: &str, updated_millis: u64) -> Reply {
    Reply::Shows {
        state: state.to_owned(),
        updated: Duration::from_millis(updated_millis),
    }
}

async fn send(service: &Service, method: &str, path: &str, body: &str) -> (u16, Value) {
    let request = Request::new(method, path).carrying(body);
    let answer = service.send_to_operators(&request).await;
    let body = if answer.body.is_empty() {
        Value::Null
    } else {
        answer.json()
    };
    (answer.status, body)
}

#[tokio::test]
async fn a_watched_order_is_right_without_any_callback() {
    let folder = folder();
    let histories = ["o1", "o2", "o3", "o4"].map(|order| order_history(order, &REVIEWED));
    let world = World::from_orders(id(PROJECT), histories);
    let (_simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;

    let path = format!("/api/v1/orders/{PROJECT}/o1");
    assert_eq!(send(&service, "PUT", &path, "").await.0, 201);
    assert_eq!(send(&service, "PUT", &path, "").await.0, 200, "is known");
    service.settles("o1", "IN_REVIEW").await;

    let list = format!("/api/v1/orders/{PROJECT}");
    let (status, watched) = send(&service, "POST", &list, "order,made\no1,x\no2,y\n").await;
    assert_eq!(
        (status, &watched["orders"], &watched["new"]),
        (200, &2.into(), &1.into())
    );
    service.settles("o2", "IN_REVIEW").await;
    let (status, problem) = send(&service, "POST", &list, "o3\na/b\n").await;
    assert_eq!(status, 422);
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.starts_with("line 2"), "{problem}");
    assert_eq!(
        service.order("o3").await,
        Value::Null,
        "all or none of a bad list"
    );

    let config = settings
        .clone()
        .set("operators.listen", service.operators.to_string())
        .write();
    let watch = async |arguments: &[&OsStr]| -> Ended {
        let mut all: Vec<&OsStr> = vec!["--config".as_ref(), config.as_os_str(), "watch".as_ref()];
        all.extend(arguments);
        run(all).await
    };
    let ended = watch(&["o3".as_ref()]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let file = folder.path().join("orders.ndjson");
    std::fs::write(&file, "{\"order\":\"o4\"}\n").expect("writes");
    let ended = watch(&["--file".as_ref(), file.as_os_str()]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for order in ["o3", "o4"] {
        service.settles(order, "IN_REVIEW").await;
    }
    let ended = watch(&["--project".as_ref(), "nobodys".as_ref(), "o5".as_ref()]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(watch(&[]).await.code, Some(2), "nothing to watch");
}

#[tokio::test]
async fn a_reservation_that_ends_without_a_callback_is_found_by_a_fetch() {
    let folder = folder();
    let mut expiring = order_history("o1", &[(0, Created), (1, Expired)]);
    // The order expires late enough for a fetch before its expiry.
    expiring.expires = Some(Duration::from_secs(8));
    let world = World::from_orders(id(PROJECT), [expiring]);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    simulator.push_reply(&id("o1"), at_first("CREATED", 0));
    let service = Service::start(&settings).await;
    let path = format!("/api/v1/orders/{PROJECT}/o1");
    assert_eq!(send(&service, "PUT", &path, "").await.0, 201);
    let order = service.settles("o1", "EXPIRED").await;
    let moves = order["transitions"].as_array().expect("a list");
    let states: Vec<&Value> = moves.iter().map(|row| &row["to_state"]).collect();
    assert_eq!(states, ["CREATED", "EXPIRED"]);
    assert_eq!(simulator.stats().events, 0, "nobody has called");
    let convergence = service.status().await["convergence"].take();
    assert_eq!(convergence["changes"], convergence["unannounced"]);
}

#[tokio::test]
async fn changes_while_the_service_was_down_are_found_after_a_kill() {
    const ORDERS: usize = 20;
    let folder = folder();
    let orders: Vec<String> = (0..ORDERS).map(|n| format!("o{n}")).collect();
    let history = [(0, Created), (1, InReview), (2, Completed)];
    let histories = orders.iter().map(|order| order_history(order, &history));
    let world = World::from_orders(id(PROJECT), histories);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    for order in &orders {
        simulator.push_reply(&id(order), at_first("IN_REVIEW", 1));
    }
    let service = Service::start(&settings).await;
    let list = format!("/api/v1/orders/{PROJECT}");
    let named = orders.join("\n");
    assert_eq!(send(&service, "POST", &list, &named).await.0, 200);
    for order in &orders {
        service.settles(order, "IN_REVIEW").await;
    }
    service.kill().await;
    let before = simulator.fetches().len();
    let service = Service::start(&settings).await;
    for order in &orders {
        service.settles(order, "COMPLETED").await;
    }
    // By their own schedule the orders would wait for a minute.
    let fetches = simulator.fetches().len() - before;
    assert_eq!(fetches, ORDERS, "one fetch each");
    assert_eq!(simulator.stats().events, 0, "nobody has called");
}

/// The control: after a clean end nothing was missed, and no order is fetched before its time.
#[tokio::test]
async fn after_a_clean_end_every_order_waits_for_its_schedule() {
    let folder = folder();
    let world = World::from_orders(
        id(PROJECT),
        [
            order_history("o1", &REVIEWED),
            order_history("o2", &REVIEWED),
        ],
    );
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let list = format!("/api/v1/orders/{PROJECT}");
    assert_eq!(send(&service, "POST", &list, "o1").await.0, 200);
    let planned = service.settles("o1", "IN_REVIEW").await["fetch_at"].take();
    service.stop().await;
    let service = Service::start(&settings).await;
    // Another order is fetched in between, which shows that there was time.
    assert_eq!(send(&service, "POST", &list, "o2").await.0, 200);
    service.settles("o2", "IN_REVIEW").await;
    let then = service.order("o1").await["fetch_at"].take();
    let fetches = simulator.fetches();
    let fetches = fetches.iter().filter(|f| f.order == "o1").count();
    // On a busy machine the order's time may have come: a minute after the first fetch.
    let time = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok();
    let has_come = time(&planned).is_some_and(|at| Time::from(at) <= clock::now());
    assert!(
        (then == planned && fetches == 1) || has_come,
        "{planned}, then {then}; {fetches} fetches"
    );
}

#[tokio::test]
async fn with_the_api_off_nothing_can_be_watched_or_fetched() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    for (method, path, status) in [
        ("PUT", format!("/api/v1/orders/{PROJECT}/o1"), 409),
        ("PUT", "/api/v1/orders/nobodys/o1".to_owned(), 404),
        ("POST", format!("/api/v1/orders/{PROJECT}/o1/fetch"), 409),
        ("POST", format!("/api/v1/projects/{PROJECT}/resume"), 409),
        ("POST", "/api/v1/projects/nobodys/resume".to_owned(), 404),
    ] {
        assert_eq!(send(&service, method, &path, "").await.0, status, "{path}");
    }
}

#[tokio::test]
async fn an_open_circuit_outlives_a_restart_and_an_operator_closes_it() {
    let folder = folder();
    // There are three orders, since one that is told to wait does not stand for all.
    let histories = ["o1", "o2", "o3"].map(|order| order_history(order, &REVIEWED));
    let world = World::from_orders(id(PROJECT), histories);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    simulator.set_outage(Outage::Throttled {
        retry_after: Some(Duration::from_secs(3000)),
    });
    let service = Service::start(&settings).await;
    let body = event("e1", "o1", "IN_REVIEW", simulator.started_at());
    service.deliver(body).await;
    for order in ["o2", "o3"] {
        let path = format!("/api/v1/orders/{PROJECT}/{order}");
        assert_eq!(send(&service, "PUT", &path, "").await.0, 201);
    }
    let opened = async |service: &Service| {
        until("asking to pause", async || {
            let api = service.status().await["api"][PROJECT].take();
            api["paused_until"].is_string().then_some(())
        })
        .await;
    };
    opened(&service).await;
    service.stop().await;
    let service = Service::start(&settings).await;
    opened(&service).await;

    simulator.set_outage(Outage::None);
    let path = format!("/api/v1/projects/{PROJECT}/resume");
    assert_eq!(send(&service, "POST", &path, "").await.0, 202);
    // The order has a wait of its own, which Sinch asked for. A requested fetch ends that wait, too.
    let path = format!("/api/v1/orders/{PROJECT}/o1/fetch");
    assert_eq!(send(&service, "POST", &path, "").await.0, 202);
    service.settles("o1", "IN_REVIEW").await;
    let convergence = service.status().await["convergence"].take();
    // The other orders may be confirmed by now as well, and no event announced them.
    let count = |name: &str| convergence[name].as_u64().expect("a count");
    assert!(count("changes") > count("unannounced"), "{convergence}");
}

#[tokio::test]
async fn a_reservation_that_runs_out_is_shown_and_logged() {
    let folder = folder();
    let mut expiring = order_history("o1", &[(0, Created)]);
    expiring.expires = Some(Duration::from_secs(600));
    let world = World::from_orders(id(PROJECT), [expiring]);
    let (_simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let path = format!("/api/v1/orders/{PROJECT}/o1");
    assert_eq!(send(&service, "PUT", &path, "").await.0, 201);
    let alert = until("an alert", async || {
        let alerts = service.status().await["alerts"].take();
        alerts.as_array()?.first().cloned()
    })
    .await;
    assert_eq!(alert["order"], "o1");
    assert_eq!(alert["alert"]["code"], "expiring");
    assert_eq!(alert["alert"]["fields"]["within_ms"], 900_000);
    assert!(alert["left_secs"].as_u64().is_some_and(|left| left <= 600));
    let (fired, resolved) = ("an order needs attention", "an alert is resolved");
    let mut log = service.stop().await.out;

    // The alert worker's first check is at the start.
    let open = |alert: &Value| alert["fired_at"].is_string() && alert["resolved_at"].is_null();
    for _ in 0..2 {
        let service = Service::start(&settings).await;
        let order = service
            .order_when("o1", "its alert", |order| open(&order["alerts"][0]))
            .await;
        assert_eq!(order["alerts"].as_array().map(Vec::len), Some(1), "{order}");
        assert_eq!(order["alerts"][0]["alert"]["code"], "expiring");
        log += &service.stop().await.out;
    }
    let told = |log: &str, what: &str| log.matches(what).count();
    assert_eq!((told(&log, fired), told(&log, resolved)), (1, 0), "{log}");

    // With the other threshold the order has time enough.
    let patient = settings.set("deadlines.expiring_secs", vec![60]);
    let service = Service::start(&patient).await;
    service
        .order_when("o1", "its alert resolved", |order| {
            order["alerts"][0]["resolved_at"].is_string()
        })
        .await;
    let log = service.stop().await.out;
    assert_eq!((told(&log, fired), told(&log, resolved)), (0, 1), "{log}");
}

#[tokio::test]
async fn an_alert_that_cannot_be_recorded_is_reported_once() {
    let folder = folder();
    let mut expiring = order_history("o1", &[(0, Created)]);
    expiring.expires = Some(Duration::from_secs(600));
    let world = World::from_orders(id(PROJECT), [expiring]);
    let (_simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let path = format!("/api/v1/orders/{PROJECT}/o1");
    assert_eq!(send(&service, "PUT", &path, "").await.0, 201);
    service.settles("o1", "CREATED").await;
    let mut file = File::open(&settings.database()).await;
    file.execute("BEGIN IMMEDIATE").await;
    until("the worker to fail a few times", async || {
        let failing = service.status().await["workers"]["alerts"].take();
        failing["times"].as_u64().filter(|times| *times > 2)
    })
    .await;
    file.execute("ROLLBACK").await;
    service
        .order_when("o1", "its alert", |order| {
            order["alerts"][0]["fired_at"].is_string()
        })
        .await;
    let log = service.stop().await.out;
    assert_eq!(log.matches("an order needs attention").count(), 1, "{log}");
}

#[tokio::test]
async fn monitoring_gets_the_figures() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    service
        .deliver(event(
            "e1",
            "o1",
            "IN_REVIEW",
            sinch_callbacks::clock::now(),
        ))
        .await;
    until("the order to be counted", async || {
        let answer = service.get("/metrics").await;
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        let text = String::from_utf8(answer.body).expect("is text");
        let has = |line: &str| text.lines().any(|found| found == line);
        assert!(
            has("sinch_callbacks_callbacks_accepted_total{kind=\"new\"} 1"),
            "{text}"
        );
        assert_eq!(text.lines().last(), Some("# EOF"));
        has("sinch_callbacks_orders_by_state{state=\"IN_REVIEW\"} 1.0").then_some(())
    })
    .await;
}
