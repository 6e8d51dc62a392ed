//! Thousands of events about one order: Sinch is hardly asked about it, and the others do not wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sinch_callbacks::clock;
use sinch_callbacks::order::State::{Completed, Created, InReview};
use sinch_callbacks::simulator::World;
use tokio::task::JoinSet;

use crate::instrument::{
    HOME, Line, PATH, PROJECT, Request, SECRET, Service, Settings, event, folder, id, life, play,
    until,
};

/// It lasts for so many, and until the others have settled.
const EVENTS: usize = 10_000;
const LINES: usize = 8;
const OTHERS: usize = 20;
/// Questions about the storm's order.
const ASKS_MAX: usize = 10;

#[tokio::test]
async fn a_storm_about_one_order_asks_little_and_the_others_settle_meanwhile() {
    let folder = folder();
    let others: Vec<String> = (0..OTHERS).map(|n| format!("other{n}")).collect();
    let history = [(0, Created), (1, InReview), (2, Completed)];
    let orders = others.iter().map(String::as_str).chain(["storm"]);
    let lives: Vec<_> = orders.map(|order| life(order, &history)).collect();
    let world = World::from_orders(id(PROJECT), lives);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;

    let taken = Arc::new(AtomicUsize::new(0));
    let all_settled = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let mut storm = JoinSet::new();
    for line in 0..LINES {
        let (to, taken, all_settled) = (service.callbacks, taken.clone(), all_settled.clone());
        storm.spawn(async move {
            let mut connection = Line::open(HOME, to).await.expect("connects");
            for n in (line..).step_by(LINES) {
                if n >= EVENTS && all_settled.load(Relaxed) {
                    break;
                }
                let status = ["IN_REVIEW", "BLOCKED", "COMPLETED"][n % 3];
                let body = event(&format!("e{n}"), "storm", status, clock::now());
                let request = Request::signed(PATH, SECRET, body);
                assert!(connection.send(request.bytes()).await, "event {n}");
                let answer = connection.answer().await.expect("an answer");
                assert_eq!(answer.status, 200, "event {n}: {answer:?}");
                taken.fetch_add(1, Relaxed);
            }
        });
    }
    until("the middle of the storm", async || {
        (taken.load(Relaxed) >= EVENTS / 2).then_some(())
    })
    .await;
    let mut told = Vec::new();
    for order in &others {
        let body = event(order, order, "COMPLETED", simulator.started_at());
        service.tell(body).await;
        told.push(Instant::now());
    }
    let mut waits: Vec<Duration> = Vec::new();
    for (order, told) in others.iter().zip(told) {
        service.settles(order, "COMPLETED").await;
        waits.push(told.elapsed());
    }
    all_settled.store(true, Relaxed);
    let meanwhile = taken.load(Relaxed);
    storm.join_all().await;
    println!(
        "{} events in {:?}; {OTHERS} other orders settled within {:?}, when {meanwhile} had come",
        taken.load(Relaxed),
        began.elapsed(),
        waits.iter().max(),
    );
    let looked_at = async || {
        let order = service.order("storm").await;
        (order["settled"] == true && service.status().await["deliveries_waiting"] == 0)
            .then_some(())
    };
    until("the storm to be settled", looked_at).await;
    let order = service.order("storm").await;
    assert_eq!(order["confirmed"], "COMPLETED", "{}", order["hints"]);
    let asks = simulator.asks();
    let asked = asks.iter().filter(|ask| ask.order == "storm").count();
    println!("{asked} questions about the storm's order");
    assert!((1..=ASKS_MAX).contains(&asked), "{asked} questions");
}
