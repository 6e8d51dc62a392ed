//! Measures the program on PostgreSQL: acknowledged callbacks, replicas beside each other, and the cost of a long past.
//!
//! `cargo bench --bench replicas -- [--quick] [--part rates|past]`
//!
//! Two parts, on one server of the bench's own that waits for its disk:
//!
//! - `rates`: callbacks acknowledged per second by one replica, by three, and by a plain receiver that makes one INSERT
//!   for each request over a pool of connections. Each is a process of its own with a fresh database. All are called in
//!   the same way and in alternation; a ratio is taken within each round, and the median of the rounds counts. The service
//!   also processes what it takes; the plain receiver does not. After each run the bench counts the rows: a receiver that
//!   kept fewer than it acknowledged ends the bench.
//! - `past`: time that the store takes to accept a delivery, and to process some, with few and with many deliveries in
//!   the past.
//!
//! Where no server is installed, the bench says so and fails.

mod past;
mod rates;
mod receiver;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use serde_json::Value;
use testkit::figures::{self, Requirements};
use testkit::postgres::{Server, ServerOptions};
use testkit::{Outcome, machine};
use tokio::runtime::Builder;

#[derive(Parser)]
struct Arguments {
    /// Runs fewer and shorter rounds, with at most 100,000 deliveries in the past, and judges nothing.
    #[arg(long)]
    quick: bool,
    /// Runs only the given part.
    #[arg(long)]
    part: Option<Part>,
    /// Number of rounds of the rates.
    #[arg(long)]
    rounds: Option<usize>,
    /// Flag that `cargo bench` sets; without it, as when all targets are tested, the bench does nothing.
    #[arg(long, hide = true)]
    bench: bool,
    /// Runs as the plain receiver, at this address.
    #[arg(long, hide = true, requires = "database")]
    listen: Option<SocketAddr>,
    /// Database of the plain receiver.
    #[arg(long, hide = true)]
    database: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Rates,
    Past,
}

/// Results that are printed at the end.
#[derive(Default)]
struct Results {
    required: Requirements,
    lines: Vec<Value>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let has_flag = arguments.bench || arguments.listen.is_some();
    figures::run("replicas", has_flag, || {
        match (arguments.listen, &arguments.database) {
            (Some(listen), Some(database)) => {
                // As many threads as the service has.
                let runtime = Builder::new_multi_thread().enable_all().build()?;
                let received = runtime.block_on(receiver::one_insert_per_request(listen, database));
                received.map(|()| true)
            }
            _ => measure(&arguments),
        }
    })
}

fn measure(arguments: &Arguments) -> Outcome<bool> {
    machine::raise_open_files_limit();
    let options = ServerOptions {
        fsync: true,
        settings: [("shared_buffers", "256MB"), ("max_wal_size", "8GB")]
            .map(|(name, value)| (name, value.to_owned()))
            .into(),
        ..ServerOptions::default()
    };
    let server = Server::start(options).ok_or("no PostgreSQL server is installed")?;
    // A single thread for the caller leaves the receivers the rest of the machine.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let wanted = |part| arguments.part.is_none_or(|only| only == part);
    let mut results = Results::default();
    if wanted(Part::Rates) {
        let scope = rates::Scope::new(arguments.quick, arguments.rounds);
        runtime.block_on(rates::measure(&server, &scope, &mut results))?;
    }
    if wanted(Part::Past) {
        runtime.block_on(past::measure(&server, arguments.quick, &mut results))?;
    }
    let good = results.required.judge(arguments.quick);
    for line in &results.lines {
        println!("{line}");
    }
    Ok(good)
}
