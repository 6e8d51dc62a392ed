//! Measures how targets are told of changes, and proves by a target's ledger that each is told of every change.
//!
//! `cargo bench --bench ledger -- [--quick] [--part truth|rate|hang|start] [--postgres] [--transitions 10000]
//! [--orders 1000] [--seed 1] [--output FILE]`
//!
//! Four parts, each with the real program and databases of its own on a real disk:
//!
//! - `truth`: orders change, the service is killed every few seconds, and its target fails at random, hangs and is down for
//!   moments. At the end the target's ledger must show each change at least once, in the sequence of its order, each
//!   repeat with the same bytes, and nothing else. The control takes one event out of the database, as a kill would if it
//!   were written after the commit of its change. `--postgres` has the store on a server, and `--output` writes what the
//!   target received as JSON lines.
//! - `rate`: notifications told per second to a receiver that answers at once, beside callbacks at half of the rate at
//!   which they can be acknowledged; and acknowledgements with a target that is told of each change, compared with those
//!   without.
//! - `hang`: time from an event to its receipt, with and without another target that hangs in all its slots.
//! - `start`: time that a start takes with a hundred thousand waiting notifications, until the service is ready and the
//!   first of them is sent.
//!
//! The compared figures are measured in alternation. A ratio is taken within each round because the disk's speed varies,
//! and the median of the rounds counts.

mod hang;
mod rate;
mod receiver;
mod start;
mod truth;
mod waiting;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use serde_json::Value;
use testkit::Outcome;
use testkit::figures::{self, Requirements};
use tokio::runtime::Builder;

#[derive(Parser)]
struct Arguments {
    /// Runs fewer and shorter rounds, and a tenth of the changes, and judges no figures.
    #[arg(long)]
    quick: bool,
    /// Runs only the given part.
    #[arg(long)]
    part: Option<Part>,
    /// Number of changes of state of the part `truth`.
    #[arg(long)]
    transitions: Option<usize>,
    /// Number of orders that change.
    #[arg(long)]
    orders: Option<usize>,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Has the store of the part `truth` on a server of PostgreSQL.
    #[arg(long)]
    postgres: bool,
    /// File to which what the target of the part `truth` received is written, as JSON lines.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Flag that `cargo bench` sets; without it, as when all targets are tested, the bench does nothing.
    #[arg(long, hide = true)]
    bench: bool,
    /// Runs as the receiver, at this address.
    #[arg(long, hide = true)]
    receiver: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Truth,
    Rate,
    Hang,
    Start,
}

/// Results that are printed at the end.
#[derive(Default)]
struct Results {
    required: Requirements,
    lines: Vec<Value>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let has_flag = arguments.bench || arguments.receiver.is_some();
    figures::run("ledger", has_flag, || match arguments.receiver {
        Some(listen) => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(receiver::receive(listen)).map(|()| true)?)
        }
        None => measure(&arguments),
    })
}

fn measure(arguments: &Arguments) -> Outcome<bool> {
    // A single thread for the caller leaves the service the rest of the machine.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let wanted = |part| arguments.part.is_none_or(|only| only == part);
    let (quick, mut results) = (arguments.quick, Results::default());
    let mut is_true = true;
    if wanted(Part::Truth) {
        is_true = runtime.block_on(truth::prove(arguments, &mut results))?;
    }
    if wanted(Part::Rate) {
        runtime.block_on(rate::measure(quick, &mut results))?;
    }
    if wanted(Part::Hang) {
        runtime.block_on(hang::measure(quick, &mut results))?;
    }
    if wanted(Part::Start) {
        runtime.block_on(start::measure(quick, &mut results))?;
    }
    let good = results.required.judge(quick);
    for line in &results.lines {
        println!("{line}");
    }
    Ok(good && is_true)
}
