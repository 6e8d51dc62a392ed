//! Plays Sinch on this machine, on both sides: it sends callbacks and serves the API, with faults by seed.
//!
//! - [`Script`] and [`Faults`] say what to play and how badly.
//! - [`World`] is the play itself, decided in advance and pure: the history of each order, its events, and
//!   Sinch's answers. A simulation in simulated time needs nothing else.
//! - [`Simulator`] performs it by the clock, over HTTP.
//! - [`ordering`] is the other part of the API: clients place orders, which live beside those of the world.
//! - `simulation` (the feature of that name) performs it in simulated time, on the pure rules, and judges them.

mod api;
mod callbacks;
mod history;
pub mod ordering;
mod plan;
mod recorder;
mod script;
#[cfg(feature = "simulation")]
pub mod simulation;
#[cfg(test)]
mod tests;
mod wire;
mod world;

pub use api::Outage;
pub use history::{EventContent, OrderHistory, Region, Reply, SimulatedEvent};
pub use recorder::{Acknowledged, ApiRequest, Stats};
pub use script::{Faults, Script};
pub use world::World;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::api::ApiHandler;
use self::callbacks::CallbackSender;
use self::ordering::Ordering;
use self::recorder::Recorder;
use number_order::{Id, State, Time};

/// Options with which a simulator starts.
#[derive(Debug)]
pub struct Options {
    /// World that the simulator plays.
    pub world: World,
    /// Address on which the simulated API listens. Port 0 takes any free port.
    pub listen: SocketAddr,
    /// Destination of callbacks. `None`: they wait until [`Simulator::set_callback_url`] sets one.
    pub callback_url: Option<String>,
    /// Secret with which callbacks are signed.
    pub secret: SecretString,
    /// Id of the access key that the API accepts.
    pub key_id: String,
    /// Secret of the access key that the API accepts.
    pub key_secret: SecretString,
    /// Clock of the simulator, read once, at the start.
    pub now: fn() -> Time,
    /// Maximum number of callbacks in flight at once.
    pub senders: usize,
    /// Time after the first attempt to send a callback until which it is retried.
    pub retry_for: Duration,
}

/// State that all sides share: the world, the time in it, and the record of what has happened.
struct Shared {
    world: World,
    /// Secret with which callbacks are signed. The API shows and changes it.
    secret: Mutex<SecretString>,
    started_at: Time,
    began: Instant,
    recorder: Mutex<Recorder>,
    stop: CancellationToken,
}

impl Shared {
    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn write<T>(&self, note: impl FnOnce(&mut Recorder) -> T) -> T {
        note(&mut lock(&self.recorder))
    }
}

/// A running simulator. Dropping it stops the play; [`Simulator::shutdown`] also waits.
pub struct Simulator {
    shared: Arc<Shared>,
    handler: Arc<ApiHandler>,
    ordering: Arc<Ordering>,
    sender: Arc<CallbackSender>,
    address: SocketAddr,
    tasks: TaskTracker,
    _stop: DropGuard,
}

impl Simulator {
    /// Binds the simulated API, and lets the histories of the world begin. The seed of the world chooses how ordering
    /// is played.
    ///
    /// # Errors
    ///
    /// The system's, if the address cannot be bound.
    pub async fn start(options: Options) -> io::Result<Simulator> {
        let script = ordering::Script::by_seed(options.world.seed());
        Simulator::start_with(options, script).await
    }

