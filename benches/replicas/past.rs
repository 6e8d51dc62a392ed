//! Time that the store takes to accept deliveries and to process them, with few and with many deliveries in the past.
//!
//! Steps are timed on two kinds of orders: those that came last, as events mostly are about, and any of the past. Each of the
//! latter lies on a page of its own, which the server reads each time and writes to its log as a whole. So the cost of such a step
//! is shown, and not judged.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use fastrand::Rng;
use number_order::{Id, Policy, State, Status};
use secrecy::SecretString;
use serde_json::json;
use sinch_callbacks::clock;
use sinch_callbacks::store::postgres::ClockSource;
use sinch_callbacks::store::{self, DeliveryContent, NewDelivery, ProcessRequest, Store};
use testkit::figures::{line, rounded};
use testkit::load::percentile_ms;
use testkit::postgres::Server;
use testkit::{Outcome, PROJECT, order_ids};
use tokio::task::{JoinHandle, JoinSet};

use crate::Results;

/// Maximum cost with the longest past, as a multiple of the cost with the shortest.
const PAST_MAX: f64 = 1.5;

/// Number of deliveries that are accepted one after the other in a turn.
const ACCEPTS: usize = 25;

/// Number of deliveries that a step processes.
const STEP: usize = 64;

/// Number of orders that came last.
const LAST: usize = 250;

/// Operations that are timed.
const TIMED: [&str; 3] = ["accept", "step", "step on any order"];

/// Number of the operations that are judged, the first ones.
const JUDGED: usize = 2;

/// Inserts the past: four deliveries to each order in a final state, with their decisions, an answer and a confirmed
/// change of state. `{deliveries}` stands for their number.
const FILL: &str = "
    SET synchronous_commit = off;
    INSERT INTO orders (id, project, sinch_id, first_seen_at, heard_at, fetched_at, confirmed_state, updated_at, shown_at,
            confirmed_at)
        SELECT n, p.id, '01h' || lpad(n::text, 23, '0'), 1, 1, 1, 'COMPLETED', 1, 1, 1
        FROM generate_series(1, {deliveries} / 4) AS n, projects AS p;
    INSERT INTO fetches (order_id, lease, fetched_at, state, updated_at, outcome, outcome_fields)
        SELECT n, n, 1, 'COMPLETED', 1, 'first-answer', '{\"state\":\"COMPLETED\"}'
        FROM generate_series(1, {deliveries} / 4) AS n;
    INSERT INTO transitions (order_id, recorded_at, from_state, to_state, confirmed, said_at, cause, announced, latency_us)
        SELECT n, 1, 'IN_REVIEW', 'COMPLETED', true, 1, 'answer', true, 4000000
        FROM generate_series(1, {deliveries} / 4) AS n;
    INSERT INTO deliveries (id, project, dedup_key, digest, received_at, kind, order_sinch_id, status, said_at, body)
        SELECT n, p.id, '01h' || lpad(n::text, 23, '0'), decode(md5(n::text), 'hex'), n, 'order',
            '01h' || lpad(((n + 3) / 4)::text, 23, '0'), 'COMPLETED', n, convert_to(repeat('x', 300), 'UTF8')
        FROM generate_series(1, {deliveries}) AS n, projects AS p;
    INSERT INTO decisions (delivery_id, order_id, decision, decision_fields, parked, processed_at)
        SELECT n, (n + 3) / 4, 'fits', '{\"from\":\"IN_REVIEW\",\"to\":\"BLOCKED\"}', false, n
        FROM generate_series(1, {deliveries}) AS n;
    SELECT setval(pg_get_serial_sequence('orders', 'id'), {deliveries} / 4 + 1),
        setval(pg_get_serial_sequence('deliveries', 'id'), {deliveries} + 1);
    VACUUM ANALYZE;
    CHECKPOINT";

/// A store with a past, and the times that the operations in [`TIMED`] take on it.
struct Aged {
    /// Number of deliveries in the past.
    past: usize,
    store: Store,
    run: JoinHandle<Result<(), store::StoreError>>,
    took: [Vec<Duration>; TIMED.len()],
}

impl Aged {
    async fn grow(server: &Server, past: usize) -> Outcome<Aged> {
        let database = server.database();
        let url = server.url(&database);
        // The store itself makes the tables.
        let (store, run) = open(&url).await?;
        drop(store);
        run.await??;
        server.sql(&database, &FILL.replace("{deliveries}", &past.to_string()));
        let (store, run) = open(&url).await?;
        Ok(Aged {
            past,
            store,
            run,
            took: Default::default(),
        })
    }

    /// Times accepts one after the other, and steps that process what was accepted at once.
    async fn turn(&self, rng: &mut Rng) -> Outcome<[Vec<Duration>; TIMED.len()]> {
        let orders = self.past / 4;
        let last = orders.saturating_sub(LAST) + 1;
        let mut accepts = Vec::with_capacity(ACCEPTS);
        for delivery in deliveries(ACCEPTS, last..=orders, rng)? {
            let began = Instant::now();
            self.store.accept(delivery).await?;
            accepts.push(began.elapsed());
        }
        self.step(ACCEPTS).await?;
        let step = self.filled_step(last..=orders, rng).await?;
        let step_on_any = self.filled_step(1..=orders, rng).await?;
        Ok([accepts, vec![step], vec![step_on_any]])
    }

