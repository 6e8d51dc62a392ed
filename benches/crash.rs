//! Checks that a kill of the service loses nothing acknowledged and repeats nothing visible.
//!
//! `cargo bench --bench crash -- [--kills 200] [--cuts 40] [--seed 1] [--quick]`
//!
//! The real program serves a simulated Sinch with its usual troubles, under a steady load of further
//! callbacks about the same orders. The bench kills it at random moments and starts it again on its
//! database. At the end every event that was answered 200 must be on disk, once and as it was sent, and
//! every order must have its true state at Sinch. A killed process loses the data that it had not handed to
//! the system. Only a power cut loses the data that the system has not handed to the disk. Power cuts are
//! tried in a model (see `support/power.rs`), with the program as it is and, as controls, with syncs of
//! which every other or none has an effect. The model needs strace.

#[path = "support/ledger.rs"]
mod ledger;
#[path = "support/load.rs"]
mod load;
#[path = "support/power.rs"]
mod power;
#[path = "support/process.rs"]
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use fastrand::Rng;
use number_order::{Id, State};
use secrecy::SecretString;
use serde_json::{Value, json};
use sinch_callbacks::clock;
use sinch_simulator::{Faults, Options, Script, Simulator, World};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use ledger::Acknowledged;
use load::{Callback, DeliveryContent, Plan, Refused, Report};
use power::{Syncs, Trace};
use process::{Outcome, PATH, PROGRAM, PROJECT, Receiver, SECRET, Service};

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

/// Callbacks a second beside those of the simulated Sinch.
const RATE: f64 = 500.0;

/// Maximum time until the orders agree with Sinch after the last kill and the last event.
const PATIENCE: Duration = Duration::from_secs(60);

const ORDERS: usize = 60;

/// Duration of the load on a service whose power is cut, and more callbacks than it can take in that time.
const CUT_WITHIN: Duration = Duration::from_secs(4);
const CUT_CALLBACKS: usize = 100_000;

const KEY_ID: &str = "bench-key";
const KEY_SECRET: &str = "the secret of the key";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bench {
        println!("run it with cargo bench");
        return ExitCode::SUCCESS;
    }
    let kills = if arguments.quick { 10 } else { arguments.kills };
    match run(kills, arguments.cuts, arguments.seed).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crash, seed {}: {error}", arguments.seed);
            ExitCode::FAILURE
        }
    }
}

/// Returns `true` if nothing was lost, and nothing is wrong.
async fn run(kills: u32, cuts: u32, seed: u64) -> Outcome<bool> {
    let began = Instant::now();
    // The power cuts come first, since they fail at once where strace is missing.
    let mut rng = Rng::with_seed(seed);
    let power = cut_power(cuts, Syncs::Honest, &mut rng).await?;
    let half = cut_power(cuts, Syncs::Half, &mut rng).await?;
    let off = cut_power(cuts, Syncs::Off, &mut rng).await?;

    let mut rng = Rng::with_seed(seed);
    let folder = process::folder()?;
    let simulator = simulator(kills, seed).await?;
    let service = Service::configure(folder.path(), &settings(&simulator))?;
    let callbacks = callbacks(&simulator, kills, &mut rng);
    let (receiver, _) = service.start().await?;
    simulator.set_callback_url(Some(format!("http://{}{PATH}", service.callbacks)));
    let stop = CancellationToken::new();
    let calling = call(service.callbacks, callbacks.clone(), stop.clone());
    let (receiver, restarts) = kill_often(&service, receiver, kills, &mut rng).await?;
    stop.cancel();
    let report = calling.await??;
    simulator.played_out().await;
    let wrong = settle(&service, &simulator.final_states()).await?;
    receiver.stop()?;

    let acknowledged = acknowledged(&simulator, &callbacks, &report);
    let abandoned = simulator.stats().abandoned;
    simulator.shutdown().await;
    let outcomes = ledger::check(&service.database, &acknowledged).await?;
    let controlled = ledger::control(&service.database, &acknowledged).await?;
    for (order, shown) in &wrong {
        println!("order {order}: {shown}");
    }
    let ready_ms = load::percentile_ms(&restarts, 0.5);
    tell([
        ("seed", json!(seed)),
        ("kills", json!(kills)),
        ("acknowledged", json!(acknowledged.len())),
        ("rows", json!(outcomes.rows)),
        ("missing", json!(outcomes.missing)),
        ("altered", json!(outcomes.altered)),
        ("doubled", json!(outcomes.doubled)),
        ("waiting", json!(outcomes.waiting)),
        ("wrong_states", json!(wrong.len())),
        ("repeated_states", json!(outcomes.repeated)),
        ("torn_stories", json!(outcomes.torn)),
        ("integrity", json!(outcomes.integrity)),
        ("ready_ms", json!(ready_ms.round())),
        ("power_cuts", json!(cuts)),
        ("power_acknowledged", json!(power.acknowledged)),
        ("power_lost", json!(power.lost)),
        ("power_damaged", json!(power.damaged)),
        (
            "power_control",
            json!(half.told("every other sync did nothing")),
        ),
        ("power_control_off", json!(off.told("no sync did anything"))),
        ("seconds", json!(began.elapsed().as_secs())),
        (
            "control",
            json!(format!("{controlled} of 1 removed events found missing")),
        ),
    ]);
    let controlled_cuts = cuts == 0 || (half.lost > 0 && off.lost > 0);
    let powered = power.lost + power.damaged == 0 && controlled_cuts;
    Ok(outcomes.are_good() && wrong.is_empty() && controlled == 1 && abandoned == 0 && powered)
}

