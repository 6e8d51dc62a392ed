//! Proof of the ordering rules, at length: `cargo bench --bench rules -- --orders 1000000 --seed 1`.
//!
//! `--alone` leaves out the controls, which takes a third of the time. The last line is JSON. The process fails if the
//! program's rules took a false state for true, were wrong at rest, left an order stuck or sent too many fetches, if
//! a control passed, or if a rare path was met too seldom.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use number_order::{Backoff, Policy};
use serde_json::{Map, Value, json};
use sinch_callbacks::config::Worker;
use sinch_simulator::simulation::{Scenario, Strategy, Tally};

/// Maximum number of fetches per order, without those that only watch an order.
const FETCHES_MAX: f64 = 3.0;
/// Minimum number of orders in a simulation with which a control cannot pass by chance.
const CONTROLS_MIN: u64 = 20_000;
/// Divisor for the other scenarios: one order in this number is played again without a single callback, again against a
/// Sinch that soon forgets, and again where many fail alone.
const BESIDES: u64 = 10;

#[derive(Parser)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
struct Args {
    /// Number of orders.
    #[arg(long, default_value_t = 1_000_000)]
    orders: u64,
    /// Seed of all randomness.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Plays fewer orders: 100,000 at most.
    #[arg(long)]
    quick: bool,
    /// Leaves the controls out.
    #[arg(long)]
    alone: bool,
    /// Prints only the story of the given order, by the program's rules.
    #[arg(long)]
    only: Option<u64>,
    /// Prints the story in the scenario in which every callback is lost.
    #[arg(long, requires = "only")]
    without_callbacks: bool,
    /// Prints the story in the scenario in which Sinch soon forgets expired orders.
    #[arg(long, requires = "only")]
    forgetful: bool,
    /// Prints the story in the scenario in which many orders fail alone.
    #[arg(long, requires = "only")]
    failing_alone: bool,
    /// Flag that cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[expect(clippy::too_many_lines, reason = "one course of events")]
fn main() -> ExitCode {
    let args = Args::parse();
    let worker = Worker::default();
    let policy = Policy::new(worker.staleness, worker.staleness_max);
    let backoff = Backoff {
        base: worker.backoff_base,
        cap: worker.backoff_cap,
        attempts_max: worker.attempts_max,
    };
    let orders = if args.quick {
        args.orders.min(100_000)
    } else {
        args.orders
    };
    let scenario =
        |make: MakeScenario, orders| make(args.seed, orders, policy.clone(), backoff.clone());
    if let Some(index) = args.only {
        let make = match (args.without_callbacks, args.forgetful, args.failing_alone) {
            (true, ..) => Scenario::without_callbacks,
            (_, true, _) => Scenario::forgetful,
            (.., true) => Scenario::failing_alone,
            (false, false, false) => Scenario::hostile,
        };
        let orders = if args.without_callbacks || args.forgetful || args.failing_alone {
            orders / BESIDES
        } else {
            orders
        };
        for line in scenario(make, orders).story(Strategy::Rules, index) {
            println!("{line}");
        }
        return ExitCode::SUCCESS;
    }
    let mut faults = Vec::new();
    let mut last_line = Map::new();
    prove_rules(
        &scenario(Scenario::hostile, orders),
        &mut last_line,
        &mut faults,
    );
    for (name, make, flag) in OTHER_SCENARIOS {
        let tally = run(name, &scenario(make, orders / BESIDES), Strategy::Rules);
        report(&tally, args.seed, flag, &mut faults);
        let (late, index) = tally.latest;
        if flag == WITHOUT_CALLBACKS && late > Scenario::UNANNOUNCED_MAX {
            faults.push(format!("order {index} was unknown for {late:?}{flag}"));
        }
        let wrong = json!({
            "orders": tally.orders,
            "wrong": tally.false_states + tally.wrong_at_rest + tally.stuck,
            "late_secs_max": late.as_secs(),
        });
        last_line.insert(flag.trim_start_matches(" --").to_owned(), wrong);
    }
    let controls: &[Strategy] = if args.alone { &[] } else { &Strategy::CONTROLS };
    for control in controls {
        let (policy, backoff) = (policy.clone(), backoff.clone());
        let scenario = Scenario::of(*control, args.seed, orders, policy, backoff);
        let tally = run(control.name(), &scenario, *control);
        if !tally.is_wrong() && orders >= CONTROLS_MIN {
            faults.push(format!("the control {} passed", control.name()));
        }
        last_line.insert(control.name().to_owned(), figures(&tally));
    }
    for fault in &faults {
        println!("FAILED: {fault}");
    }
    println!("{}", Value::Object(last_line));
    ExitCode::from(u8::from(!faults.is_empty()))
}

type MakeScenario = fn(u64, u64, Policy, Backoff) -> Scenario;

const WITHOUT_CALLBACKS: &str = " --without-callbacks";

/// Other scenarios, each with the flag that makes the bench print a story of it.
const OTHER_SCENARIOS: [(&str, MakeScenario, &str); 3] = [
    (
        "every callback lost",
        Scenario::without_callbacks,
        WITHOUT_CALLBACKS,
    ),
    ("Sinch soon forgets", Scenario::forgetful, " --forgetful"),
    (
        "many fail alone",
        Scenario::failing_alone,
        " --failing-alone",
    ),
];

/// Plays the hostile scenario by the program's rules, with the rare paths that it must have met.
fn prove_rules(hostile: &Scenario, last_line: &mut Map<String, Value>, faults: &mut Vec<String>) {
    let rules = run("rules", hostile, Strategy::Rules);
    for (name, met, least) in rules.met.paths() {
        println!("    {met:>9} × {name} ({least} in a million)");
    }
    report(&rules, hostile.seed, "", faults);
    faults.extend(rules.too_seldom());
    let fetches = rules.fetches_per_order();
    if fetches > FETCHES_MAX {
        faults.push(format!("{fetches:.2} fetches per order"));
    }
    let figures = json!({
        "orders": rules.orders,
        "seed": hostile.seed,
        "rules": figures(&rules),
        "fetches_max": rules.fetches_max,
    });
    if let Value::Object(figures) = figures {
        last_line.extend(figures);
    }
}

fn figures(tally: &Tally) -> Value {
    json!({
        "false_states": tally.false_states,
        "wrong_at_rest": tally.wrong_at_rest,
        "stuck": tally.stuck,
        "gets_per_order": (tally.fetches_per_order() * 1000.0).round() / 1000.0,
    })
}

/// Plays a scenario on every core, and prints the results as a line of a table.
fn run(name: &str, scenario: &Scenario, strategy: Strategy) -> Tally {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    let tally = scenario.run(strategy, threads);
    let took = Duration::from_millis(sinch_callbacks::redact::millis(began.elapsed()));
    println!(
        "{name:<24}{:>9} orders{:>8} false{:>8} wrong at rest{:>8} stuck{:>7.3} fetches an order, at most {}, and {:.1} routine ones; {took:?}",
        tally.orders,
        tally.false_states,
        tally.wrong_at_rest,
        tally.stuck,
        tally.fetches_per_order(),
        tally.fetches_max,
        tally.routine_fetches as f64 / tally.orders.max(1) as f64,
    );
    tally
}

/// Reports for each order with a fault how to play it alone.
fn report(tally: &Tally, seed: u64, flags: &str, faults: &mut Vec<String>) {
    for (index, wrong) in &tally.failed {
        println!("    order {index}: {wrong}; alone: --seed {seed} --only {index}{flags}");
    }
    if tally.is_wrong() {
        faults.push(format!(
            "{} false states, {} orders wrong at rest, {} stuck{flags}",
            tally.false_states, tally.wrong_at_rest, tally.stuck
        ));
    }
}