    /// Does what [`Simulator::start`] does, and plays ordering by this script.
    ///
    /// # Errors
    ///
    /// The system's, if the address cannot be bound.
    pub async fn start_with(options: Options, script: ordering::Script) -> io::Result<Simulator> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            recorder: Mutex::new(Recorder::new(&options.world)),
            world: options.world,
            secret: Mutex::new(options.secret),
            started_at: (options.now)(),
            began: Instant::now(),
            stop: stop.clone(),
        });
        let basic = wire::basic(&options.key_id, options.key_secret.expose_secret());
        let ordering = Arc::new(Ordering::new(script, shared.clone()));
        let handler = Arc::new(ApiHandler::new(shared.clone(), basic));
        let sender = CallbackSender::new(
            shared.clone(),
            options.callback_url,
            options.retry_for,
            options.senders,
        );
        let sender = Arc::new(sender.map_err(io::Error::other)?);

        let tasks = TaskTracker::new();
        let router = api::router(handler.clone())
            .merge(ordering::api::router(handler.clone(), ordering.clone()));
        let api =
            axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        tasks.spawn(async move { api.await });
        for _ in 0..options.senders.max(1) {
            tasks.spawn(sender.clone().run());
        }
        let announcer = ordering.clone().announce(sender.clone());
        tasks.spawn(announcer);
        tasks.close();
        Ok(Simulator {
            shared,
            handler,
            ordering,
            sender,
            address,
            tasks,
            _stop: stop.drop_guard(),
        })
    }

    /// Returns the ordering side, at which clients place orders.
    pub fn ordering(&self) -> &Ordering {
        &self.ordering
    }

    /// Returns the base address of the simulated API, without a trailing slash.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address of the simulated token endpoint.
    pub fn token_url(&self) -> String {
        format!("http://{}/oauth2/token", self.address)
    }

    /// Returns the world that is played.
    pub fn world(&self) -> &World {
        &self.shared.world
    }

    /// Returns the time of the start, by the clock that the options gave: offsets count from here.
    pub fn started_at(&self) -> Time {
        self.shared.started_at
    }

    /// Returns the time since the start of the simulator.
    pub fn elapsed(&self) -> Duration {
        self.shared.elapsed()
    }

    /// Returns the final state of each order of the world.
    pub fn final_states(&self) -> BTreeMap<Id, State> {
        self.shared.world.final_states()
    }

    /// Waits until every history is at its end and every callback is answered 200 or abandoned. Without a
    /// receiver, the histories alone count.
    pub async fn played_out(&self) {
        sleep_until(self.shared.began + self.shared.world.end()).await;
        self.sender.finished().await;
    }

    /// Sets the destination of callbacks from now on. `None`: they wait.
    pub fn set_callback_url(&self, url: Option<String>) {
        self.sender.set_url(url);
    }

    /// Returns the secret with which callbacks are signed now.
    pub fn secret(&self) -> SecretString {
        lock(&self.shared.secret).clone()
    }

    /// Changes the secret with which callbacks are signed, as a user of Sinch's dashboard does.
    pub fn set_secret(&self, secret: SecretString) {
        *lock(&self.shared.secret) = secret;
    }

    /// Makes the simulated API fail as a whole, or work again.
    pub fn set_outage(&self, outage: Outage) {
        self.handler.set_outage(outage);
    }

    /// Forgets every token that the simulator issued.
    pub fn revoke_tokens(&self) {
        self.handler.revoke_tokens();
    }

    /// Sets the next reply to a fetch of an order of the world; it precedes the random ones. Several replies are used
    /// up in the order in which they were set.
    pub fn push_reply(&self, order: &Id, reply: Reply) {
        self.handler.push_reply(order, reply);
    }

    /// Returns every event that the receiver answered 200, once each.
    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        self.shared.write(|recorder| recorder.acknowledged())
    }

    /// Returns every fetch of an order, in the order of arrival, whatever the answer was.
    pub fn fetches(&self) -> Vec<ApiRequest> {
        self.shared.write(|recorder| recorder.fetches.clone())
    }

    /// Returns the counts of what has happened so far in the play.
    pub fn stats(&self) -> Stats {
        self.shared.write(|recorder| recorder.stats.clone())
    }

    /// Stops all sides of the simulator: callbacks in flight are dropped, requests in flight are answered.
    pub async fn shutdown(self) {
        self.shared.stop.cancel();
        self.tasks.wait().await;
    }
}

/// Locks a part of the shared state; one that a panic elsewhere left behind is still good enough to read.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