/// Losses by power cuts, among the events acknowledged before each.
#[derive(Default)]
struct Cuts {
    acknowledged: usize,
    lost: usize,
    /// Number of cuts that lost an event.
    losses: usize,
    /// Number of cuts after which the database was not intact.
    damaged: usize,
}

impl Cuts {
    fn told(&self, when: &str) -> String {
        let Cuts {
            acknowledged,
            lost,
            losses,
            ..
        } = self;
        format!("{lost} of {acknowledged} events lost, by {losses} cuts, where {when}")
    }
}

/// Cuts the power of a service under load, at random moments of one run.
async fn cut_power(cuts: u32, syncs: Syncs, rng: &mut Rng) -> Outcome<Cuts> {
    let mut sum = Cuts::default();
    if cuts == 0 {
        return Ok(sum);
    }
    let folder = process::folder()?;
    let service = Service::configure(folder.path(), "api = \"off\"\n")?;
    // A first run creates a database on which no power was cut.
    service.start().await?.0.stop()?;
    let base = fs::read(&service.database)?;
    let written = folder.path().join("strace");
    let strace = power::traced(PROGRAM, &service.database, &written, syncs);
    let started = service.start_by(strace).await;
    let (receiver, _) =
        started.map_err(|error| format!("under strace (without it: --cuts 0): {error}"))?;
    let callbacks = load::callbacks(&subject(load::order_ids(ORDERS, rng)), CUT_CALLBACKS, rng);
    let plan = Plan::closed(16, Duration::ZERO);
    let report = load::run(service.callbacks, &callbacks, &plan, sleep(CUT_WITHIN)).await?;
    // Start of the load on strace's clock.
    let began = clock::now().0 - i64::try_from(report.began.elapsed().as_micros())?;
    receiver.stop()?;
    let trace = Trace::read(&written, &service.database, base).await?;
    for _ in 0..cuts {
        let after = Duration::from_micros(rng.u64(..CUT_WITHIN.as_micros() as u64));
        let known = report.answers.iter();
        let known = known.filter(|answer| answer.status == 200 && answer.at < after);
        let known = known.map(|answer| &callbacks[answer.index]);
        let acknowledged: Acknowledged = known
            .map(|callback| (callback.event.clone(), callback.body().to_vec()))
            .collect();
        let left = process::folder()?;
        let at = began + i64::try_from(after.as_micros())?;
        let database = trace.cut(at, left.path(), rng)?;
        let (lost, is_whole) = match ledger::check(&database, &acknowledged).await {
            Ok(found) => (found.missing + found.altered, found.integrity == "ok"),
            // The file is not even a database.
            Err(_) => (acknowledged.len(), false),
        };
        sum.acknowledged += acknowledged.len();
        sum.lost += lost;
        sum.losses += usize::from(lost > 0);
        sum.damaged += usize::from(!is_whole);
    }
    eprintln!("the power was cut {cuts} times, syncs: {syncs:?}");
    Ok(sum)
}

fn subject(orders: Vec<String>) -> DeliveryContent {
    DeliveryContent {
        path: PATH.to_owned(),
        project: PROJECT.to_owned(),
        secret: SecretString::from(SECRET),
        orders,
        statuses: load::LIVES,
    }
}

/// Kills the service at random moments. Returns the last process, and the time each took to be ready again.
async fn kill_often(
    service: &Service,
    mut receiver: Receiver,
    kills: u32,
    rng: &mut Rng,
) -> Outcome<(Receiver, Vec<Duration>)> {
    let mut restarts = Vec::new();
    for kill in 1..=kills {
        sleep(Duration::from_millis(rng.u64(KILL_AFTER))).await;
        receiver.kill()?;
        let (again, took) = service.start().await?;
        receiver = again;
        restarts.push(took);
        if kill % kills.div_ceil(10) == 0 {
            eprintln!("killed {kill} of {kills} times");
        }
    }
    restarts.sort_unstable();
    Ok((receiver, restarts))
}

