//! Notifications per second beside acknowledgements, and acknowledgements beside notifications.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::figures::{line, median, rounded};
use testkit::load::{self, Plan};
use testkit::machine::folder_on_disk;
use testkit::{Callbacks, FITTING, Load, Outcome, Service, Settings};
use tokio::time::sleep;

use crate::receiver::Receiver;
use crate::{Results, waiting};

/// Minimum number of notifications a second beside acknowledgements at half of their speed.
const TOLD_MIN: f64 = 2000.0;

/// Maximum factor by which acknowledgements may be slower with a target.
const SLOWER_MAX: f64 = 1.1;

const CONNECTIONS: usize = 64;

/// Number of notifications that wait when their rate is measured: more than are told in that time.
const WAITING: usize = 100_000;

/// Maximum rate of callbacks a second that the bench prepares for.
const PER_SECOND_MAX: f64 = 60_000.0;

/// Time until the load is steady, and the time that is measured.
#[derive(Clone, Copy)]
struct Spans {
    warm_up: Duration,
    window: Duration,
}

/// Figures of a load of callbacks, and the number of notifications a second beside it.
struct Run {
    per_second: f64,
    p50_ms: f64,
    told: f64,
}

pub async fn measure(quick: bool, results: &mut Results) -> Outcome<()> {
    let (rounds, secs) = if quick { (3, 2) } else { (7, 4) };
    let spans = Spans {
        warm_up: Duration::from_secs(1),
        window: Duration::from_secs(secs),
    };
    let span = (spans.warm_up + spans.window).as_secs_f64();
    // Each event changes its order for as long as the run lasts.
    let callbacks = Callbacks::signed((span * PER_SECOND_MAX) as usize, FITTING);
    let (mut alone, mut beside, mut half) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let without = acknowledged(&callbacks, spans, false).await?;
        beside.push(acknowledged(&callbacks, spans, true).await?);
        half.push(told(&callbacks, spans, without.per_second / 2.0).await?);
        alone.push(without);
        eprintln!("round {round} of {rounds} is done");
    }
    print_table([&alone, &beside, &half], results);
    let pairs = || alone.iter().zip(&beside);
    let rate = median(pairs().map(|(alone, beside)| alone.per_second / beside.per_second));
    let p50 = median(pairs().map(|(alone, beside)| beside.p50_ms / alone.p50_ms));
    println!(
        "\nwith a target, acknowledgements are {rate:.2} times slower by rate, {p50:.2} times by p50"
    );
    let told = median(half.iter().map(|run| run.told));
    results.required.add(
        format!("at least {TOLD_MIN} notifications a second beside acknowledgements at half speed"),
        told >= TOLD_MIN,
    );
    for (what, ratio) in [("rate", rate), ("p50", p50)] {
        results.required.add(
            format!("{what} of acknowledgements within {SLOWER_MAX} of a run without targets"),
            ratio <= SLOWER_MAX,
        );
    }
    results.lines.push(line(
        "ledger",
        [
            ("part", json!("rate")),
            ("slower_by_rate", json!(rounded(rate))),
            ("slower_by_p50", json!(rounded(p50))),
        ],
    ));
    Ok(())
}

/// Prints the medians of the runs without a target, with one, and at half speed.
fn print_table([alone, beside, half]: [&[Run]; 3], results: &mut Results) {
    println!(
        "\n{:<44} {:>10} {:>8} {:>8}",
        "", "200s/s", "p50, ms", "told/s"
    );
    for (what, runs) in [
        ("callbacks, without a target", alone),
        ("callbacks, each change told", beside),
        ("callbacks at half speed, 100,000 wait", half),
    ] {
        let of = |figure: fn(&Run) -> f64| median(runs.iter().map(figure));
        let (per_second, p50_ms, told) = (of(|r| r.per_second), of(|r| r.p50_ms), of(|r| r.told));
        println!("{what:<44} {per_second:>10.0} {p50_ms:>8.2} {told:>8.0}");
        results.lines.push(line(
            "ledger",
            [
                ("part", json!("rate")),
                ("what", json!(what)),
                ("acknowledged_per_second", json!(per_second.round())),
                ("p50_ms", json!(rounded(p50_ms))),
                ("told_per_second", json!(told.round())),
            ],
        ));
    }
}

/// Calls a service as fast as it answers, with a target that is told of each change or without any.
async fn acknowledged(callbacks: &Arc<Callbacks>, spans: Spans, target: bool) -> Outcome<Run> {
    let (folder, receiver) = (folder_on_disk(), Receiver::start().await);
    let mut settings = Settings::of_a_bench(folder.path()).set_project("api", "off");
    if target {
        settings = receiver.add(settings, "crm", true);
    }
    let service = Service::start(&settings).await;
    let plan = Plan::closed(CONNECTIONS, spans.warm_up);
    let all = spans.warm_up + spans.window;
    let report = load::run(service.callbacks, callbacks, &plan, sleep(all)).await?;
    let told = receiver.count().await? as f64 / all.as_secs_f64();
    service.stop_well().await;
    Ok(Run {
        per_second: report.per_second,
        p50_ms: report.percentile_ms(0.5),
        told,
    })
}

/// Calls a service at a rate while many notifications wait, and counts those that are told.
async fn told(callbacks: &Arc<Callbacks>, spans: Spans, rate: f64) -> Outcome<Run> {
    let (folder, receiver) = (folder_on_disk(), Receiver::start().await);
    let settings = Settings::of_a_bench(folder.path()).set_project("api", "off");
    let settings = receiver.add(settings, "crm", false);
    waiting::fill(&settings, WAITING).await;
    let service = Service::start(&settings).await;
    let plan = Plan {
        rate: Some(rate),
        ..Plan::closed(CONNECTIONS, spans.warm_up)
    };
    let mut load = Load::start(service.callbacks, callbacks, &plan).await?;
    sleep(spans.warm_up).await;
    let (began, before) = (Instant::now(), receiver.count().await?);
    sleep(spans.window).await;
    let (took, after) = (began.elapsed(), receiver.count().await?);
    let report = load.stop().await?;
    service.kill().await;
    if after >= WAITING {
        return Err(format!("all {WAITING} notifications were told too soon").into());
    }
    Ok(Run {
        per_second: report.per_second,
        p50_ms: report.percentile_ms(0.5),
        told: (after - before) as f64 / took.as_secs_f64(),
    })
}
