//! Plays Sinch on this machine, both sides: callbacks out, API in, with faults by seed.
//!
//! - [`Script`] and [`Trouble`] say what to play and how badly.
//! - [`World`] is the play itself, decided beforehand and pure: what becomes of each order, what is told
//!   of it, and what Sinch answers. A simulation in simulated time needs nothing else.
//! - [`Simulator`] performs it by the clock, over HTTP.
//! - [`trial`] performs it in simulated time, on the pure rules, and judges them.

mod api;
mod callbacks;
mod journal;
mod plan;
mod script;
#[cfg(test)]
mod tests;
pub mod trial;
mod wire;
mod world;

pub use api::Outage;
pub use journal::{Acknowledged, Ask, Stats};
pub use script::{Script, Trouble};
pub use world::{Life, Notice, Region, Reply, Says, World};

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

use self::api::Desk;
use self::callbacks::Post;
use self::journal::Journal;
use crate::order::{Id, State, Time};

/// What a simulator needs.
#[derive(Debug)]
pub struct Options {
    /// What to play.
    pub world: World,
    /// Where the API listens. Port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Where callbacks go. `None`: they wait until [`Simulator::set_callback_url`] says where.
    pub callback_url: Option<String>,
    /// What callbacks are signed with.
    pub secret: SecretString,
    /// The id of the key that the API accepts.
    pub key_id: String,
    /// The key's secret.
    pub key_secret: SecretString,
    /// Tells the time; asked once, at the start.
    pub now: fn() -> Time,
    /// How many callbacks may be under way at once.
    pub senders: usize,
    /// How long after its first try a callback is tried again.
    pub give_up: Duration,
}

/// What both sides share: the world, where it stands, and what has happened.
struct Stage {
    world: World,
    started_at: Time,
    began: Instant,
    journal: Mutex<Journal>,
    stop: CancellationToken,
}

impl Stage {
    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn write<T>(&self, note: impl FnOnce(&mut Journal) -> T) -> T {
        note(&mut lock(&self.journal))
    }
}

/// A running simulator. Dropping it stops it; [`Simulator::shutdown`] also waits.
pub struct Simulator {
    stage: Arc<Stage>,
    desk: Arc<Desk>,
    post: Arc<Post>,
    address: SocketAddr,
    tasks: TaskTracker,
    _stop: DropGuard,
}

impl Simulator {
    /// Binds the API, and lets the histories begin.
    pub async fn start(options: Options) -> io::Result<Simulator> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stage = Arc::new(Stage {
            journal: Mutex::new(Journal::new(&options.world)),
            world: options.world,
            started_at: (options.now)(),
            began: Instant::now(),
            stop: stop.clone(),
        });
        let basic = wire::basic(&options.key_id, options.key_secret.expose_secret());
        let desk = Arc::new(Desk::new(stage.clone(), basic));
        let post = Post::new(
            stage.clone(),
            options.callback_url,
            options.secret,
            options.give_up,
        );
        let post = Arc::new(post.map_err(io::Error::other)?);

        let tasks = TaskTracker::new();
        let api = axum::serve(listener, api::router(desk.clone()))
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        tasks.spawn(async move { api.await });
        for _ in 0..options.senders.max(1) {
            tasks.spawn(post.clone().run());
        }
        tasks.close();
        Ok(Simulator {
            stage,
            desk,
            post,
            address,
            tasks,
            _stop: stop.drop_guard(),
        })
    }

    /// The base address of the API, without a trailing slash.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of the token endpoint.
    pub fn token_url(&self) -> String {
        format!("http://{}/oauth2/token", self.address)
    }

    /// What is played.
    pub fn world(&self) -> &World {
        &self.stage.world
    }

    /// When it began, by the clock that the options gave: offsets count from here.
    pub fn started_at(&self) -> Time {
        self.stage.started_at
    }

    /// How long it has been playing.
    pub fn elapsed(&self) -> Duration {
        self.stage.elapsed()
    }

    /// The state in which each order ends.
    pub fn truth(&self) -> BTreeMap<Id, State> {
        self.stage.world.truth()
    }

    /// Waits until every history is at its end and every callback is answered 200 or given up. Where
    /// there is nobody to call, histories alone count.
    pub async fn played_out(&self) {
        sleep_until(self.stage.began + self.stage.world.end()).await;
        self.post.finished().await;
    }

    /// Says where callbacks go from now on; `None`: nowhere, they wait.
    pub fn set_callback_url(&self, url: Option<String>) {
        self.post.set_url(url);
    }

    /// Makes the API fail as a whole, or work again.
    pub fn set_outage(&self, outage: Outage) {
        self.desk.set_outage(outage);
    }

    /// Forgets every token that it gave out.
    pub fn revoke_tokens(&self) {
        self.desk.revoke_tokens();
    }

    /// Decides the next reply about an order of this world, before chance does. Several are used up one
    /// after the other.
    pub fn push_reply(&self, order: &Id, reply: Reply) {
        self.desk.push_reply(order, reply);
    }

    /// Every event that was answered 200, once each.
    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        self.stage.write(|journal| journal.acknowledged())
    }

    /// Every question for an order, in the order in which they came, whatever was answered.
    pub fn asks(&self) -> Vec<Ask> {
        self.stage.write(|journal| journal.asks.clone())
    }

    /// The counts so far.
    pub fn stats(&self) -> Stats {
        self.stage.write(|journal| journal.stats.clone())
    }

    /// What was done to an order so far, in words.
    pub fn story(&self, order: &Id) -> Vec<(Duration, String)> {
        let now = self.stage.elapsed();
        self.stage.write(|journal| journal.story(order, now))
    }

    /// Stops both sides: what is being sent is dropped, what is being asked is answered.
    pub async fn shutdown(self) {
        self.stage.stop.cancel();
        self.tasks.wait().await;
    }
}

/// What a panic elsewhere left behind is still good enough to read.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
