//! Measures the rate at which acknowledged deliveries are processed, and the cost of a long past.
//!
//! `cargo bench --bench queue -- [--quick] [--part fits|asks|past|start]`
//!
//! Four parts, each with the real program and databases of its own on a real disk:
//!
//! - `fits`: events that fit, processed per second while callbacks keep coming as fast as they are answered.
//! - `asks`: orders that each need a fetch, from an API that answers at once, compared with the HTTP client
//!   alone. The figure judged is the one with a thousand callbacks a second; while the client is measured,
//!   they go to a service that sends no fetches.
//! - `past`: time that a callback, `/status` and a claim take with a growing number of processed deliveries.
//! - `start`: time that a start takes with a million deliveries and a hundred thousand due orders.
//!
//! The compared figures are measured in alternation. A ratio is taken within each round, for the disk's
//! speed varies, and the median of the rounds counts.

#[path = "support/baselines.rs"]
mod baselines;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/history.rs"]
mod history;
#[path = "support/instant.rs"]
mod instant;
#[path = "support/load.rs"]
mod load;
#[path = "support/past.rs"]
mod past;
#[path = "support/process.rs"]
mod process;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};
use sinch_callbacks::clock;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use figures::{Requirements, line, median, ms, rounded};
use history::{History, fill, number};
use instant::Api;
use load::{Plan, percentile_ms};
use past::{Aged, TIMED, claims};
use process::{Outcome, Service};

#[derive(Parser)]
struct Arguments {
    /// Runs one round, with a past of up to 100,000 deliveries, in a few minutes less, and judges nothing.
    #[arg(long)]
    quick: bool,
    /// Runs only this part.
    #[arg(long)]
    part: Option<Part>,
    /// Flag that `cargo bench` sets; without it, as when all targets are tested, the bench does nothing.
    #[arg(long, hide = true)]
    bench: bool,
    /// Runs as the API, at this address.
    #[arg(long, hide = true)]
    api: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Fits,
    Asks,
    Past,
    Start,
}

/// Rate limit that no fetch ever reaches.
const NO_LIMIT: f64 = 100_000.0;

/// Number of fetches in flight at which the rate is judged.
const LANES: usize = 8;

/// Minimum ratios: processed to acknowledged, and fetched to what the HTTP client alone reaches.
const FITS_MIN: f64 = 0.25;
const ASKS_MIN: f64 = 0.5;

/// Maximum cost with ten million deliveries, as a multiple of the cost with a thousand.
const PAST_MAX: f64 = 1.3;

