//! The service as a value: it opens, binds, spawns and stops. No other module spawns a part that runs until the service
//! stops.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::runtime::Builder;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{Api, Auth, Config, Credentials, Signature, Sinch};
use crate::http::callbacks::{self, CallbackRoute};
use crate::http::door::{Door, Listener};
use crate::http::operators;
use crate::http::places::Shares;
use crate::http::serve::{self, Limits};
use crate::http::source::Sources;
use crate::metrics::Metrics;
use crate::order::{Backoff, Id, Policy};
use crate::sinch::api::{self, Access, BuildError, Client};
use crate::store::{self, OpenError, RetentionPeriods, StoreError};
use crate::worker::{AlertWorker, Fetcher, InboxWorker, RetentionWorker};

/// Reason why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error("database: {0}")]
    Database(#[from] OpenError),
    /// The service cannot listen on an address.
    #[error("{key} = {address}: {error}; is something else listening there?")]
    Listen {
        /// Key of the address in the configuration.
        key: &'static str,
        /// Address from the configuration.
        address: SocketAddr,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The system has nothing left for a part of the service to run on.
    #[error("{0} cannot be started: {1}")]
    Thread(&'static str, io::Error),
    /// The client of a project's API cannot be built.
    #[error("project {project}: {error}")]
    Client {
        /// Project of the client.
        project: Id,
        /// Reason why the client cannot be built.
        error: BuildError,
    },
}

impl StartError {
    /// Returns `true` if another listener has the address already.
    pub fn is_address_in_use(&self) -> bool {
        match self {
            StartError::Listen { error, .. } => error.kind() == io::ErrorKind::AddrInUse,
            StartError::Database(_) | StartError::Thread(..) | StartError::Client { .. } => false,
        }
    }
}

/// Reason why the service stopped without having been told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database cannot be trusted or used any more.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A listener failed.
    #[error("a listener failed: {0}")]
    Listener(#[from] io::Error),
    /// A part of the service ended, which it never does by itself.
    #[error("{0} ended")]
    Ended(&'static str),
}

/// A service that is open and bound, and runs already.
pub struct App {
    callbacks_address: SocketAddr,
    operators_address: SocketAddr,
    parts: JoinSet<(Part, Result<(), RunError>)>,
    stop: CancellationToken,
    abort: CancellationToken,
    metrics: Arc<Metrics>,
    grace: Duration,
}

/// Part of the service that runs until the service stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Writer,
    InboxWorker,
    Fetcher,
    AlertWorker,
    RetentionWorker,
    Callbacks,
    Operators,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Writer => "the writer",
            Part::InboxWorker => "the inbox worker",
            Part::Fetcher => "the fetcher",
            Part::AlertWorker => "the worker that minds deadlines",
            Part::RetentionWorker => "the worker that clears away",
            Part::Callbacks => "the callback listener",
            Part::Operators => "the operators' listener",
        }
    }
}

/// Binds a listener now, so that a taken port is an error at the start.
///
/// # Errors
///
/// Returns [`StartError::Listen`] if the address cannot be bound.
pub fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|error| StartError::Listen {
        key,
        address,
        error,
    })
}

/// Returns the settings with which the database is opened.
pub fn store_settings(config: &Config) -> store::Settings {
    let requests_per_second = |api: &Api| match api {
        Api::On(_) => Some(config.worker.requests_per_second),
        Api::Off => None,
    };
    store::Settings {
        path: config.database.path.clone(),
        waiting_max: config.database.waiting_max,
        free_min_bytes: config.database.free_min_bytes,
        projects: config
            .projects
            .iter()
            .map(|project| (project.id.clone(), requests_per_second(&project.api)))
            .collect(),
        now: clock::now(),
    }
}

