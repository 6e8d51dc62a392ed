//! Sections of the configuration, as checked, and their defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use number_order::{Id, Limits};

/// `[callbacks]`: the public listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Callbacks {
    /// `listen`: address of the listener.
    pub listen: SocketAddr,
    /// `allow`: networks that may call. Never empty; IPv4 networks are never in IPv6 form.
    pub allow: Vec<IpNet>,
    /// `trusted_proxies`: networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `body_max_bytes`: maximum size of a request body.
    pub body_max_bytes: usize,
    /// `header_timeout_secs`: maximum time for the header of a request.
    pub header_timeout: Duration,
    /// `body_timeout_secs`: maximum time for the body of a request.
    pub body_timeout: Duration,
    /// `idle_timeout_secs`: maximum time without a request on an open connection.
    pub idle_timeout: Duration,
    /// `connections_max`: maximum number of open connections.
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
    /// `listen`: address of the listener.
    pub listen: SocketAddr,
    /// `token`: bearer token of requests. Always set unless `listen` is a loopback address.
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

/// `[database]`: the file in which everything is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// `path`: the database file.
    pub path: PathBuf,
    /// `waiting_max`: maximum number of callbacks that wait for the disk at once.
    pub waiting_max: usize,
    /// `free_min_bytes`: disk space that callbacks must leave free.
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

/// `[worker]`: fetching from Sinch.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    /// `staleness_secs`: maximum staleness of a usual answer.
    pub staleness: Duration,
    /// `staleness_max_secs`: maximum staleness of any answer. Not less than the usual.
    pub staleness_max: Duration,
    /// `attempts_max`: attempts in a row without a usable answer after which the order is parked.
    pub attempts_max: u32,
    /// `backoff_base_secs`: wait after the first failed attempt.
    pub backoff_base: Duration,
    /// `backoff_cap_secs`: maximum wait between attempts. Not less than the base.
    pub backoff_cap: Duration,
    /// `shutdown_grace_secs`: maximum time to finish the work in flight.
    pub shutdown_grace: Duration,
}

impl Default for Worker {
    fn default() -> Worker {
        Worker {
            staleness: Duration::from_secs(15),
            staleness_max: Duration::from_secs(300),
            attempts_max: 30,
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_secs(300),
            shutdown_grace: Duration::from_secs(8),
        }
    }
}

/// Default of `[deadlines]`: a day, two hours and a quarter of an hour before a reservation runs out; a week
/// in review; a day blocked.
pub fn default_deadlines() -> Limits {
    Limits {
        expiring: [86_400, 7200, 900].map(Duration::from_secs).to_vec(),
        review: Duration::from_secs(7 * 86_400),
        blocked: Duration::from_secs(86_400),
    }
}

/// `[retention]`: periods after which the worker prunes data.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    /// `bodies_days`: raw bodies of deliveries that were understood and processed. More than zero.
    pub bodies: Duration,
    /// `deliveries_days`: these deliveries themselves, and answers of Sinch. Not less than bodies.
    pub deliveries: Duration,
    /// `parked_days`: parked deliveries. Not less than other deliveries.
    pub parked: Duration,
    /// `orders_days`: closed orders. Not less than any delivery.
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

/// `[sinch]`: addresses, limits and timeouts of Sinch's API.
#[derive(Clone, Debug, PartialEq)]
pub struct Sinch {
    /// `api_url`, without a slash at its end. Encrypted unless it is a loopback address.
    pub api_url: String,
    /// `token_url`, in the same form.
    pub token_url: String,
    /// `max_in_flight`: maximum number of fetches in flight per project, without those that hang.
    pub max_in_flight: usize,
    /// `requests_per_second`: rate limit per project. More than zero.
    pub requests_per_second: f64,
    /// `request_timeout_secs`: maximum time for a request with its answer.
    pub request_timeout: Duration,
    /// `connect_timeout_secs`: maximum time to connect.
    pub connect_timeout: Duration,
    /// `proxy_from_environment`: `true` if `HTTPS_PROXY` and similar variables apply.
    pub proxy_from_environment: bool,
}

impl Default for Sinch {
    fn default() -> Sinch {
        Sinch {
            api_url: "https://numbers.api.sinch.com".to_owned(),
            token_url: "https://auth.sinch.com/oauth2/token".to_owned(),
            max_in_flight: 4,
            requests_per_second: 5.0,
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            proxy_from_environment: false,
        }
    }
}

/// `[log]`: format and filter of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// `format`: format of a line.
    pub format: LogFormat,
    /// `filter`, in the syntax of `EnvFilter`, which has parsed it without an error.
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

/// Format of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// JSON, for programs.
    Json,
    /// Text, for people.
    Text,
}

/// `[[projects]]`: a Sinch project, whose callbacks arrive at a path of its own.
#[derive(Clone, Debug)]
pub struct Project {
    /// `id`: project id, as Sinch has it.
    pub id: Id,
    /// `path`: plain characters only, so that a route can contain it unchanged.
    pub path: String,
    /// `signature`, with the secrets that are in force.
    pub signature: Signature,
    /// `api`, with the key to it.
    pub api: Api,
}

/// Signature that callbacks must have.
#[derive(Clone, Debug)]
pub enum Signature {
    /// A signature with one of these secrets. There is at least one, and none is empty.
    Required(Vec<SecretString>),
    /// No signature: any allowed caller is believed.
    Off,
}

/// Fetching of the project's orders from Sinch.
#[derive(Clone, Debug)]
pub enum Api {
    /// Orders are fetched with this key.
    On(Credentials),
    /// Orders are never fetched: states stay provisional.
    Off,
}

/// Key to a project's API.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `auth`: method of authentication.
    pub auth: Auth,
    /// `key_id`: id of the key.
    pub key_id: String,
    /// `key_secret`: secret of the key.
    pub key_secret: SecretString,
}

/// Method of authentication with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The key is exchanged for a token, as Sinch recommends.
    OAuth2,
    /// The key is sent with every request. Sinch provides this for tests, with a strict rate limit.
    Basic,
}