async fn simulator(kills: u32, seed: u64) -> Outcome<Simulator> {
    let script = Script {
        project: Id::new(PROJECT).ok_or("not a project's id")?,
        orders: ORDERS,
        span: KILL * kills,
        faults: faults(),
    };
    let simulator = Simulator::start(Options {
        world: World::new(seed, &script),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        callback_url: None,
        secret: SecretString::from(SECRET),
        key_id: KEY_ID.to_owned(),
        key_secret: SecretString::from(KEY_SECRET),
        now: clock::now,
        senders: 8,
        retry_for: Duration::from_secs(3600),
    });
    Ok(simulator.await?)
}

/// Usual faults, in which every truth can be learnt and every body is readable.
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

/// End of the configuration: fast fetches and fast retries, so that many are always in flight.
fn settings(simulator: &Simulator) -> String {
    format!(
        "key_id = \"{KEY_ID}\"\nkey_secret = \"{KEY_SECRET}\"\n\
         [worker]\nstaleness_secs = 1\nstaleness_max_secs = 1\nattempts_max = 1000\n\
         backoff_base_secs = 0.1\nbackoff_cap_secs = 1\n\
         [sinch]\nmax_in_flight = 8\nrequests_per_second = 200\napi_url = \"{}\"\ntoken_url = \"{}\"\n",
        simulator.api_url(),
        simulator.token_url()
    )
}

/// Callbacks about the simulator's orders, enough for twice the time that the kills should take. Most of
/// their claims are false, and must change nothing in the end.
fn callbacks(simulator: &Simulator, kills: u32, rng: &mut Rng) -> Arc<[Callback]> {
    let orders = simulator.world().orders();
    let subject = subject(orders.map(|life| life.id.to_string()).collect());
    let count = (KILL * kills * 2).as_secs_f64() * RATE;
    load::callbacks(&subject, count as usize, rng)
}

/// Calls without a pause, and again wherever no 200 came, as Sinch does.
fn call(
    address: SocketAddr,
    callbacks: Arc<[Callback]>,
    stop: CancellationToken,
) -> JoinHandle<io::Result<Report>> {
    let plan = Plan {
        rate: Some(RATE),
        refused: Refused::AtOnce,
        ..Plan::closed(16, Duration::ZERO)
    };
    tokio::spawn(async move { load::run(address, &callbacks, &plan, stop.cancelled()).await })
}

/// Waits until every order has its true state and nothing is open; returns the orders without it.
async fn settle(
    service: &Service,
    truth: &BTreeMap<Id, State>,
) -> Outcome<BTreeMap<String, String>> {
    let began = Instant::now();
    loop {
        let wrong = wrong(service, truth).await?;
        if wrong.is_empty() || began.elapsed() > PATIENCE {
            return Ok(wrong);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

async fn wrong(
    service: &Service,
    truth: &BTreeMap<Id, State>,
) -> Outcome<BTreeMap<String, String>> {
    let url = format!("http://{}/api/v1/orders?limit=1000", service.operators);
    let http = reqwest::Client::builder().no_proxy().build()?;
    let page = http
        .get(url)
        .send()
        .await?
        .error_for_status()?
        .bytes()
        .await?;
    let page: Value = serde_json::from_slice(&page)?;
    let items = page["items"].as_array().ok_or("a page without items")?;
    let mut wrong: BTreeMap<String, String> = truth
        .iter()
        .map(|(id, state)| (id.to_string(), format!("nothing, and is {state}")))
        .collect();
    for item in items {
        let order = item["order"].as_str().ok_or("an order without id")?;
        let state = Id::new(order).and_then(|id| truth.get(&id));
        let settled = item["settled"] == json!(true);
        if settled && item["confirmed"].as_str() == state.map(|state| state.as_str()) {
            wrong.remove(order);
        } else {
            wrong.insert(order.to_owned(), format!("{item}, and is {state:?}"));
        }
    }
    Ok(wrong)
}

/// Every event that was answered 200, from either sender.
fn acknowledged(simulator: &Simulator, callbacks: &[Callback], report: &Report) -> Acknowledged {
    let own = report.acknowledged.iter().map(|&index| {
        let callback = &callbacks[index];
        (callback.event.clone(), callback.body().to_vec())
    });
    let simulated = simulator.acknowledged().into_iter();
    let simulated = simulated.filter_map(|event| Some((event.event_id?, event.body.into_bytes())));
    own.chain(simulated).collect()
}

/// Prints the figures for people, and as one line for programs.
fn tell<const N: usize>(figures: [(&str, Value); N]) {
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
