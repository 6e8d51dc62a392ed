//! Measures the effect of callers from unallowed addresses on those that are allowed.
//!
//! `cargo bench --bench unallowed_sources -- [--quick]`
//!
//! The bench calls the real program at a rate that is easy for it, first alone, then while callers from an address
//! that is not allowed open connections: 560 that stay silent and 300 that send headers without an end. A caller
//! whose connection is closed comes again a second later. Every callback must be acknowledged, almost as soon as
//! before, and the unallowed callers must cost next to no memory.
//!
//! The service has one core, and all its callers another, where there are two.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use testkit::figures::{self, Requirements, line, rounded};
use testkit::load::{self, Plan, Refused, Report};
use testkit::machine::{Cores, folder_on_disk, raise_open_files_limit};
use testkit::{CYCLE, Callbacks, Connection, Outcome, Service, Settings, UNALLOWED};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep;

#[derive(Parser)]
struct Arguments {
    /// Runs for seconds instead of a minute, and judges only that every callback is answered 200.
    #[arg(long)]
    quick: bool,
    /// Flag that `cargo bench` sets; without it, as when all targets are tested, the bench does nothing.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Number of silent connections.
const SILENT: usize = 560;
/// Number of connections that send headers without an end.
const ENDLESS: usize = 300;
/// Time after which an unallowed caller whose connection was closed comes again.
const AWAY: Duration = Duration::from_secs(1);
/// Time between two headers on a connection.
const PACE: Duration = Duration::from_millis(10);
/// Size of an unallowed caller's header.
const HEADER_BYTES: usize = 1024;

/// Callbacks a second, and the number of their connections.
const RATE: f64 = 500.0;
const CONNECTIONS: usize = 16;

/// Maximum latency beside unallowed callers, as a multiple of the latency without them.
const TIMES: f64 = 2.0;
/// Maximum additional memory of the service.
const MEMORY_MIB: f64 = 16.0;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    figures::run("unallowed_sources", arguments.bench, || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(run(arguments.quick))
    })
}

async fn call(service: &Service, span: Duration) -> Outcome<Report> {
    let count = (RATE * span.as_secs_f64() * 1.2) as usize;
    let callbacks = Callbacks::signed(count, CYCLE);
    let plan = Plan {
        rate: Some(RATE),
        refused: Refused::Dropped,
        ..Plan::closed(CONNECTIONS, span / 10)
    };
    Ok(load::run(service.callbacks, &callbacks, &plan, sleep(span)).await?)
}

async fn run(quick: bool) -> Outcome<bool> {
    raise_open_files_limit();
    let span = Duration::from_secs(if quick { 4 } else { 30 });
    let folder = folder_on_disk();
    let settings = Settings::of_a_bench(folder.path()).set_project("api", "off");
    let cores = Cores::of_this_thread();
    // A process inherits the cores of the thread that starts it.
    cores.keep_to_first();
    let service = Service::start(&settings).await;
    cores.keep_to_last();

    // A first run is not measured, so that both runs find the service warm.
    call(&service, span / 4).await?;
    let quiet = call(&service, span).await?;
    let (quiet_mib, _) = service.memory_mib();
    let flood = Flood::start(service.callbacks);
    sleep(AWAY).await;
    let flooded = call(&service, span).await?;
    let (_, peak_mib) = service.memory_mib();
    let came = flood.stop().await;
    service.stop_well().await;

    let p99 = |report: &Report| report.percentile_ms(0.99);
    let (before, during) = (p99(&quiet), p99(&flooded));
    let row = |what: &str, value: f64| println!("{what:<46} {value:>10.2}");
    println!();
    row("callbacks a second", flooded.per_second);
    row("unallowed connections, in all", came as f64);
    row("p50 before, ms", quiet.percentile_ms(0.5));
    row("p50 in the flood, ms", flooded.percentile_ms(0.5));
    row("p99 before, ms", before);
    row("p99 in the flood, ms", during);
    row("not answered 200", (quiet.refused + flooded.refused) as f64);
    row("memory before, MiB", quiet_mib);
    row("memory at its peak, MiB", peak_mib);

    let whole = quiet.refused + flooded.refused == 0;
    let mut required = Requirements::default();
    required.add("p99 within twice the quiet one", during <= before * TIMES);
    required.add(
        "memory within 16 MiB of the quiet run",
        peak_mib - quiet_mib <= MEMORY_MIB,
    );
    required.add("every callback answered 200", whole);
    let good = required.judge(quick) && whole;
    println!(
        "{}",
        line(
            "unallowed_sources",
            [
                ("seconds", json!(span.as_secs())),
                ("connections", json!(came)),
                ("before_p99_ms", json!(rounded(before))),
                ("flood_p99_ms", json!(rounded(during))),
                ("before_mib", json!(rounded(quiet_mib))),
                ("peak_mib", json!(rounded(peak_mib))),
            ]
        )
    );
    Ok(good)
}

/// Connections of the unallowed callers.
struct Flood {
    callers: JoinSet<()>,
    came: Arc<AtomicUsize>,
}

impl Flood {
    fn start(address: SocketAddr) -> Flood {
        let mut flood = Flood {
            callers: JoinSet::new(),
            came: Arc::default(),
        };
        for n in 0..SILENT + ENDLESS {
            let came = flood.came.clone();
            flood.callers.spawn(async move {
                loop {
                    came.fetch_add(1, Relaxed);
                    // The caller comes again, whatever happened to its connection.
                    if let Ok(connection) = Connection::open(UNALLOWED, address).await {
                        stay(connection, n >= SILENT).await;
                    }
                    sleep(AWAY).await;
                }
            });
        }
        flood
    }

    /// Ends the connections, and returns how many there were.
    async fn stop(mut self) -> usize {
        self.callers.shutdown().await;
        self.came.load(Relaxed)
    }
}

/// Keeps a connection until the service closes it.
async fn stay(mut connection: Connection, talks: bool) {
    if !talks {
        connection.hangs_up_within(Duration::MAX).await;
        return;
    }
    let header = format!("X: {}\r\n", "x".repeat(HEADER_BYTES));
    let mut is_open = connection.send("POST /callbacks HTTP/1.1\r\n").await;
    while is_open {
        sleep(PACE).await;
        is_open = connection.send(&header).await;
    }
}
