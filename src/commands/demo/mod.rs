//! `demo`: the service against a simulated Sinch, on loopback, with a database that is thrown away.
//!
//! It sees the service only as an operator would, over HTTP.

mod around;
mod choice;
mod order;
mod print;
mod service;
mod setup;
mod story;
#[cfg(test)]
mod tests;
mod told;

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

#[cfg(feature = "postgres")]
use secrecy::SecretString;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::around::Around;
use self::choice::choose;
use self::order::{Folder, OrderError};
use self::service::{Service, ServiceError};
use self::setup::{Keys, config, free_address, write_config};
use self::story::{Story, stories};
use self::told::{Receiver, SharedBook};
use super::output::{print_error, print_line};
use super::{FAILURE, stop_signal};
use crate::app::{App, RunError, StartError};
#[cfg(feature = "postgres")]
use crate::config::DatabaseUrl;
use crate::config::{DatabasePlace, Log, LogFormat};
use crate::telemetry::{self, Sink};
use crate::traces::Traces;
use sinch_simulator::{Script, Simulator};

/// Arguments of `demo`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Seed of the play; another seed plays other orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End after the stories; fail if an order disagrees with Sinch.
    #[arg(long)]
    exit: bool,
    /// Show the service's log beside the stories, on standard error.
    #[arg(long)]
    verbose: bool,
    /// Keep everything in this PostgreSQL database, which must be empty. A password belongs into PGPASSWORD.
    #[cfg(feature = "postgres")]
    #[arg(long, value_name = "URL")]
    postgres: Option<SecretString>,
}

impl Arguments {
    /// Returns the place of the demo's database: unless a server is named, a file in the given folder.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(clippy::unused_self, reason = "no server can be named")
    )]
    fn database(&self, folder: &Path) -> Result<DatabasePlace, DemoError> {
        #[cfg(feature = "postgres")]
        if let Some(url) = &self.postgres {
            let url = DatabaseUrl::parse(url).map_err(DemoError::Address)?;
            return Ok(DatabasePlace::Server(url));
        }
        Ok(DatabasePlace::File(folder.join("demo.db")))
    }
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
    #[error("{0}")]
    Service(#[from] ServiceError),
    #[error("{0}")]
    Order(#[from] OrderError),
    #[cfg(feature = "postgres")]
    #[error("--postgres: {0}")]
    Address(String),
    #[error("the database holds orders already: give the demo an empty one")]
    InUse,
}

/// Maximum time after the last callback within which the service's orders must agree with Sinch's. On a busy machine a
/// fetch can come just before the last change; then the next one comes after a minute, as for any order that is quiet.
const PATIENCE: Duration = Duration::from_secs(100);

/// Plays the demo.
pub async fn run(arguments: Arguments) -> ExitCode {
    let log = Log {
        format: LogFormat::Text,
        filter: if arguments.verbose { "info" } else { "off" }.to_owned(),
    };
    // The filter is one of two constant words, so it can be parsed.
    let _log = telemetry::start(&log, Sink::Stderr);
    match play(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILURE),
        Err(error) => {
            print_error(format_args!("the demo failed: {error}"));
            ExitCode::from(FAILURE)
        }
    }
}

/// Plays the demo. Returns `true` if the service's state of every order agrees with Sinch's in the end.
async fn play(arguments: &Arguments) -> Result<bool, DemoError> {
    let folder = tempfile::Builder::new()
        .prefix("sinch-callbacks-demo-")
        .tempdir()?;
    let stop = stop_signal()?;
    let database = arguments.database(folder.path())?;
    let keys = Keys::new();
    let script = Script::demo(keys.project.clone());
    let simulator = setup::simulator(&keys, &script, arguments.seed, PATIENCE).await?;
    let listen = free_address()?;
    let receiver = Receiver::bind()?;
    let file = match &database {
        DatabasePlace::File(path) => Some(path.clone()),
        #[cfg(feature = "postgres")]
        DatabasePlace::Server(_) => None,
    };
    let mut config = config(&keys, &simulator, &script, listen, database);
    config.targets.push(receiver.target());
    let app = App::start(config, Traces::default(), None).await?;
    let (listen, operators) = (app.callbacks_address(), app.operators_address());
    let callbacks = format!("http://{listen}{}", setup::CALLBACK_PATH);
    let service = Service::new(operators)?;
    let around = Around {
        folder: folder.path(),
        database: file.as_deref(),
    };
    write_config(&keys, &simulator, listen, operators, &around)?;
    let orders = Folder::new(folder.path())?;

    let ended = CancellationToken::new();
    let (book, receiving) = receiver.spawn(ended.clone());
    let running = tokio::spawn(app.run(ended.clone()));
    let played = async {
        if service.has_orders().await? {
            return Err(DemoError::InUse);
        }
        print::introduction(&simulator, &callbacks, service.url());
        simulator.set_callback_url(Some(callbacks.clone()));
        let around = (!arguments.exit).then_some(&around);
        follow(&simulator, &service, &orders, &book, around).await
    };
    let agreed = tokio::select! {
        agreed = played => agreed?,
        () = stop.cancelled() => false,
    };
    if !arguments.exit {
        stop.cancelled().await;
    }
    ended.cancel();
    let outcome = running.await;
    receiving.await.map_err(io::Error::other)??;
    simulator.shutdown().await;
    outcome.map_err(io::Error::other)??;
    Ok(agreed)
}

/// Places an order, watches the play to its end, and prints what happens, and what to try then if the demo goes on. Returns
/// `true` if every order agrees with Sinch.
async fn follow(
    simulator: &Simulator,
    service: &Service,
    orders: &Folder<'_>,
    book: &SharedBook,
    around: Option<&Around<'_>>,
) -> Result<bool, DemoError> {
    let number = orders.place_order(simulator).await?;
    let ends = simulator.final_states();
    let played_out = simulator.played_out();
    tokio::pin!(played_out);
    loop {
        tokio::select! {
            () = &mut played_out => break,
            () = sleep(Duration::from_secs(2)) => {
                print::progress(simulator, service.agreeing(&ends).await?);
            }
        }
    }
    print_line("  all is sent; the service fetches what is still in doubt");
    let deadline = Instant::now() + PATIENCE;
    while service.agreeing(&ends).await? < ends.len() && Instant::now() < deadline {
        sleep(Duration::from_millis(200)).await;
    }
    while book.read().agreeing(&ends) < ends.len() && Instant::now() < deadline {
        sleep(Duration::from_millis(50)).await;
    }
    let mut views = Vec::new();
    for id in ends.keys() {
        views.push(service.order(id).await?);
    }
    let stories = stories(simulator, &views);
    let chosen = choose(&stories);
    print::stories(&chosen);
    print::told(&book.read(), &ends);
    print::totals(simulator, &stories, service.parked().await?);
    if let (Some(around), Some(first)) = (around, chosen.first()) {
        around.invite(service.url(), first.story, &number)?;
    }
    Ok(stories.iter().all(Story::is_agreed))
}