/// Builds the client of one project.
///
/// # Errors
///
/// Returns [`StartError::Client`] if the client cannot be built.
pub fn client(
    project: &Id,
    credentials: &Credentials,
    sinch: &Sinch,
) -> Result<Client, StartError> {
    let failed = |error| StartError::Client {
        project: project.clone(),
        error,
    };
    let url = |key, text: &str| {
        let parsed = text.parse();
        parsed.map_err(|_| failed(BuildError::Address(key)))
    };
    let auth = match credentials.auth {
        Auth::OAuth2 => api::Auth::OAuth2 {
            token_url: url("token_url", &sinch.token_url)?,
        },
        Auth::Basic => api::Auth::Basic,
    };
    let access = Access {
        api_url: url("api_url", &sinch.api_url)?,
        auth,
        key_id: credentials.key_id.clone(),
        key_secret: credentials.key_secret.clone(),
        request_timeout: sinch.request_timeout,
        connect_timeout: sinch.connect_timeout,
        proxy_from_environment: sinch.proxy_from_environment,
    };
    Client::new(project.clone(), access).map_err(failed)
}

impl App {
    /// Opens the database, binds both listeners and starts to work.
    ///
    /// # Errors
    ///
    /// Returns [`StartError`]; nothing runs then.
    pub async fn start(config: Config) -> Result<App, StartError> {
        // The lock comes first, so that a second instance is told that it is one, and not that a port is taken. The
        // database is opened only once the rest is known to be good, so that a start that fails leaves no trace.
        let held = store::hold(&config.database.path)?;
        let callbacks_listener = bind("callbacks.listen", config.callbacks.listen)?;
        let operators_listener = bind("operators.listen", config.operators.listen)?;
        let mut clients = Vec::new();
        let mut projects = BTreeMap::new();
        for project in &config.projects {
            let resume = match &project.api {
                Api::On(credentials) => {
                    let client = client(&project.id, credentials, &config.sinch)?;
                    let resume = Arc::new(Notify::new());
                    clients.push((project.id.clone(), client, resume.clone()));
                    Some(resume)
                }
                Api::Off => None,
            };
            projects.insert(project.id.clone(), resume);
        }
        let (store, mut circuits, writer) = held.open(&store_settings(&config)).await?;
        for (path, what) in store::exposed(&config.database.path) {
            tracing::warn!(path = %path.display(), "a file of the database: {what}");
        }
        let metrics = Arc::new(Metrics::new());
        let signs = metrics.clone();
        store.on_checkpoint(move |folded| signs.step("checkpoint", folded, clock::now()));
        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let mut parts = JoinSet::new();
        let writing = on_its_own_thread(Part::Writer, "writer", writer)?;
        parts.spawn(async move { (Part::Writer, writing.await) });

        let policy = Policy::new(config.worker.staleness, config.worker.staleness_max);
        let inbox_worker = InboxWorker {
            store: store.clone(),
            policy: policy.clone(),
            api_off: api_off(&config),
            metrics: metrics.clone(),
        };
        let looking = inbox_worker.run(stop.clone());
        let looking = on_its_own_thread(Part::InboxWorker, "inbox_worker", looking)?;
        parts.spawn(async move { (Part::InboxWorker, looking.await) });
        for (project, client, resume) in clients {
            let fetcher = Fetcher {
                circuit: circuits.remove(&project).unwrap_or_default(),
                resume,
                project,
                client,
                store: store.clone(),
                policy: policy.clone(),
                backoff: Backoff {
                    base: config.worker.backoff_base,
                    cap: config.worker.backoff_cap,
                    attempts_max: config.worker.attempts_max,
                },
                slots: config.worker.max_in_flight,
                requests_per_second: config.worker.requests_per_second,
                // A fetch can take four time-outs: token, refused request, new token, request.
                lease: config.sinch.request_timeout * 4 + Duration::from_secs(10),
                metrics: metrics.clone(),
            };
            let asking = fetcher.run(stop.clone(), abort.clone());
            parts.spawn(async move { (Part::Fetcher, asking.await.map_err(RunError::from)) });
        }

        let minder = AlertWorker {
            store: store.clone(),
            limits: config.deadlines.clone(),
            metrics: metrics.clone(),
        };
        let minding = minder.run(stop.clone());
        parts.spawn(async move { (Part::AlertWorker, minding.await.map_err(RunError::from)) });
        let clearer = RetentionWorker {
            store: store.clone(),
            periods: RetentionPeriods {
                bodies: config.retention.bodies,
                deliveries: config.retention.deliveries,
                parked: config.retention.parked,
                orders: config.retention.orders,
            },
            metrics: metrics.clone(),
        };
        let clearing = clearer.run(stop.clone());
        parts.spawn(async move {
            (
                Part::RetentionWorker,
                clearing.await.map_err(RunError::from),
            )
        });

        let local = |listener: &TcpListener, asked| listener.local_addr().unwrap_or(asked);
        let callbacks_address = local(&callbacks_listener, config.callbacks.listen);
        let operators_address = local(&operators_listener, config.operators.listen);
        let limits = Limits {
            header_timeout: config.callbacks.header_timeout,
            idle_timeout: config.callbacks.idle_timeout,
            grace: soft(config.worker.shutdown_grace),
        };
        let shares = shares(&config, getrlimit(Resource::Nofile).current);
        if let Some(shortage) = &shares.shortage {
            tracing::warn!("{shortage}");
        }
        let known = Some(sources(&config));
        let door = Door::new(
            Listener::Callbacks,
            known,
            shares.callbacks,
            metrics.clone(),
        );
        let service = callbacks::service(routes(&config), store.clone(), metrics.clone());
        let (listener, stopping) = (callbacks_listener, stop.clone());
        let serving = serve::serve(listener, limits.clone(), door, service, stopping);
        parts.spawn(async move { (Part::Callbacks, serving.await.map_err(RunError::from)) });
        let settings = operators::Settings {
            token: config.operators.token.clone(),
            projects,
            deadlines: config.deadlines.clone(),
            body_timeout: config.callbacks.body_timeout,
        };
        let router = operators::router(store, metrics.clone(), settings);
        let door = Door::new(Listener::Operators, None, shares.operators, metrics.clone());
        let (listener, stopping) = (operators_listener, stop.clone());
        let serving = serve::serve(listener, limits, door, router, stopping);
        parts.spawn(async move { (Part::Operators, serving.await.map_err(RunError::from)) });

        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            callbacks = %callbacks_address,
            operators = %operators_address,
            database = %config.database.path.display(),
            projects = config.projects.len(),
            "started"
        );
        Ok(App {
            callbacks_address,
            operators_address,
            parts,
            stop,
            abort,
            metrics,
            grace: config.worker.shutdown_grace,
        })
    }

    /// Returns the address on which callbacks are received.
    pub fn callbacks_address(&self) -> SocketAddr {
        self.callbacks_address
    }

    /// Returns the address of the operators' API.
    pub fn operators_address(&self) -> SocketAddr {
        self.operators_address
    }

    /// Runs until `stop` is cancelled. Then it answers the requests in flight, records what Sinch answers in time,
    /// checkpoints the WAL into the database, and ends within the grace. The leases of the remaining fetches are void
    /// at the next start.
    ///
    /// # Errors
    ///
    /// Returns an error if a part of the service failed. Nothing that was acknowledged is lost by that.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), RunError> {
        let outcome = tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = self.parts.join_next() => match ended {
                Some(Ok((_, Err(error)))) => Err(error),
                Some(Ok((part, Ok(())))) => Err(RunError::Ended(part.name())),
                Some(Err(_)) => Err(RunError::Ended("a part of the service that panicked")),
                None => Err(RunError::Ended("everything")),
            },
        };
        match &outcome {
            Ok(()) => tracing::info!("stopping: answering what is in flight"),
            Err(error) => tracing::error!(%error, "stopping: the service cannot go on"),
        }
        let drained = self.drain().await;
        root_cause(outcome, drained)
    }

    async fn drain(mut self) -> Result<(), RunError> {
        // The time that the writer needs for its last checkpoint is kept back from the other parts.
        let soft = soft(self.grace);
        self.metrics.drain();
        self.stop.cancel();
        let abort = self.abort.clone();
        let parts = &mut self.parts;
        let all = async {
            let mut outcome = Ok(());
            while let Some(ended) = parts.join_next().await {
                let ended = match ended {
                    Ok((_, ended)) => ended,
                    Err(_) => Err(RunError::Ended("a part that panicked")),
                };
                outcome = root_cause(outcome, ended);
            }
            outcome
        };
        tokio::pin!(all);
        let outcome = tokio::select! {
            outcome = &mut all => outcome,
            () = tokio::time::sleep(soft) => {
                tracing::warn!("abandoning fetches that are still in flight");
                abort.cancel();
                match tokio::time::timeout(self.grace - soft, all).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(RunError::Ended("the grace")),
                }
            }
        };
        tracing::info!("stopped");
        outcome
    }
}

