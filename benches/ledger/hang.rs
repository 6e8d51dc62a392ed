//! What a target that hangs costs another one, and the memory that it takes.

use std::time::Duration;

use serde_json::json;
use testkit::figures::{line, median, ms, rounded};
use testkit::load::{self, Plan, percentile_ms};
use testkit::machine::folder_on_disk;
use testkit::target::{Reply, Then};
use testkit::{Callbacks, FITTING, Outcome, Service, Settings, Target};
use tokio::time::sleep;

use crate::Results;
use crate::receiver::Receiver;

/// Callbacks a second, of which each is a change that both targets are told.
const RATE: f64 = 200.0;

/// Maximum of the ratio of the delays, with the hanging target to without.
const RATIO_MAX: f64 = 1.1;

/// Difference of two delays, in milliseconds, that is no more than noise.
const NOISE_MS: f64 = 1.0;

/// Maximum of the memory that the hanging target takes, in MiB.
const MEMORY_MAX_MIB: f64 = 16.0;

/// Figures of one run.
struct Run {
    p50_ms: f64,
    p99_ms: f64,
    memory_mib: f64,
}

pub async fn measure(quick: bool, results: &mut Results) -> Outcome<()> {
    let (rounds, span) = if quick { (2, 5) } else { (7, 12) };
    let span = Duration::from_secs(span);
    let mut pairs = Vec::new();
    for round in 1..=rounds {
        let alone = run(false, span).await?;
        pairs.push((alone, run(true, span).await?));
        eprintln!("round {round} of {rounds} is done");
    }
    println!(
        "\n{:<24} {:>8} {:>8} {:>12}",
        "delay of the good target", "p50, ms", "p99, ms", "memory, MiB"
    );
    let of = |figure: fn(&Run) -> f64| {
        let alone = median(pairs.iter().map(|(alone, _)| figure(alone)));
        let beside = median(pairs.iter().map(|(_, beside)| figure(beside)));
        let differences = pairs
            .iter()
            .map(|(alone, beside)| figure(beside) - figure(alone));
        (alone, beside, median(differences))
    };
    let (p50, p99, memory) = (of(|r| r.p50_ms), of(|r| r.p99_ms), of(|r| r.memory_mib));
    println!(
        "{:<24} {:>8.2} {:>8.2} {:>12.1}",
        "alone", p50.0, p99.0, memory.0
    );
    println!(
        "{:<24} {:>8.2} {:>8.2} {:>12.1}",
        "beside one that hangs", p50.1, p99.1, memory.1
    );
    for (what, (alone, beside, difference)) in [("p50", p50), ("p99", p99)] {
        results.required.add(
            format!("{what} of the delay beside a target that hangs as without it"),
            beside <= alone * RATIO_MAX || difference <= NOISE_MS,
        );
    }
    results.required.add(
        format!("a target that hangs takes at most {MEMORY_MAX_MIB} MiB"),
        memory.2 <= MEMORY_MAX_MIB,
    );
    for (hangs, p50, p99, memory) in [
        (false, p50.0, p99.0, memory.0),
        (true, p50.1, p99.1, memory.1),
    ] {
        results.lines.push(line(
            "ledger",
            [
                ("part", json!("hang")),
                ("beside_one_that_hangs", json!(hangs)),
                ("p50_ms", json!(rounded(p50))),
                ("p99_ms", json!(rounded(p99))),
                ("memory_mib", json!(rounded(memory))),
            ],
        ));
    }
    Ok(())
}

async fn run(hangs: bool, span: Duration) -> Outcome<Run> {
    let (folder, receiver) = (folder_on_disk(), Receiver::start().await);
    let hanging = Target::start(|_, _| Reply::raw("", Then::Hang)).await;
    let settings = Settings::of_a_bench(folder.path()).set_project("api", "off");
    let mut settings = receiver.add(settings, "good", true);
    if hangs {
        // Its slots hang for as long as the run lasts.
        settings = settings
            .add_target("hanging", &hanging.url())
            .set_target("provisional", true)
            .set_target("timeout_secs", ms(span * 10) / 1000.0);
    }
    let callbacks = Callbacks::signed((span.as_secs_f64() * RATE * 2.0) as usize, FITTING);
    let plan = Plan {
        rate: Some(RATE),
        ..Plan::closed(16, Duration::ZERO)
    };
    let service = Service::start(&settings).await;
    load::run(service.callbacks, &callbacks, &plan, sleep(span / 5)).await?;
    receiver.delays().await?;
    let again = Callbacks::signed((span.as_secs_f64() * RATE * 2.0) as usize, FITTING);
    load::run(service.callbacks, &again, &plan, sleep(span * 4 / 5)).await?;
    let (memory_mib, _) = service.memory_mib();
    let mut delays = receiver.delays().await?;
    // What hangs would hold up a stop.
    service.kill().await;
    delays.sort_unstable();
    Ok(Run {
        p50_ms: percentile_ms(&delays, 0.5),
        p99_ms: percentile_ms(&delays, 0.99),
        memory_mib,
    })
}
