//! Settings, clients and sources that the other modules take, from the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::Notify;

use super::error::StartError;
use super::targets::{attempt_files, target_settings};
use crate::clock;
use crate::config::{
    Api, Auth, Config, Credentials, DatabasePlace, OPERATORS, Project, Scope, Signature, Sinch,
};
#[cfg(feature = "postgres")]
use crate::config::{Database, DatabaseUrl};
use crate::http::callbacks::{self, CallbackRoute};
use crate::http::connection_limits::{ConnectionLimits, ListenerLimits};
use crate::http::operators::{self, ReloadSender};
use crate::http::server::Timeouts;
use crate::http::source::Sources;
use crate::metrics::Metrics;
use crate::sinch::ANSWER_MAX_BYTES;
#[cfg(feature = "postgres")]
use crate::store::postgres;
use crate::store::{self, RetentionPeriods, sqlite};
use crate::worker::Fetcher;
use number_order::{Backoff, Id, Policy};
use sinch_numbers::api::{self, Access, BuildError, Client};

/// Projects whose API is on, each with its client and the notification that closes its circuit at once.
pub(super) type Clients = Vec<(Id, Arc<Client>, Arc<Notify>)>;

/// All projects, each with the notification that closes its circuit at once; `None`: its API is off.
pub(super) type Projects = BTreeMap<Id, Option<Arc<Notify>>>;

/// Returns the settings with which the database is opened.
pub fn store_settings(config: &Config) -> store::Settings {
    let database = &config.database;
    match &database.place {
        DatabasePlace::File(path) => store::Settings::Sqlite(sqlite::Settings {
            path: path.clone(),
            waiting_max: database.waiting_max,
            free_min_bytes: database.free_min_bytes,
            targets: target_settings(config),
            projects: fetch_rates(config),
            now: clock::now(),
        }),
        #[cfg(feature = "postgres")]
        DatabasePlace::Server(url) => {
            let projects = fetch_rates(config);
            store::Settings::Postgres(postgres::Settings {
                targets: target_settings(config),
                ..server_settings(database, url, projects)
            })
        }
    }
}

/// Returns the settings with which a database on a PostgreSQL server is opened.
#[cfg(feature = "postgres")]
pub fn server_settings(
    database: &Database,
    url: &DatabaseUrl,
    projects: Vec<(Id, Option<f64>)>,
) -> postgres::Settings {
    postgres::Settings {
        url: url.secret().clone(),
        name: replica_name(),
        waiting_max: database.waiting_max,
        lossy_commits: database.lossy_commits,
        clock: postgres::ClockSource::Database,
        projects,
        targets: Vec::new(),
        now: clock::now(),
    }
}

/// Returns the served projects, each with the number of its orders that may be fetched in a second; `None` if its API is
/// off.
fn fetch_rates(config: &Config) -> Vec<(Id, Option<f64>)> {
    let requests_per_second = |api: &Api| match api {
        Api::On(_) => Some(config.sinch.requests_per_second),
        Api::Off => None,
    };
    let projects = config.projects.iter();
    let rates = projects.map(|project| (project.id.clone(), requests_per_second(&project.api)));
    rates.collect()
}

/// Returns the name by which operators tell this replica from the others: its machine's, and its process id.
#[cfg(feature = "postgres")]
fn replica_name() -> String {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    format!("{host} {}", std::process::id())
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
        answer_max_bytes: ANSWER_MAX_BYTES,
        proxy_from_environment: sinch.proxy_from_environment,
    };
    Client::new(project.clone(), access).map_err(failed)
}

/// Builds the client of each project whose API is on. Returns these clients, and all projects, each with the
/// notification that closes its circuit at once.
pub(super) fn clients(config: &Config) -> Result<(Clients, Projects), StartError> {
    let (mut clients, mut projects) = (Clients::new(), Projects::new());
    for project in &config.projects {
        let resume = match &project.api {
            Api::On(credentials) => {
                let client = Arc::new(client(&project.id, credentials, &config.sinch)?);
                let resume = Arc::new(Notify::new());
                clients.push((project.id.clone(), client, resume.clone()));
                Some(resume)
            }
            Api::Off => None,
        };
        projects.insert(project.id.clone(), resume);
    }
    Ok((clients, projects))
}

pub(super) fn api_off(config: &Config) -> Vec<Id> {
    let off = config.projects.iter().filter(|project| match project.api {
        Api::On(_) => false,
        Api::Off => true,
    });
    off.map(|project| project.id.clone()).collect()
}

/// Returns the limits on connections for which the limit on open files leaves room.
pub fn listener_limits(config: &Config, files_max: Option<u64>) -> ListenerLimits {
    let fetched_projects = config.projects.len() - api_off(config).len();
    // Beside its orders, one number of each project is fetched at a time.
    let fetches_max = (Fetcher::in_flight_max(config.sinch.max_in_flight) + 1) * fetched_projects;
    let outgoing_max = fetches_max + attempt_files(config);
    ListenerLimits::new(files_max, config.callbacks.connections_max, outgoing_max)
}

