//! Checks that a kill of the service loses nothing acknowledged and repeats nothing visible.
//!
//! `cargo bench --bench crash -- [--kills 200] [--cuts 40] [--seed 1] [--quick]`
//!
//! The real program serves a simulated Sinch with its usual faults, under a steady load of further
//! callbacks about the same orders. The bench kills it at random moments and starts it again on its
//! database. At the end every event that was answered 200 must be on disk, once and as it was sent, and
//! every order must have its true state at Sinch. A killed process loses the data that it had not handed to
//! the system. Only a power cut loses the data that the system has not handed to the disk. Power cuts are
//! tried in a model (see `power.rs`), with the program as it is and, as controls, with syncs of
//! which every other or none has an effect. The model needs strace.

mod cuts;
mod power;
mod states;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use fastrand::Rng;
use number_order::Id;
use serde_json::{Value, json};
use sinch_simulator::{Faults, Script, Simulator, World};
use testkit::ledger::{self, Acknowledged};
use testkit::load::{Plan, percentile_ms};
use testkit::machine::folder_on_disk;
use testkit::{
    CYCLE, Callbacks, Content, Load, Outcome, PROJECT, Service, Settings, figures, play,
};
use tokio::runtime::Runtime;
use tokio::time::sleep;

use power::Syncs;

#[derive(Parser)]
struct Arguments {
    /// Number of times that the service is killed.
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Number of power cuts in the model; with 0 there are none, and strace is not needed.
    #[arg(long, default_value_t = 40)]
    cuts: u32,
    /// Seed of the moments and the histories.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Kills the service ten times only.
    #[arg(long)]
    quick: bool,
    /// Flag that `cargo bench` sets; without it, as when all targets are tested, the bench does nothing.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Time from readiness to the kill, in milliseconds.
const KILL_AFTER: std::ops::RangeInclusive<u64> = 20..=400;

/// Duration of a kill, with the wait before it and the restart. Histories last as long as all kills
/// together.
const KILL: Duration = Duration::from_millis(250);

/// Callbacks a second, in addition to those of the simulated Sinch.
const RATE: f64 = 500.0;

const ORDERS: usize = 60;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    figures::run("crash", arguments.bench, || {
        let kills = if arguments.quick { 10 } else { arguments.kills };
        let run = run(kills, arguments.cuts, arguments.seed);
        let outcome = Runtime::new()?.block_on(run);
        Ok(outcome.map_err(|error| format!("seed {}: {error}", arguments.seed))?)
    })
}

/// Returns `true` if no event was lost, and every order has its true state.
#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn run(kills: u32, cuts: u32, seed: u64) -> Outcome<bool> {
    let began = Instant::now();
    // The power cuts come first, since they fail at once where strace is missing.
    let mut rng = Rng::with_seed(seed);
    let power = cuts::cut_power(cuts, Syncs::Honest, &mut rng).await?;
    let half = cuts::cut_power(cuts, Syncs::Half, &mut rng).await?;
    let off = cuts::cut_power(cuts, Syncs::Off, &mut rng).await?;

    let mut rng = Rng::with_seed(seed);
    let folder = folder_on_disk();
    let world = World::new(seed, &script(kills)?);
    let (simulator, settings) = play(world, settings(Settings::of_a_bench(folder.path()))).await;
    let callbacks = callbacks(&simulator, kills, &mut rng);
    let service = Service::start(&settings).await;
    simulator.set_callback_url(Some(service.callback_url()));
    let plan = Plan {
        rate: Some(RATE),
        ..Plan::insistent(16)
    };
    let mut load = Load::start(service.callbacks, &callbacks, &plan).await?;
    let (service, restarts) = kill_often(service, &settings, kills, &mut rng).await;
    load.stop().await?;
    simulator.played_out().await;
    let wrong = states::settle(&service, &simulator.final_states()).await;
    service.stop_well().await;

    let mut acknowledged = load.acknowledged();
    acknowledged.extend(acknowledged_to(&simulator));
    let abandoned = simulator.stats().abandoned;
    simulator.shutdown().await;
    let found = ledger::check(&settings.database(), &acknowledged).await;
    let controlled = ledger::control(&settings.database(), &acknowledged).await;
    for (order, shown) in &wrong {
        println!("order {order}: {shown}");
    }
    let ready_ms = percentile_ms(&restarts, 0.5);
    print_figures([
        ("seed", json!(seed)),
        ("kills", json!(kills)),
        ("acknowledged", json!(acknowledged.len())),
        ("rows", json!(found.rows)),
        ("lost", json!(found.lost)),
        ("doubled", json!(found.doubled)),
        ("waiting", json!(found.waiting)),
        ("wrong_states", json!(wrong.len())),
        ("repeated_states", json!(found.repeated)),
        ("torn_stories", json!(found.torn)),
        ("intact", json!(found.is_intact)),
        ("ready_ms", json!(ready_ms.round())),
        ("power_cuts", json!(cuts)),
        ("power_acknowledged", json!(power.acknowledged)),
        ("power_lost", json!(power.lost)),
        ("power_damaged", json!(power.damaged)),
        (
            "power_control",
            json!(half.losses_text("every other sync did nothing")),
        ),
        (
            "power_control_off",
            json!(off.losses_text("no sync did anything")),
        ),
        ("seconds", json!(began.elapsed().as_secs())),
        (
            "control",
            json!(format!("{controlled} of 1 removed events found missing")),
        ),
    ]);
    let controlled_cuts = cuts == 0 || (half.lost > 0 && off.lost > 0);
    let powered = power.lost + power.damaged == 0 && controlled_cuts;
    Ok(found.are_good() && wrong.is_empty() && controlled == 1 && abandoned == 0 && powered)
}

