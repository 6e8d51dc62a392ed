//! Time that operations take on a database with many processed deliveries.

use std::future::pending;
use std::time::{Duration, Instant};

use number_order::Id;
use serde_json::json;
use sinch_callbacks::clock;
use sinch_callbacks::store::{self, ClaimOrder, ClaimRequest, Rate, Store};
use tempfile::TempDir;
use testkit::figures::{line, rounded};
use testkit::load::{self, Plan, percentile_ms};
use testkit::machine::folder_on_disk;
use testkit::{
    ALLOWED, Callbacks, Connection, FITTING, History, Outcome, PROJECT, Request, Service, Settings,
};
use tokio::task::JoinHandle;

use crate::Results;

/// Maximum cost with ten million deliveries, as a multiple of the cost with a thousand.
const PAST_MAX: f64 = 1.3;

/// Database with processed deliveries, and the times that the operations in [`TIMED`] take on it.
struct Aged {
    /// Number of processed deliveries.
    processed: i64,
    /// Folder of the database files, removed when the value is dropped.
    folder: TempDir,
    /// Settings of the service that runs on the database.
    settings: Settings,
    /// Measured times of the operations in [`TIMED`], in their order.
    took: [Vec<Duration>; 3],
}

/// Operations that are timed.
const TIMED: [&str; 3] = ["callback", "/status", "claim"];

/// Number of measurements in a turn, before another database's turn.
const TURN: usize = 25;

/// Number of orders in a claim.
const ORDERS: u32 = 8;

impl Aged {
    /// Makes a database with the given number of processed deliveries.
    async fn grow(processed: i64) -> Aged {
        let folder = folder_on_disk();
        let settings = Settings::of_a_bench(folder.path()).set_project("api", "off");
        let history = History {
            processed,
            due: 10_000,
            waiting: 0,
        };
        history.fill(&settings).await;
        Aged {
            processed,
            folder,
            settings,
            took: Default::default(),
        }
    }
}

pub async fn measure(quick: bool, results: &mut Results) -> Outcome<()> {
    let (sizes, turns): (&[i64], _) = if quick {
        (&[1000, 100_000], 10)
    } else {
        (&[1000, 100_000, 1_000_000, 10_000_000], 40)
    };
    let mut all = Vec::new();
    for &processed in sizes {
        all.push(Aged::grow(processed).await);
        eprintln!("a past of {processed} deliveries is written");
    }
    // All services run at the same time and are measured in alternation, so that other work of the disk affects all
    // alike.
    let mut running = Vec::new();
    for aged in &all {
        running.push(Service::start(&aged.settings).await);
    }
    // The first turn loads the files' pages, and is not counted.
    for turn in 0..=turns {
        for (aged, service) in all.iter_mut().zip(&running) {
            let [callbacks, status] = [callbacks(service).await?, status(service).await?];
            if turn > 0 {
                aged.took[0].extend(callbacks);
                aged.took[1].extend(status);
            }
        }
    }
    for service in running {
        service.stop_well().await;
    }
    let mut stores = Vec::new();
    for aged in &all {
        stores.push(open(&aged.settings).await?);
    }
    for turn in 0..=turns {
        for (aged, (store, _)) in all.iter_mut().zip(&stores) {
            let claims = claims(store).await?;
            if turn > 0 {
                aged.took[2].extend(claims);
            }
        }
    }
    for (store, writer) in stores {
        drop(store);
        writer.await??;
    }
    judge_past(&mut all, results);
    all.into_iter()
        .try_for_each(|aged| Ok(aged.folder.close()?))
}

fn judge_past(all: &mut [Aged], results: &mut Results) {
    println!(
        "\n{:<20} {:>14} {:>14} {:>14}   (p50, ms)",
        "processed deliveries", TIMED[0], TIMED[1], TIMED[2]
    );
    let mut young = None;
    for aged in all {
        let times = aged.took.each_mut().map(|took| {
            took.sort_unstable();
            percentile_ms(took, 0.5)
        });
        let young = *young.get_or_insert(times);
        let ratios: [f64; 3] = std::array::from_fn(|n| times[n] / young[n]);
        println!(
            "{:<20} {:>14.3} {:>14.3} {:>14.3}",
            aged.processed, times[0], times[1], times[2]
        );
        for (name, ratio) in TIMED.iter().zip(ratios) {
            let processed = aged.processed;
            let what = format!("{name} with a past of {processed} within 1.3 times ({ratio:.2})");
            results.required.add(what, ratio <= PAST_MAX);
        }
        results.lines.push(line(
            "queue",
            [
                ("design", json!("sinch-callbacks")),
                ("part", json!("past")),
                ("processed", json!(aged.processed)),
                ("callback_p50_ms", json!(rounded(times[0]))),
                ("status_p50_ms", json!(rounded(times[1]))),
                ("claim_p50_ms", json!(rounded(times[2]))),
                ("callback_ratio", json!(rounded(ratios[0]))),
                ("status_ratio", json!(rounded(ratios[1]))),
                ("claim_ratio", json!(rounded(ratios[2]))),
            ],
        ));
    }
}

/// Times callbacks, one after the other over one connection.
async fn callbacks(service: &Service) -> Outcome<Vec<Duration>> {
    let callbacks = Callbacks::signed(TURN, FITTING);
    let plan = Plan::closed(1, Duration::ZERO);
    let report = load::run(service.callbacks, &callbacks, &plan, pending()).await?;
    match report.refused {
        0 => Ok(report.answers.iter().map(|answer| answer.latency).collect()),
        _ => Err("callbacks were refused".into()),
    }
}

/// Times `GET /status`, one after the other over one connection.
async fn status(service: &Service) -> Outcome<Vec<Duration>> {
    let mut connection = Connection::open(ALLOWED, service.operators).await?;
    let request = Request::new("GET", "/status").bytes();
    let mut took = Vec::with_capacity(TURN);
    for _ in 0..TURN {
        let began = Instant::now();
        if connection.exchange(&request).await?.status != 200 {
            return Err("/status is not answered 200".into());
        }
        took.push(began.elapsed());
    }
    Ok(took)
}

/// Opens the store itself, without the program around it; the handle waits for the writer to end.
async fn open(settings: &Settings) -> Outcome<(Store, JoinHandle<Result<(), store::StoreError>>)> {
    let project = Id::new(PROJECT).ok_or("not a project's id")?;
    let settings = store::Settings::Sqlite(store::sqlite::Settings {
        free_min_bytes: 0,

        targets: Vec::new(),
        path: settings.database(),
        waiting_max: 1024,
        projects: vec![(project, None)],
        now: clock::now(),
    });
    let (store, writer) = store::open(settings).await?;
    Ok((store, tokio::spawn(writer)))
}

/// Times claims of eight orders, on a store without the program around it.
async fn claims(store: &Store) -> Outcome<Vec<Duration>> {
    let mut took = Vec::with_capacity(TURN);
    for _ in 0..TURN {
        let request = ClaimRequest {
            project: Id::new(PROJECT).ok_or("not a project's id")?,
            orders_max: ORDERS,
            // Only the claim is measured, so the rate allows every fetch.
            rate: Rate {
                interval: Duration::from_micros(1),
                burst: 1000,
            },
            claim_order: ClaimOrder::Urgent,
            isolated: [].into(),
            known_pause: None,
            now: clock::now(),
            lease: Duration::from_secs(3600),
        };
        let began = Instant::now();
        let claims = store.claim(request).await?.claims();
        took.push(began.elapsed());
        if claims.len() != ORDERS as usize {
            return Err("a claim found too few due orders".into());
        }
    }
    Ok(took)
}
