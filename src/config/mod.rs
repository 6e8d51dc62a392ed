//! What the operator decides: one TOML file, with environment variables laid over it.
//!
//! `SINCH_CALLBACKS_<SECTION>__<KEY>` sets one key, and a number stands for a place in a list:
//! `SINCH_CALLBACKS_PROJECTS__0__KEY_ID`. A list of networks may be given whole, separated by commas;
//! `…__SECRETS` is a single secret, taken verbatim, since a secret may hold a comma. An empty variable
//! counts as not set.
//!
//! Everything is checked here, once, so that what a [`Config`] can express can also be run. Every fault
//! is reported in one form: where it stands, which key, which value (never a secret), what to do.

mod check;
mod env;
mod filter;
mod hidden;
mod key;
mod network;
mod project;
mod raw;
mod read;
mod secrets;
mod tree;
mod values;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::exposure;
use crate::order::{Id, Limits};
pub use env::FILE_VARIABLE;
use env::Variable;
use tree::Tree;
use values::Check;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// The listener that Sinch calls.
    pub callbacks: Callbacks,
    /// The listener for people and monitoring.
    pub operators: Operators,
    /// Where everything is kept.
    pub database: Database,
    /// How Sinch is asked.
    pub worker: Worker,
    /// When an order needs attention.
    pub deadlines: Limits,
    /// How long what is kept.
    pub retention: Retention,
    /// Where Sinch is asked.
    pub sinch: Sinch,
    /// What is logged, and how.
    pub log: Log,
    /// At least one; ids and paths are distinct.
    pub projects: Vec<Project>,
}

/// A configuration, and what is unwise in it without being wrong.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// For the log: the configuration is read before there is one.
    pub warnings: Vec<String>,
}

/// Why there is no configuration: every fault that was found, each in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    /// The faults, in words. None reveals a secret.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl Config {
    /// Reads the file, if there is to be one, and lays the variables of `env` over it that are ours.
    ///
    /// Files that hold secrets are read too; their paths are relative to the working directory.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, ConfigErrors> {
        let tree = tree(path)?;
        let exposed = path.filter(|_| tree.holds_secret()).and_then(exposure::of);
        let exposed = exposed.map(|what| format!("{tree}: holds secrets, and {what}"));
        let mut loaded = whole(tree, &env::ours(env))?;
        loaded.warnings.extend(exposed);
        Ok(loaded)
    }
}

/// What the tree says with the variables over it.
fn whole(mut tree: Tree, variables: &[Variable]) -> Result<Loaded, ConfigErrors> {
    let mut faults = tree.overlay(variables);
    match tree.read() {
        // A variable that fits nowhere spoils nothing else, so the rest is checked all the same.
        Ok(raw) => {
            let (loaded, found) = check::check(raw, &tree);
            faults.extend(found);
            if faults.is_empty() {
                return Ok(loaded);
            }
        }
        Err(found) => faults.extend(found),
    }
    Err(ConfigErrors(faults))
}

impl Operators {
    /// What a command must know to ask the running service. No other section is looked at, for whoever may
    /// ask the service need not be able to read its secrets. A token need not be there either.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Operators, ConfigErrors> {
        section("operators", path, env, |check, raw| {
            check.entrance(raw.operators)
        })
    }

    /// Where the service is asked; for what needs no token.
    pub fn address(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<SocketAddr, ConfigErrors> {
        section("operators", path, env, |check, raw| {
            check.operators_listen(raw.operators.listen)
        })
    }
}

impl Database {
    /// What a command must know to copy the database. No other section is looked at.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Database, ConfigErrors> {
        section("database", path, env, |check, raw| {
            check.database(raw.database)
        })
    }
}

