//! Claims by several replicas: never an order twice, one rate, one circuit with one probe.

use std::collections::HashSet;
use std::time::Instant;

use tokio::task::JoinSet;

use super::*;
use number_order::{Endpoint, NoAnswer};

async fn watch(store: &Store, orders: usize, now: Time) {
    let orders = (0..orders).map(|n| id(&format!("o{n}"))).collect();
    let project = id(PROJECT);
    let request = WatchRequest {
        project,
        orders,
        now,
    };
    store.watch(request).await.expect("are known");
}

/// Time that lies before every test, so that everything is due at the database's time.
const LONG_AGO: Time = Time(0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_never_lease_an_order_twice() {
    const ORDERS: usize = 600;
    let fixture = fixture!(Fixture::by(ClockSource::Database));
    let mut claiming = JoinSet::new();
    let first = fixture.store().await;
    watch(&first, ORDERS, LONG_AGO).await;
    for store in [first, fixture.store().await, fixture.store().await] {
        claiming.spawn(async move {
            let orders = [ClaimOrder::Urgent, ClaimOrder::Oldest, ClaimOrder::Chance];
            let (mut mine, mut idle) = (Vec::new(), 0);
            for n in 0.. {
                let request = claim_request(7, orders[n % 3], crate::clock::now());
                let claims = store.claim(request).await.expect("claims").claims();
                idle = if claims.is_empty() { idle + 1 } else { 0 };
                mine.extend(claims.into_iter().map(|claim| claim.key.order));
                if idle == 10 {
                    break;
                }
            }
            mine
        });
    }
    let all = claiming.join_all().await.concat();
    let each: HashSet<&Id> = all.iter().collect();
    assert_eq!((all.len(), each.len()), (ORDERS, ORDERS));
    assert_eq!(
        fixture.number("SELECT count(*) FROM orders WHERE attempts = 1"),
        ORDERS as i64
    );
}

/// Control: a claim that does not look at leases gives orders to several holders.
#[tokio::test]
async fn without_the_lease_an_order_has_two_holders() {
    let fixture = fixture!(Fixture::by(ClockSource::Database));
    let store = fixture.store().await;
    watch(&store, 5, LONG_AGO).await;
    // To take the lease away from under the holder is as a claim that does not look at it.
    let mut all = Vec::new();
    for _ in 0..2 {
        let request = claim_request(5, ClaimOrder::Oldest, crate::clock::now());
        let claims = store.claim(request).await.expect("claims").claims();
        all.extend(claims.into_iter().map(|claim| claim.key.order));
        fixture.text("UPDATE orders SET lease = NULL, leased_until_at = NULL");
    }
    let each: HashSet<&Id> = all.iter().collect();
    assert!(each.len() < all.len(), "the test can tell");
}

#[tokio::test]
async fn a_claim_goes_by_priority_by_age_and_past_isolated_orders() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    watch(&store, 3, at(10)).await;
    // o9 is in doubt; o0 to o2 are not known; and o8 is routine, and has waited longest.
    accept(&store, delivery("e1", "o9", State::Created, 20)).await;
    process(&store, 20).await;
    fixture.text(
        "INSERT INTO orders (project, sinch_id, first_seen_at, fetch_at, confirmed_state, updated_at, shown_at, confirmed_at)
         SELECT id, 'o8', 1, 5000000, 'CREATED', 1, 1, 1 FROM projects",
    );
    let claimed = async |orders_max, claim_order, isolated: &[&str]| {
        let request = ClaimRequest {
            isolated: isolated.iter().map(|order| id(order)).collect(),
            ..claim_request(orders_max, claim_order, at(30))
        };
        let claims = store.claim(request).await.expect("claims").claims();
        let mut orders = Vec::new();
        for claim in claims {
            orders.push(claim.key.order.to_string());
            store.release(claim).await.expect("releases");
        }
        orders
    };
    let urgent = claimed(9, ClaimOrder::Urgent, &["o1"]).await;
    assert_eq!(
        (urgent.first(), urgent.last()),
        (Some(&"o9".to_owned()), Some(&"o8".to_owned()))
    );
    assert_eq!(urgent.len(), 4);
    assert_eq!(claimed(1, ClaimOrder::Oldest, &[]).await, ["o8"]);
    assert_eq!(
        claimed(9, ClaimOrder::Isolated, &["o1", "nobody"]).await,
        ["o1"]
    );
    let mut by_chance = HashSet::new();
    for _ in 0..100 {
        by_chance.extend(claimed(1, ClaimOrder::Chance, &["o1"]).await);
    }
    assert_eq!(by_chance.len(), 4, "{by_chance:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_keep_to_one_rate_together() {
    const BURST: u32 = 5;
    let fixture = fixture!(Fixture::by(ClockSource::Database));
    let interval = Duration::from_millis(20);
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(fixture.store().await);
    }
    watch(&stores[0], 5000, LONG_AGO).await;
    let began = Instant::now();
    let mut claiming = JoinSet::new();
    for store in stores {
        claiming.spawn(async move {
            let mut leased = 0;
            while began.elapsed() < interval * 150 {
                let now = crate::clock::now();
                let rate = Rate {
                    interval,
                    burst: BURST,
                };
                let request = ClaimRequest {
                    rate,
                    ..claim_request(4, ClaimOrder::Oldest, now)
                };
                match store.claim(request).await.expect("claims") {
                    Claimed::Leased { claims, .. } => leased += claims.len() as u32,
                    Claimed::NotBefore(until) => tokio::time::sleep(until.since(now)).await,
                }
            }
            leased
        });
    }
    let leased: u32 = claiming.join_all().await.into_iter().sum();
    let intervals = (began.elapsed().as_secs_f64() / interval.as_secs_f64()) as u32;
    assert!(
        leased <= intervals + 1 + BURST,
        "{leased} in {intervals} intervals"
    );
    assert!(leased >= intervals / 2, "{leased} in {intervals} intervals");
}

