//! Measures the rate and the latency of durably acknowledged callbacks.
//!
//! `cargo bench --bench acknowledge -- [--quick]`
//!
//! The real program is compared with two receivers that do less. Each is a process of its own with a fresh
//! database on a real disk. All are called in the same way and in alternation, and medians over the rounds
//! count. The service runs with `api = "off"`, so the figures include its processing of pending deliveries
//! but no fetches. Deliveries not processed by the end are shown as waiting. After each run the bench
//! counts the rows on disk: a receiver that kept fewer than it acknowledged ends the bench.

#[path = "support/baselines.rs"]
mod baselines;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/load.rs"]
mod load;
#[path = "support/process.rs"]
mod process;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use figures::{Requirements, median};
use load::{Callback, Plan, percentile_ms};
use process::{Outcome, Receiver, Service};

#[derive(Parser)]
struct Arguments {
    /// Uses fewer connections and shorter runs: a minute instead of five.
    #[arg(long)]
    quick: bool,
    /// Number of rounds in which each receiver is measured.
    #[arg(long)]
    rounds: Option<usize>,
    /// Flag that `cargo bench` sets; without it, as when all targets are tested, the bench does nothing.
    #[arg(long, hide = true)]
    bench: bool,
    /// Runs as a receiver of this design.
    #[arg(long, hide = true, requires_all = ["listen", "database"])]
    receiver: Option<Design>,
    #[arg(long, hide = true)]
    listen: Option<SocketAddr>,
    #[arg(long, hide = true)]
    database: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Design {
    NoOp,
    OneTransaction,
    SinchCallbacks,
}

impl Design {
    const ALL: [Design; 3] = [Design::SinchCallbacks, Design::OneTransaction, Design::NoOp];

    fn name(self) -> &'static str {
        match self {
            Design::NoOp => "no-op",
            Design::OneTransaction => "one transaction per request",
            Design::SinchCallbacks => "sinch-callbacks",
        }
    }

    fn is_durable(self) -> bool {
        self != Design::NoOp
    }
}

/// Load on a receiver.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Load {
    connections: usize,
    rate: Option<f64>,
}

/// Measurements of a run, and their duration.
struct Scope {
    quick: bool,
    loads: Vec<Load>,
    /// Numbers of connections by which the rate is judged.
    judged: Vec<usize>,
    rounds: usize,
    warm_up: Duration,
    window: Duration,
}

/// Name of the measurement of the disk itself.
const FSYNC: &str = "fsync alone";

/// Minimum rate of the service, as a multiple of the rates of the other receivers.
const OF_ONE_TRANSACTION: f64 = 6.0;
const OF_NO_OP: f64 = 0.30;

/// Maximum latencies of the service. The p99 is judged only where the disk's own lies below the second value.
const P99_MS: f64 = 12.0;
const FSYNC_P99_MS: f64 = 5.0;
const P50_ABOVE_FSYNC_MS: f64 = 0.3;

/// Callbacks a second at a fixed rate. Every receiver can take this rate, so latencies can be compared.
const RATE: f64 = 1000.0;

/// Callbacks a second that no receiver here can answer.
const PER_SECOND_MAX: f64 = 160_000.0;

impl Scope {
    fn new(arguments: &Arguments) -> Scope {
        let (connections, rounds, millis): (&[usize], _, _) = if arguments.quick {
            (&[1, 64], 3, 1000)
        } else {
            (&[1, 16, 64, 256], 5, 2000)
        };
        let mut loads: Vec<Load> = connections
            .iter()
            .map(|&connections| Load {
                connections,
                rate: None,
            })
            .collect();
        loads.push(Load {
            connections: 64,
            rate: Some(RATE),
        });
        Scope {
            quick: arguments.quick,
            judged: connections.iter().copied().filter(|n| *n >= 64).collect(),
            loads,
            rounds: arguments.rounds.unwrap_or(rounds).max(1),
            warm_up: Duration::from_millis(millis / 4),
            window: Duration::from_millis(millis),
        }
    }
}

/// Figures of one run.
#[derive(Clone, Copy, Debug)]
struct Figures {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    acknowledged: usize,
    /// Share of the acknowledged deliveries that the service had not processed when it was stopped, because it
    /// acknowledges first.
    waiting: f64,
}

/// Line of the table: a design under a load, round by round.
struct Line {
    design: &'static str,
    load: Load,
    rounds: Vec<Figures>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match (arguments.receiver, &arguments.listen, &arguments.database) {
        (Some(design), Some(listen), Some(database)) => {
            receive(design, *listen, database).map(|()| true)
        }
        _ if arguments.bench => measure(&Scope::new(&arguments)),
        _ => {
            println!("run it with cargo bench");
            Ok(true)
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("acknowledge: {error}");
            ExitCode::FAILURE
        }
    }
}

