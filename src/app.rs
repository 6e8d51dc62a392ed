//! The service as a value: opens, binds, spawns, stops. The only spawner of what runs for good.

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
use crate::http::callbacks::{self, Entrance};
use crate::http::door::{Door, Listener};
use crate::http::operators;
use crate::http::places::Shares;
use crate::http::serve::{self, Limits};
use crate::http::source::Sources;
use crate::order::{BackOff, Id, Rule};
use crate::sinch::api::{self, Access, BuildError, Client};
use crate::store::{self, OpenError, Spans, StoreError};
use crate::vitals::Vitals;
use crate::worker::{Asker, Clearer, Looker, Minder};

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error("database: {0}")]
    Database(#[from] OpenError),
    /// An address cannot be listened on.
    #[error("{key} = {address}: {error}; is something else listening there?")]
    Listen {
        /// The configuration's key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The system has nothing left for a part of the service to run on.
    #[error("{0} cannot be started: {1}")]
    Thread(&'static str, io::Error),
    /// There is no client for a project's API.
    #[error("project {project}: {error}")]
    Client {
        /// Whose.
        project: Id,
        /// Why.
        error: BuildError,
    },
}

impl StartError {
    /// Whether somebody listens on an address already.
    pub fn is_address_in_use(&self) -> bool {
        match self {
            StartError::Listen { error, .. } => error.kind() == io::ErrorKind::AddrInUse,
            StartError::Database(_) | StartError::Thread(..) | StartError::Client { .. } => false,
        }
    }
}

/// Why the service stopped without having been told to.
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
    vitals: Arc<Vitals>,
    grace: Duration,
}

/// What runs for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Writer,
    Looker,
    Asker,
    Minder,
    Clearer,
    Callbacks,
    Operators,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Writer => "the writer",
            Part::Looker => "the worker that looks at news",
            Part::Asker => "the worker that asks Sinch",
            Part::Minder => "the worker that minds deadlines",
            Part::Clearer => "the worker that clears away",
            Part::Callbacks => "the callback listener",
            Part::Operators => "the operators' listener",
        }
    }
}

/// Binds a listener now, so that a taken port is an error at the start.
///
/// # Errors
///
/// [`StartError::Listen`].
pub fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|error| StartError::Listen {
        key,
        address,
        error,
    })
}

/// What the database is to be opened with.
pub fn store_settings(config: &Config) -> store::Settings {
    let asks_per_second = |api: &Api| match api {
        Api::On(_) => Some(config.worker.asks_per_second),
        Api::Off => None,
    };
    store::Settings {
        path: config.database.path.clone(),
        waiting_max: config.database.waiting_max,
        free_min_bytes: config.database.free_min_bytes,
        projects: config
            .projects
            .iter()
            .map(|project| (project.id.clone(), asks_per_second(&project.api)))
            .collect(),
        now: clock::now(),
    }
}

