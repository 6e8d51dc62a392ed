//! Callbacks acknowledged while an operator asks without a pause.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::json;
use testkit::figures::{line, median, rounded};
use testkit::load::{self, Plan};
use testkit::{ALLOWED, CYCLE, Callbacks, Connection, Outcome, Request, Service};
use tokio::runtime::Builder;
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
#[derive(Clone, Copy)]
struct Run {
    per_second: f64,
    p50_ms: f64,
    /// Number of questions that were answered during the calls.
    asked: usize,
}

/// A service with its number of orders, and how long it is called.
struct Called<'a> {
    service: &'a Service,
    orders: usize,
    window: Duration,
    count: usize,
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
    let called = Called {
        service,
        orders,
        window,
        count: ((WARM_UP + window).as_secs_f64() * PER_SECOND_MAX) as usize,
    };
    let (mut rates, mut p50s, mut half_p50s) = (Vec::new(), Vec::new(), Vec::new());
    println!(
        "\n{:<40} {:>10} {:>8} {:>10}",
        "", "200s/s", "p50, ms", "questions"
    );
    for _ in 0..rounds {
        let [alone, beside] = called.both(None).await?;
        rates.push(alone.per_second / beside.per_second);
        p50s.push(beside.p50_ms / alone.p50_ms);
        let [alone, beside] = called.both(Some(alone.per_second / 2.0)).await?;
        half_p50s.push(beside.p50_ms / alone.p50_ms);
    }
    let figures = [
        ("rate", "rate at full speed", median(rates)),
        ("p50", "p50 at full speed", median(p50s)),
        ("half_speed_p50", "p50 at half speed", median(half_p50s)),
    ];
    for (name, what, ratio) in figures {
        let what = format!(
            "{}: {what} of acknowledgements beside an operator within {SLOWER_MAX} ({ratio:.2})",
            kind.name()
        );
        results.required.add(what, ratio <= SLOWER_MAX);
        results.lines.push(line(
            "operators",
            [
                ("store", json!(kind.name())),
                ("slower_by", json!(name)),
                ("times", json!(rounded(ratio))),
            ],
        ));
    }
    Ok(())
}

impl Called<'_> {
    /// Calls the service alone, and beside an operator who asks without a pause: at a rate, or as fast as it answers.
    async fn both(&self, rate: Option<f64>) -> Outcome<[Run; 2]> {
        let alone = self.run(rate, false).await?;
        let beside = self.run(rate, true).await?;
        for (what, run) in [("alone", alone), ("beside an operator", beside)] {
            let speed = if rate.is_none() { "full" } else { "half" };
            let what = format!("{what}, at {speed} speed");
            println!(
                "{what:<40} {:>10.0} {:>8.2} {:>10}",
                run.per_second, run.p50_ms, run.asked
            );
        }
        Ok([alone, beside])
    }

    async fn run(&self, rate: Option<f64>, is_asked: bool) -> Outcome<Run> {
        let callbacks = Callbacks::signed(self.count, CYCLE);
        let asking = is_asked.then(|| Asking::start(self.service, self.orders));
        let plan = Plan {
            rate,
            ..Plan::closed(CONNECTIONS, WARM_UP)
        };
        let until = sleep(WARM_UP + self.window);
        let report = load::run(self.service.callbacks, &callbacks, &plan, until).await?;
        if report.refused > 0 {
            return Err(format!("{} callbacks were refused", report.refused).into());
        }
        Ok(Run {
            per_second: report.per_second,
            p50_ms: report.percentile_ms(0.5),
            asked: asking.map_or(Ok(0), Asking::stop)?,
        })
    }
}

/// An operator who asks, on a thread of its own: what it costs to read the answers must not hold up the callers.
struct Asking {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<usize, String>>,
}

impl Asking {
    fn start(service: &Service, orders: usize) -> Asking {
        let is_over = Arc::new(AtomicBool::new(false));
        let (to, over) = (service.operators, is_over.clone());
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            let asked = runtime.block_on(ask(to, orders, &over));
            asked.map_err(|error| error.to_string())
        });
        Asking { is_over, thread }
    }

    /// Stops the operator, and returns the number of questions that were answered.
    fn stop(self) -> Outcome<usize> {
        self.is_over.store(true, Relaxed);
        let asked = self.thread.join().map_err(|_| "the operator panicked")?;
        Ok(asked?)
    }
}

/// Asks all questions in turn, over one connection, until it is over.
async fn ask(to: SocketAddr, orders: usize, is_over: &AtomicBool) -> Outcome<usize> {
    let mut choice = Choice::new(orders, 2);
    let mut connection = Connection::open(ALLOWED, to).await?;
    let mut asked = 0;
    for question in REQUESTS.iter().cycle() {
        if is_over.load(Relaxed) {
            break;
        }
        let request = Request::new("GET", &choice.ask(question)).bytes();
        connection.exchange(&request).await?;
        asked += 1;
    }
    Ok(asked)
}
