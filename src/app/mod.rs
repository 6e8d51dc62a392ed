//! The service as a value: it opens the store, binds the listeners, spawns the parts, and stops them. No other module
//! spawns a part that runs until the service stops.

mod error;
mod listeners;
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
pub use self::listeners::{Listeners, bind};
#[cfg(feature = "postgres")]
pub use self::settings::server_settings;
pub use self::settings::{client, listener_limits, store_settings};
use self::spawn::Running;
pub use self::targets::{TargetError, examine_targets};
use crate::http::operators::ReloadReceiver;
use crate::metrics::Metrics;

/// A service that is open and bound, and runs already.
pub struct App {
    callbacks_address: SocketAddr,
    operators_address: SocketAddr,
    listeners: Option<Listeners>,
    reloads: Option<ReloadReceiver>,
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

    /// Returns the token by which fetches and attempts in flight are abandoned while the service stops.
    pub fn abort_token(&self) -> CancellationToken {
        self.abort.clone()
    }

    /// Returns the receiver of the operators' requests to read the configuration again. Unless it is taken, they are
    /// refused.
    pub fn take_reloads(&mut self) -> Option<ReloadReceiver> {
        self.reloads.take()
    }

    /// Returns the listeners, which then stay open when this run of the service stops.
    pub fn take_listeners(&mut self) -> Option<Listeners> {
        self.listeners.take()
    }
}
