//! Two replicas and a Sinch that is down: one of them at a time finds out if it is back, and then both go on.

use std::time::Duration;

use number_order::{State, Time};
use serde_json::Value;
use sinch_callbacks::clock;
use sinch_simulator::{Outage, Simulator, World};
use tempfile::TempDir;
use testkit::{PROJECT, Request, Service, Settings, event, folder, id, order_history, play, until};

use crate::outages::agree;

/// Number of orders that are due all the time.
const ORDERS: usize = 20;

/// Number of probes that are looked at.
const PROBES: usize = 4;

/// Time-out of a fetch, in seconds. While Sinch hangs, every probe takes as long.
const TIMEOUT_SECS: f64 = 1.5;

/// Minimum time from one probe to the next: its time-out, and half of the longest wait after it.
const APART_MIN: Duration = Duration::from_millis(2000);

/// Time that a fetch may take to arrive on a busy machine.
const LATE_MAX: Duration = Duration::from_millis(500);

struct Down {
    simulator: Simulator,
    replicas: [Service; 2],
    _folders: [TempDir; 2],
}

/// Starts two replicas, whose settings are completed by the given function, with a Sinch that is down until the circuits
/// of both are open, and hangs from then on.
async fn down(complete: impl Fn(Settings) -> Settings) -> Down {
    let folders = [folder(), folder()];
    let history = [(0, State::Created), (1, State::InReview)];
    let orders: Vec<String> = (0..ORDERS).map(|n| format!("o{n}")).collect();
    let histories = orders.iter().map(|order| order_history(order, &history));
    let settings = |folder: &TempDir| {
        let settings = Settings::new(folder.path())
            .set("sinch.request_timeout_secs", TIMEOUT_SECS)
            .set("worker.attempts_max", 1000)
            .set_project("auth", "basic");
        complete(settings)
    };
    let world = World::from_orders(id(PROJECT), histories);
    let (simulator, first) = play(world, settings(&folders[0])).await;
    let second = settings(&folders[1])
        .set("sinch.api_url", simulator.api_url())
        .set("sinch.token_url", simulator.token_url());
    simulator.set_outage(Outage::Unavailable { retry_after: None });
    let replicas = [Service::start(&first).await, Service::start(&second).await];
    for replica in &replicas {
        for order in &orders {
            let body = event(order, order, "IN_REVIEW", simulator.started_at());
            replica.deliver(body).await;
        }
    }
    for replica in &replicas {
        until("an open circuit", async || {
            api(replica).await["paused_until"].is_string().then_some(())
        })
        .await;
    }
    simulator.set_outage(Outage::Hang);
    Down {
        simulator,
        replicas,
        _folders: folders,
    }
}

async fn api(replica: &Service) -> Value {
    replica.status().await["api"][PROJECT].take()
}

/// Returns the spans between fetches that came after the given time, once there is this number of fetches.
async fn spans(simulator: &Simulator, since: Time, fetches: usize) -> Vec<Duration> {
    until("further fetches", async || {
        let came = simulator.fetches().into_iter().map(|fetch| fetch.at);
        let came: Vec<Time> = came.filter(|at| *at > since).collect();
        let spans = came.windows(2).map(|pair| pair[1].since(pair[0]));
        (came.len() >= fetches).then(|| spans.collect())
    })
    .await
}

#[tokio::test]
async fn one_of_two_replicas_probes_at_a_time_and_afterwards_both_go_on() {
    let Some(server) = super::server() else {
        return;
    };
    let database = server.database();
    let url = server.url(&database);
    let down = down(|settings| settings.set("database.url", url.as_str())).await;
    // What was under way when Sinch began to hang is no probe that hangs.
    let since = clock::now().plus(APART_MIN);
    let spans = spans(&down.simulator, since, PROBES).await;
    println!("{spans:?}");
    for span in &spans {
        assert!(*span + LATE_MAX >= APART_MIN, "{spans:?}");
    }
    let ended = clock::now();
    down.simulator.set_outage(Outage::None);
    agree(&down.replicas[0], &down.simulator).await;
    for replica in &down.replicas {
        until("a replica that fetches again", async || {
            for n in 0..ORDERS {
                let path = format!("/api/v1/orders/{PROJECT}/o{n}/fetch");
                replica.send_to_operators(&Request::post(&path, "")).await;
            }
            let api = api(replica).await;
            let last = api["last_at"].as_str()?.parse::<jiff::Timestamp>().ok()?;
            let is_open = api["paused_until"].is_string();
            (Time::from(last) > ended && api["answered"] == true && !is_open).then_some(())
        })
        .await;
    }
}

/// The control: services that do not share a database probe at the same time.
#[tokio::test]
async fn without_a_shared_circuit_two_probe_at_once() {
    let down = down(|own| own).await;
    let since = clock::now();
    until("two probes at once", async || {
        let spans = spans(&down.simulator, since, 2).await;
        let mut spans = spans.iter();
        spans.any(|span| *span + LATE_MAX < APART_MIN).then_some(())
    })
    .await;
    drop(down.replicas);
}