/// Maximum time until the service listens.
const START_MAX: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.api {
        Some(listen) => {
            runtimes().and_then(|on| on.all.block_on(instant::answer(listen)).map(|()| true))
        }
        None if arguments.bench => measure(&arguments),
        None => {
            println!("run it with cargo bench");
            Ok(true)
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("queue: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Runtimes {
    /// Runtime of one thread for the caller, which leaves the service the rest of the machine.
    one: Runtime,
    /// Runtime with as many threads as the service has.
    all: Runtime,
}

fn runtimes() -> Outcome<Runtimes> {
    Ok(Runtimes {
        one: Builder::new_current_thread().enable_all().build()?,
        all: Builder::new_multi_thread().enable_all().build()?,
    })
}

/// Results that are printed at the end.
#[derive(Default)]
struct Results {
    required: Requirements,
    lines: Vec<Value>,
}

fn measure(arguments: &Arguments) -> Outcome<bool> {
    let (on, quick) = (runtimes()?, arguments.quick);
    let rounds = if quick { 1 } else { 5 };
    let wanted = |part| arguments.part.is_none_or(|only| only == part);
    let mut results = Results::default();
    if wanted(Part::Fits) {
        fits(&on, rounds, quick, &mut results)?;
    }
    if wanted(Part::Asks) {
        asks(&on, rounds, quick, &mut results)?;
    }
    if wanted(Part::Past) {
        on.one.block_on(grown(quick, &mut results))?;
    }
    if wanted(Part::Start) {
        on.one.block_on(start(rounds, quick, &mut results))?;
    }
    let good = results.required.judge(quick);
    for line in &results.lines {
        println!("{line}");
    }
    Ok(good)
}

/// One round of processing.
struct Settling {
    acknowledged: f64,
    p99_ms: f64,
    settled: f64,
    fitting: f64,
}

fn fits(on: &Runtimes, rounds: usize, quick: bool, results: &mut Results) -> Outcome<()> {
    let connections: &[usize] = if quick { &[64, 256] } else { &[16, 64, 256] };
    println!(
        "\n{:<12} {:>17} {:>9} {:>12} {:>9} {:>7}",
        "connections", "acknowledged a s", "p99 ms", "settled a s", "that fit", "ratio"
    );
    for &connections in connections {
        let all = (0..rounds).map(|_| on.one.block_on(settle(connections, quick)));
        let all: Vec<Settling> = all.collect::<Outcome<_>>()?;
        let of = |figure: fn(&Settling) -> f64| median(all.iter().map(figure));
        let (acknowledged, settled) = (of(|s| s.acknowledged), of(|s| s.settled));
        let p99_ms = of(|s| s.p99_ms);
        let (fitting, ratio) = (of(|s| s.fitting), of(|s| s.settled / s.acknowledged));
        println!(
            "{connections:<12} {acknowledged:>17.0} {p99_ms:>9.1} {settled:>12.0} {:>8.0}% {ratio:>7.2}",
            fitting * 100.0
        );
        let what = format!(
            "settled at least a quarter of what {connections} connections are acknowledged"
        );
        results.required.add(what, ratio >= FITS_MIN);
        results.lines.push(line(
            "queue",
            [
                ("design", json!("sinch-callbacks")),
                ("part", json!("fits")),
                ("lanes", json!(LANES)),
                ("connections", json!(connections)),
                ("acknowledged_per_second", json!(acknowledged.round())),
                ("acknowledged_p99_ms", json!(rounded(p99_ms))),
                ("settled_per_second", json!(settled.round())),
                ("fitting", json!(rounded(fitting))),
                ("ratio", json!(rounded(ratio))),
            ],
        ));
    }
    Ok(())
}

/// Callbacks a second that the service cannot acknowledge.
const PER_SECOND_MAX: f64 = 60_000.0;

const SETTLED: &str = "
    SELECT count(*), coalesce(sum(decision = 'fits'), 0) FROM deliveries
    WHERE phase = 'processed' AND processed_at BETWEEN ? AND ?";

async fn settle(connections: usize, quick: bool) -> Outcome<Settling> {
    let window = Duration::from_secs(if quick { 3 } else { 8 });
    let warm_up = Duration::from_secs(2);
    let (folder, api) = (process::folder()?, Api::start().await?);
    let service = Service::configure(folder.path(), &api.settings(LANES, NO_LIMIT))?;
    let count = (warm_up + window).as_secs_f64() * PER_SECOND_MAX;
    let callbacks = process::callbacks(count as usize, load::FITTING);
    let (receiver, _) = service.start().await?;
    let plan = Plan::closed(connections, warm_up);
    let began = clock::now();
    let until = sleep(warm_up + window);
    let report = load::run(service.callbacks, &callbacks, &plan, until).await?;
    receiver.stop()?;
    if report.refused > 0 || report.acknowledged.len() == callbacks.len() {
        return Err("some were refused, or there were too few callbacks".into());
    }
    let options = SqliteConnectOptions::new().filename(&service.database);
    let mut db = options.read_only(true).connect().await?;
    let counted = sqlx::query(SETTLED)
        .bind(began.plus(warm_up).0)
        .bind(began.plus(warm_up + window).0)
        .fetch_one(&mut db)
        .await?;
    let (settled, fitting): (i64, i64) = (counted.try_get(0)?, counted.try_get(1)?);
    Ok(Settling {
        acknowledged: report.per_second,
        p99_ms: report.percentile_ms(0.99),
        settled: settled as f64 / window.as_secs_f64(),
        fitting: fitting as f64 / settled.max(1) as f64,
    })
}

fn asks(on: &Runtimes, rounds: usize, quick: bool, results: &mut Results) -> Outcome<()> {
    let window = Duration::from_secs(if quick { 2 } else { 4 });
    let api = on.one.block_on(Api::start())?;
    println!(
        "\n{:<12} {:>16} {:>20} {:>16} {:>10}",
        "lanes", "callbacks a s", "client alone, a s", "asked, a s", "ratio"
    );
    let quiet = [1, 4, LANES, 16].map(|lanes| (lanes, 0));
    for (lanes, coming) in quiet.into_iter().chain([(LANES, COMING)]) {
        let mut all = Vec::new();
        for _ in 0..rounds {
            let alone = instant::client_alone(api.address, lanes, window);
            let alone = async { on.all.spawn(alone).await? };
            let alone = on.one.block_on(beside_callbacks(coming, alone))?;
            let asked = on.one.block_on(ask(&api, lanes, coming, window))?;
            all.push((alone, asked));
        }
        let alone = median(all.iter().map(|(alone, _)| *alone));
        let asked = median(all.iter().map(|(_, asked)| *asked));
        let ratio = median(all.iter().map(|(alone, asked)| asked / alone));
        println!("{lanes:<12} {coming:>16} {alone:>20.0} {asked:>16.0} {ratio:>10.2}");
        if coming > 0 {
            let what = format!(
                "with {lanes} lanes and {coming} callbacks a second, at least half of the answers that the \
                 HTTP client alone gets"
            );
            results.required.add(what, ratio >= ASKS_MIN);
        }
        let designs = [("client alone", alone), ("sinch-callbacks", asked)];
        results.lines.extend(designs.map(|(design, per_second)| {
            let per_second = json!(per_second.round());
            line(
                "queue",
                [
                    ("design", json!(design)),
                    ("part", json!("asks")),
                    ("lanes", json!(lanes)),
                    ("callbacks_per_second", json!(coming)),
                    ("per_second", per_second),
                    ("ratio", json!(rounded(ratio))),
                ],
            )
        }));
    }
    Ok(())
}

const ANSWERED: &str = "SELECT coalesce(max(id), 0) FROM fetches";

/// Number of due orders: more than any number of slots can fetch in the time.
const DUE: i64 = 250_000;

/// Number of answers after which the service is warm.
const WARM: i64 = 500;

/// Callbacks a second that keep coming, and the number of their connections.
const COMING: usize = 1000;
const CONNECTIONS: usize = 16;

/// Seconds for which there are callbacks: more than any measurement takes.
const COMING_SECS: usize = 30;

/// Sends this number of callbacks a second to a service for the duration of a measurement.
async fn coming<T>(
    per_second: usize,
    service: &Service,
    measured: impl Future<Output = Outcome<T>>,
) -> Outcome<T> {
    if per_second == 0 {
        return measured.await;
    }
    let callbacks = process::callbacks(COMING_SECS * per_second, load::LIVES);
    let plan = Plan {
        rate: Some(per_second as f64),
        ..Plan::closed(CONNECTIONS, Duration::ZERO)
    };
    let mut outcome = None;
    let until = async { outcome = Some(measured.await) };
    let report = load::run(service.callbacks, &callbacks, &plan, until).await?;
    if report.refused > 0 || report.acknowledged.len() == callbacks.len() {
        return Err("some were refused, or there were too few callbacks".into());
    }
    outcome.ok_or("nothing was measured")?
}

/// Rate that the client reaches while callbacks arrive at a service that sends no fetches.
async fn beside_callbacks(
    per_second: usize,
    alone: impl Future<Output = Outcome<f64>>,
) -> Outcome<f64> {
    if per_second == 0 {
        return alone.await;
    }
    let folder = process::folder()?;
    let service = Service::configure(folder.path(), "api = \"off\"\n")?;
    let (receiver, _) = service.start().await?;
    let alone = coming(per_second, &service, alone).await?;
    receiver.stop()?;
    Ok(alone)
}

async fn ask(api: &Api, lanes: usize, per_second: usize, window: Duration) -> Outcome<f64> {
    let folder = process::folder()?;
    let service = Service::configure(folder.path(), &api.settings(lanes, NO_LIMIT))?;
    let due = History {
        due: DUE,
        ..History::default()
    };
    fill(&service.database, &due).await?;
    let (receiver, _) = service.start().await?;
    let asked = async {
        while number(&service.database, ANSWERED).await? < WARM {
            sleep(Duration::from_millis(10)).await;
        }
        let (before, began) = (number(&service.database, ANSWERED).await?, Instant::now());
        sleep(window).await;
        let (after, took) = (number(&service.database, ANSWERED).await?, began.elapsed());
        if after >= DUE {
            return Err("there were too few orders".into());
        }
        Ok((after - before) as f64 / took.as_secs_f64())
    };
    let asked = coming(per_second, &service, asked).await?;
    receiver.stop()?;
    Ok(asked)
}

async fn grown(quick: bool, results: &mut Results) -> Outcome<()> {
    let (sizes, turns): (&[i64], _) = if quick {
        (&[1000, 100_000], 10)
    } else {
        (&[1000, 100_000, 1_000_000, 10_000_000], 40)
    };
    let mut all = Vec::new();
    for &settled in sizes {
        all.push(Aged::grow(settled).await?);
        eprintln!("a past of {settled} deliveries is written");
    }
    // All run at once and in alternation, so that other work of the disk affects all alike.
    let mut running = Vec::new();
    for aged in &all {
        running.push(aged.service.start().await?.0);
    }
    // The first turn loads the files' pages, and is not counted.
    for turn in 0..=turns {
        for aged in &mut all {
            let [callbacks, status] = [aged.callbacks().await?, aged.status().await?];
            if turn > 0 {
                aged.took[0].extend(callbacks);
                aged.took[1].extend(status);
            }
        }
    }
    for receiver in running {
        receiver.stop()?;
    }
    let mut stores = Vec::new();
    for aged in &all {
        stores.push(history::open(&aged.service.database).await?);
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
        "settled deliveries", TIMED[0], TIMED[1], TIMED[2]
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
            aged.settled, times[0], times[1], times[2]
        );
        for (name, ratio) in TIMED.iter().zip(ratios) {
            let settled = aged.settled;
            let what = format!("{name} with a past of {settled} within 1.3 times ({ratio:.2})");
            results.required.add(what, ratio <= PAST_MAX);
        }
        results.lines.push(line(
            "queue",
            [
                ("design", json!("sinch-callbacks")),
                ("part", json!("past")),
                ("settled", json!(aged.settled)),
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

async fn start(rounds: usize, quick: bool, results: &mut Results) -> Outcome<()> {
    let (folder, api) = (process::folder()?, Api::start().await?);
    // With the usual rate limit: only the start is measured.
    let service = Service::configure(folder.path(), &api.settings(4, 5.0))?;
    let history = History {
        settled: if quick { 100_000 } else { 1_000_000 },
        due: if quick { 10_000 } else { 100_000 },
        waiting: 0,
    };
    fill(&service.database, &history).await?;
    println!("\n{:<28} {:>20}", "start after", "until ready, ms");
    for (after, killed) in [("a clean end", false), ("a kill", true)] {
        // The first start is extra: its end is the first that counts.
        let mut took = Vec::new();
        for _ in 0..=rounds {
            let (receiver, time) = service.start().await?;
            took.push(ms(time));
            if killed {
                receiver.kill()?;
            } else {
                receiver.stop()?;
            }
        }
        let ready_ms = median(took.drain(1..));
        println!("{after:<28} {ready_ms:>20.0}");
        let what = format!("listening within 2 s after {after}");
        results.required.add(what, ready_ms < ms(START_MAX));
        results.lines.push(line(
            "queue",
            [
                ("design", json!("sinch-callbacks")),
                ("part", json!("start")),
                ("after", json!(after)),
                ("settled", json!(history.settled)),
                ("due", json!(history.due)),
                ("ready_ms", json!(ready_ms.round())),
            ],
        ));
    }
    Ok(folder.close()?)
}