/// The client for one project.
///
/// # Errors
///
/// [`StartError::Client`].
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
    /// [`StartError`]; nothing runs then.
    pub async fn start(config: Config) -> Result<App, StartError> {
        // First of all, so that a second instance is told that it is one, and not that a port is taken. Nothing is
        // opened before the rest is known to be good, so that a start that fails leaves no trace.
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
        let (store, mut gates, writer) = held.open(&store_settings(&config)).await?;
        for (path, what) in store::exposed(&config.database.path) {
            tracing::warn!(path = %path.display(), "a file of the database: {what}");
        }
        let vitals = Arc::new(Vitals::new());
        let signs = vitals.clone();
        store.on_folding(move |folded| signs.step("checkpoint", folded, clock::now()));
        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let mut parts = JoinSet::new();
        let writing = on_its_own_thread(Part::Writer, "writer", writer)?;
        parts.spawn(async move { (Part::Writer, writing.await) });

        let rule = Rule::new(config.worker.staleness, config.worker.staleness_max);
        let looker = Looker {
            store: store.clone(),
            rule: rule.clone(),
            api_off: api_off(&config),
            vitals: vitals.clone(),
        };
        let looking = looker.run(stop.clone());
        let looking = on_its_own_thread(Part::Looker, "looker", looking)?;
        parts.spawn(async move { (Part::Looker, looking.await) });
        for (project, client, resume) in clients {
            let asker = Asker {
                gate: gates.remove(&project).unwrap_or_default(),
                resume,
                project,
                client,
                store: store.clone(),
                rule: rule.clone(),
                back_off: BackOff {
                    base: config.worker.backoff_base,
                    cap: config.worker.backoff_cap,
                    attempts_max: config.worker.attempts_max,
                },
                lanes: config.worker.lanes,
                asks_per_second: config.worker.asks_per_second,
                // A question can take four time-outs: token, refusal, new token, question.
                lease: config.sinch.request_timeout * 4 + Duration::from_secs(10),
                vitals: vitals.clone(),
            };
            let asking = asker.run(stop.clone(), abort.clone());
            parts.spawn(async move { (Part::Asker, asking.await.map_err(RunError::from)) });
        }

        let minder = Minder {
            store: store.clone(),
            limits: config.deadlines.clone(),
            vitals: vitals.clone(),
        };
        let minding = minder.run(stop.clone());
        parts.spawn(async move { (Part::Minder, minding.await.map_err(RunError::from)) });
        let clearer = Clearer {
            store: store.clone(),
            spans: Spans {
                bodies: config.retention.bodies,
                deliveries: config.retention.deliveries,
                parked: config.retention.parked,
                orders: config.retention.orders,
            },
            vitals: vitals.clone(),
        };
        let clearing = clearer.run(stop.clone());
        parts.spawn(async move { (Part::Clearer, clearing.await.map_err(RunError::from)) });

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
        let door = Door::new(Listener::Callbacks, known, shares.callbacks, vitals.clone());
        let service = callbacks::service(entrances(&config), store.clone(), vitals.clone());
        let (listener, stopping) = (callbacks_listener, stop.clone());
        let serving = serve::serve(listener, limits.clone(), door, service, stopping);
        parts.spawn(async move { (Part::Callbacks, serving.await.map_err(RunError::from)) });
        let settings = operators::Settings {
            token: config.operators.token.clone(),
            projects,
            deadlines: config.deadlines.clone(),
            body_timeout: config.callbacks.body_timeout,
        };
        let router = operators::router(store, vitals.clone(), settings);
        let door = Door::new(Listener::Operators, None, shares.operators, vitals.clone());
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
            vitals,
            grace: config.worker.shutdown_grace,
        })
    }

    /// Where callbacks are taken.
    pub fn callbacks_address(&self) -> SocketAddr {
        self.callbacks_address
    }

    /// Where operators ask.
    pub fn operators_address(&self) -> SocketAddr {
        self.operators_address
    }

    /// Works until told to stop; then answers what is in flight, settles what Sinch answers in time (the
    /// leases of the rest are void at the next start), folds the log into the database, and ends within
    /// the grace.
    ///
    /// # Errors
    ///
    /// When a part of the service failed. Nothing that was acknowledged is lost by that.
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
        because(outcome, drained)
    }

    async fn drain(mut self) -> Result<(), RunError> {
        // What the writer needs for its last checkpoint is kept back from the others.
        let soft = soft(self.grace);
        self.vitals.drain();
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
                outcome = because(outcome, ended);
            }
            outcome
        };
        tokio::pin!(all);
        let outcome = tokio::select! {
            outcome = &mut all => outcome,
            () = tokio::time::sleep(soft) => {
                tracing::warn!("letting go of questions to Sinch that are still under way");
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

/// How much of the grace is for others than the writer.
fn soft(grace: Duration) -> Duration {
    grace * 3 / 4
}

/// Runs a part on a thread of its own, and returns what it ends with. On the shared runtime it would wait in line with
/// the requests wherever it waits at all, and the more of these there are, the less it would get done. Nobody waits
/// for the thread itself: should the disk hang, the process ends after its grace.
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
        // Whoever waited may have gone, over the grace.
        let _ = ended.send(runtime.block_on(work));
    };
    thread::Builder::new()
        .name(thread_name.to_owned())
        .spawn(run)
        .map_err(failed)?;
    Ok(async move {
        match end.await {
            Ok(outcome) => Ok(outcome?),
            // It panicked.
            Err(_) => Err(RunError::Ended(part.name())),
        }
    })
}

/// Which of two ends tells why: the first that is an error, but not that the database is closed, which
/// only follows from why the writer closed it.
fn because(first: Result<(), RunError>, second: Result<(), RunError>) -> Result<(), RunError> {
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

/// The connections for which this limit of open files leaves room.
pub fn shares(config: &Config, limit: Option<u64>) -> Shares {
    let asked = config.projects.len() - api_off(config).len();
    let asks_max = config.worker.lanes * asked;
    Shares::new(limit, config.callbacks.connections_max, asks_max)
}

fn sources(config: &Config) -> Sources {
    Sources {
        allow: config.callbacks.allow.clone(),
        trusted_proxies: config.callbacks.trusted_proxies.clone(),
    }
}

fn entrances(config: &Config) -> callbacks::Settings {
    let entrance = |project: &crate::config::Project| {
        let secrets = match &project.signature {
            Signature::Required(secrets) => Some(secrets.clone()),
            Signature::Off => None,
        };
        let project_id = project.id.clone();
        (
            project.path.clone(),
            Entrance {
                project: project_id,
                secrets,
            },
        )
    };
    callbacks::Settings {
        sources: sources(config),
        entrances: config.projects.iter().map(entrance).collect(),
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
