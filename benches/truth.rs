//! The proof of the ordering rule, at length: `cargo bench --bench truth -- --orders 1000000 --seed 1`.
//!
//! The last line is JSON. The process fails if the house rule took anything false for true, was wrong at
//! rest or asked too much, if a control passed, or if a rare path was met too seldom.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Map, Value, json};
use sinch_callbacks::config::Worker;
use sinch_callbacks::order::{BackOff, Rule};
use sinch_callbacks::simulator::trial::{Contender, Course, Tally};

/// Questions per order that are allowed, without those that only look after it.
const ASKS_MAX: f64 = 3.0;
/// With fewer orders than this a control may pass by chance.
const CONTROLS_MIN: u64 = 20_000;
/// One order in so many is played once more without a single callback.
const DEAF: u64 = 10;

#[derive(Parser)]
struct Args {
    /// How many orders.
    #[arg(long, default_value_t = 1_000_000)]
    orders: u64,
    /// What decides everything that is chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fewer orders: 100,000 at most.
    #[arg(long)]
    quick: bool,
    /// Tell the story of this order alone, by the house rule.
    #[arg(long)]
    only: Option<u64>,
    /// … as it goes where every callback is lost.
    #[arg(long, requires = "only")]
    deaf: bool,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let worker = Worker::default();
    let rule = Rule::new(worker.staleness, worker.staleness_max);
    let back_off = BackOff {
        base: worker.backoff_base,
        cap: worker.backoff_cap,
        attempts_max: worker.attempts_max,
    };
    let orders = match args.quick {
        true => args.orders.min(100_000),
        false => args.orders,
    };
    let hostile = Course::hostile(args.seed, orders, rule.clone(), back_off.clone());
    let deaf = Course::deaf(args.seed, orders / DEAF, rule, back_off);
    if let Some(index) = args.only {
        let course = if args.deaf { deaf } else { hostile };
        for line in course.story(Contender::House, index) {
            println!("{line}");
        }
        return ExitCode::SUCCESS;
    }
    prove(&hostile, &deaf)
}

fn prove(hostile: &Course, deaf: &Course) -> ExitCode {
    let mut faults = Vec::new();
    let house = run("house rule", hostile, Contender::House);
    for (name, met, least) in house.met.paths() {
        println!("    {met:>9} × {name} ({least} in a million)");
    }
    report(&house, hostile, "", &mut faults);
    faults.extend(house.too_seldom());
    let asks = house.asks_per_order();
    if asks > ASKS_MAX {
        faults.push(format!("{asks:.2} questions per order"));
    }

    let unheard = run("every callback lost", deaf, Contender::House);
    report(&unheard, deaf, " --deaf", &mut faults);
    let (late, index) = unheard.latest;
    if late > Course::UNHEARD_MAX {
        faults.push(format!("order {index} was unknown for {late:?} --deaf"));
    }

    let mut last_line = Map::new();
    let mut tell = |key: &str, value: Value| last_line.insert(key.to_owned(), value);
    tell("orders", json!(house.orders));
    tell("seed", json!(hostile.seed));
    tell("false_states", json!(house.false_states));
    tell("wrong_at_rest", json!(house.wrong_at_rest));
    tell("gets_per_order", json!((asks * 1000.0).round() / 1000.0));
    tell("gets_max", json!(house.asks_max));
    tell("unheard_orders", json!(unheard.orders));
    tell(
        "unheard_wrong",
        json!(unheard.false_states + unheard.wrong_at_rest),
    );
    tell("unheard_late_secs_max", json!(late.as_secs()));
    for control in Contender::CONTROLS {
        let tally = run(control.name(), hostile, control);
        if !tally.is_wrong() && hostile.orders >= CONTROLS_MIN {
            faults.push(format!("the control {} passed", control.name()));
        }
        let wrong = json!({
            "false_states": tally.false_states,
            "wrong_at_rest": tally.wrong_at_rest,
            "gets_per_order": (tally.asks_per_order() * 1000.0).round() / 1000.0,
        });
        tell(control.name(), wrong);
    }
    for fault in &faults {
        println!("FAILED: {fault}");
    }
    println!("{}", Value::Object(last_line));
    ExitCode::from(u8::from(!faults.is_empty()))
}

/// Plays a course on every core, and prints what it found as a line of a table.
fn run(name: &str, course: &Course, contender: Contender) -> Tally {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    let tally = course.run(contender, threads);
    let took = Duration::from_millis(sinch_callbacks::logged::millis(began.elapsed()));
    println!(
        "{name:<24}{:>9} orders{:>8} false{:>8} wrong at rest{:>7.3} GETs an order, at most {}, and {:.1} looks; {took:?}",
        tally.orders,
        tally.false_states,
        tally.wrong_at_rest,
        tally.asks_per_order(),
        tally.asks_max,
        tally.looks as f64 / tally.orders.max(1) as f64,
    );
    tally
}

/// Says of each order that went wrong how to see it alone.
fn report(tally: &Tally, course: &Course, flags: &str, faults: &mut Vec<String>) {
    for (index, wrong) in &tally.failed {
        println!(
            "    order {index}: {wrong}; alone: --seed {} --only {index}{flags}",
            course.seed
        );
    }
    if tally.is_wrong() {
        faults.push(format!(
            "{} false states, {} orders wrong at rest{flags}",
            tally.false_states, tally.wrong_at_rest
        ));
    }
}
