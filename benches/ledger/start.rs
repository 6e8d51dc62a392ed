//! Time that a start takes while many notifications wait.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::figures::{line, median, ms};
use testkit::machine::folder_on_disk;
use testkit::{Outcome, Service, Settings, Target, until_ready};

use crate::{Results, waiting};

/// Maximum time until the service is ready and the first notification is sent.
const START_MAX: Duration = Duration::from_secs(2);

const WAITING: usize = 100_000;

pub async fn measure(quick: bool, results: &mut Results) -> Outcome<()> {
    let rounds = if quick { 2 } else { 5 };
    // Nothing is ever answered, so that each start finds the same.
    let hanging = testkit::target::Reply::raw("", testkit::target::Then::Hang);
    let target = Target::start(move |_, _| hanging.clone()).await;
    let folder = folder_on_disk();
    let settings = Settings::of_a_bench(folder.path())
        .set_project("api", "off")
        .add_target("crm", &target.url())
        .set_target("timeout_secs", 300);
    waiting::fill(&settings, WAITING).await;
    let (mut ready, mut sent) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (began, seen) = (Instant::now(), target.told().len());
        let mut process = Service::spawn(&settings);
        let [_, operators] = settings.addresses();
        until_ready(&mut process, operators).await;
        let ready_ms = ms(began.elapsed());
        target.told_when(seen + 1).await;
        let sent_ms = ms(began.elapsed());
        // The first start follows the filling.
        if round > 0 {
            ready.push(ready_ms);
            sent.push(sent_ms);
        }
        process.signal(testkit::Signal::KILL);
        process.ended().await;
    }
    let (ready_ms, sent_ms) = (median(ready), median(sent));
    println!(
        "\n{:<32} {:>10} {:>14}",
        "start", "ready, ms", "first sent, ms"
    );
    println!(
        "{:<32} {ready_ms:>10.0} {sent_ms:>14.0}",
        format!("{WAITING} notifications wait")
    );
    results.required.add(
        "ready, and the first of 100,000 waiting notifications sent, within 2 s",
        ready_ms.max(sent_ms) <= ms(START_MAX),
    );
    results.lines.push(line(
        "ledger",
        [
            ("part", json!("start")),
            ("waiting", json!(WAITING)),
            ("ready_ms", json!(ready_ms.round())),
            ("first_sent_ms", json!(sent_ms.round())),
        ],
    ));
    Ok(())
}
