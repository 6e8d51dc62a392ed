//! Rate at which events with the decision `fits` are processed while callbacks keep arriving.

use std::time::Duration;

use serde_json::json;
use testkit::figures::{line, median, rounded};
use testkit::instant_api::Api;
use testkit::load::{self, Plan};
use testkit::machine::folder_on_disk;
use testkit::{Callbacks, FITTING, File, Outcome, Service, Settings, now};
use tokio::time::sleep;

use crate::{IN_FLIGHT, NO_LIMIT, Results, Runtimes};

/// Minimum ratio of processed to acknowledged deliveries.
const FITS_MIN: f64 = 1.0 / 3.0;

/// One round of processing.
struct Round {
    acknowledged: f64,
    p99_ms: f64,
    processed: f64,
    fitting: f64,
}

pub fn measure(on: &Runtimes, rounds: usize, quick: bool, results: &mut Results) -> Outcome<()> {
    let connections: &[usize] = if quick { &[64, 256] } else { &[16, 64, 256] };
    println!(
        "\n{:<12} {:>17} {:>9} {:>12} {:>9} {:>7}",
        "connections", "acknowledged a s", "p99 ms", "processed a s", "that fit", "ratio"
    );
    for &connections in connections {
        let all = (0..rounds).map(|_| on.one.block_on(round(connections, quick)));
        let all: Vec<Round> = all.collect::<Outcome<_>>()?;
        let of = |figure: fn(&Round) -> f64| median(all.iter().map(figure));
        let (acknowledged, processed) = (of(|s| s.acknowledged), of(|s| s.processed));
        let p99_ms = of(|s| s.p99_ms);
        let (fitting, ratio) = (of(|s| s.fitting), of(|s| s.processed / s.acknowledged));
        println!(
            "{connections:<12} {acknowledged:>17.0} {p99_ms:>9.1} {processed:>12.0} {:>8.0}% {ratio:>7.2}",
            fitting * 100.0
        );
        let what = format!(
            "processed at least a third of what {connections} connections are acknowledged"
        );
        results.required.add(what, ratio >= FITS_MIN);
        results.lines.push(line(
            "queue",
            [
                ("design", json!("sinch-callbacks")),
                ("part", json!("fits")),
                ("max_in_flight", json!(IN_FLIGHT)),
                ("connections", json!(connections)),
                ("acknowledged_per_second", json!(acknowledged.round())),
                ("acknowledged_p99_ms", json!(rounded(p99_ms))),
                ("processed_per_second", json!(processed.round())),
                ("fitting", json!(rounded(fitting))),
                ("ratio", json!(rounded(ratio))),
            ],
        ));
    }
    Ok(())
}

/// Maximum rate of callbacks a second that the bench prepares for: the service cannot reach it.
const PER_SECOND_MAX: f64 = 60_000.0;

async fn round(connections: usize, quick: bool) -> Outcome<Round> {
    let window = Duration::from_secs(if quick { 3 } else { 8 });
    let warm_up = Duration::from_secs(2);
    let (folder, api) = (folder_on_disk(), Api::start().await);
    let settings = api
        .set(Settings::of_a_bench(folder.path()))
        .set("sinch.max_in_flight", IN_FLIGHT)
        .set("sinch.requests_per_second", NO_LIMIT);
    let count = (warm_up + window).as_secs_f64() * PER_SECOND_MAX;
    let callbacks = Callbacks::signed(count as usize, FITTING);
    let service = Service::start(&settings).await;
    let plan = Plan::closed(connections, warm_up);
    let began = now();
    let until = sleep(warm_up + window);
    let report = load::run(service.callbacks, &callbacks, &plan, until).await?;
    service.stop_well().await;
    if report.refused > 0 || report.acknowledged.len() == callbacks.count() {
        return Err("some were refused, or there were too few callbacks".into());
    }
    let (from, to) = (began.plus(warm_up).0, began.plus(warm_up + window).0);
    let within = format!(
        "SELECT count(*) FROM deliveries
         WHERE phase = 'processed' AND processed_at BETWEEN {from} AND {to}"
    );
    let mut file = File::open_read_only(&settings.database()).await;
    let processed = file.number(&within).await;
    let fitting = file
        .number(&format!("{within} AND decision = 'fits'"))
        .await;
    Ok(Round {
        acknowledged: report.per_second,
        p99_ms: report.percentile_ms(0.99),
        processed: processed as f64 / window.as_secs_f64(),
        fitting: fitting as f64 / processed.max(1) as f64,
    })
}
