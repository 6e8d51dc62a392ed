//! Measures how long operators' requests and commands take on a large database, and what they cost the callbacks.
//!
//! `cargo bench --bench operators -- [--quick] [--store sqlite|postgres] [--orders 500000]`
//!
//! Two parts, on each store, with the real program:
//!
//! - each request and each command again and again, with other orders, numbers and times each time. The 99th percentile of
//!   each counts.
//! - callbacks acknowledged while an operator asks all of that without a pause, compared with callbacks alone: as fast as they
//!   are answered, and at half of that speed. All are measured in alternation, a ratio is taken within each round, and the
//!   median of the rounds counts.
//!
//! Where no server of PostgreSQL is installed, the bench says so and fails.

mod beside;
mod fill;
mod questions;
mod times;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use serde_json::Value;
use testkit::figures::{self, Requirements};
use testkit::machine::folder_on_disk;
use testkit::postgres::{Server, ServerOptions};
use testkit::{Outcome, Service, Settings};
use tokio::runtime::Builder;

/// Number of deliveries of each order.
const DELIVERIES_EACH: usize = 10;

#[derive(Parser)]
struct Arguments {
    /// Has a tenth of the orders and fewer rounds, and judges nothing.
    #[arg(long)]
    quick: bool,
    /// Runs on the given store only.
    #[arg(long)]
    store: Option<Kind>,
    /// Number of orders, each with ten deliveries.
    #[arg(long)]
    orders: Option<usize>,
    /// Flag that `cargo bench` sets; without it, as when all targets are tested, the bench does nothing.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
        }
    }
}

/// Results that are printed at the end.
#[derive(Default)]
struct Results {
    required: Requirements,
    lines: Vec<Value>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    figures::run("operators", arguments.bench, || measure(&arguments))
}

fn measure(arguments: &Arguments) -> Outcome<bool> {
    // A single thread for the caller leaves the service the rest of the machine.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let quick = arguments.quick;
    let orders = arguments
        .orders
        .unwrap_or(if quick { 50_000 } else { 500_000 });
    let mut results = Results::default();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        if arguments.store.is_none_or(|only| only == kind) {
            runtime.block_on(measure_store(kind, orders, quick, &mut results))?;
        }
    }
    let good = results.required.judge(quick);
    for line in &results.lines {
        println!("{line}");
    }
    Ok(good)
}

/// Measures on one store, which is removed afterwards.
async fn measure_store(
    kind: Kind,
    orders: usize,
    quick: bool,
    results: &mut Results,
) -> Outcome<()> {
    let folder = folder_on_disk();
    let settings = Settings::of_a_bench(folder.path())
        .set_project("api", "off")
        .add_target("crm", "http://127.0.0.1:9/hook");
    let mut server = None;
    let settings = match kind {
        Kind::Sqlite => {
            fill::sqlite(&settings, orders).await?;
            settings
        }
        Kind::Postgres => {
            let options = ServerOptions {
                fsync: true,
                settings: [("shared_buffers", "1GB"), ("max_wal_size", "8GB")]
                    .map(|(name, value)| (name, value.to_owned()))
                    .into(),
                ..ServerOptions::default()
            };
            let server =
                server.insert(Server::start(options).ok_or("no PostgreSQL server is installed")?);
            let database = server.database();
            let settings = settings.set("database.url", server.url(&database));
            fill::postgres(server, &database, &settings, orders).await?;
            settings
        }
    };
    eprintln!("{}: {orders} orders are written", kind.name());
    let service = Service::start(&settings).await;
    times::measure(kind, &service, &settings, orders, quick, results).await?;
    beside::measure(kind, &service, orders, quick, results).await?;
    service.stop_well().await;
    Ok(())
}
