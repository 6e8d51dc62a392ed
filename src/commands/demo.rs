//! `demo`: the service against a simulated Sinch, on loopback, with a database that is thrown away.
//!
//! It sees the service only as an operator would, over HTTP.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::output::{complain, say, say_wrapped};
use super::{FAILURE, stop_signal};
use crate::app::{App, RunError, StartError};
use crate::clock;
use crate::config::{
    Api, Auth, Callbacks, Config, Credentials, Database, Log, LogFormat, Operators, Project,
    Retention, Signature, Sinch, Worker, default_deadlines,
};
use crate::telemetry::{self, Sink};
use number_order::{Id, State, Time};
use sinch_simulator::{Options, Script, Simulator, World};

/// Arguments of `demo`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Seed of the story; another seed plays another story.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End when the story is told; fail if an order disagrees with Sinch.
    #[arg(long)]
    exit: bool,
    /// Show the service's log beside the story, on standard error.
    #[arg(long)]
    verbose: bool,
}

/// Reason why the demo could not be played to its end.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("{0}")]
    Start(#[from] StartError),
    #[error("{0}")]
    Run(#[from] RunError),
    #[error("{0}")]
    System(#[from] io::Error),
    #[error("the service did not answer: {0}")]
    ApiRequest(#[from] reqwest::Error),
    #[error("the service's answer could not be read: {0}")]
    Answer(#[from] serde_json::Error),
}

/// Maximum time for the orders to agree after the last callback: long enough for the worst tie and backoff.
const PATIENCE: Duration = Duration::from_secs(40);

/// Maximum number of orders whose stories are told.
const STORIES_MAX: usize = 6;

/// Plays the demo.
pub async fn run(arguments: Arguments) -> ExitCode {
    let log = Log {
        format: LogFormat::Text,
        filter: if arguments.verbose { "info" } else { "off" }.to_owned(),
    };
    // The filter is one of two words that are known to be good.
    let _log = telemetry::start(&log, Sink::Stderr);
    match play(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILURE),
        Err(error) => {
            complain(format_args!("the demo failed: {error}"));
            ExitCode::from(FAILURE)
        }
    }
}

async fn play(arguments: &Arguments) -> Result<bool, DemoError> {
    let folder = tempfile::Builder::new()
        .prefix("sinch-callbacks-demo-")
        .tempdir()?;
    let stop = stop_signal()?;
    let keys = Keys::new();
    let script = Script::demo(keys.project.clone());
    let simulator = Simulator::start(Options {
        world: World::new(arguments.seed, &script),
        listen: loopback(),
        callback_url: None,
        secret: keys.secret.clone(),
        key_id: keys.key_id.clone(),
        key_secret: keys.key_secret.clone(),
        now: clock::now,
        senders: 8,
        give_up: PATIENCE,
    })
    .await?;
    let app = App::start(config(&keys, &simulator, &script, folder.path())).await?;
    let callbacks = format!("http://{}/callbacks", app.callbacks_address());
    let service = Service::new(app.operators_address())?;
    simulator.set_callback_url(Some(callbacks.clone()));

    let beginning = format!(
        "{} number orders at a simulated Sinch, seed {}: callbacks come late, twice, out of order or not at all; \
         the API is stale, slow, and fails.",
        simulator.truth().len(),
        arguments.seed,
    );
    say_wrapped("", &beginning);
    say(format_args!(
        "\n  \
         callbacks go to   {callbacks}\n  \
         operators' API    {}\n  \
         Sinch is played   {}\n",
        service.url,
        simulator.api_url(),
    ));
    let ended = CancellationToken::new();
    let running = tokio::spawn(app.run(ended.clone()));
    let agreed = tokio::select! {
        agreed = story(&simulator, &service) => agreed?,
        () = stop.cancelled() => false,
    };
    if !arguments.exit && !stop.is_cancelled() {
        invite(&service, &simulator.truth());
        stop.cancelled().await;
    }
    ended.cancel();
    let outcome = running.await;
    simulator.shutdown().await;
    outcome.map_err(io::Error::other)??;
    Ok(agreed)
}

/// Plays to the end, tells some stories, and reports the number of orders that agree.
async fn story(simulator: &Simulator, service: &Service) -> Result<bool, DemoError> {
    let truth = simulator.truth();
    let played_out = simulator.played_out();
    tokio::pin!(played_out);
    loop {
        tokio::select! {
            () = &mut played_out => break,
            () = sleep(Duration::from_secs(2)) => progress(simulator, service, &truth).await?,
        }
    }
    say("  all is sent; the service fetches what is still in doubt");
    let deadline = Instant::now() + PATIENCE;
    let mut agreeing = service.agreeing(&truth).await?;
    while agreeing < truth.len() && Instant::now() < deadline {
        sleep(Duration::from_millis(200)).await;
        agreeing = service.agreeing(&truth).await?;
    }
    tell(simulator, service, &truth).await?;
    let stats = simulator.stats();
    let status = service.get("/status").await?;
    let sums = format!(
        "Sinch made {} events: {} were lost, {} sent twice, {} late, {} superseded; {} callbacks were answered 200. \
         The service fetched {} times, {} orders. {} callbacks are parked, since nobody could read them: \
         /api/v1/parked lists them.",
        stats.events,
        stats.lost,
        stats.doubled,
        stats.delayed,
        stats.superseded,
        stats.acknowledged,
        stats.asks,
        truth.len(),
        status["deliveries_parked"],
    );
    say_wrapped("", &sums);
    say("");
    say(format_args!(
        "{agreeing} of {} orders agree with Sinch",
        truth.len()
    ));
    Ok(agreeing == truth.len())
}

async fn progress(
    simulator: &Simulator,
    service: &Service,
    truth: &BTreeMap<Id, State>,
) -> Result<(), DemoError> {
    let stats = simulator.stats();
    let line = format!(
        "{} callbacks answered 200, {} fetches, {} of {} at their end",
        stats.acknowledged,
        stats.asks,
        service.agreeing(truth).await?,
        truth.len(),
    );
    say_wrapped(
        &format!("  {:>2.0} s: ", simulator.elapsed().as_secs_f64()),
        &line,
    );
    Ok(())
}

/// Prints requests for looking around, each in one line that a shell takes as it stands: for the figures, for the
/// orders of the state in which the fewest ended, for one of these, and for the callbacks that could not be read.
fn invite(service: &Service, truth: &BTreeMap<Id, State>) {
    let mut ended: BTreeMap<&str, Vec<&Id>> = BTreeMap::new();
    for (id, state) in truth {
        ended.entry(state.as_str()).or_default().push(id);
    }
    let url = &service.url;
    say("\nStill serving. Look around:");
    say(format_args!("  curl '{url}/status'"));
    if let Some((state, ids)) = ended.into_iter().min_by_key(|(_, ids)| ids.len()) {
        say(format_args!("  curl '{url}/api/v1/orders?state={state}'"));
        say(format_args!("  curl '{url}/api/v1/orders/{}'", ids[0]));
    }
    say(format_args!("  curl '{url}/api/v1/parked'\nCtrl-C ends."));
}

/// Marks of a story worth telling: texts in a decision or in an outcome.
const MARKS: [&str; 6] = [
    "out of order",
    "stale:",
    "not applied",
    "404",
    "no answer",
    "overrule",
];

/// A line of a story: its time, its speaker and its text.
type Line = (Duration, &'static str, String);

/// Tells the stories of a few orders: for each kind of trouble the first order that met it.
async fn tell(
    simulator: &Simulator,
    service: &Service,
    truth: &BTreeMap<Id, State>,
) -> Result<(), DemoError> {
    let mut told: Vec<(&Id, Vec<Line>)> = Vec::new();
    let mut stories = Vec::new();
    for id in truth.keys() {
        let history = service.get(&format!("/api/v1/orders/{id}")).await?;
        stories.push((id, heard(&history, simulator.started_at())));
    }
    for mark in MARKS {
        let met = stories.iter().find(|(id, lines)| {
            let new = told.iter().all(|(other, _)| other != id);
            new && lines.iter().any(|(.., line)| line.contains(mark))
        });
        if let Some((id, lines)) = met.filter(|_| told.len() < STORIES_MAX) {
            told.push((id, lines.clone()));
        }
    }
    for (id, mut lines) in told {
        let sent = simulator.story(id);
        lines.extend(sent.into_iter().map(|(at, line)| (at, "Sinch", line)));
        lines.sort_by_key(|(at, ..)| *at);
        say(format_args!("\nOrder {id}, which ends {}:", truth[id]));
        for (at, who, line) in lines {
            say_wrapped(&format!("  {:>5.2} s  {who:<9}", at.as_secs_f64()), &line);
        }
    }
    say("");
    Ok(())
}

/// Returns the events that the service heard and the answers to its fetches, by its own account.
fn heard(history: &Value, began: Time) -> Vec<Line> {
    let list = |name: &str| history[name].as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
    let deliveries = list("deliveries").into_iter().map(|delivery| {
        let again = match delivery["duplicates"].as_i64() {
            Some(times @ 1..) => format!(" (and {times} more)"),
            Some(_) | None => String::new(),
        };
        let (status, decision) = (word(&delivery["status"]), word(&delivery["decision"]));
        let line = format!("hears {status}{again}; {decision}");
        (offset(&delivery["received_at"], began), "service", line)
    });
    let answers = list("fetches").into_iter().map(|answer| {
        let line = format!("fetches; {}", word(&answer["outcome"]));
        (offset(&answer["fetched_at"], began), "service", line)
    });
    deliveries.chain(answers).collect()
}

fn offset(at: &Value, began: Time) -> Duration {
    let at = at.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    at.map_or(Duration::ZERO, |at| Time::from(at).since(began))
}

/// The service as an operator sees it.
struct Service {
    http: reqwest::Client,
    url: String,
}

impl Service {
    fn new(operators: SocketAddr) -> Result<Service, DemoError> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("http://{operators}");
        Ok(Service { http, url })
    }

    async fn get(&self, path: &str) -> Result<Value, DemoError> {
        let response = self.http.get(format!("{}{path}", self.url)).send().await?;
        Ok(serde_json::from_slice(&response.bytes().await?)?)
    }

    /// Returns the number of orders whose true state is confirmed.
    async fn agreeing(&self, truth: &BTreeMap<Id, State>) -> Result<usize, DemoError> {
        let orders = self.get("/api/v1/orders?limit=1000").await?;
        let confirmed: BTreeMap<&str, &str> = orders["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|order| Some((order["order"].as_str()?, order["confirmed"].as_str()?)))
            .collect();
        let agrees =
            |(id, state): &(&Id, &State)| confirmed.get(id.as_str()) == Some(&state.as_str());
        Ok(truth.iter().filter(agrees).count())
    }
}

/// Ids and secrets that both sides share.
struct Keys {
    project: Id,
    secret: SecretString,
    key_id: String,
    key_secret: SecretString,
}

impl Keys {
    fn new() -> Keys {
        let random = || SecretString::from(format!("{:016x}", fastrand::u64(..)));
        Keys {
            project: Id::new("demo-project").expect("plain characters"),
            secret: random(),
            key_id: "demo-key".to_owned(),
            key_secret: random(),
        }
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Returns a configuration as in real use, except for its haste: spans that are minutes in real use are seconds here.
fn config(keys: &Keys, simulator: &Simulator, script: &Script, folder: &Path) -> Config {
    Config {
        callbacks: Callbacks {
            listen: loopback(),
            allow: vec![std::net::IpAddr::from(Ipv4Addr::LOCALHOST).into()],
            ..Callbacks::default()
        },
        operators: Operators {
            listen: loopback(),
            ..Operators::default()
        },
        database: Database {
            path: folder.join("demo.db"),
            ..Database::default()
        },
        worker: Worker {
            staleness: script.trouble.staleness,
            staleness_max: script.trouble.staleness,
            backoff_base: Duration::from_millis(200),
            backoff_cap: Duration::from_secs(3),
            shutdown_grace: Duration::from_secs(5),
            ..Worker::default()
        },
        deadlines: default_deadlines(),
        retention: Retention::default(),
        sinch: Sinch {
            api_url: simulator.api_url(),
            token_url: simulator.token_url(),
            max_in_flight: 8,
            requests_per_second: 40.0,
            ..Sinch::default()
        },
        log: Log::default(),
        projects: vec![Project {
            id: keys.project.clone(),
            path: "/callbacks".to_owned(),
            signature: Signature::Required(vec![keys.secret.clone()]),
            api: Api::On(Credentials {
                auth: Auth::OAuth2,
                key_id: keys.key_id.clone(),
                key_secret: keys.key_secret.clone(),
            }),
        }],
    }
}
