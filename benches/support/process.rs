//! Receivers as processes of their own, and the configuration of the real one.

#![allow(
    dead_code,
    reason = "several programs share this, and each uses a part"
)]

use std::error::Error;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use secrecy::SecretString;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::load::{self, Callback, DeliveryContent, exchange};

/// Result of a step; any error ends the bench.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Path of the real program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_sinch-callbacks");
/// Project of the callbacks.
pub const PROJECT: &str = "5b0c1f2e-3d4a-4c5b-8a6d-7e8f90a1b2c3";
/// Secret with which callbacks are signed.
pub const SECRET: &str = "a secret of the bench";
/// Path of the callback URL.
pub const PATH: &str = "/callbacks";

/// Number of orders that callbacks are about.
const ORDERS: usize = 1000;

/// Maximum time until a receiver is ready.
const START_MAX: Duration = Duration::from_secs(10);

/// Finds a free address on this machine. Its port lies below those that the system gives to outgoing
/// connections, so that it is still free when a receiver binds it.
pub fn free_address() -> io::Result<SocketAddr> {
    const TRIES: usize = 100;
    let mut taken = None;
    for _ in 0..TRIES {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(10_000..32_000))) {
            Ok(listener) => return listener.local_addr(),
            Err(error) => taken = Some(error),
        }
    }
    Err(taken.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// Makes a temporary folder on the disk where the program was built: the system's own temporary folder may
/// not be on a disk at all.
pub fn folder() -> io::Result<tempfile::TempDir> {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
}

/// Callbacks for the receivers here, about a thousand orders; see [`DeliveryContent::statuses`].
pub fn callbacks(count: usize, statuses: &'static [&'static str]) -> Arc<[Callback]> {
    let mut rng = Rng::new();
    let subject = DeliveryContent {
        path: PATH.to_owned(),
        project: PROJECT.to_owned(),
        secret: SecretString::from(SECRET),
        orders: load::order_ids(ORDERS, &mut rng),
        statuses,
    };
    load::callbacks(&subject, count, &mut rng)
}

/// Raises the limit of open files as far as the system allows.
pub fn raise_open_files_limit() -> io::Result<()> {
    let allowed = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: allowed.maximum,
        ..allowed
    };
    Ok(setrlimit(Resource::Nofile, all)?)
}

/// Process that receives callbacks. It ends with this process.
pub struct Receiver {
    child: Child,
}

impl Receiver {
    /// Starts the receiver and waits until `ready_at` reports that it is ready; returns the time that this took.
    pub async fn start(
        command: &mut Command,
        ready_at: SocketAddr,
    ) -> Outcome<(Receiver, Duration)> {
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).spawn()?;
        let mut receiver = Receiver { child };
        while !is_ready(ready_at).await {
            if let Some(status) = receiver.child.try_wait()? {
                return Err(format!("the receiver ended before it was ready: {status}").into());
            }
            if began.elapsed() > START_MAX {
                return Err("the receiver does not become ready".into());
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok((receiver, began.elapsed()))
    }

    /// Tells the receiver to stop, and waits until it has.
    pub fn stop(mut self) -> Outcome<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the receiver did not stop well: {status}").into())
        }
    }

    /// Current and maximum memory of the receiver, in MiB.
    pub fn memory(&self) -> Outcome<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let mib = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kib / 1024.0)
        };
        let both = mib("VmRSS:").zip(mib("VmHWM:"));
        Ok(both.ok_or("the system does not tell how much memory a process holds")?)
    }

    /// Kills the receiver, as `kill -9` does.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // This fails if the process has ended, which is the aim.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    let request = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    exchange(&mut stream, request)
        .await
        .is_ok_and(|head| head.status == 200)
}

/// Configured real program.
pub struct Service {
    /// Address of the callbacks listener.
    pub callbacks: SocketAddr,
    /// Address of the operators listener.
    pub operators: SocketAddr,
    /// Path of the database.
    pub database: PathBuf,
    config: PathBuf,
}

impl Service {
    /// Writes the configuration into `folder`. `more` goes to the end, where the project's keys are.
    pub fn configure(folder: &Path, more: &str) -> io::Result<Service> {
        let service = Service {
            callbacks: free_address()?,
            operators: free_address()?,
            database: folder.join("callbacks.db"),
            config: folder.join("config.toml"),
        };
        let text = format!(
            "[callbacks]\nlisten = \"{}\"\nallow = [\"127.0.0.1\"]\n\
             [operators]\nlisten = \"{}\"\n\
             [database]\npath = {:?}\n\
             [[projects]]\nid = \"{PROJECT}\"\npath = \"{PATH}\"\nsecrets = [\"{SECRET}\"]\n{more}",
            service.callbacks,
            service.operators,
            service.database.display().to_string(),
        );
        fs::write(&service.config, text)?;
        Ok(service)
    }

    /// Starts the program; see [`Receiver::start`]. Its log, at the usual level, goes nowhere.
    pub async fn start(&self) -> Outcome<(Receiver, Duration)> {
        self.start_by(Command::new(PROGRAM)).await
    }

    /// Starts the program by a command that takes its arguments.
    pub async fn start_by(&self, mut command: Command) -> Outcome<(Receiver, Duration)> {
        let config = command.arg("--config").arg(&self.config).arg("serve");
        // The bench does not depend on its environment.
        let bare = config.env_clear().stdout(Stdio::null());
        Receiver::start(bare, self.operators).await
    }
}
