//! Watched orders whose callbacks are all lost: their states are right all the same, as soon as the schedule promises.

use std::time::Duration;

use super::simulated::{BEGAN, Service, Sinch, Without, id};
use number_order::State;

const DAY_SECS: u64 = 24 * 3600;

/// Returns the maximum time from a change to the fetch that shows it, if the state before had lasted for `quiet`: a
/// quarter of that, at least a minute, at most six hours.
fn promised(quiet: Duration) -> Duration {
    (quiet / 4).clamp(Duration::from_secs(60), Duration::from_secs(6 * 3600))
}

#[tokio::test]
async fn watched_orders_are_right_within_what_the_schedule_promises() {
    const ORDERS: usize = 16;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut service = Service::start(seed, Without::default()).await;
    let rng = &mut service.rng;
    let history = |n: usize| {
        let secs = |secs: u64| BEGAN.plus(Duration::from_secs(secs));
        // Some orders end within minutes, some within days.
        let span = 600_u64 << rng.u32(0..10);
        let (reviewed, ended) = (1 + rng.u64(0..span), 2 + span + rng.u64(0..span));
        let end = [State::Completed, State::Rejected, State::Blocked][rng.usize(0..3)];
        let history = vec![
            (BEGAN, State::Created),
            (secs(reviewed), State::InReview),
            (secs(ended), end),
        ];
        (id(&format!("order-{n}")), history)
    };
    let sinch = Sinch {
        orders: (0..ORDERS).map(history).collect(),
        fails: Box::new(|_, _, _| None),
    };
    service.watch(sinch.orders.keys().cloned()).await;
    service
        .play(&sinch, BEGAN.plus(Duration::from_secs(9 * DAY_SECS)))
        .await;
    assert!(service.unsettled(&sinch).await.is_empty(), "seed {seed}");
    let mut late = Vec::new();
    for row in service.orders().await {
        let history = &sinch.orders[&id(&row.order)];
        let [(created, _), .., (entered, state)] = history[..] else {
            panic!("every order has changed");
        };
        let shown = row.confirmed_at.expect("is confirmed").since(entered);
        // A state between two others may have gone unseen. The additional time is for slots and rate limit, which the
        // few orders hardly fill.
        let most = promised(entered.since(created)) + Duration::from_secs(10);
        if shown > most {
            late.push(format!("{} {state}: {shown:?} > {most:?}", row.order));
        }
    }
    assert!(late.is_empty(), "seed {seed}: {late:#?}");
    println!("{} questions for {ORDERS} orders", service.sent_at.len());
}
