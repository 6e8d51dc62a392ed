//! Thousands of events about one order: they cause few fetches, and hold up no other order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use number_order::State::{Blocked, Created, InReview};
use sinch_callbacks::clock;
use sinch_simulator::World;
use tokio::task::JoinSet;

use testkit::{
    ALLOWED, Connection, PATH, PROJECT, Request, SECRET, Service, Settings, event, folder, id,
    order_history, play, until,
};

const EVENTS: usize = 10_000;
const CALLERS: usize = 16;
const CALM: usize = 20;

/// Sends events about one order as fast as they are acknowledged.
fn storm(service: &Service, sent: &Arc<AtomicUsize>) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (to, sent) = (service.callbacks, sent.clone());
        callers.spawn(async move {
            let mut connection = Connection::open(ALLOWED, to).await.expect("connects");
            loop {
                let n = sent.fetch_add(1, Ordering::Relaxed);
                if n >= EVENTS {
                    return;
                }
                // The events always leave something in doubt: an unknown status, and steps back and forth.
                let status = ["BLOCKED", "IN_REVIEW", "GUSTY"][n % 3];
                let body = event(&format!("e{n}"), "storm", status, clock::now());
                connection
                    .send(Request::signed(PATH, SECRET, body).bytes())
                    .await;
                let answer = connection.answer().await.expect("is answered");
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        });
    }
    callers
}

#[tokio::test]
async fn a_storm_for_one_order_costs_few_fetches_and_holds_up_no_other() {
    let folder = folder();
    let history = [(0, Created), (1, InReview), (2, Blocked)];
    let calm: Vec<String> = (0..CALM).map(|n| format!("calm-{n}")).collect();
    let histories = calm.iter().map(String::as_str).chain(["storm"]);
    let histories = histories.map(|order| order_history(order, &history));
    let world = World::from_orders(id(PROJECT), histories);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let (began, sent) = (clock::now(), Arc::default());
    let mut callers = storm(&service, &sent);
    let mut slowest = Duration::ZERO;
    for (n, order) in calm.iter().enumerate() {
        // The events of the calm orders are spread over the whole storm.
        until("the storm to go on", async || {
            (sent.load(Ordering::Relaxed) >= n * EVENTS / CALM).then_some(())
        })
        .await;
        service
            .deliver(event(order, order, "BLOCKED", simulator.started_at()))
            .await;
        let sent_at = Instant::now();
        service.settles(order, "BLOCKED").await;
        slowest = slowest.max(sent_at.elapsed());
    }
    while let Some(ended) = callers.join_next().await {
        ended.expect("the storm goes through");
    }
    until("everything to be looked at", async || {
        (service.status().await["deliveries_waiting"] == 0).then_some(())
    })
    .await;
    service
        .order_when("storm", "BLOCKED", |order| order["confirmed"] == "BLOCKED")
        .await;
    let fetches = simulator.fetches();
    let fetches = fetches.iter().filter(|f| f.order == "storm").count();
    let took = clock::now().since(began);
    println!(
        "{EVENTS} events in {took:?}; the slowest of {CALM} calm orders settled in {slowest:?}"
    );
    // The bound is one fetch in three seconds, whatever the events leave open, and the first ones.
    let most = 2 + took.as_secs() as usize / 3;
    assert!(fetches <= most, "{fetches} questions in {took:?}");
}
