//! `simulate`: a simulated Sinch without the service, against which developers can try a service of their own.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::sleep;

use super::moment;
use super::output::{print_error, print_line};
use super::{FAILURE, stop_signal};
use crate::clock;
use number_order::{Id, counted};
use sinch_simulator::{Faults, Options, Outage, Script, Simulator, World};

/// Words that decide how the review of a placed order ends, for the help.
const WORDS: &str = "Clients can place orders: AU MOBILE numbers need a form, others none. A word in any value of the form \
                     decides how the review ends: BLOCK-ONCE and BLOCK-ALWAYS block the order, REJECT rejects it, NO-REVIEW \
                     leaves it in review. Without such a word it is completed.";

const MINUTE: Duration = Duration::from_secs(60);

/// Arguments of `simulate`.
#[derive(clap::Args, Debug)]
#[command(after_help = WORDS)]
pub struct Arguments {
    /// Address on which the API listens.
    #[arg(long, default_value = "127.0.0.1:9099")]
    listen: SocketAddr,
    /// URL to which callbacks are sent.
    #[arg(long, default_value = "http://127.0.0.1:8080/callbacks")]
    callback_url: String,
    /// Id of the project to which all orders belong.
    #[arg(long, default_value = "simulated-project")]
    project: String,
    /// Secret with which callbacks are signed.
    #[arg(
        long,
        env = "SIMULATE_SECRET",
        default_value = "simulated-secret",
        hide_env_values = true
    )]
    secret: SecretString,
    /// Id of the access key.
    #[arg(long, default_value = "simulated-key")]
    key_id: String,
    /// Secret of the access key.
    #[arg(
        long,
        env = "SIMULATE_KEY_SECRET",
        default_value = "simulated-key-secret",
        hide_env_values = true
    )]
    key_secret: SecretString,
    /// Seed of the play; another seed plays other orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of orders that are played.
    #[arg(long, default_value_t = 40)]
    orders: usize,
    /// Duration of their histories, in seconds.
    #[arg(long, default_value_t = 60)]
    span_secs: u64,
    /// Create so many orders in a minute, one after the other, until all are created; without it, all within two fifths of
    /// the duration of their histories.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    orders_per_minute: Option<u32>,
    /// Have Sinch's API fail as a whole (503) this long after the start, such as 1min; callbacks go on.
    #[arg(long, value_name = "SPAN", value_parser = moment::span, requires = "outage_lasts")]
    outage_after: Option<Duration>,
    /// Duration of that outage, such as 2min.
    #[arg(long, value_name = "SPAN", value_parser = moment::span, requires = "outage_after")]
    outage_lasts: Option<Duration>,
    /// Play a Sinch that does everything right but for the outage.
    #[arg(long)]
    no_faults: bool,
}

/// Plays Sinch until a signal to stop.
pub async fn run(arguments: Arguments) -> ExitCode {
    match play_until_signal(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            print_error(reason);
            ExitCode::from(FAILURE)
        }
    }
}

/// Makes the world that is played.
fn world(arguments: &Arguments) -> Result<World, String> {
    let project = Id::new(arguments.project.as_str())
        .ok_or("--project: not an id that can stand in a URL")?;
    let script = Script {
        project,
        orders: arguments.orders,
        span: Duration::from_secs(arguments.span_secs),
        faults: if arguments.no_faults {
            Faults::none()
        } else {
            Faults::demo()
        },
    };
    let world = World::new(arguments.seed, &script);
    Ok(match interval(arguments) {
        None => world,
        Some(interval) => world.paced(interval),
    })
}

/// Returns the time from the creation of an order to that of the next, if it is always the same.
fn interval(arguments: &Arguments) -> Option<Duration> {
    arguments.orders_per_minute.map(|count| MINUTE / count)
}

async fn play_until_signal(arguments: &Arguments) -> Result<(), String> {
    let world = world(arguments)?;
    let stop = stop_signal().map_err(|error| error.to_string())?;
    let simulator = Simulator::start(Options {
        world,
        listen: arguments.listen,
        callback_url: Some(arguments.callback_url.clone()),
        secret: arguments.secret.clone(),
        key_id: arguments.key_id.clone(),
        key_secret: arguments.key_secret.clone(),
        now: clock::now,
        senders: 8,
        retry_for: Duration::from_secs(600),
    })
    .await
    .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    introduce(&simulator, arguments);
    print_readings(&simulator);
    let outage = arguments.outage_after.zip(arguments.outage_lasts);
    let play = async {
        simulator.played_out().await;
        print_line("The play is over; the API goes on answering.");
    };
    let all = async { tokio::join!(play, play_outage(&simulator, outage)) };
    if stop.run_until_cancelled(all).await.is_some() {
        stop.cancelled().await;
    }
    let stats = simulator.stats();
    print_line(format_args!(
        "{} sent, {} answered 200, {} answered.",
        counted(stats.sent, "callback", "callbacks"),
        counted(stats.acknowledged, "event", "events"),
        counted(stats.fetches, "fetch", "fetches")
    ));
    simulator.shutdown().await;
    Ok(())
}

/// Has the API fail for a while, if it shall, and says so.
async fn play_outage(simulator: &Simulator, outage: Option<(Duration, Duration)>) {
    let Some((after, lasts)) = outage else {
        return;
    };
    sleep(after).await;
    print_line(format_args!(
        "{}  The outage begins: the API answers 503.",
        clock::now()
    ));
    simulator.set_outage(Outage::Unavailable { retry_after: None });
    sleep(lasts).await;
    simulator.set_outage(Outage::None);
    print_line(format_args!("{}  The outage is over.", clock::now()));
}

/// Prints what is played, and the addresses that a service needs.
fn introduce(simulator: &Simulator, arguments: &Arguments) {
    let pace = match interval(arguments) {
        None => String::new(),
        Some(interval) => format!(" each, one created every {} s", interval.as_secs_f64()),
    };
    print_line(format_args!(
        "Simulated Sinch, seed {}: {} over {} s{pace}.\n  \
         sinch.api_url    {}\n  \
         sinch.token_url  {}\n  \
         callbacks go to  {}\n  \
         project {}, key id {}\nCtrl-C ends.",
        arguments.seed,
        counted(arguments.orders as u64, "order", "orders"),
        arguments.span_secs,
        simulator.api_url(),
        simulator.token_url(),
        arguments.callback_url,
        simulator.world().project(),
        arguments.key_id,
    ));
}

/// Prints how the simulator plays each question that Sinch's documentation leaves open.
fn print_readings(simulator: &Simulator) {
    let readings = simulator.ordering().readings();
    print_line(format_args!(
        "What Sinch's documentation leaves open is played so:\n{readings}"
    ));
}
