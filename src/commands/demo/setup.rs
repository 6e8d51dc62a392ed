//! Ids, secrets and configuration with which the demo plays.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::around::Around;
use crate::clock;
use crate::config::{
    Api, Auth, CallbackSecret, Callbacks, Config, Credentials, Database, DatabasePlace, Log,
    Operators, Project, Retention, Signature, Sinch, Worker, default_deadlines,
};
use number_order::Id;
use sinch_simulator::ordering::{NumberCallbacks, Provisioning, Script as OrderingScript};
use sinch_simulator::{Options, Script, Simulator, World};

/// Path at which the service takes callbacks.
pub const CALLBACK_PATH: &str = "/callbacks";

/// Ids and secrets that the service and the simulated Sinch share.
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
fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Finds a free address on loopback, for a listener whose URL must be known before it listens. Its port lies below those
/// that the system gives to outgoing connections, so that none of them takes it in between.
pub fn free_address() -> io::Result<SocketAddr> {
    let mut last = None;
    for _ in 0..100 {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(10_000..32_000))) {
            Ok(listener) => return listener.local_addr(),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

/// Starts the simulated Sinch. Its callbacks wait until it has a URL for them.
pub async fn simulator(
    keys: &Keys,
    script: &Script,
    seed: u64,
    retry_for: Duration,
) -> io::Result<Simulator> {
    let options = Options {
        world: World::new(seed, script),
        listen: loopback(),
        callback_url: None,
        secret: keys.secret.clone(),
        key_id: keys.key_id.clone(),
        key_secret: keys.key_secret.clone(),
        now: clock::now,
        senders: 8,
        retry_for,
    };
    let mut ordering = OrderingScript::by_seed(seed);
    // A number that an order brings works in the end, and its events come.
    ordering.readings.provisioning = Provisioning::Succeeds;
    ordering.readings.number_callbacks = NumberCallbacks::CarriedOver;
    Simulator::start_with(options, ordering).await
}

/// Writes the configuration for commands, with the addresses of the demo's service and of its simulated Sinch, and with the
/// database where that is a file.
pub fn write_config(
    keys: &Keys,
    simulator: &Simulator,
    callbacks: SocketAddr,
    operators: SocketAddr,
    around: &Around<'_>,
) -> io::Result<()> {
    let Keys {
        project, key_id, ..
    } = keys;
    let database = around.database.map(|path| {
        let path = path.display().to_string();
        format!("[database]\npath = {path:?}\n\n")
    });
    let text = format!(
        "# The demo's service and its simulated Sinch, for commands.\n\
         {}\
         [callbacks]\npublic_url = \"http://{callbacks}\"\n\n\
         [operators]\nlisten = \"{operators}\"\n\n\
         [sinch]\napi_url = \"{}\"\ntoken_url = \"{}\"\n\n\
         [[projects]]\nid = \"{project}\"\npath = \"{CALLBACK_PATH}\"\nkey_id = \"{key_id}\"\nkey_secret = \"{}\"\n",
        database.unwrap_or_default(),
        simulator.api_url(),
        simulator.token_url(),
        keys.key_secret.expose_secret(),
    );
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(around.folder.join("config.toml"))?;
    file.write_all(text.as_bytes())
}

/// Returns a configuration as in real use, except that spans of minutes are seconds here.
pub fn config(
    keys: &Keys,
    simulator: &Simulator,
    script: &Script,
    callbacks: SocketAddr,
    database: DatabasePlace,
) -> Config {
    Config {
        callbacks: Callbacks {
            listen: callbacks,
            public_url: Some(format!("http://{callbacks}")),
            allow: vec![IpAddr::from(Ipv4Addr::LOCALHOST).into()],
            ..Callbacks::default()
        },
        operators: Operators {
            listen: loopback(),
            ..Operators::default()
        },
        database: Database {
            place: database,
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
        targets: Vec::new(),
        tokens: Vec::new(),
        in_force: Vec::new(),
        projects: vec![Project {
            id: keys.project.clone(),
            path: CALLBACK_PATH.to_owned(),
            signature: Signature::Required(vec![CallbackSecret {
                place: "projects[0].secrets[0]".to_owned(),
                secret: keys.secret.clone(),
            }]),
            api: Api::On(Credentials {
                auth: Auth::OAuth2,
                key_id: keys.key_id.clone(),
                key_secret: keys.key_secret.clone(),
            }),
        }],
    }
}
