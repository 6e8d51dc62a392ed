//! Time that each request and each command takes.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::figures::{line, rounded};
use testkit::load::percentile_ms;
use testkit::{ALLOWED, Connection, Outcome, Output, Process, Request, Service, Settings};

use crate::questions::{COMMANDS, Choice, REQUESTS, WRITES};
use crate::{Kind, Results};

/// Maximum 99th percentile, in milliseconds.
const P99_MAX_MS: f64 = 200.0;

pub async fn measure(
    kind: Kind,
    service: &Service,
    settings: &Settings,
    orders: usize,
    quick: bool,
    results: &mut Results,
) -> Outcome<()> {
    let (times, runs) = if quick { (20, 5) } else { (200, 30) };
    let mut choice = Choice::new(orders, 1);
    println!(
        "\n{:<76} {:>8} {:>8}   (ms, {})",
        "",
        "p50",
        "p99",
        kind.name()
    );
    let mut connection = Connection::open(ALLOWED, service.operators).await?;
    for question in REQUESTS {
        let mut took = Vec::with_capacity(times);
        // The first question loads the pages that every answer needs, and is not counted.
        for turn in 0..=times {
            let path = choice.ask(question);
            let request = Request::new("GET", &path).bytes();
            let began = Instant::now();
            let answer = connection.exchange(&request).await?;
            if answer.status != 200 {
                return Err(format!("{path} is answered {}", answer.status).into());
            }
            if turn > 0 {
                took.push(began.elapsed());
            }
        }
        judge(kind, question, took, results);
    }
    for (path, body) in WRITES {
        let mut took = Vec::with_capacity(times);
        for turn in 0..=times {
            let path = choice.ask(path);
            let request = Request::post(&path, *body).bytes();
            let began = Instant::now();
            let answer = connection.exchange(&request).await?;
            // What was chosen twice is dealt with already.
            if !matches!(answer.status, 200..300 | 404 | 409) {
                return Err(format!("{path} is answered {}", answer.status).into());
            }
            if turn > 0 {
                took.push(began.elapsed());
            }
        }
        judge(kind, path, took, results);
    }
    let config = settings.path();
    let fixed = ["--config".as_ref(), config.as_os_str()];
    for question in COMMANDS {
        let mut took = Vec::with_capacity(runs);
        for turn in 0..=runs {
            let asked = choice.ask(question);
            let arguments = fixed.into_iter().chain(asked.split(' ').map(AsRef::as_ref));
            let began = Instant::now();
            let program = Command::new(settings.program());
            let ended = Process::spawn(program, arguments, Output::Kept)
                .ended()
                .await;
            // `status` ends with 3 where something needs attention.
            if !matches!(ended.code, Some(0 | 3)) {
                return Err(format!("{asked}: {ended:?}").into());
            }
            if turn > 0 {
                took.push(began.elapsed());
            }
        }
        judge(kind, question, took, results);
    }
    Ok(())
}

fn judge(kind: Kind, question: &str, mut took: Vec<Duration>, results: &mut Results) {
    took.sort_unstable();
    let [p50, p99] = [0.5, 0.99].map(|share| percentile_ms(&took, share));
    println!("{question:<76} {p50:>8.1} {p99:>8.1}");
    let what = format!(
        "{}: {question} within {P99_MAX_MS} ms ({p99:.0})",
        kind.name()
    );
    results.required.add(what, p99 <= P99_MAX_MS);
    results.lines.push(line(
        "operators",
        [
            ("store", json!(kind.name())),
            ("question", json!(question)),
            ("p50_ms", json!(rounded(p50))),
            ("p99_ms", json!(rounded(p99))),
        ],
    ));
}