    /// Times a step on deliveries about random ones of the given orders, which are accepted at once before it.
    async fn filled_step(&self, orders: RangeInclusive<usize>, rng: &mut Rng) -> Outcome<Duration> {
        let mut accepting = JoinSet::new();
        for delivery in deliveries(STEP, orders, rng)? {
            let store = self.store.clone();
            accepting.spawn(async move { store.accept(delivery).await });
        }
        while let Some(accepted) = accepting.join_next().await {
            accepted??;
        }
        self.step(STEP).await
    }

    /// Times a step, which must process everything that waits.
    async fn step(&self, waiting: usize) -> Outcome<Duration> {
        let request = ProcessRequest {
            deliveries_max: 256,
            now: clock::now(),
            policy: Policy::new(Duration::from_secs(15), Duration::from_secs(300)),
            api_off: Vec::new(),
        };
        let began = Instant::now();
        let taken = self.store.process(request).await?.taken;
        if taken as usize == waiting {
            Ok(began.elapsed())
        } else {
            Err(format!("a step took {taken} of {waiting} deliveries").into())
        }
    }
}

/// Makes deliveries about random ones of the given orders.
fn deliveries(
    count: usize,
    orders: RangeInclusive<usize>,
    rng: &mut Rng,
) -> Outcome<Vec<NewDelivery>> {
    let events = order_ids(count, rng).into_iter();
    let delivery = |event: String| {
        let order = rng.usize(orders.clone());
        Ok(NewDelivery {
            callback_key: None,
            project: Id::new(PROJECT).ok_or("not a project's id")?,
            event_id: Some(event),
            subject: DeliveryContent::Order {
                order: Id::new(format!("01h{order:023}")).ok_or("not an order's id")?,
                status: Status::Known(State::Completed),
                said_at: Some(clock::now()),
            },
            received_at: clock::now(),
            body: vec![b'x'; 300].into(),
        })
    };
    events.map(delivery).collect()
}

/// Measures all pasts in alternation.
pub async fn measure(server: &Server, quick: bool, results: &mut Results) -> Outcome<()> {
    let (pasts, turns): (&[usize], _) = if quick {
        (&[1000, 100_000], 20)
    } else {
        (&[1000, 3_000_000], 100)
    };
    let mut all = Vec::new();
    for &past in pasts {
        all.push(Aged::grow(server, past).await?);
        eprintln!("a past of {past} deliveries is written");
    }
    let mut rng = Rng::new();
    // The first turns load the pages that every operation needs, and are not counted.
    for turn in 0..turns + 5 {
        for aged in &mut all {
            let took = aged.turn(&mut rng).await?;
            if turn >= 5 {
                for (all, took) in aged.took.iter_mut().zip(took) {
                    all.extend(took);
                }
            }
        }
    }
    judge(&mut all, results);
    for aged in all {
        drop(aged.store);
        aged.run.await??;
    }
    Ok(())
}

fn judge(all: &mut [Aged], results: &mut Results) {
    println!(
        "\n{:<12} {:>10} {:>10} {:>18}   (p50, ms)",
        "past", TIMED[0], TIMED[1], TIMED[2]
    );
    let mut young = None;
    for aged in all {
        let times = aged.took.each_mut().map(|took| {
            took.sort_unstable();
            percentile_ms(took, 0.5)
        });
        let young = *young.get_or_insert(times);
        println!(
            "{:<12} {:>10.3} {:>10.3} {:>18.3}",
            aged.past, times[0], times[1], times[2]
        );
        for (n, name) in TIMED.iter().enumerate() {
            let (past, ratio) = (aged.past, times[n] / young[n]);
            if n < JUDGED {
                let what = format!("{name} with a past of {past} within 1.5 times ({ratio:.2})");
                results.required.add(what, ratio <= PAST_MAX);
            }
            results.lines.push(line(
                "replicas",
                [
                    ("part", json!("past")),
                    ("past", json!(past)),
                    ("operation", json!(name)),
                    ("p50_ms", json!(rounded(times[n]))),
                    ("ratio", json!(rounded(ratio))),
                ],
            ));
        }
    }
}

/// Opens the store itself, without the program around it; the handle waits for its end.
async fn open(url: &str) -> Outcome<(Store, JoinHandle<Result<(), store::StoreError>>)> {
    let project = Id::new(PROJECT).ok_or("not a project's id")?;
    let settings = store::Settings::Postgres(store::postgres::Settings {
        url: SecretString::from(url),
        name: "bench".to_owned(),
        waiting_max: 1024,
        lossy_commits: false,
        clock: ClockSource::Database,
        targets: Vec::new(),
        projects: vec![(project, None)],
        now: clock::now(),
    });
    let (store, run) = store::open(settings).await?;
    Ok((store, tokio::spawn(run)))
}
