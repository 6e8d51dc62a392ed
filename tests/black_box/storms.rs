//! Thousands of events about one order: few questions come of them, and no other order is held up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sinch_callbacks::clock;
use sinch_callbacks::order::State::{Blocked, Created, InReview};
use sinch_callbacks::simulator::World;
use tokio::task::JoinSet;

use crate::testkit::{
    HOME, Line, PATH, PROJECT, Request, SECRET, Service, Settings, event, folder, id, life, play,
    until,
};

const EVENTS: usize = 10_000;
const CALLERS: usize = 16;
const CALM: usize = 20;

/// Sends events about one order as fast as they are taken.
fn storm(service: &Service, told: &Arc<AtomicUsize>) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (to, told) = (service.callbacks, told.clone());
        callers.spawn(async move {
            let mut line = Line::open(HOME, to).await.expect("connects");
            loop {
                let n = told.fetch_add(1, Ordering::Relaxed);
                if n >= EVENTS {
                    return;
                }
                // Rubbish that always leaves a doubt: an unknown word, and steps back and forth.
                let status = ["BLOCKED", "IN_REVIEW", "GUSTY"][n % 3];
                let body = event(&format!("e{n}"), "storm", status, clock::now());
                line.send(Request::signed(PATH, SECRET, body).bytes()).await;
                let answer = line.answer().await.expect("is answered");
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        });
    }
    callers
}

#[tokio::test]
async fn a_storm_for_one_order_costs_few_questions_and_holds_up_no_other() {
    let folder = folder();
    let history = [(0, Created), (1, InReview), (2, Blocked)];
    let calm: Vec<String> = (0..CALM).map(|n| format!("calm-{n}")).collect();
    let lives = calm.iter().map(String::as_str).chain(["storm"]);
    let lives = lives.map(|order| life(order, &history));
    let world = World::from_orders(id(PROJECT), lives);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let (began, told) = (clock::now(), Arc::default());
    let mut callers = storm(&service, &told);
    let mut slowest = Duration::ZERO;
    for (n, order) in calm.iter().enumerate() {
        // All through the storm.
        until("the storm to go on", async || {
            (told.load(Ordering::Relaxed) >= n * EVENTS / CALM).then_some(())
        })
        .await;
        service
            .tell(event(order, order, "BLOCKED", simulator.started_at()))
            .await;
        let told_at = Instant::now();
        service.settles(order, "BLOCKED").await;
        slowest = slowest.max(told_at.elapsed());
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
    let asks = simulator.asks();
    let asks = asks.iter().filter(|ask| ask.order == "storm").count();
    let took = clock::now().since(began);
    println!(
        "{EVENTS} events in {took:?}; the slowest of {CALM} calm orders settled in {slowest:?}"
    );
    // Events alone ask once in three seconds at most; each such answer may leave doubts that cost a few more.
    let most = 4 * (1 + took.as_secs() as usize / 3);
    assert!(asks <= most, "{asks} questions in {took:?}");
}
