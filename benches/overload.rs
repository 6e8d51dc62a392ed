//! Checks the service under three times the load that it can commit.
//!
//! `cargo bench --bench overload -- [--quick]`
//!
//! The bench first calls the real program as fast as it answers, which shows its capacity; then at a fixed
//! rate that is easy for it; then at three times its capacity for a minute, where refused callbacks are sent
//! again later, as Sinch would; then at the easy rate again, until everything is as before. At the end the
//! database must contain every event that was answered 200.
//!
//! The service has one core and the caller another, where there are two. Otherwise the caller could not send more
//! than the service can commit. A turn for which no connection is free in time is left out, as all of them wait for
//! an answer. The bench reports the number of callbacks that it really sent.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use testkit::figures::{self, Requirements, line, rounded};
use testkit::load::{self, Plan, Refused, Report, Timed, percentile_ms};
use testkit::machine::{Cores, folder_on_disk, raise_open_files_limit};
use testkit::{CYCLE, Callbacks, Outcome, Service, Settings, ledger};
use tokio::runtime::Builder;
use tokio::time::sleep;

#[derive(Parser)]
struct Arguments {
    /// Overloads for ten seconds instead of sixty, and judges only that nothing is lost.
    #[arg(long)]
    quick: bool,
    /// Flag that `cargo bench` sets; without it, as when all targets are tested, the bench does nothing.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Overload, as a multiple of what the service can commit.
const TIMES: f64 = 3.0;

/// Rate that is easy for the service, as a share of its capacity.
const EASY: f64 = 0.25;

/// Numbers of connections: first to measure the capacity, then for the overload. The second number is larger than the
/// number of callbacks that may wait.
const CONNECTIONS: usize = 64;
const CONNECTIONS_OVERLOAD: usize = 500;

/// Maximum time that a turn waits for a connection before it is left out. The wait counts as the service's time,
/// so it is short compared with the latency allowed.
const LATE_MAX: Duration = Duration::from_millis(10);

/// Width of the buckets in which latencies are compared with the latencies before the overload.
const BUCKET: Duration = Duration::from_millis(500);

/// Maximum time after the overload until latencies are as before it.
const NORMAL_WITHIN: Duration = Duration::from_secs(5);

const ACCEPTED_P99_MS: f64 = 250.0;
const REFUSED_P99_MS: f64 = 100.0;
/// Maximum memory with at most 512 connections and the callbacks that may wait.
const MEMORY_MIB: f64 = 128.0;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    figures::run("overload", arguments.bench, || {
        // A single thread for the caller leaves the service the rest of the machine.
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(run(arguments.quick))
    })
}

/// Period of the bench, with one plan of calls.
struct Phase {
    callbacks: Arc<Callbacks>,
    report: Report,
    span: Duration,
}

impl Phase {
    async fn call(service: &Service, plan: &Plan, count: f64, span: Duration) -> Outcome<Phase> {
        let callbacks = Callbacks::signed(count as usize, CYCLE);
        let report = load::run(service.callbacks, &callbacks, plan, sleep(span)).await?;
        Ok(Phase {
            callbacks,
            report,
            span,
        })
    }

    fn acknowledged(&self) -> impl Iterator<Item = &str> {
        let indices = self.report.acknowledged.iter();
        indices.map(|&index| self.callbacks.event(index))
    }

    /// Returns the latencies of the answers for which `wanted` is true, sorted.
    fn sorted(&self, wanted: impl Fn(&&Timed) -> bool) -> Vec<Duration> {
        let answers = self.report.answers.iter().filter(wanted);
        let mut latencies: Vec<Duration> = answers.map(|answer| answer.latency).collect();
        latencies.sort_unstable();
        latencies
    }

    /// Latency p99 of each bucket of time.
    fn buckets(&self) -> Vec<f64> {
        let buckets = (self.span.as_secs_f64() / BUCKET.as_secs_f64()) as u32;
        let p99 = |n: u32| {
            let within = BUCKET * n..BUCKET * (n + 1);
            percentile_ms(&self.sorted(|answer| within.contains(&answer.at)), 0.99)
        };
        (0..buckets).map(p99).collect()
    }
}