/// Returns the share of the grace that is for parts other than the writer.
fn soft(grace: Duration) -> Duration {
    grace * 3 / 4
}

/// Runs a part on a thread of its own, and returns a future of the part's outcome. On the shared runtime the part would
/// queue with the requests wherever it waits, and the more requests there are, the less it would get done. The process
/// does not wait for the thread itself: should the disk hang, the process ends after its grace.
fn on_its_own_thread(
    part: Part,
    thread_name: &'static str,
    work: impl Future<Output = Result<(), StoreError>> + Send + 'static,
) -> Result<impl Future<Output = Result<(), RunError>>, StartError> {
    let failed = |error| StartError::Thread(part.name(), error);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(failed)?;
    let (ended, end) = oneshot::channel();
    let run = move || {
        // The receiver is gone if the grace has run out.
        let _ = ended.send(runtime.block_on(work));
    };
    thread::Builder::new()
        .name(thread_name.to_owned())
        .spawn(run)
        .map_err(failed)?;
    Ok(async move {
        match end.await {
            Ok(outcome) => Ok(outcome?),
            // The part panicked.
            Err(_) => Err(RunError::Ended(part.name())),
        }
    })
}

/// Returns the error of two ends that tells why: the first error, unless it only says that the database is closed. That
/// follows from the reason for which the writer closed it.
fn root_cause(first: Result<(), RunError>, second: Result<(), RunError>) -> Result<(), RunError> {
    match (first, second) {
        (Err(RunError::Store(StoreError::Closed)), Err(reason)) => Err(reason),
        (first, second) => first.and(second),
    }
}

