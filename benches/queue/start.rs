//! Time that a start takes with many deliveries and due orders.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::figures::{line, median, ms};
use testkit::instant_api::Api;
use testkit::machine::folder_on_disk;
use testkit::{History, Service, Settings};

use crate::Results;

/// Maximum time until the service listens.
const START_MAX: Duration = Duration::from_secs(2);

pub async fn measure(rounds: usize, quick: bool, results: &mut Results) {
    let (folder, api) = (folder_on_disk(), Api::start().await);
    // With the usual rate limit: only the start is measured.
    let settings = api.set(Settings::of_a_bench(folder.path()));
    let history = History {
        processed: if quick { 100_000 } else { 1_000_000 },
        due: if quick { 10_000 } else { 100_000 },
        waiting: 0,
    };
    history.fill(&settings).await;
    println!("\n{:<28} {:>20}", "start after", "until ready, ms");
    for (after, killed) in [("a clean end", false), ("a kill", true)] {
        // The first start is not counted, since it does not follow the kind of end that is measured.
        let mut took = Vec::new();
        for _ in 0..=rounds {
            let began = Instant::now();
            let service = Service::start(&settings).await;
            took.push(ms(began.elapsed()));
            if killed {
                service.kill().await;
            } else {
                service.stop_well().await;
            }
        }
        let ready_ms = median(took.drain(1..));
        println!("{after:<28} {ready_ms:>20.0}");
        let what = format!("listening within 2 s after {after}");
        results.required.add(what, ready_ms < ms(START_MAX));
        results.lines.push(line(
            "queue",
            [
                ("design", json!("sinch-callbacks")),
                ("part", json!("start")),
                ("after", json!(after)),
                ("processed", json!(history.processed)),
                ("due", json!(history.due)),
                ("ready_ms", json!(ready_ms.round())),
            ],
        ));
    }
}