pub(super) fn sources(config: &Config) -> Sources {
    Sources {
        allow: config.callbacks.allow.clone(),
        trusted_proxies: config.callbacks.trusted_proxies.clone(),
    }
}

/// Returns the secrets with which callbacks of a project may be signed, in their order; none if they need no signature.
pub(super) fn secrets(project: &Project) -> Vec<SecretString> {
    let in_force = match &project.signature {
        Signature::Required(secrets) => secrets.as_slice(),
        Signature::Off => &[],
    };
    in_force.iter().map(|one| one.secret.clone()).collect()
}

/// Returns the metrics of a run, which count what the secrets of each project verify. `started`: the service started then, and
/// this run follows a reload.
pub(super) fn metrics(config: &Config, started: Option<Instant>) -> Metrics {
    let metrics = match started {
        None => Metrics::new(),
        Some(started) => Metrics::after_reload(started, clock::now()),
    };
    for project in &config.projects {
        if let Signature::Required(secrets) = &project.signature {
            let places = secrets.iter().map(|one| one.place.clone());
            let is_compared = matches!(project.api, Api::On(_));
            metrics
                .secrets()
                .count(project.id.clone(), places, is_compared);
        }
    }
    metrics
}

pub(super) fn routes(config: &Config) -> Arc<callbacks::Settings> {
    let route = |project: &Project| {
        let secrets = match &project.signature {
            Signature::Required(_) => Some(secrets(project)),
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
    Arc::new(callbacks::Settings {
        sources: sources(config),
        routes: config.projects.iter().map(route).collect(),
        body_max_bytes: config.callbacks.body_max_bytes,
        body_timeout: config.callbacks.body_timeout,
    })
}

/// Maximum number of readers of the feed of events that wait at the same time. Each has a connection, and asks the
/// database whenever events are recorded.
const FEED_READERS_MAX: usize = 64;

pub(super) fn operators_settings(
    config: &Config,
    projects: Projects,
    connections: ConnectionLimits,
    reload: ReloadSender,
) -> operators::Settings {
    let public_url = config.callbacks.public_url.as_ref();
    let callback_urls = public_url.map(|url| {
        let projects = config.projects.iter();
        let own = |project: &Project| (project.id.clone(), format!("{url}{}", project.path));
        projects.map(own).collect()
    });
    operators::Settings {
        callers: callers(config),
        projects,
        callbacks: routes(config),
        callback_urls: callback_urls.unwrap_or_default(),
        secrets: config
            .projects
            .iter()
            .map(|project| (project.id.clone(), secrets(project)))
            .collect(),
        reload,
        deadlines: config.deadlines.orders.clone(),
        retention: retention_periods(config),
        // It is made of texts alone, so it can always be written.
        configuration: serde_json::to_value(&config.in_force).unwrap_or_default(),
        body_timeout: config.callbacks.body_timeout,
        // Where connections are few, half of them stay for other requests.
        feed_readers_max: FEED_READERS_MAX.min(connections.served / 2),
    }
}

/// Returns the callers of the operators' listener: the one with the section's own token, and the others.
fn callers(config: &Config) -> Vec<operators::Caller> {
    let own = config
        .operators
        .token
        .iter()
        .map(|token| operators::Caller {
            name: OPERATORS.to_owned(),
            scope: operators::Scope::Operate,
            token: token.clone(),
        });
    let others = config.tokens.iter().map(|token| operators::Caller {
        name: token.name.clone(),
        scope: match token.scope {
            Scope::Read => operators::Scope::Read,
            Scope::Operate => operators::Scope::Operate,
        },
        token: token.token.clone(),
    });
    own.chain(others).collect()
}

pub(super) fn timeouts(config: &Config) -> Timeouts {
    Timeouts {
        header_timeout: config.callbacks.header_timeout,
        idle_timeout: config.callbacks.idle_timeout,
        grace: soft_grace(config.worker.shutdown_grace),
    }
}

pub(super) fn policy(config: &Config) -> Policy {
    Policy::new(config.worker.staleness, config.worker.staleness_max)
}

pub(super) fn backoff(config: &Config) -> Backoff {
    Backoff {
        base: config.worker.backoff_base,
        cap: config.worker.backoff_cap,
        attempts_max: config.worker.attempts_max,
    }
}

pub(super) fn retention_periods(config: &Config) -> RetentionPeriods {
    RetentionPeriods {
        // No order goes with events that the feed still has.
        events: config.retention.events.min(config.retention.orders),
        bodies: config.retention.bodies,
        deliveries: config.retention.deliveries,
        parked: config.retention.parked,
        quarantine: config.retention.quarantine,
        orders: config.retention.orders,
    }
}

/// Returns the share of the grace that is for parts other than the writer.
pub(super) fn soft_grace(grace: Duration) -> Duration {
    grace * 3 / 4
}
