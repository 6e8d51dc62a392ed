//! Measures the rate at which acknowledged deliveries are processed, and the cost of a long past.
//!
//! `cargo bench --bench queue -- [--quick] [--part fits|half|fetches|past|start]`
//!
//! Five parts, each with the real program and databases of its own on a real disk:
//!
//! - `fits`: events with the decision `fits`, processed per second while callbacks arrive as fast as they are answered.
//! - `half`: age at which deliveries are processed while callbacks come at half of the rate that is possible.
//! - `fetches`: orders that each need a fetch, from an API that answers at once, compared with the HTTP client
//!   alone, without callbacks and with a thousand a second; while the client is measured, these go to a service that sends no
//!   fetches.
//! - `past`: time that a callback, `/status` and a claim take with a growing number of processed deliveries.
//! - `start`: time that a start takes with a million deliveries and a hundred thousand due orders.
//!
//! The compared figures are measured in alternation. A ratio is taken within each round because the disk's speed
//! varies, and the median of the rounds counts.

mod fetches;
mod fits;
mod half;
mod past;
mod start;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use serde_json::Value;
use testkit::figures::{self, Requirements};
use testkit::{Outcome, instant_api};
use tokio::runtime::{Builder, Runtime};

#[derive(Parser)]
struct Arguments {
    /// Runs one round in a few minutes less, with at most 100,000 processed deliveries, and judges nothing.
    #[arg(long)]
    quick: bool,
    /// Runs only the given part.
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
    Half,
    Fetches,
    Past,
    Start,
}

/// Rate limit that fetches never reach.
const NO_LIMIT: f64 = 100_000.0;

/// Number of fetches in flight at which the rate is judged.
const IN_FLIGHT: usize = 8;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let has_flag = arguments.bench || arguments.api.is_some();
    figures::run("queue", has_flag, || {
        let on = runtimes()?;
        match arguments.api {
            Some(listen) => Ok(on
                .all
                .block_on(instant_api::answer(listen))
                .map(|()| true)?),
            None => measure(&on, &arguments),
        }
    })
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

fn measure(on: &Runtimes, arguments: &Arguments) -> Outcome<bool> {
    let quick = arguments.quick;
    let rounds = if quick { 1 } else { 5 };
    let wanted = |part| arguments.part.is_none_or(|only| only == part);
    let mut results = Results::default();
    if wanted(Part::Fits) {
        fits::measure(on, rounds, quick, &mut results)?;
    }
    if wanted(Part::Half) {
        half::measure(on, rounds, quick, &mut results)?;
    }
    if wanted(Part::Fetches) {
        fetches::measure(on, rounds, quick, &mut results)?;
    }
    if wanted(Part::Past) {
        on.one.block_on(past::measure(quick, &mut results))?;
    }
    if wanted(Part::Start) {
        on.one.block_on(start::measure(rounds, quick, &mut results));
    }
    let good = results.required.judge(quick);
    for line in &results.lines {
        println!("{line}");
    }
    Ok(good)
}