/// What `check` makes of one section, with everything else left out.
fn section<T>(
    name: &str,
    path: Option<&Path>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    check: impl FnOnce(&mut Check<'_>, raw::Root) -> T,
) -> Result<T, ConfigErrors> {
    let mut tree = tree(path)?;
    tree.keep(name);
    let mut variables = env::ours(env);
    variables.retain(|variable| variable.key.is_in(name));
    let mut faults = tree.overlay(&variables);
    match tree.read() {
        Ok(raw) => {
            let mut found = Check::new(&tree);
            let read = check(&mut found, raw);
            faults.extend(found.faults);
            if faults.is_empty() {
                return Ok(read);
            }
        }
        Err(found) => faults.extend(found),
    }
    Err(ConfigErrors(faults))
}

/// What the file says; nothing, where there is to be none.
fn tree(path: Option<&Path>) -> Result<Tree, ConfigErrors> {
    let name = path
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let text = path.map(std::fs::read_to_string).transpose();
    let text = text.map_err(|error| format!("{name}: cannot be read: {error}; check the path"));
    let tree = text.and_then(|text| Tree::parse(&name, &text.unwrap_or_default()));
    tree.map_err(|fault| ConfigErrors(vec![fault]))
}

/// `[callbacks]`: the public listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Callbacks {
    /// `listen`.
    pub listen: SocketAddr,
    /// `allow`: who may call. Never empty; IPv4 networks are never in IPv6 form.
    pub allow: Vec<IpNet>,
    /// `trusted_proxies`: whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `body_max_bytes`.
    pub body_max_bytes: usize,
    /// `header_timeout_secs`.
    pub header_timeout: Duration,
    /// `body_timeout_secs`.
    pub body_timeout: Duration,
    /// `idle_timeout_secs`.
    pub idle_timeout: Duration,
    /// `connections_max`.
    pub connections_max: usize,
}

impl Default for Callbacks {
    fn default() -> Callbacks {
        // The addresses that Sinch documents.
        let senders = [[54, 76, 19, 159], [54, 78, 194, 39], [54, 155, 83, 128]];
        Callbacks {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            allow: senders
                .map(|octets| IpNet::from(std::net::IpAddr::from(octets)))
                .to_vec(),
            trusted_proxies: Vec::new(),
            body_max_bytes: 65_536,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            connections_max: 512,
        }
    }
}

/// `[operators]`: the second listener.
#[derive(Clone, Debug)]
pub struct Operators {
    /// `listen`.
    pub listen: SocketAddr,
    /// `token`: what a request must bear. Always there unless `listen` is a loopback address.
    pub token: Option<SecretString>,
}

impl Default for Operators {
    fn default() -> Operators {
        Operators {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            token: None,
        }
    }
}

/// `[database]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// `path`.
    pub path: PathBuf,
    /// `waiting_max`: callbacks that may wait for the disk at once.
    pub waiting_max: usize,
    /// `free_min_bytes`: what of the disk is not for callbacks.
    pub free_min_bytes: u64,
}

impl Default for Database {
    fn default() -> Database {
        Database {
            path: PathBuf::from("sinch-callbacks.db"),
            waiting_max: 384,
            free_min_bytes: 64 << 20,
        }
    }
}

/// `[worker]`: how Sinch is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    /// `lanes`: questions under way at once, per project, but for those that hang.
    pub lanes: usize,
    /// `asks_per_second`, per project. More than zero.
    pub asks_per_second: f64,
    /// `staleness_secs`: how stale an answer usually is at most.
    pub staleness: Duration,
    /// `staleness_max_secs`: how stale one can be at the very worst. Not less than the usual.
    pub staleness_max: Duration,
    /// `attempts_max`: tries in a row without a usable answer, before nobody asks any more.
    pub attempts_max: u32,
    /// `backoff_base_secs`.
    pub backoff_base: Duration,
    /// `backoff_cap_secs`. Not less than the base.
    pub backoff_cap: Duration,
    /// `shutdown_grace_secs`: how long to finish what is under way.
    pub shutdown_grace: Duration,
}

