//! Tools of tests and benches: the real program as a process, HTTP as bytes, a load of callbacks, and a ledger of what
//! was acknowledged.
//!
//! What cannot go on panics, since a test or a bench ends by it. Files, addresses and processes are the caller's own, so
//! any number of tests can run at once.

#![allow(
    clippy::missing_panics_doc,
    reason = "whatever goes wrong here ends the test or the bench, by a panic that says so"
)]

mod activation;
mod callbacks;
mod disk;
pub mod figures;
mod file;
mod history;
mod http;
pub mod instant_api;
pub mod ledger;
pub mod load;
pub mod machine;
pub mod postgres;
mod process;
pub mod program;
mod service;
mod settings;
mod sinch;
pub mod target;
mod wait;

pub use activation::Sockets;
pub use callbacks::{CYCLE, Callbacks, Content, FITTING, Receiver, about_number, event, order_ids};
pub use disk::{Disk, Mount};
pub use file::File;
pub use history::History;
pub use http::{ALLOWED, Answer, Connection, Request, UNALLOWED};
pub use load::Load;
pub use process::{Ended, Output, Process, Signal, run};
pub use service::{Service, send_and_receive, until_ready};
pub use settings::{KEY_ID, KEY_SECRET, PATH, PROJECT, SECRET, Settings};
pub use sinch::{id, order_history, play};
pub use target::{TARGET_SECRET, Target};
pub use wait::{PATIENCE, not_tried, until, within};

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use number_order::Time;

/// Result of a step of a bench; any error ends the bench.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Makes a temporary folder of the caller's own, in the system's folder for such files.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

/// Returns the present time, in UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the service is not part of the kit"
)]
pub fn now() -> Time {
    jiff::Timestamp::now().into()
}

/// Ports of [`free_address`]: below those that the system gives to outgoing connections.
const PORTS: Range<u16> = 10_000..32_000;

/// Number of ports that were tried so far, from one that is drawn.
static TRIED: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(fastrand::u16(..)));

/// Finds a free address on this machine, another each time. Its port lies below those that the system gives to outgoing
/// connections, so that it is still free when a process binds it, also after a restart.
pub fn free_address() -> SocketAddr {
    let next = || PORTS.start + TRIED.fetch_add(1, Relaxed) % PORTS.len() as u16;
    let mut tries = (0..100).map(|_| next());
    let free = tries.find_map(|port| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        listener.local_addr().ok()
    });
    free.expect("a free port")
}
