//! Callbacks acknowledged while an operator asks without a pause.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use testkit::figures::{line, median, rounded};
use testkit::load::{self, Plan};
use testkit::{ALLOWED, CYCLE, Callbacks, Connection, Outcome, Request, Service};
use tokio::time::sleep;

use crate::questions::{Choice, REQUESTS};
use crate::{Kind, Results};

/// Maximum factor by which acknowledgements may be slower beside an operator.
const SLOWER_MAX: f64 = 1.2;

const CONNECTIONS: usize = 64;

/// Maximum rate of callbacks a second that the bench prepares for.
const PER_SECOND_MAX: f64 = 60_000.0;

const WARM_UP: Duration = Duration::from_millis(500);

/// Figures of a load of callbacks.
struct Run {
    per_second: f64,
    p50_ms: f64,
    /// Number of questions that were answered during the calls.
    asked: usize,
}

pub async fn measure(
    kind: Kind,
    service: &Service,
    orders: usize,
    quick: bool,
    results: &mut Results,
) -> Outcome<()> {
    let (rounds, window) = if quick { (2, 2) } else { (7, 4) };
    let window = Duration::from_secs(window);
    let count = ((WARM_UP + window).as_secs_f64() * PER_SECOND_MAX) as usize;
    let (mut rates, mut p50s) = (Vec::new(), Vec::new());
    println!(
        "\n{:<20} {:>10} {:>8} {:>10}",
        "", "200s/s", "p50, ms", "questions"
    );
    for _ in 0..rounds {
        let mut runs = Vec::new();
        for asks in [false, true] {
            let callbacks = Callbacks::signed(count, CYCLE);
            let run = called(service, &callbacks, window, asks.then_some(orders)).await?;
            let what = if asks { "beside an operator" } else { "alone" };
            println!(
                "{what:<20} {:>10.0} {:>8.2} {:>10}",
                run.per_second, run.p50_ms, run.asked
            );
            runs.push(run);
        }
        rates.push(runs[0].per_second / runs[1].per_second);
        p50s.push(runs[1].p50_ms / runs[0].p50_ms);
    }
    let (rate, p50) = (median(rates), median(p50s));
    for (what, ratio) in [("rate", rate), ("p50", p50)] {
        let what = format!(
            "{}: {what} of acknowledgements beside an operator within {SLOWER_MAX} ({ratio:.2})",
            kind.name()
        );
        results.required.add(what, ratio <= SLOWER_MAX);
    }
    results.lines.push(line(
        "operators",
        [
            ("store", json!(kind.name())),
            ("slower_by_rate", json!(rounded(rate))),
            ("slower_by_p50", json!(rounded(p50))),
        ],
    ));
    Ok(())
}

/// Calls the service as fast as it answers, with an operator who asks about this number of orders, or with none.
async fn called(
    service: &Service,
    callbacks: &Arc<Callbacks>,
    window: Duration,
    orders: Option<usize>,
) -> Outcome<Run> {
    let mut asked = 0;
    let asking = async {
        match orders {
            Some(orders) => ask(service, orders, &mut asked).await,
            None => std::future::pending().await,
        }
    };
    let plan = Plan::closed(CONNECTIONS, WARM_UP);
    let called = load::run(service.callbacks, callbacks, &plan, sleep(WARM_UP + window));
    let report = tokio::select! {
        report = called => report?,
        Err(error) = asking => return Err(error),
    };
    if report.refused > 0 {
        return Err(format!("{} callbacks were refused", report.refused).into());
    }
    Ok(Run {
        per_second: report.per_second,
        p50_ms: report.percentile_ms(0.5),
        asked,
    })
}

/// Asks all questions in turn, over one connection, without an end.
async fn ask(service: &Service, orders: usize, asked: &mut usize) -> Outcome<()> {
    let mut choice = Choice::new(orders, 2);
    let mut connection = Connection::open(ALLOWED, service.operators).await?;
    for question in REQUESTS.iter().cycle() {
        let request = Request::new("GET", &choice.ask(question)).bytes();
        connection.exchange(&request).await?;
        *asked += 1;
    }
    Ok(())
}
