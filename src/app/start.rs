//! Start of the service: the database, the listeners and the clients, and then the parts.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::App;
use super::error::StartError;
use super::listeners::Listeners;
use super::part::{self, Shared};
use super::parts::{self, PartsInput};
use super::settings::{clients, listener_limits, metrics, store_settings};
use super::spawn::spawn;
use super::targets::receivers;
use crate::clock;
use crate::config::Config;
use crate::store;
use crate::traces::Traces;

impl App {
    /// Tries what a start needs beside the database: that the clients can be built, and that the listeners are there.
    /// Returns these listeners.
    ///
    /// # Errors
    ///
    /// Returns the error that the start would return.
    pub fn prepare(config: &Config, kept: Option<&Listeners>) -> Result<Listeners, StartError> {
        clients(config)?;
        receivers(config)?;
        Listeners::open(config, kept)
    }

    /// Opens the database and starts to work, on listeners that stayed open from another run, or on those that it opens.
    /// Spans of what it does go to `traces`.
    ///
    /// # Errors
    ///
    /// Returns [`StartError`]; nothing runs then.
    pub async fn start(
        config: Config,
        traces: Traces,
        kept: Option<&Listeners>,
    ) -> Result<App, StartError> {
        clock::check()?;
        // The lock comes first, so that a second instance is told that it is one, and not that a port is taken. The
        // database is opened only once the rest is known to be good, so that a start that fails leaves no trace.
        let settings = store_settings(&config);
        let held = store::hold(settings.clone())?;
        let listeners = Listeners::open(&config, kept)?;
        let [callbacks_listener, operators_listener] = listeners.handles()?;
        let (clients, projects) = clients(&config)?;
        let receivers = receivers(&config)?;
        let (store, writer) = held.open().await?;
        warn_of_exposed(&settings);
        let started = kept.map(Listeners::started);
        let metrics = Arc::new(metrics(&config, started));
        let (reload, reloads) = mpsc::channel(1);
        let upkeep = metrics.clone();
        store.on_upkeep(move |task, outcome| upkeep.step(task, outcome, clock::now()));
        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let callbacks_address = local_address(&callbacks_listener, config.callbacks.listen);
        let operators_address = local_address(&operators_listener, config.operators.listen);
        let limits = listener_limits(&config, getrlimit(Resource::Nofile).current);
        if let Some(shortage) = &limits.shortage {
            tracing::warn!("{shortage}");
        }
        let ready = PartsInput {
            writer: part::run(writer),
            clients,
            projects,
            receivers,
            callbacks_listener,
            operators_listener,
            limits,
            reload,
            shared: Shared {
                store,
                metrics: metrics.clone(),
                traces,
                stop: stop.clone(),
                abort: abort.clone(),
            },
        };
        let running = spawn(parts::list(&config, ready))?;

        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            callbacks = %callbacks_address,
            operators = %operators_address,
            database = %settings,
            projects = config.projects.len(),
            "started"
        );
        Ok(App {
            callbacks_address,
            operators_address,
            listeners: Some(listeners),
            reloads: Some(reloads),
            running,
            stop,
            abort,
            metrics,
            grace: config.worker.shutdown_grace,
        })
    }
}

/// Returns the address on which a listener listens: the system can have chosen the port.
fn local_address(listener: &TcpListener, configured: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(configured)
}

/// Logs which files of the database others than the service can read.
fn warn_of_exposed(settings: &store::Settings) {
    for (path, what) in settings.exposed() {
        tracing::warn!(path = %path.display(), "a file of the database: {what}");
    }
}