/// Kills the service at random moments. Returns the last process, and the time that each process took to be ready.
async fn kill_often(
    mut service: Service,
    settings: &Settings,
    kills: u32,
    rng: &mut Rng,
) -> (Service, Vec<Duration>) {
    let mut restarts = Vec::new();
    for kill in 1..=kills {
        sleep(Duration::from_millis(rng.u64(KILL_AFTER))).await;
        service.kill().await;
        let began = Instant::now();
        service = Service::start(settings).await;
        restarts.push(began.elapsed());
        if kill % kills.div_ceil(10) == 0 {
            eprintln!("killed {kill} of {kills} times");
        }
    }
    restarts.sort_unstable();
    (service, restarts)
}

fn script(kills: u32) -> Outcome<Script> {
    Ok(Script {
        project: Id::new(PROJECT).ok_or("not a project's id")?,
        orders: ORDERS,
        span: KILL * kills,
        faults: faults(),
    })
}

/// Usual faults, under which every final state can be found and every body is readable.
fn faults() -> Faults {
    Faults {
        lost: 0.1,
        duplicated: 0.3,
        delayed: 0.2,
        delay_max: Duration::from_secs(2),
        quick: 0.2,
        stale: 0.1,
        staleness: Duration::from_secs(1),
        unauthorized: 0.02,
        broken: 0.03,
        ..Faults::none()
    }
}

/// Settings for fast fetches and fast retries, so that many are always in flight.
fn settings(bench: Settings) -> Settings {
    bench
        .set("worker.staleness_secs", 1)
        .set("worker.staleness_max_secs", 1)
        .set("worker.attempts_max", 1000)
        .set("worker.backoff_base_secs", 0.1)
        .set("worker.backoff_cap_secs", 1)
        .set("sinch.max_in_flight", 8)
        .set("sinch.requests_per_second", 200)
}

/// Callbacks about the simulator's orders, enough for twice the time that the kills should take. Most of the callbacks
/// claim a false state, which must change nothing in the end.
fn callbacks(simulator: &Simulator, kills: u32, rng: &mut Rng) -> Arc<Callbacks> {
    let orders = simulator.world().orders();
    let orders = orders.map(|order| order.id.to_string()).collect();
    let count = (KILL * kills * 2).as_secs_f64() * RATE;
    Callbacks::new(Content::Orders(orders, CYCLE), count as usize, rng)
}

/// Events of the simulator that were answered 200.
fn acknowledged_to(simulator: &Simulator) -> Acknowledged {
    let simulated = simulator.acknowledged().into_iter();
    simulated
        .filter_map(|event| Some((event.event_id?, event.body.into_bytes())))
        .collect()
}

/// Prints the figures for people, and as one line for programs.
fn print_figures<const N: usize>(figures: [(&str, Value); N]) {
    println!();
    for (name, value) in &figures {
        match value.as_str() {
            Some(words) => println!("{name:<16} {words}"),
            None => println!("{name:<16} {value}"),
        }
    }
    let mut line = serde_json::Map::from_iter([("bench".to_owned(), json!("crash"))]);
    line.extend(figures.map(|(name, value)| (name.to_owned(), value)));
    println!("\n{}", Value::Object(line));
}
