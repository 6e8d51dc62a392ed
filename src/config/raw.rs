//! Keys as they are written, before their values are checked.
//!
//! Every key is optional here: a missing key is a fault only where the checks say so.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Root {
    pub callbacks: Callbacks,
    pub operators: Operators,
    pub database: Database,
    pub worker: Worker,
    pub deadlines: Deadlines,
    pub retention: Retention,
    pub sinch: Sinch,
    pub log: Log,
    pub projects: Vec<Project>,
}

#[derive(Default, Deserialize)]
pub struct Callbacks {
    pub listen: Option<String>,
    pub allow: Option<Vec<String>>,
    pub trusted_proxies: Option<Vec<String>>,
    pub body_max_bytes: Option<u64>,
    pub header_timeout_secs: Option<f64>,
    pub body_timeout_secs: Option<f64>,
    pub idle_timeout_secs: Option<f64>,
    pub connections_max: Option<u64>,
}

#[derive(Default, Deserialize)]
pub struct Operators {
    pub listen: Option<String>,
    pub token: Option<SecretString>,
    pub token_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
pub struct Database {
    pub path: Option<PathBuf>,
    pub waiting_max: Option<u64>,
    pub free_min_bytes: Option<u64>,
}

#[derive(Default, Deserialize)]
pub struct Worker {
    pub staleness_secs: Option<f64>,
    pub staleness_max_secs: Option<f64>,
    pub attempts_max: Option<u64>,
    pub backoff_base_secs: Option<f64>,
    pub backoff_cap_secs: Option<f64>,
    pub shutdown_grace_secs: Option<f64>,
}

#[derive(Default, Deserialize)]
pub struct Deadlines {
    pub expiring_secs: Option<Vec<f64>>,
    pub review_secs: Option<f64>,
    pub blocked_secs: Option<f64>,
}

#[derive(Default, Deserialize)]
pub struct Retention {
    pub bodies_days: Option<f64>,
    pub deliveries_days: Option<f64>,
    pub parked_days: Option<f64>,
    pub orders_days: Option<f64>,
}

#[derive(Default, Deserialize)]
pub struct Sinch {
    pub api_url: Option<String>,
    pub token_url: Option<String>,
    pub max_in_flight: Option<u64>,
    pub requests_per_second: Option<f64>,
    pub request_timeout_secs: Option<f64>,
    pub connect_timeout_secs: Option<f64>,
    pub proxy_from_environment: Option<bool>,
}

#[derive(Default, Deserialize)]
pub struct Log {
    pub format: Option<String>,
    pub filter: Option<String>,
}

#[derive(Deserialize)]
pub struct Project {
    pub id: Option<String>,
    pub path: Option<String>,
    pub signature: Option<String>,
    pub secrets: Option<Vec<SecretString>>,
    pub secrets_file: Option<PathBuf>,
    pub api: Option<String>,
    pub auth: Option<String>,
    pub key_id: Option<String>,
    pub key_secret: Option<SecretString>,
    pub key_secret_file: Option<PathBuf>,
}
