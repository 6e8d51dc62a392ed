//! The operators' listener, as operators and monitoring see it.

use std::time::Duration;

use number_order::State;
use serde_json::{Value, json};
use sinch_callbacks::clock;
use sinch_simulator::World;

use testkit::{File, PROJECT, Service, Settings, event, folder, id, order_history, play, until};

#[tokio::test]
async fn health_is_answered_in_a_word() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    for (path, body) in [("/livez", "alive\n"), ("/readyz", "ready\n")] {
        let answer = until(path, async || {
            let answer = service.get(path).await;
            (answer.status == 200).then_some(answer)
        })
        .await;
        assert_eq!(answer.body, body.as_bytes());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let mut file = File::open(&settings.database()).await;
    file.execute("BEGIN EXCLUSIVE").await;
    // Behind another write that waits for the lock, the write probe has no answer in time.
    until("the reason", async || {
        let answer = service.get("/readyz").await;
        answer.assert_refusal(503, "while the database is locked");
        let detail = answer.json()["detail"].take();
        detail.as_str()?.contains("locked").then_some(())
    })
    .await;
    assert_eq!(
        service.get("/livez").await.status,
        200,
        "a restart would not help"
    );
    assert_eq!(service.get("/status").await.status, 200, "reading goes on");
    file.execute("ROLLBACK").await;
    service.is_ready().await;
}

/// Numbers of orders by their state, where there is one order at most.
pub fn by_state(state: Option<&str>) -> Value {
    let states = State::ALL.iter().map(|state| state.as_str());
    let counts = states
        .chain(["UNKNOWN"])
        .map(|one| (one.to_owned(), u64::from(state == Some(one)).into()));
    Value::Object(counts.collect())
}

#[tokio::test]
async fn the_status_shows_the_figures() {
    let folder = folder();
    let world = World::from_orders(id(PROJECT), [order_history("o1", &[(0, State::InReview)])]);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let fresh = service.status().await;
    for (name, expected) in [
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("draining", json!(false)),
        ("orders_by_state", by_state(None)),
        ("oldest_pending_at", Value::Null),
        ("orders_due", json!(0)),
        ("oldest_due_at", Value::Null),
        ("orders_unsettled", json!(0)),
        ("oldest_unsettled_at", Value::Null),
        ("orders_parked", json!(0)),
        ("deliveries_waiting", json!(0)),
        ("deliveries_parked", json!(0)),
        ("last_delivery_at", Value::Null),
        ("last_fetched_at", Value::Null),
        ("silent_workers", json!([])),
    ] {
        assert_eq!(fresh[name], expected, "{name}");
    }
    assert_eq!(fresh["api"][PROJECT]["last_at"], Value::Null);
    // The project's fetcher may begin after the listeners.
    until("the project's circuit", async || {
        (service.status().await["api"][PROJECT]["failures"] == 0).then_some(())
    })
    .await;
    let began = clock::now();
    service
        .deliver(event("e1", "o1", "IN_REVIEW", simulator.started_at()))
        .await;
    service.deliver_to_be_parked("no JSON").await;
    service.settles("o1", "IN_REVIEW").await;

    let status = service.status().await;
    assert_eq!(status["orders_by_state"], by_state(Some("IN_REVIEW")));
    assert_eq!(status["deliveries_parked"], 1);
    assert_eq!(status["callbacks_accepted"]["new"]["count"], 2);
    for at in ["last_delivery_at", "last_fetched_at"] {
        let at = status[at].as_str().expect("a time");
        assert!(at >= began.to_string().as_str(), "{at}");
    }
    assert!(
        status["database_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 0)
    );
    until("what the API came to", async || {
        let api = service.status().await["api"][PROJECT].take();
        (api["answered"] == true && api["failures"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_history_shows_deliveries_fetches_and_transitions() {
    let folder = folder();
    let history = [
        (0, State::Created),
        (1, State::InReview),
        (2, State::Blocked),
    ];
    let world = World::from_orders(id(PROJECT), [order_history("o1", &history)]);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let said_at = simulator.started_at().plus(Duration::from_millis(2));
    service.deliver(event("e1", "o1", "BLOCKED", said_at)).await;
    let order = service.settles("o1", "BLOCKED").await;
    assert_eq!(
        order,
        service.order(&format!("{PROJECT}/o1")).await,
        "by either path"
    );

    let delivery = &order["deliveries"][0];
    for (name, expected) in [
        ("event", json!("e1")),
        ("status", json!("BLOCKED")),
        ("said_at", json!(said_at.to_string())),
        ("phase", json!("processed")),
        ("duplicates", json!(0)),
    ] {
        assert_eq!(delivery[name], expected, "{name}");
    }
    let answer = &order["fetches"][0];
    assert_eq!(answer["state"], "BLOCKED");
    assert_eq!(answer["updated_at"], said_at.to_string());
    let last = order["transitions"].as_array().and_then(|all| all.last());
    let last = last.expect("a transition");
    assert_eq!(
        (&last["to_state"], &last["confirmed"]),
        (&json!("BLOCKED"), &json!(true))
    );
    assert_eq!(order["updated_at"], said_at.to_string());
    assert_eq!(order["reopened"], false);
    assert_ne!(
        order["fetch_at"],
        Value::Null,
        "BLOCKED is not final: it is looked at again"
    );
}

#[tokio::test]
async fn the_status_shows_a_workers_failure_until_it_succeeds() {
    let folder = folder();
    let world = World::from_orders(id(PROJECT), [order_history("o1", &[(0, State::InReview)])]);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let [fetch, numbers, record, secrets] =
        ["fetch", "numbers", "record", "secrets"].map(|worker| format!("{worker} {PROJECT}"));
    let all = [
        "alerts",
        "checkpoint",
        "inbox",
        "quarantine",
        "retention",
        "service_alerts",
        &fetch,
        &numbers,
        &record,
        &secrets,
    ];
    let workers = async || service.status().await["workers"].take();
    let get_on = async || {
        let workers = workers().await;
        let is_well = |name: &&str| workers.get(name).is_some_and(Value::is_null);
        let count = workers.as_object().map_or(0, |workers| workers.len());
        (count == all.len() && all.iter().all(is_well)).then_some(())
    };
    until("all workers to get on", get_on).await;
    let mut file = File::open(&settings.database()).await;
    let refuses = "CREATE TRIGGER refuses BEFORE UPDATE OF processed_through ON service \
                   BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END";
    file.execute(refuses).await;
    service
        .deliver(event("e1", "o1", "IN_REVIEW", simulator.started_at()))
        .await;
    until("the inbox worker to fail again", async || {
        let inbox = workers().await["inbox"].take();
        let error = inbox["error"].as_str()?;
        assert!(error.contains("refused by a trigger"), "{inbox}");
        assert!(inbox["since"].is_string(), "{inbox}");
        (inbox["times"].as_u64()? > 1).then_some(())
    })
    .await;
    file.execute("DROP TRIGGER refuses").await;
    until("all workers to get on", get_on).await;
    service.settles("o1", "IN_REVIEW").await;
}
