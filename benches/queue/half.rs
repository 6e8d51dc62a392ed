//! Age at which deliveries are processed while callbacks come at half of the rate at which they can be acknowledged.

use std::time::Duration;

use serde_json::json;
use testkit::figures::{line, median, rounded};
use testkit::load::{self, Plan, Report};
use testkit::machine::folder_on_disk;
use testkit::{CYCLE, Callbacks, File, Outcome, Service, Settings, now};
use tokio::time::sleep;

use crate::{Results, Runtimes};

/// Maximum age, 99th percentile.
const AGE_MAX_MS: f64 = 100.0;

const CONNECTIONS: usize = 64;

const WARM_UP: Duration = Duration::from_secs(1);

/// Maximum rate of callbacks a second that the bench prepares for: the service cannot reach it.
const PER_SECOND_MAX: f64 = 60_000.0;

struct Round {
    per_second: f64,
    acknowledged_p99_ms: f64,
    age_p99_ms: f64,
}

pub fn measure(on: &Runtimes, rounds: usize, quick: bool, results: &mut Results) -> Outcome<()> {
    let window = Duration::from_secs(if quick { 3 } else { 8 });
    let all = (0..rounds).map(|_| on.one.block_on(round(window)));
    let all: Vec<Round> = all.collect::<Outcome<_>>()?;
    let of = |figure: fn(&Round) -> f64| median(all.iter().map(figure));
    let (per_second, p99_ms) = (of(|r| r.per_second), of(|r| r.acknowledged_p99_ms));
    let age_p99_ms = of(|r| r.age_p99_ms);
    println!(
        "\nat half of what {CONNECTIONS} connections can, {per_second:.0} a second: acknowledged in {p99_ms:.1} ms and \
         processed at an age of {age_p99_ms:.1} ms (p99)"
    );
    results.required.add(
        format!("at half of the rate that is possible, processed within {AGE_MAX_MS} ms (p99)"),
        age_p99_ms <= AGE_MAX_MS,
    );
    results.lines.push(line(
        "queue",
        [
            ("design", json!("sinch-callbacks")),
            ("part", json!("half")),
            ("connections", json!(CONNECTIONS)),
            ("acknowledged_per_second", json!(per_second.round())),
            ("acknowledged_p99_ms", json!(rounded(p99_ms))),
            ("age_p99_ms", json!(rounded(age_p99_ms))),
        ],
    ));
    Ok(())
}

async fn round(window: Duration) -> Outcome<Round> {
    let (full, _) = called(None, window).await?;
    let (half, age_p99_ms) = called(Some(full.per_second / 2.0), window).await?;
    Ok(Round {
        per_second: half.per_second,
        acknowledged_p99_ms: half.percentile_ms(0.99),
        age_p99_ms,
    })
}

/// Calls a service at a rate, or as fast as it answers. Returns the report, and the 99th percentile of the age in milliseconds
/// at which what came after the warm-up was processed.
async fn called(rate: Option<f64>, window: Duration) -> Outcome<(Report, f64)> {
    let folder = folder_on_disk();
    let settings = Settings::of_a_bench(folder.path()).set_project("api", "off");
    let count = (WARM_UP + window).as_secs_f64() * PER_SECOND_MAX;
    let callbacks = Callbacks::signed(count as usize, CYCLE);
    let service = Service::start(&settings).await;
    let plan = Plan {
        rate,
        ..Plan::closed(CONNECTIONS, WARM_UP)
    };
    let began = now();
    let until = sleep(WARM_UP + window);
    let report = load::run(service.callbacks, &callbacks, &plan, until).await?;
    service.stop_well().await;
    if report.refused > 0 {
        return Err("some were refused".into());
    }
    // A delivery that still waits at the end is as old as the window is long.
    let (from, late) = (began.plus(WARM_UP).0, window.as_micros());
    let ages = format!(
        "SELECT coalesce(processed_at - received_at, {late}) AS age FROM deliveries WHERE received_at >= {from}"
    );
    let p99 = format!(
        "SELECT age FROM ({ages}) ORDER BY age LIMIT 1 OFFSET (SELECT count(*) * 99 / 100 FROM ({ages}))"
    );
    let mut file = File::open_read_only(&settings.database()).await;
    Ok((report, file.number(&p99).await as f64 / 1000.0))
}