impl Default for Worker {
    fn default() -> Worker {
        Worker {
            lanes: 4,
            asks_per_second: 5.0,
            staleness: Duration::from_secs(15),
            staleness_max: Duration::from_secs(300),
            attempts_max: 30,
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_secs(300),
            shutdown_grace: Duration::from_secs(8),
        }
    }
}

/// `[deadlines]`, as they are if none are set: a day, two hours and a quarter of an hour before a
/// reservation runs out; a week in review; a day blocked.
pub fn default_deadlines() -> Limits {
    Limits {
        expiring: [86_400, 7200, 900].map(Duration::from_secs).to_vec(),
        review: Duration::from_secs(7 * 86_400),
        blocked: Duration::from_secs(86_400),
    }
}

/// `[retention]`: for how long what is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    /// `bodies_days`: the raw bodies of deliveries that were understood and looked at. More than zero.
    pub bodies: Duration,
    /// `deliveries_days`: these deliveries themselves, and answers of Sinch. Not less than bodies.
    pub deliveries: Duration,
    /// `parked_days`: deliveries that are parked. Not less than others.
    pub parked: Duration,
    /// `orders_days`: orders that are closed. Not less than any delivery.
    pub orders: Duration,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            bodies: Duration::from_secs(30 * 86_400),
            deliveries: Duration::from_secs(90 * 86_400),
            parked: Duration::from_secs(365 * 86_400),
            orders: Duration::from_secs(400 * 86_400),
        }
    }
}

/// `[sinch]`: where Sinch is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Sinch {
    /// `api_url`, without a slash at its end. Encrypted unless it is a loopback address.
    pub api_url: String,
    /// `token_url`, likewise.
    pub token_url: String,
    /// `request_timeout_secs`.
    pub request_timeout: Duration,
    /// `connect_timeout_secs`.
    pub connect_timeout: Duration,
    /// `proxy_from_environment`: whether `HTTPS_PROXY` and the like count.
    pub proxy_from_environment: bool,
}

impl Default for Sinch {
    fn default() -> Sinch {
        Sinch {
            api_url: "https://numbers.api.sinch.com".to_owned(),
            token_url: "https://auth.sinch.com/oauth2/token".to_owned(),
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            proxy_from_environment: false,
        }
    }
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// `format`.
    pub format: LogFormat,
    /// `filter`, in the syntax of `EnvFilter`, which has read it without complaint.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Log {
        Log {
            format: LogFormat::Auto,
            filter: "info".to_owned(),
        }
    }
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, for programs elsewhere.
    Auto,
    /// For programs.
    Json,
    /// For people.
    Text,
}

/// `[[projects]]`: a Sinch project, whose callbacks come to a path of its own.
#[derive(Clone, Debug)]
pub struct Project {
    /// `id`.
    pub id: Id,
    /// `path`: plain characters only, so it can stand in a route as it is.
    pub path: String,
    /// `signature`, with the secrets that are in force.
    pub signature: Signature,
    /// `api`, with the key to it.
    pub api: Api,
}

/// Whether a callback must be signed.
#[derive(Clone, Debug)]
pub enum Signature {
    /// With one of these secrets. There is at least one and none is empty.
    Required(Vec<SecretString>),
    /// Any caller that is allowed is believed.
    Off,
}

/// Whether Sinch is asked about the project's orders.
#[derive(Clone, Debug)]
pub enum Api {
    /// Yes, as the bearer of this key.
    On(Credentials),
    /// No: states stay provisional.
    Off,
}

/// The key to a project's API.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `auth`: how the key is shown.
    pub auth: Auth,
    /// `key_id`.
    pub key_id: String,
    /// `key_secret`.
    pub key_secret: SecretString,
}

/// How the key to the API is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Traded for a token. What Sinch recommends.
    OAuth2,
    /// Sent with every question. Sinch: for tests, and heavily rate limited.
    Basic,
}
