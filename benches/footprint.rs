//! Measures the resources that the service needs: time to its first 200, memory, and bytes.
//!
//! `cargo bench --bench footprint -- [--quick]`
//!
//! The real program runs with an API that answers at once and with the usual rate limit. Memory is the size that
//! the system reports for the process (`VmRSS`), and its maximum so far (`VmHWM`).

use std::fs;
use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;
use testkit::figures::{self, Requirements, line, median, ms, rounded};
use testkit::instant_api::{self, Api};
use testkit::load::{self, Plan};
use testkit::machine::folder_on_disk;
use testkit::{Callbacks, FITTING, File, History, Outcome, Service, Settings, program};
use tokio::runtime::Builder;
use tokio::time::sleep;

#[derive(Parser)]
struct Arguments {
    /// Uses a tenth of the waiting deliveries and a shorter load, and judges nothing.
    #[arg(long)]
    quick: bool,
    /// Flag that `cargo bench` sets; without it, as when all targets are tested, the bench does nothing.
    #[arg(long, hide = true)]
    bench: bool,
    /// Runs as the API, at this address.
    #[arg(long, hide = true)]
    api: Option<SocketAddr>,
}

const CONNECTIONS: usize = 256;

/// Maximum rate of callbacks a second that the bench prepares for: the service cannot reach it.
const PER_SECOND_MAX: f64 = 60_000.0;

/// Time without work after which the service's memory is measured as its memory at rest.
const REST: Duration = Duration::from_secs(3);

const AT_REST_MIB: f64 = 20.0;
const BACKLOG_MIB: f64 = 64.0;

const WAITING: &str = "SELECT count(*) FROM deliveries WHERE phase = 'waiting'";
const DELIVERIES: &str = "SELECT count(*) FROM deliveries";
const BODIES: &str = "SELECT sum(length(body)) FROM deliveries";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let has_flag = arguments.bench || arguments.api.is_some();
    figures::run("footprint", has_flag, || {
        // A single thread for the caller, and for the API, leaves the service the rest of the machine.
        let runtime = Builder::new_current_thread().enable_all().build()?;
        match arguments.api {
            Some(listen) => Ok(runtime
                .block_on(instant_api::answer(listen))
                .map(|()| true)?),
            None => runtime.block_on(run(arguments.quick)),
        }
    })
}

async fn run(quick: bool) -> Outcome<bool> {
    let api = Api::start().await;
    let loading = Duration::from_secs(if quick { 3 } else { 15 });
    let waiting = if quick { 100_000 } else { 1_000_000 };
    let first_ms = first_200(&api, if quick { 3 } else { 9 }).await?;
    let plain = new_database(&api, loading).await?;
    let backlog = backlog(&api, loading, waiting).await?;
    let binary = fs::metadata(program::as_shipped())?.len();

    println!();
    let row = |what: &str, value: f64| println!("{what:<52} {value:>10.1}");
    row("start to first 200, ms", first_ms);
    row("memory at rest, MiB", plain.at_rest);
    row("memory at 256 connections, highest, MiB", plain.peak);
    row("memory afterwards, MiB", plain.after);
    row("waiting deliveries at the start", waiting as f64);
    row("… and when the load had ended", backlog.left as f64);
    row(
        "memory with them and 256 connections, highest, MiB",
        backlog.peak,
    );
    row("binary, MB", binary as f64 / 1e6);
    row("events in the database", plain.events as f64);
    row("bytes of a body", plain.body);
    row("database bytes per event", plain.bytes_per_event);

    let mut required = Requirements::default();
    required.add("at rest under 20 MiB", plain.at_rest < AT_REST_MIB);
    let what = "at 256 connections and with so many waiting under 64 MiB";
    required.add(what, backlog.peak < BACKLOG_MIB && backlog.left > 0);
    let good = required.judge(quick);
    println!(
        "{}",
        line(
            "footprint",
            [
                ("design", json!("sinch-callbacks")),
                ("connections", json!(CONNECTIONS)),
                ("waiting", json!(waiting)),
                ("first_200_ms", json!(rounded(first_ms))),
                ("at_rest_mib", json!(rounded(plain.at_rest))),
                ("loaded_peak_mib", json!(rounded(plain.peak))),
                ("afterwards_mib", json!(rounded(plain.after))),
                ("laden_peak_mib", json!(rounded(backlog.peak))),
                ("laden_left", json!(backlog.left)),
                ("binary_bytes", json!(binary)),
                ("events", json!(plain.events)),
                ("body_bytes", json!(plain.body.round())),
                ("bytes_per_event", json!(plain.bytes_per_event.round())),
            ]
        )
    );
    Ok(good)
}