fn receive(design: Design, listen: SocketAddr, database: &Path) -> Outcome<()> {
    // A multi-threaded runtime starts a thread per core, which is more than the service has.
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match design {
            Design::NoOp => baselines::no_op(listen).await,
            Design::OneTransaction => baselines::one_transaction(listen, database).await,
            Design::SinchCallbacks => Err("the service is a program of its own".into()),
        }
    })
}

fn measure(scope: &Scope) -> Outcome<bool> {
    // A single thread for the caller leaves the receiver the rest of the machine.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let span = (scope.warm_up + scope.window).as_secs_f64();
    let callbacks = process::callbacks((span * PER_SECOND_MAX) as usize, load::LIVES);
    let mut lines = lines(scope);
    for round in 1..=scope.rounds {
        for line in &mut lines {
            let figures = match Design::ALL.iter().find(|d| d.name() == line.design) {
                Some(design) => called(&runtime, *design, line.load, scope, &callbacks)?,
                None => fsync_alone(scope)?,
            };
            line.rounds.push(figures);
        }
        eprintln!("round {round} of {} is done", scope.rounds);
    }
    Ok(report(scope, &lines))
}

fn lines(scope: &Scope) -> Vec<Line> {
    let line = |design, load| Line {
        design,
        load,
        rounds: Vec::new(),
    };
    let fsync = Load {
        connections: 1,
        rate: None,
    };
    let mut lines = vec![line(FSYNC, fsync)];
    for load in &scope.loads {
        lines.extend(Design::ALL.map(|design| line(design.name(), *load)));
    }
    lines
}

/// Starts a receiver, calls it, stops it, and counts the deliveries that it kept.
fn called(
    runtime: &Runtime,
    design: Design,
    load: Load,
    scope: &Scope,
    callbacks: &Arc<[Callback]>,
) -> Outcome<Figures> {
    let folder = process::folder()?;
    let plan = Plan {
        rate: load.rate,
        ..Plan::closed(load.connections, scope.warm_up)
    };
    runtime.block_on(async {
        let (receiver, address, database) = start(design, folder.path()).await?;
        let until = sleep(scope.warm_up + scope.window);
        let report = load::run(address, callbacks, &plan, until).await?;
        receiver.stop()?;
        let acknowledged = report.acknowledged.len();
        let name = design.name();
        if report.refused > 0 {
            return Err(format!("{name} refused {} callbacks", report.refused).into());
        }
        let mut waiting = 0.0;
        if design.is_durable() {
            let kept = count(&database, "SELECT count(*) FROM deliveries").await?;
            if kept != acknowledged {
                return Err(format!("{name} acknowledged {acknowledged} and kept {kept}").into());
            }
        }
        if design == Design::SinchCallbacks {
            waiting = count(&database, WAITING).await? as f64 / acknowledged.max(1) as f64;
        }
        Ok(Figures {
            waiting,
            per_second: report.per_second,
            p50_ms: report.percentile_ms(0.5),
            p99_ms: report.percentile_ms(0.99),
            acknowledged,
        })
    })
}

async fn start(design: Design, folder: &Path) -> Outcome<(Receiver, SocketAddr, PathBuf)> {
    if design == Design::SinchCallbacks {
        let service = Service::configure(folder, "api = \"off\"\n")?;
        let (receiver, _) = service.start().await?;
        return Ok((receiver, service.callbacks, service.database));
    }
    let (listen, database) = (process::free_address()?, folder.join("baseline.db"));
    let value = design
        .to_possible_value()
        .ok_or("a design without a name")?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--receiver", value.get_name()])
        .args(["--listen", &listen.to_string()])
        .arg("--database")
        .arg(&database);
    let (receiver, _) = Receiver::start(&mut command, listen).await?;
    Ok((receiver, listen, database))
}

const WAITING: &str = "SELECT count(*) FROM deliveries WHERE phase = 'waiting'";

async fn count(database: &Path, sql: &'static str) -> Outcome<usize> {
    let options = SqliteConnectOptions::new().filename(database);
    let mut db = options.connect().await?;
    let counted = sqlx::query(sql).fetch_one(&mut db).await?;
    Ok(usize::try_from(counted.try_get::<i64, _>(0)?)?)
}