#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn run(quick: bool) -> Outcome<bool> {
    raise_open_files_limit();
    let seconds = |full, short| Duration::from_secs(if quick { short } else { full });
    let (measuring, overload, around) = (seconds(5, 2), seconds(60, 10), seconds(10, 6));
    let folder = folder_on_disk();
    let settings = Settings::of_a_bench(folder.path()).set_project("api", "off");
    let cores = Cores::of_this_thread();
    // A process inherits the cores of the thread that starts it.
    cores.keep_to_first();
    let service = Service::start(&settings).await;
    cores.keep_to_last();

    let warm_up = measuring / 4;
    let plan = Plan::closed(CONNECTIONS, warm_up);
    let count = measuring.as_secs_f64() * 120_000.0;
    let closed = Phase::call(&service, &plan, count, measuring).await?;
    let capacity = closed.report.per_second;
    let easy = Plan {
        rate: Some(capacity * EASY),
        ..Plan::closed(CONNECTIONS, Duration::ZERO)
    };
    let count = capacity * EASY * around.as_secs_f64() * 1.1;
    let before = Phase::call(&service, &easy, count, around).await?;
    let much = Plan {
        rate: Some(capacity * TIMES),
        refused: Refused::Later,
        late_max: Some(LATE_MAX),
        ..Plan::closed(CONNECTIONS_OVERLOAD, Duration::ZERO)
    };
    let count_much = capacity * overload.as_secs_f64() * 1.3 + CONNECTIONS_OVERLOAD as f64;
    let during = Phase::call(&service, &much, count_much, overload).await?;
    let after = Phase::call(&service, &easy, count, around).await?;
    let (_, peak_mib) = service.memory_mib();
    service.stop_well().await;

    let phases = [&closed, &before, &during, &after];
    let acknowledged = || phases.iter().flat_map(|phase| phase.acknowledged());
    let lost = ledger::missing(&settings.database(), acknowledged()).await;
    let control = acknowledged().chain(["never-sent"]);
    let controlled = ledger::missing(&settings.database(), control).await - lost;
    let acknowledged = acknowledged().count();

    let accepted = during.sorted(|answer| answer.status == 200);
    let refused = during.sorted(|answer| answer.status == 503 && answer.retry_after);
    let others = during.report.answers.len() - accepted.len() - refused.len();
    let span = during.span.as_secs_f64();
    let sent = during.report.answers.len() as f64 / span / capacity;
    let usual = before.buckets().into_iter().fold(0.0, f64::max);
    let buckets = after.buckets();
    let normal_at = buckets.iter().position(|p99| *p99 <= usual);
    let normal_after = normal_at.map(|bucket| BUCKET * (bucket as u32 + 1));
    let p = |sorted: &[Duration], share| rounded(percentile_ms(sorted, share));
    let accepted_per_second = accepted.len() as f64 / span;

    println!(
        "\n{:<46} {capacity:>10.0}",
        "capacity, acknowledged a second"
    );
    let row = |what: &str, value: f64| println!("{what:<46} {value:>10.2}");
    row("offered, times the capacity", TIMES);
    row("sent, the rest found no connection free", sent);
    row("accepted, of the capacity", accepted_per_second / capacity);
    row("accepted p50, ms", p(&accepted, 0.5));
    row("accepted p99, ms", p(&accepted, 0.99));
    row("refused, a second", refused.len() as f64 / span);
    row("refused p99, ms", p(&refused, 0.99));
    row("neither 200 nor 503 with Retry-After", others as f64);
    row("memory at its peak, MiB", peak_mib);
    row("p99 before, highest of half a second, ms", usual);
    row(
        "p99 after, first half second, ms",
        buckets.first().copied().unwrap_or(f64::NAN),
    );
    row(
        "normal again after, s",
        normal_after.map_or(f64::NAN, |after| after.as_secs_f64()),
    );
    row("acknowledged", acknowledged as f64);
    row("of these lost", lost as f64);

    let mut required = Requirements::default();
    required.add(
        "accepted p99 under 250 ms",
        p(&accepted, 0.99) < ACCEPTED_P99_MS,
    );
    required.add(
        "refused p99 under 100 ms",
        refused.is_empty() || p(&refused, 0.99) < REFUSED_P99_MS,
    );
    required.add("memory under 128 MiB", peak_mib < MEMORY_MIB);
    required.add(
        "normal within 5 s",
        normal_after.is_some_and(|after| after <= NORMAL_WITHIN),
    );
    let whole = lost == 0 && others == 0 && controlled == 1;
    required.add(
        "nothing lost, nothing answered otherwise, and a loss would be found",
        whole,
    );
    let good = required.judge(quick) && whole;
    println!(
        "{}",
        line(
            "overload",
            [
                ("design", json!("sinch-callbacks")),
                ("times", json!(TIMES)),
                ("seconds", json!(overload.as_secs())),
                ("capacity", json!(capacity.round())),
                ("sent_times", json!(rounded(sent))),
                ("accepted_per_second", json!(accepted_per_second.round())),
                ("accepted_p50_ms", json!(p(&accepted, 0.5))),
                ("accepted_p99_ms", json!(p(&accepted, 0.99))),
                ("refused", json!(refused.len())),
                ("refused_p99_ms", json!(p(&refused, 0.99))),
                ("others", json!(others)),
                ("memory_peak_mib", json!(rounded(peak_mib))),
                ("before_p99_ms", json!(rounded(usual))),
                (
                    "normal_after_ms",
                    json!(normal_after.map(sinch_callbacks::redact::millis))
                ),
                ("acknowledged", json!(acknowledged)),
                ("lost", json!(lost)),
            ]
        )
    );
    Ok(good)
}