/// Time from a start without a database to the answer to a callback.
async fn first_200(api: &Api, times: usize) -> Outcome<f64> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let folder = folder_on_disk();
        let settings = api.set(Settings::of_a_bench(folder.path()));
        let callbacks = Callbacks::signed(1, FITTING);
        let plan = Plan::closed(1, Duration::ZERO);
        let began = Instant::now();
        let service = Service::start(&settings).await;
        let report = load::run(service.callbacks, &callbacks, &plan, pending()).await?;
        took.push(ms(began.elapsed()));
        service.stop_well().await;
        if report.acknowledged.len() != 1 {
            return Err("the first callback was refused".into());
        }
    }
    Ok(median(took))
}

/// Resources of a service whose database is new.
struct NewDatabase {
    at_rest: f64,
    peak: f64,
    after: f64,
    events: i64,
    body: f64,
    bytes_per_event: f64,
}

async fn new_database(api: &Api, loading: Duration) -> Outcome<NewDatabase> {
    let folder = folder_on_disk();
    let settings = api.set(Settings::of_a_bench(folder.path()));
    let service = Service::start(&settings).await;
    sleep(REST).await;
    let (at_rest, _) = service.memory_mib();
    load(&service, loading).await?;
    let (_, peak) = service.memory_mib();
    let mut file = File::open_read_only(&settings.database()).await;
    until_processed(&mut file).await?;
    file.close().await;
    sleep(REST).await;
    let (after, _) = service.memory_mib();
    stop(service, &settings.database()).await?;
    let mut file = File::open_read_only(&settings.database()).await;
    let events = file.number(DELIVERIES).await;
    let bodies = file.number(BODIES).await;
    let bytes = fs::metadata(settings.database())?.len();
    Ok(NewDatabase {
        at_rest,
        peak,
        after,
        events,
        body: bodies as f64 / events as f64,
        bytes_per_event: bytes as f64 / events as f64,
    })
}

/// Resources of a service with many waiting deliveries.
struct Backlog {
    peak: f64,
    left: i64,
}

async fn backlog(api: &Api, loading: Duration, waiting: i64) -> Outcome<Backlog> {
    let folder = folder_on_disk();
    let settings = api.set(Settings::of_a_bench(folder.path()));
    let history = History {
        waiting,
        ..History::default()
    };
    history.fill(&settings).await;
    let service = Service::start(&settings).await;
    load(&service, loading).await?;
    let (_, peak) = service.memory_mib();
    let mut file = File::open_read_only(&settings.database()).await;
    let left = file.number(WAITING).await;
    file.close().await;
    service.kill().await;
    Ok(Backlog { peak, left })
}

/// Calls over all connections, as fast as the service answers.
async fn load(service: &Service, span: Duration) -> Outcome<()> {
    let count = span.as_secs_f64() * PER_SECOND_MAX;
    let callbacks = Callbacks::signed(count as usize, FITTING);
    let plan = Plan::closed(CONNECTIONS, Duration::ZERO);
    let report = load::run(service.callbacks, &callbacks, &plan, sleep(span)).await?;
    match report.refused {
        0 => Ok(()),
        refused => Err(format!("{refused} callbacks were refused").into()),
    }
}

/// Maximum time in which the waiting deliveries must be processed.
const PATIENCE: Duration = Duration::from_secs(120);

async fn until_processed(file: &mut File) -> Outcome<()> {
    let began = Instant::now();
    while file.number(WAITING).await > 0 {
        if began.elapsed() > PATIENCE {
            return Err("what waits is not worked off".into());
        }
        sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

/// Stops the service, and checks that no WAL is left beside the database file.
async fn stop(service: Service, database: &Path) -> Outcome<()> {
    service.stop_well().await;
    if File::beside(database, "-wal").exists() {
        Err("a WAL is left after a clean end".into())
    } else {
        Ok(())
    }
}