fn open_until(until: Time) -> Circuit {
    Circuit {
        failures: 9,
        paused: Some((
            until,
            NoAnswer::TimedOut {
                endpoint: Endpoint::Orders,
            },
        )),
        paused_since: Some(Time(1)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_circuit_has_one_probe_whoever_sends_it() {
    const ROUNDS: i64 = 20;
    let fixture = fixture!(Fixture::new());
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(fixture.store().await);
    }
    watch(&stores[0], 100, at(10)).await;
    let mut circuit = Circuit::default();
    for round in 0..ROUNDS {
        let (until, now) = (at(100 + round * 100), at(100 + round * 100 + 50));
        let open = open_until(until);
        let saved = stores[0].save_circuit(id(PROJECT), circuit.clone(), open.clone());
        saved.await.expect("is stored");
        circuit = open;
        let mut claiming = JoinSet::new();
        for store in &stores {
            let store = store.clone();
            claiming.spawn(async move {
                let request = ClaimRequest {
                    known_pause: Some(until),
                    ..claim_request(9, ClaimOrder::Chance, now)
                };
                store.claim(request).await.expect("claims").claims()
            });
        }
        let mut probes = claiming.join_all().await.concat();
        assert_eq!(probes.len(), 1, "round {round}");
        // No other replica probes until the probe has ended.
        let again = ClaimRequest {
            known_pause: Some(until),
            ..claim_request(9, ClaimOrder::Chance, now)
        };
        let waits = stores[1].claim(again.clone()).await.expect("claims");
        assert!(matches!(waits, Claimed::NotBefore(_)), "{waits:?}");
        let probe = probes.remove(0);
        if round % 2 == 0 {
            stores[2].release(probe).await.expect("releases");
        } else {
            record(
                &stores[2],
                &probe,
                shows(State::Created, 9),
                150 + round * 100,
            )
            .await;
        }
        let next = stores[1].claim(again).await.expect("claims").claims();
        assert_eq!(next.len(), 1, "the next one may try");
        stores[1].release(next[0].clone()).await.expect("releases");
    }
}

#[tokio::test]
async fn whoever_does_not_know_of_a_change_of_the_circuit_looks_again() {
    let fixture = fixture!(Fixture::new());
    let (first, second) = (fixture.store().await, fixture.store().await);
    watch(&first, 9, at(10)).await;
    let (closed, open) = (Circuit::default(), open_until(at(100)));
    first
        .save_circuit(id(PROJECT), closed.clone(), open.clone())
        .await
        .expect("is stored");
    assert_eq!(
        second.shared_circuit(&id(PROJECT)).await,
        Ok(Some(open.clone()))
    );
    let unknowing = second
        .claim(claim_request(9, ClaimOrder::Oldest, at(50)))
        .await;
    assert!(
        matches!(unknowing, Ok(Claimed::NotBefore(_))),
        "{unknowing:?}"
    );
    // A longer pause stays, and a shorter one does not take its place.
    let longer = open_until(at(500));
    second
        .save_circuit(id(PROJECT), open.clone(), longer.clone())
        .await
        .expect("is stored");
    for stale in [closed.clone(), open_until(at(200))] {
        first
            .save_circuit(id(PROJECT), open.clone(), stale)
            .await
            .expect("is tried");
        assert_eq!(first.circuit(&id(PROJECT)).await, Ok(longer.clone()));
    }
    first
        .save_circuit(id(PROJECT), longer, closed.clone())
        .await
        .expect("is stored");
    assert_eq!(second.circuit(&id(PROJECT)).await, Ok(closed));
}
