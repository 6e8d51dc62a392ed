//! Ids, secrets and configuration with which the demo plays.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::{
    Api, Auth, Callbacks, Config, Credentials, Database, Log, Operators, Project, Retention,
    Signature, Sinch, Worker, default_deadlines,
};
use number_order::Id;
use sinch_simulator::{Script, Simulator};

/// Ids and secrets that both sides share.
pub struct Keys {
    pub project: Id,
    pub secret: SecretString,
    pub key_id: String,
    pub key_secret: SecretString,
}

impl Keys {
    /// Makes random secrets.
    pub fn new() -> Keys {
        let random = || SecretString::from(format!("{:016x}", fastrand::u64(..)));
        Keys {
            project: Id::new("demo-project").expect("plain characters"),
            secret: random(),
            key_id: "demo-key".to_owned(),
            key_secret: random(),
        }
    }
}

/// Returns the address of a listener on loopback, on any free port.
pub fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Returns a configuration as in real use, except that spans of minutes are seconds here.
pub fn config(keys: &Keys, simulator: &Simulator, script: &Script, folder: &Path) -> Config {
    Config {
        callbacks: Callbacks {
            listen: loopback(),
            allow: vec![IpAddr::from(Ipv4Addr::LOCALHOST).into()],
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
            staleness: script.faults.staleness,
            staleness_max: script.faults.staleness,
            backoff_base: Duration::from_millis(200),
            backoff_cap: Duration::from_secs(3),
            // No fetch takes so long in the demo, but a stop does on a busy machine, and the exit code is about the
            // orders.
            shutdown_grace: Duration::from_secs(30),
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
