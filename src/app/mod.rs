//! The service as a value: it opens the store, binds the listeners, spawns the parts, and stops them. No other module
//! spawns a part that runs until the service stops.

mod error;
mod part;
mod parts;
mod run;
mod settings;
mod spawn;
mod start;
mod targets;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use self::error::{RunError, StartError};
#[cfg(feature = "postgres")]
pub use self::settings::server_settings;
pub use self::settings::{client, listener_limits, store_settings};
use self::spawn::Running;
pub use self::start::bind;
use crate::metrics::Metrics;

/// A service that is open and bound, and runs already.
pub struct App {
    callbacks_address: SocketAddr,
    operators_address: SocketAddr,
    running: Running,
    stop: CancellationToken,
    abort: CancellationToken,
    metrics: Arc<Metrics>,
    grace: Duration,
}

impl App {
    /// Returns the address on which callbacks are received.
    pub fn callbacks_address(&self) -> SocketAddr {
        self.callbacks_address
    }

    /// Returns the address of the operators' API.
    pub fn operators_address(&self) -> SocketAddr {
        self.operators_address
    }
}
