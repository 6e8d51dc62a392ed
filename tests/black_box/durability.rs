//! Durability: every event that was answered 200 is on disk, however the program ends, and a stop is orderly.

use std::time::Duration;

use sinch_callbacks::clock;
use sinch_simulator::{Faults, Script, Simulator, World};

use crate::outages::agree;
use testkit::ledger::{Acknowledged, lost};
use testkit::load::Plan;
use testkit::{
    ALLOWED, Callbacks, Connection, File, Load, PATH, PROJECT, Request, SECRET, Service, Settings,
    event, folder, id, play, until,
};

/// Calls a service until it is stopped, and insists on each callback until it is answered 200.
pub async fn insist(service: &Service, callers: usize) -> Load {
    let callbacks = Callbacks::about_a_number(20_000);
    let plan = Plan::insistent(callers);
    let load = Load::start(service.callbacks, &callbacks, &plan).await;
    load.expect("the service listens")
}

/// Stops the load, and returns the events that were answered 200.
pub async fn stop(mut load: Load) -> Acknowledged {
    load.stop().await.expect("the service answers");
    load.acknowledged()
}

fn promised_to(simulator: &Simulator) -> Acknowledged {
    let acknowledged = simulator.acknowledged().into_iter();
    acknowledged
        .filter_map(|event| Some((event.event_id?, event.body.into_bytes())))
        .collect()
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_plug_is_pulled() {
    const KILLS: usize = 5;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = folder();
    let script = Script {
        project: id(PROJECT),
        orders: 60,
        span: Duration::from_secs(5),
        faults: Faults::none(),
    };
    let quiet = Settings::new(folder.path())
        .set("log.filter", "warn,sinch_callbacks::app=info")
        .fix_addresses();
    let (simulator, settings) = play(World::new(seed, &script), quiet).await;
    let mut service = Service::start(&settings).await;
    simulator.set_callback_url(Some(service.callback_url()));
    let load = insist(&service, 4).await;
    for _ in 0..KILLS {
        // The kill comes after a number of acknowledgements, not after a time: so the load is surely running.
        let enough = load.count() + random.usize(50..250);
        until("some promises", async || {
            (load.count() >= enough).then_some(())
        })
        .await;
        let ended = service.kill().await;
        assert_eq!(ended.code, None, "the service was killed: {ended:?}");
        service = Service::start(&settings).await;
    }
    let mut promised = stop(load).await;
    simulator.played_out().await;
    promised.extend(promised_to(&simulator));
    agree(&service, &simulator).await;
    assert_eq!(service.stop().await.code, Some(0));

    let mut file = File::open(&settings.database()).await;
    let stored = file.bodies().await;
    assert!(promised.len() > 50 * KILLS, "{} promises", promised.len());
    let lost_events = lost(&promised, &stored);
    assert!(lost_events.is_empty(), "seed {seed}: {lost_events:?}");
    assert!(file.is_intact().await);

    // The control: the comparison names an event that is lost or changed.
    let victims: Vec<&String> = promised.keys().take(2).collect();
    file.execute(&format!(
        "DELETE FROM deliveries WHERE dedup_key = '{}'",
        victims[0]
    ))
    .await;
    file.execute(&format!(
        "UPDATE deliveries SET body = x'00' WHERE dedup_key = '{}'",
        victims[1]
    ))
    .await;
    assert_eq!(
        lost(&promised, &file.bodies().await),
        [victims[0].as_str(), victims[1]]
    );
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    let now = clock::now();
    service.deliver(event("e1", "o1", "IN_REVIEW", now)).await;
    service.deliver_to_be_parked("no JSON").await;
    let is_processed = |o: &serde_json::Value| o["deliveries"][0]["phase"] == "processed";
    let before = service.order_when("o1", "looked at", is_processed).await;
    assert_eq!(service.stop().await.code, Some(0));

    let service = Service::start(&settings).await;
    let after = service.order("o1").await;
    for column in ["state", "deliveries", "transitions", "first_seen_at"] {
        assert_eq!(after[column], before[column], "{column}");
    }
    assert_eq!(service.list("/api/v1/parked").await.len(), 1);
    // The service still knows the earlier event.
    service.deliver(event("e1", "o1", "IN_REVIEW", now)).await;
    assert_eq!(service.order("o1").await["deliveries"][0]["duplicates"], 1);
}

#[tokio::test]
async fn a_stop_answers_what_is_in_flight_and_leaves_one_file() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("callbacks.body_timeout_secs", 600);
    let service = Service::start(&settings).await;
    service
        .deliver(event("before", "o1", "IN_REVIEW", clock::now()))
        .await;

    // One caller has sent half a callback, another half a readiness request.
    let body = event("in-flight", "o1", "COMPLETED", clock::now());
    let request = Request::signed(PATH, SECRET, body.clone());
    let mut callback = Connection::open(ALLOWED, service.callbacks)
        .await
        .expect("connects");
    callback.send(request.head()).await;
    callback.send(&body[..10]).await;
    let mut readiness = Connection::open(ALLOWED, service.operators)
        .await
        .expect("connects");
    readiness.send("GET /readyz HTTP/1.1\r\n").await;
    // An answer on a connection opened later shows that the earlier ones have been accepted.
    assert_eq!(service.get("/readyz").await.status, 200);
    service
        .deliver(event("after", "o1", "IN_REVIEW", clock::now()))
        .await;

    service.signal(rustix::process::Signal::TERM);
    until("it to begin to stop", async || {
        let stopping = |line: &String| line.contains("\"stopping:");
        service.lines().iter().any(stopping).then_some(())
    })
    .await;
    readiness.send("Host: localhost\r\n\r\n").await;
    let ready = readiness.answer().await.expect("an answer while draining");
    ready.assert_refusal(503, "/readyz while draining");
    assert!(
        ready.json()["detail"]
            .as_str()
            .is_some_and(|d| d.contains("draining"))
    );
    callback.send(&body[10..]).await;
    assert_eq!(callback.answer().await.expect("an answer").status, 200);

    let ended = service.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let wal = std::fs::metadata(File::beside(&settings.database(), "-wal"));
    assert_eq!(wal.map_or(0, |wal| wal.len()), 0);
    let stored = File::open(&settings.database()).await.bodies().await;
    assert_eq!(
        stored.keys().collect::<Vec<_>>(),
        ["after", "before", "in-flight"]
    );
}

#[tokio::test]
async fn it_stops_within_its_grace_though_sinch_hangs() {
    let folder = folder();
    let world = World::from_orders(id(PROJECT), []);
    let settings = Settings::new(folder.path())
        .set("worker.shutdown_grace_secs", 24)
        .set("callbacks.header_timeout_secs", 600)
        .set("sinch.request_timeout_secs", 600);
    let (simulator, settings) = play(world, settings).await;
    simulator.set_outage(sinch_simulator::Outage::Hang);
    let service = Service::start(&settings).await;
    service
        .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
        .await;
    // A caller that never finishes does not hold up the stop either.
    let mut idler = Connection::open(ALLOWED, service.callbacks)
        .await
        .expect("connects");
    idler.send("POST /callbacks HTTP/1.1\r\n").await;
    service
        .order_when("o1", "asked about", |o| o["attempts"] == 1)
        .await;
    // The fetch and the caller would both last for longer than the test waits for the end.
    let ended = service.stop().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