fn fsync_alone(scope: &Scope) -> Outcome<Figures> {
    let folder = process::folder()?;
    let times = baselines::fsyncs(folder.path(), scope.window)?;
    Ok(Figures {
        per_second: times.len() as f64 / scope.window.as_secs_f64(),
        p50_ms: percentile_ms(&times, 0.5),
        p99_ms: percentile_ms(&times, 0.99),
        acknowledged: times.len(),
        waiting: 0.0,
    })
}

/// Returns `true` if the requirements hold, or if the run was too short to judge.
#[expect(clippy::too_many_lines, reason = "a list of figures")]
fn report(scope: &Scope, lines: &[Line]) -> bool {
    println!(
        "\n{:<28} {:>11} {:>9} {:>10} {:>9} {:>9} {:>12} {:>9}",
        "design",
        "connections",
        "at rate",
        "per second",
        "p50 ms",
        "p99 ms",
        "acknowledged",
        "waiting"
    );
    let mut machine = Vec::new();
    for line in lines {
        let of = |figure: fn(&Figures) -> f64| median(line.rounds.iter().map(figure));
        let (per_second, p50_ms, p99_ms) =
            (of(|f| f.per_second), of(|f| f.p50_ms), of(|f| f.p99_ms));
        let acknowledged: usize = line.rounds.iter().map(|f| f.acknowledged).sum();
        let waiting = of(|f| f.waiting);
        let Load { connections, rate } = line.load;
        let at = rate.map_or("as it can".to_owned(), |rate| format!("{rate:.0}/s"));
        println!(
            "{:<28} {connections:>11} {at:>9} {per_second:>10.0} {p50_ms:>9.2} {p99_ms:>9.2} {acknowledged:>12} {:>8.0}%",
            line.design,
            waiting * 100.0
        );
        machine.push(json!({
            "bench": "acknowledge", "design": line.design, "connections": connections, "rate": rate,
            "per_second": per_second, "p50_ms": p50_ms, "p99_ms": p99_ms, "acknowledged": acknowledged, "waiting": waiting,
        }));
    }
    let ratios = |connections| {
        let load = Load {
            connections,
            rate: None,
        };
        let ratio = |other| ratio(lines, load, other);
        (ratio(Design::OneTransaction), ratio(Design::NoOp))
    };
    let mut required = Requirements::default();
    for &connections in &scope.judged {
        let (of_one_transaction, of_noop) = ratios(connections);
        println!(
            "\nat {connections} connections: {of_one_transaction:.2} times one transaction per request, \
             {of_noop:.2} of the no-op"
        );
        required.add(
            format!("at least 6 times one transaction per request at {connections} connections"),
            of_one_transaction >= OF_ONE_TRANSACTION,
        );
        required.add(
            format!("at least 0.30 of the no-op at {connections} connections"),
            of_noop >= OF_NO_OP,
        );
        machine.push(json!({
            "bench": "acknowledge", "connections": connections,
            "of_one_transaction": of_one_transaction, "of_noop": of_noop,
        }));
    }
    let find = |design: &str, connections| {
        let load = Load {
            connections,
            rate: None,
        };
        let found = |line: &&Line| line.design == design && line.load == load;
        lines.iter().find(found).map(|line| line.rounds.as_slice())
    };
    let of = |rounds: Option<&[Figures]>, figure: fn(&Figures) -> f64| {
        median(rounds.unwrap_or_default().iter().map(figure))
    };
    let own = Design::SinchCallbacks.name();
    let fsync = find(FSYNC, 1);
    if of(fsync, |f| f.p99_ms) < FSYNC_P99_MS {
        required.add(
            "p99 at 64 connections under 12 ms",
            of(find(own, 64), |f| f.p99_ms) < P99_MS,
        );
    }
    required.add(
        "one connection: p50 within 0.3 ms of an fsync",
        of(find(own, 1), |f| f.p50_ms) < of(fsync, |f| f.p50_ms) + P50_ABOVE_FSYNC_MS,
    );
    let good = required.judge(scope.quick);
    for line in machine {
        println!("{line}");
    }
    good
}

/// Ratio of the service's rate to another's, taken within each round, for the disk's speed varies.
fn ratio(lines: &[Line], load: Load, other: Design) -> f64 {
    let find = |design: Design| {
        let judged = lines
            .iter()
            .find(|line| line.design == design.name() && line.load == load);
        judged.map_or(&[][..], |line| &line.rounds)
    };
    let pairs = find(Design::SinchCallbacks).iter().zip(find(other));
    median(pairs.map(|(own, other)| own.per_second / other.per_second))
}