fn api_off(config: &Config) -> Vec<Id> {
    let off = config.projects.iter().filter(|project| match project.api {
        Api::On(_) => false,
        Api::Off => true,
    });
    off.map(|project| project.id.clone()).collect()
}

/// Returns the connections for which this limit of open files leaves room.
pub fn shares(config: &Config, limit: Option<u64>) -> Shares {
    let asked = config.projects.len() - api_off(config).len();
    let fetches_max = config.worker.max_in_flight * asked;
    Shares::new(limit, config.callbacks.connections_max, fetches_max)
}

fn sources(config: &Config) -> Sources {
    Sources {
        allow: config.callbacks.allow.clone(),
        trusted_proxies: config.callbacks.trusted_proxies.clone(),
    }
}

fn routes(config: &Config) -> callbacks::Settings {
    let route = |project: &crate::config::Project| {
        let secrets = match &project.signature {
            Signature::Required(secrets) => Some(secrets.clone()),
            Signature::Off => None,
        };
        let project_id = project.id.clone();
        (
            project.path.clone(),
            CallbackRoute {
                project: project_id,
                secrets,
            },
        )
    };
    callbacks::Settings {
        sources: sources(config),
        routes: config.projects.iter().map(route).collect(),
        body_max_bytes: config.callbacks.body_max_bytes,
        body_timeout: config.callbacks.body_timeout,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn nobody_waits_for_a_writer_that_hangs() {
        let (ended, end) = mpsc::channel();
        thread::spawn(move || {
            let runtime = Builder::new_multi_thread().build().expect("a runtime");
            let hangs = async {
                loop {
                    thread::park();
                }
            };
            runtime.spawn(on_its_own_thread(Part::Writer, "hangs", hangs).expect("a thread"));
            drop(runtime);
            ended.send(())
        });
        assert_eq!(end.recv_timeout(Duration::from_secs(10)), Ok(()));
    }

    #[tokio::test]
    async fn a_writer_that_panics_has_ended() {
        let panics = async { panic!("on purpose") };
        let writing = on_its_own_thread(Part::Writer, "panics", panics).expect("a thread");
        assert!(matches!(writing.await, Err(RunError::Ended("the writer"))));
    }
}
