//! Table of the figures, and the requirements that they must meet.

use serde_json::{Value, json};
use testkit::figures::{Requirements, median};

use crate::{Design, FSYNC, Figures, Line, Load, RATE, Scope};

/// Minimum rates of the service, as multiples of another receiver's rate at a number of connections.
const RATES: [(usize, Design, f64); 4] = [
    (64, Design::OneTransaction, 8.0),
    (256, Design::OneTransaction, 10.0),
    (16, Design::FastifyRedis, 2.0),
    (64, Design::FastifyRedis, 3.0),
];

/// Maximum p99 of the service at one connection, as a multiple of that of one transaction per request.
const P99_OF_ONE_TRANSACTION: f64 = 1.5;

/// Maximum p50 of the service at one connection beyond that of an fsync.
const P50_ABOVE_FSYNC_MS: f64 = 0.1;

/// Maximum p99 of the service under a load. They are judged only if the p99 of the disk alone is at most [`FSYNC_P99_MS`].
const P99S_MS: [(Load, f64); 2] = [(at(64, None), 12.0), (at(64, Some(RATE)), 2.0)];
const FSYNC_P99_MS: f64 = 0.6;

const fn at(connections: usize, rate: Option<f64>) -> Load {
    Load { connections, rate }
}

/// Prints the figures. Returns `true` if the requirements hold, or if the run was too short to judge.
pub fn judge(scope: &Scope, lines: &[Line]) -> bool {
    println!(
        "\n{:<28} {:>11} {:>9} {:>10} {:>9} {:>9} {:>12} {:>9}",
        "design",
        "connections",
        "at rate",
        "per second",
        "p50 ms",
        "p99 ms",
        "acknowledged",
        "waiting"
    );
    let mut machine: Vec<Value> = lines.iter().map(print).collect();
    println!();
    let of = Medians(lines);
    let mut required = Requirements::default();
    for (connections, other, least) in RATES {
        if let Some(ratio) = of.ratio(at(connections, None), other, |figures| figures.per_second) {
            let what = format!("{} at {connections} connections", other.name());
            println!("{ratio:.2} times the rate of {what}");
            required.add(
                format!("at least {least} times the rate of {what}"),
                ratio >= least,
            );
            machine.push(json!({
                "bench": "acknowledge", "connections": connections, "of": other.name(), "times_the_rate": ratio,
            }));
        }
    }
    latencies(&of, &mut required, &mut machine);
    let good = required.judge(scope.quick);
    for line in machine {
        println!("{line}");
    }
    good
}

/// Prints a line of the table. Returns it for programs.
fn print(line: &Line) -> Value {
    let of = |figure: fn(&Figures) -> f64| median(line.rounds.iter().map(figure));
    let (per_second, p50_ms, p99_ms) = (of(|f| f.per_second), of(|f| f.p50_ms), of(|f| f.p99_ms));
    let acknowledged: usize = line.rounds.iter().map(|f| f.acknowledged).sum();
    let waiting = of(|f| f.waiting);
    let Load { connections, rate } = line.load;
    let at = rate.map_or("as it can".to_owned(), |rate| format!("{rate:.0}/s"));
    println!(
        "{:<28} {connections:>11} {at:>9} {per_second:>10.0} {p50_ms:>9.2} {p99_ms:>9.2} {acknowledged:>12} {:>8.0}%",
        line.design,
        waiting * 100.0
    );
    json!({
        "bench": "acknowledge", "design": line.design, "connections": connections, "rate": rate,
        "per_second": per_second, "p50_ms": p50_ms, "p99_ms": p99_ms, "acknowledged": acknowledged, "waiting": waiting,
    })
}

fn latencies(of: &Medians<'_>, required: &mut Requirements, machine: &mut Vec<Value>) {
    let own = Design::SinchCallbacks.name();
    let p99 = of.ratio(at(1, None), Design::OneTransaction, |figures| {
        figures.p99_ms
    });
    if let Some(p99) = p99 {
        println!("{p99:.2} times the p99 of one transaction per request at one connection");
        required.add(
            format!("one connection: p99 at most {P99_OF_ONE_TRANSACTION} times that of one transaction per request"),
            p99 <= P99_OF_ONE_TRANSACTION,
        );
        machine.push(json!({ "bench": "acknowledge", "connections": 1, "times_the_p99": p99 }));
    }
    let above =
        of.median(own, at(1, None), |f| f.p50_ms) - of.median(FSYNC, at(1, None), |f| f.p50_ms);
    println!("{above:.2} ms between the p50 of one connection and that of an fsync");
    required.add(
        format!("one connection: p50 within {P50_ABOVE_FSYNC_MS} ms of an fsync"),
        above <= P50_ABOVE_FSYNC_MS,
    );
    let disk = of.median(FSYNC, at(1, None), |f| f.p99_ms);
    if disk > FSYNC_P99_MS {
        println!("p99 is not judged: that of an fsync is {disk:.2} ms, above {FSYNC_P99_MS}");
        return;
    }
    for (load, most) in P99S_MS {
        let at = load
            .rate
            .map_or_else(String::new, |rate| format!(", {rate} a second"));
        required.add(
            format!(
                "{} connections{at}: p99 at most {most} ms",
                load.connections
            ),
            of.median(own, load, |f| f.p99_ms) <= most,
        );
    }
}

/// Medians over the rounds.
struct Medians<'a>(&'a [Line]);

impl Medians<'_> {
    fn rounds(&self, design: &str, load: Load) -> &[Figures] {
        let mut lines = self.0.iter();
        let line = lines.find(|line| line.design == design && line.load == load);
        line.map_or(&[], |line| &line.rounds)
    }

    fn median(&self, design: &str, load: Load, figure: fn(&Figures) -> f64) -> f64 {
        median(self.rounds(design, load).iter().map(figure))
    }

    /// Returns the ratio of the service's figure to another's, taken within each round because the disk's speed varies;
    /// `None` if the other was not measured under this load.
    fn ratio(&self, load: Load, other: Design, figure: fn(&Figures) -> f64) -> Option<f64> {
        let others = self.rounds(other.name(), load);
        let own = self.rounds(Design::SinchCallbacks.name(), load);
        let pairs = own.iter().zip(others);
        (!others.is_empty()).then(|| median(pairs.map(|(own, other)| figure(own) / figure(other))))
    }
}
