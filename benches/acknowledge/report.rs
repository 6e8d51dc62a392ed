//! Table of the figures, and the requirements that they must meet.

use serde_json::json;
use testkit::figures::{Requirements, median};

use crate::{Design, FSYNC, Figures, Line, Load, Scope};

/// Minimum rate of the service, as a multiple of the rates of the other receivers.
const OF_ONE_TRANSACTION: f64 = 6.0;
const OF_NO_OP: f64 = 0.30;

/// Maximum latencies of the service. The p99 is judged only if the p99 of the disk alone lies below the second value.
const P99_MS: f64 = 12.0;
const FSYNC_P99_MS: f64 = 5.0;
const P50_ABOVE_FSYNC_MS: f64 = 0.3;

/// Returns `true` if the requirements hold, or if the run was too short to judge.
#[expect(clippy::too_many_lines, reason = "a list of figures")]
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
    let mut machine = Vec::new();
    for line in lines {
        let of = |figure: fn(&Figures) -> f64| median(line.rounds.iter().map(figure));
        let (per_second, p50_ms, p99_ms) =
            (of(|f| f.per_second), of(|f| f.p50_ms), of(|f| f.p99_ms));
        let acknowledged: usize = line.rounds.iter().map(|f| f.acknowledged).sum();
        let waiting = of(|f| f.waiting);
        let Load { connections, rate } = line.load;
        let at = rate.map_or("as it can".to_owned(), |rate| format!("{rate:.0}/s"));
        println!(
            "{:<28} {connections:>11} {at:>9} {per_second:>10.0} {p50_ms:>9.2} {p99_ms:>9.2} {acknowledged:>12} {:>8.0}%",
            line.design,
            waiting * 100.0
        );
        machine.push(json!({
            "bench": "acknowledge", "design": line.design, "connections": connections, "rate": rate,
            "per_second": per_second, "p50_ms": p50_ms, "p99_ms": p99_ms, "acknowledged": acknowledged, "waiting": waiting,
        }));
    }
    let ratios = |connections| {
        let load = Load {
            connections,
            rate: None,
        };
        let ratio = |other| ratio(lines, load, other);
        (ratio(Design::OneTransaction), ratio(Design::NoOp))
    };
    let mut required = Requirements::default();
    for &connections in &scope.judged {
        let (of_one_transaction, of_noop) = ratios(connections);
        println!(
            "\nat {connections} connections: {of_one_transaction:.2} times one transaction per request, \
             {of_noop:.2} of the no-op"
        );
        required.add(
            format!("at least 6 times one transaction per request at {connections} connections"),
            of_one_transaction >= OF_ONE_TRANSACTION,
        );
        required.add(
            format!("at least 0.30 of the no-op at {connections} connections"),
            of_noop >= OF_NO_OP,
        );
        machine.push(json!({
            "bench": "acknowledge", "connections": connections,
            "of_one_transaction": of_one_transaction, "of_noop": of_noop,
        }));
    }
    let find = |design: &str, connections| {
        let load = Load {
            connections,
            rate: None,
        };
        let found = |line: &&Line| line.design == design && line.load == load;
        lines.iter().find(found).map(|line| line.rounds.as_slice())
    };
    let of = |rounds: Option<&[Figures]>, figure: fn(&Figures) -> f64| {
        median(rounds.unwrap_or_default().iter().map(figure))
    };
    let own = Design::SinchCallbacks.name();
    let fsync = find(FSYNC, 1);
    if of(fsync, |f| f.p99_ms) < FSYNC_P99_MS {
        required.add(
            "p99 at 64 connections under 12 ms",
            of(find(own, 64), |f| f.p99_ms) < P99_MS,
        );
    }
    required.add(
        "one connection: p50 within 0.3 ms of an fsync",
        of(find(own, 1), |f| f.p50_ms) < of(fsync, |f| f.p50_ms) + P50_ABOVE_FSYNC_MS,
    );
    let good = required.judge(scope.quick);
    for line in machine {
        println!("{line}");
    }
    good
}

/// Ratio of the service's rate to another's, taken within each round because the disk's speed varies.
fn ratio(lines: &[Line], load: Load, other: Design) -> f64 {
    let find = |design: Design| {
        let judged = lines
            .iter()
            .find(|line| line.design == design.name() && line.load == load);
        judged.map_or(&[][..], |line| &line.rounds)
    };
    let pairs = find(Design::SinchCallbacks).iter().zip(find(other));
    median(pairs.map(|(own, other)| own.per_second / other.per_second))
}
