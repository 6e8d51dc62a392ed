//! Measures the rate and the latency of durably acknowledged callbacks.
//!
//! `cargo bench --bench acknowledge -- [--quick]`
//!
//! The real program is compared with receivers that do less: one that answers at once, one with a transaction for each
//! request, and one of Fastify and Redis, where the machine has what that needs. Each is a process of its own with a fresh
//! database on a real disk. All are called in the same way and in alternation, and medians over the rounds count. The service
//! runs with `api = "off"`, so the figures include its processing of pending deliveries but no fetches. Deliveries not processed
//! by the end are shown as waiting. After each run the bench counts what is kept: a receiver that kept fewer callbacks than it
//! acknowledged ends the bench.

mod peer;
mod receivers;
mod report;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use testkit::instant_api::start_self;
use testkit::load::{self, Plan, Report, percentile_ms};
use testkit::machine::folder_on_disk;
use testkit::{CYCLE, Callbacks, File, Outcome, Service, Settings, figures, free_address};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

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
    FastifyRedis,
    SinchCallbacks,
}

impl Design {
    fn name(self) -> &'static str {
        match self {
            Design::NoOp => "no-op",
            Design::OneTransaction => "one transaction per request",
            Design::FastifyRedis => "Fastify and Redis",
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

/// Loads under which the receivers are measured, and their duration.
struct Scope {
    quick: bool,
    designs: Vec<Design>,
    /// Folder with the packages of the receiver of Fastify and Redis; `None` if it is not compared.
    installed: Option<PathBuf>,
    loads: Vec<Load>,
    rounds: usize,
    warm_up: Duration,
    window: Duration,
}

/// Name of the row in the report that shows the speed of the disk itself.
const FSYNC: &str = "fsync alone";

/// Callbacks a second at a fixed rate. Every receiver can take this rate, so latencies can be compared.
const RATE: f64 = 1000.0;

/// Maximum rate of callbacks a second that the bench prepares for: no compared receiver reaches it.
const PER_SECOND_MAX: f64 = 160_000.0;

impl Scope {
    fn new(arguments: &Arguments) -> Outcome<Scope> {
        let (connections, rounds, millis): (&[usize], _, _) = if arguments.quick {
            (&[1, 16, 64], 3, 1000)
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
        let installed = peer::install()?;
        let mut designs = vec![Design::SinchCallbacks, Design::OneTransaction];
        designs.extend(installed.is_some().then_some(Design::FastifyRedis));
        designs.push(Design::NoOp);
        Ok(Scope {
            quick: arguments.quick,
            designs,
            installed,
            loads,
            rounds: arguments.rounds.unwrap_or(rounds).max(1),
            warm_up: Duration::from_millis(millis / 4),
            window: Duration::from_millis(millis),
        })
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

/// Line of the report's table: the figures of a design under a load, round by round.
struct Line {
    design: &'static str,
    load: Load,
    rounds: Vec<Figures>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let has_flag = arguments.bench || arguments.receiver.is_some();
    figures::run("acknowledge", has_flag, || {
        match (arguments.receiver, &arguments.listen, &arguments.database) {
            (Some(design), Some(listen), Some(database)) => {
                receive(design, *listen, database).map(|()| true)
            }
            _ => measure(&Scope::new(&arguments)?),
        }
    })
}

fn receive(design: Design, listen: SocketAddr, database: &Path) -> Outcome<()> {
    // A multi-threaded runtime starts a thread per core, which is more than the service has.
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match design {
            Design::NoOp => receivers::no_op(listen).await,
            Design::OneTransaction => receivers::one_transaction(listen, database).await,
            Design::FastifyRedis | Design::SinchCallbacks => {
                Err("this design is a program of its own".into())
            }
        }
    })
}

fn measure(scope: &Scope) -> Outcome<bool> {
    // A single thread for the caller leaves the receiver the rest of the machine.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let span = (scope.warm_up + scope.window).as_secs_f64();
    let callbacks = Callbacks::signed((span * PER_SECOND_MAX) as usize, CYCLE);
    let mut lines = lines(scope);
    for round in 1..=scope.rounds {
        for line in &mut lines {
            let figures = match scope.designs.iter().find(|d| d.name() == line.design) {
                Some(design) => called(&runtime, *design, line.load, scope, &callbacks)?,
                None => fsync_alone(scope)?,
            };
            line.rounds.push(figures);
        }
        eprintln!("round {round} of {} is done", scope.rounds);
    }
    Ok(report::judge(scope, &lines))
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
        lines.extend(
            scope
                .designs
                .iter()
                .map(|design| line(design.name(), *load)),
        );
    }
    lines
}

/// Starts a receiver, calls it, stops it, and counts the deliveries that it kept.
fn called(
    runtime: &Runtime,
    design: Design,
    load: Load,
    scope: &Scope,
    callbacks: &Arc<Callbacks>,
) -> Outcome<Figures> {
    let folder = folder_on_disk();
    let plan = Plan {
        rate: load.rate,
        ..Plan::closed(load.connections, scope.warm_up)
    };
    let callbacks = (callbacks, &plan, scope.warm_up + scope.window);
    runtime.block_on(async {
        let (kept, waiting, report) = match (design, &scope.installed) {
            (Design::SinchCallbacks, _) => call_service(folder.path(), callbacks).await?,
            (Design::FastifyRedis, Some(installed)) => {
                call_peer(installed, folder.path(), callbacks).await?
            }
            _ => call_receiver(design, folder.path(), callbacks).await?,
        };
        let acknowledged = report.acknowledged.len();
        let name = design.name();
        if report.refused > 0 {
            return Err(format!("{name} refused {} callbacks", report.refused).into());
        }
        if design.is_durable() && kept != acknowledged {
            return Err(format!("{name} acknowledged {acknowledged} and kept {kept}").into());
        }
        Ok(Figures {
            waiting: waiting as f64 / acknowledged.max(1) as f64,
            per_second: report.per_second,
            p50_ms: report.percentile_ms(0.5),
            p99_ms: report.percentile_ms(0.99),
            acknowledged,
        })
    })
}

/// Callbacks to send, the plan by which they are sent, and the duration of the sending.
type Calls<'a> = (&'a Arc<Callbacks>, &'a Plan, Duration);

/// Numbers of callbacks that a receiver kept, and that it has still to process, and the report on its answers.
type Called = (usize, usize, Report);

async fn call_service(folder: &Path, (callbacks, plan, span): Calls<'_>) -> Outcome<Called> {
    let settings = Settings::of_a_bench(folder).set_project("api", "off");
    let service = Service::start(&settings).await;
    let report = load::run(service.callbacks, callbacks, plan, sleep(span)).await?;
    service.stop_well().await;
    let database = settings.database();
    let kept = count(&database, KEPT).await?;
    Ok((kept, count(&database, WAITING).await?, report))
}

async fn call_peer(
    installed: &Path,
    folder: &Path,
    (callbacks, plan, span): Calls<'_>,
) -> Outcome<Called> {
    let listen = free_address();
    let receiver = peer::start(installed, folder, listen).await;
    let report = load::run(listen, callbacks, plan, sleep(span)).await?;
    let kept = peer::count(listen).await?;
    receiver.stop_well().await;
    Ok((kept, 0, report))
}

async fn call_receiver(
    design: Design,
    folder: &Path,
    (callbacks, plan, span): Calls<'_>,
) -> Outcome<Called> {
    let (listen, database) = (free_address(), folder.join("baseline.db"));
    let value = design.to_possible_value();
    let value = value.ok_or("a design without a name")?;
    let (listen_text, database_text) = (listen.to_string(), database.display().to_string());
    let arguments = ["--receiver", value.get_name(), "--listen", &listen_text];
    let arguments = [&arguments[..], &["--database", &database_text]].concat();
    let receiver = start_self(&arguments, listen).await;
    let report = load::run(listen, callbacks, plan, sleep(span)).await?;
    receiver.stop_well().await;
    let kept = if design.is_durable() {
        count(&database, KEPT).await?
    } else {
        0
    };
    Ok((kept, 0, report))
}

const KEPT: &str = "SELECT count(*) FROM deliveries";

const WAITING: &str = "SELECT count(*) FROM deliveries WHERE phase = 'waiting'";

async fn count(database: &Path, sql: &str) -> Outcome<usize> {
    let mut file = File::open(database).await;
    Ok(usize::try_from(file.number(sql).await)?)
}

fn fsync_alone(scope: &Scope) -> Outcome<Figures> {
    let folder = folder_on_disk();
    let times = receivers::fsyncs(folder.path(), scope.window)?;
    Ok(Figures {
        per_second: times.len() as f64 / scope.window.as_secs_f64(),
        p50_ms: percentile_ms(&times, 0.5),
        p99_ms: percentile_ms(&times, 0.99),
        acknowledged: times.len(),
        waiting: 0.0,
    })
}
