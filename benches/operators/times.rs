//! Time that each request and each command takes.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
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
    let (times, runs) = if quick { (20, 5) } else { (200, 100) };
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
        let ask = |choice: &mut Choice| Request::new("GET", &choice.ask(question));
        let took = requests(&mut connection, times, || ask(&mut choice), &[200]).await?;
        judge(kind, question, took, results);
    }
    for (path, body) in WRITES {
        let ask = |choice: &mut Choice| Request::post(&choice.ask(path), *body);
        // What was chosen twice is dealt with already.
        let good = [200, 202, 204, 404, 409];
        let took = requests(&mut connection, times, || ask(&mut choice), &good).await?;
        judge(kind, path, took, results);
    }
    for question in COMMANDS {
        let took = commands(settings, runs, || choice.ask(question)).await?;
        judge(kind, question, took, results);
    }
    readable(&mut connection).await
}

/// Fails if the program could not read a row that was asked for: rows are written as the service would have left them.
async fn readable(connection: &mut Connection) -> Outcome<()> {
    let request = Request::new("GET", "/status").bytes();
    let status: Value = serde_json::from_slice(&connection.exchange(&request).await?.body)?;
    let unreadable = &status["rows_unreadable"];
    if unreadable != &json!([]) {
        return Err(format!("rows cannot be read: {unreadable}").into());
    }
    Ok(())
}

/// Sends this number of requests, and returns the time that each took. The first one loads the pages that every answer needs, and is
/// not counted.
async fn requests(
    connection: &mut Connection,
    times: usize,
    mut next: impl FnMut() -> Request,
    good: &[u16],
) -> Outcome<Vec<Duration>> {
    let mut took = Vec::with_capacity(times);
    for turn in 0..=times {
        let request = next().bytes();
        let began = Instant::now();
        let answer = connection.exchange(&request).await?;
        if !good.contains(&answer.status) {
            let request = String::from_utf8_lossy(&request).into_owned();
            return Err(format!("{} is answered: {request}", answer.status).into());
        }
        if turn > 0 {
            took.push(began.elapsed());
        }
    }
    Ok(took)
}

/// Runs a command this number of times, and returns the time that each took. The first one is not counted.
async fn commands(
    settings: &Settings,
    runs: usize,
    mut next: impl FnMut() -> String,
) -> Outcome<Vec<Duration>> {
    let config = settings.path();
    let fixed = ["--config".as_ref(), config.as_os_str()];
    let mut took = Vec::with_capacity(runs);
    for turn in 0..=runs {
        let asked = next();
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
    Ok(took)
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
