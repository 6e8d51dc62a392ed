//! A load of callbacks on a receiver, sent as Sinch would, over kept connections, with the times of the answers.

mod caller;
mod report;

pub use report::{Report, Timed, percentile_ms};

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::ledger::Acknowledged;
use crate::{Callbacks, Connection};
use caller::Shared;

/// Plan by which a load of callbacks is sent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Number of connections, each with one callback in flight at a time.
    pub connections: usize,
    /// Callbacks a second, whether or not earlier ones were answered. `None`: each connection sends the next callback
    /// as soon as the last is answered.
    pub rate: Option<f64>,
    /// Time from the start of the load during which answers are not measured.
    pub warm_up: Duration,
    /// Treatment of a callback that is not answered 200.
    pub refused: Refused,
    /// Maximum lateness of a turn to send a callback, where there is a rate. A later turn is left out, since a caller
    /// that cannot keep up measures itself.
    pub late_max: Option<Duration>,
}

impl Plan {
    /// Returns a plan in which each connection sends as fast as it gets answers, and no callback is sent again.
    pub fn closed(connections: usize, warm_up: Duration) -> Plan {
        Plan {
            connections,
            rate: None,
            warm_up,
            refused: Refused::Dropped,
            late_max: None,
        }
    }

    /// Returns a plan in which each connection sends as fast as it gets answers, and each callback is sent until it is
    /// answered 200.
    pub fn insistent(connections: usize) -> Plan {
        Plan {
            refused: Refused::AtOnce,
            ..Plan::closed(connections, Duration::ZERO)
        }
    }
}

/// Treatment of a callback that is not answered 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The callback is dropped.
    Dropped,
    /// The callback is sent again later, in place of one that was not sent yet.
    Later,
    /// The callback is sent again until it is answered 200, over a new connection if necessary.
    AtOnce,
}

/// Load of callbacks that goes on until it is stopped, or until all callbacks are sent.
pub struct Load {
    shared: Arc<Shared>,
    callers: JoinSet<io::Result<()>>,
}

impl Load {
    /// Begins to send callbacks.
    ///
    /// # Errors
    ///
    /// Fails when the receiver cannot be reached.
    pub async fn start(
        address: SocketAddr,
        callbacks: &Arc<Callbacks>,
        plan: &Plan,
    ) -> io::Result<Load> {
        let mut connections = Vec::with_capacity(plan.connections);
        for _ in 0..plan.connections {
            connections.push(Connection::connect(address).await?);
        }
        let shared = Arc::new(Shared::new(address, callbacks.clone(), plan.clone()));
        let mut callers = JoinSet::new();
        for connection in connections {
            callers.spawn(shared.clone().call(connection));
        }
        if let Some(rate) = plan.rate {
            let shared = shared.clone();
            thread::spawn(move || shared.pace(rate));
        }
        Ok(Load { shared, callers })
    }

    /// Returns the number of callbacks that were answered 200 so far.
    pub fn count(&self) -> usize {
        self.shared.acknowledged().len()
    }

    /// Returns `true` once no caller is left, since all is sent or the receiver answers none.
    pub fn has_ended(&self) -> bool {
        self.shared.has_ended()
    }

    /// Returns the callbacks that were answered 200 so far.
    pub fn acknowledged(&self) -> Acknowledged {
        self.shared
            .callbacks
            .acknowledged(self.shared.acknowledged())
    }

    /// Waits until all callbacks are sent and answered.
    ///
    /// # Errors
    ///
    /// Fails as soon as the receiver does not answer; with [`Refused::AtOnce`], only after a while.
    pub async fn all_sent(&mut self) -> io::Result<()> {
        while let Some(called) = self.callers.join_next().await {
            called.map_err(io::Error::other)??;
        }
        Ok(())
    }

    /// Sends no further callback, and waits until those in flight are answered.
    ///
    /// # Errors
    ///
    /// Fails as [`Load::all_sent`] does.
    pub async fn stop(&mut self) -> io::Result<Report> {
        let end = self.shared.began.elapsed();
        self.shared.stop();
        self.all_sent().await?;
        Ok(self.shared.report(end))
    }
}

/// Sends callbacks until `until`, or until all are sent. Callbacks in flight then are still answered.
///
/// # Errors
///
/// Fails as [`Load::start`] and [`Load::all_sent`] do.
pub async fn run(
    address: SocketAddr,
    callbacks: &Arc<Callbacks>,
    plan: &Plan,
    until: impl Future<Output = ()>,
) -> io::Result<Report> {
    let mut load = Load::start(address, callbacks, plan).await?;
    tokio::select! {
        () = until => {}
        sent = load.all_sent() => sent?,
    }
    load.stop().await
}
