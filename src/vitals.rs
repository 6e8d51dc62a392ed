//! What the running service knows of itself: counts since its start, last sightings, signs of life.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::logged::{self, Throttle};
use crate::order::{Id, Time};
use crate::store::{Accepted, Gate};

/// Why a request on the callback listener was not answered 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The source address is not allowed, or could not be made out.
    Source,
    /// No project has this path.
    Path,
    /// Only POST is taken.
    Method,
    /// The body is too large.
    Size,
    /// The body is compressed.
    Encoding,
    /// The signature is missing or wrong.
    Signature,
    /// The body came too slowly, or broke off.
    Body,
    /// The store could not take it.
    Store,
    /// It was no HTTP, or its head was broken, too large or never came to an end.
    Http,
    /// As many connections as may be were open already.
    Place,
    /// The system could not hand a connection over, mostly for want of open files.
    System,
}

impl Refusal {
    const ALL: [Refusal; 11] = [
        Refusal::Source,
        Refusal::Path,
        Refusal::Method,
        Refusal::Size,
        Refusal::Encoding,
        Refusal::Signature,
        Refusal::Body,
        Refusal::Store,
        Refusal::Http,
        Refusal::Place,
        Refusal::System,
    ];

    /// The code of this reason, as the log has it.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Source => "source",
            Refusal::Path => "path",
            Refusal::Method => "method",
            Refusal::Size => "size",
            Refusal::Encoding => "encoding",
            Refusal::Signature => "signature",
            Refusal::Body => "body",
            Refusal::Store => "store",
            Refusal::Http => "http",
            Refusal::Place => "place",
            Refusal::System => "system",
        }
    }
}

/// A counter with the time of its last step.
#[derive(Debug, Default)]
struct Tally {
    count: AtomicU64,
    last_at: AtomicI64,
}

impl Tally {
    fn step(&self, now: Time) {
        self.count.fetch_add(1, Relaxed);
        self.last_at.store(now.0, Relaxed);
    }

    fn read(&self) -> Count {
        let count = self.count.load(Relaxed);
        Count {
            count,
            last_at: (count > 0).then(|| Time(self.last_at.load(Relaxed))),
        }
    }
}

/// How often something happened since the start, and when last.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Count {
    /// How often.
    pub count: u64,
    /// When last; `null`: never.
    pub last_at: Option<Time>,
}

/// How asking for a project goes.
///
/// Only its words are serialized: its figures are declared in the list of figures, for `/status` and `/metrics` alike.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ApiView {
    /// When the last question was settled; `None`: none since the start.
    #[serde(skip)]
    pub last_at: Option<Time>,
    /// Whether Sinch answered it.
    #[serde(skip)]
    pub answered: Option<bool>,
    /// What it came to, in words.
    pub outcome: Option<String>,
    /// Tries in a row that failed through the provider.
    #[serde(skip)]
    pub failures: u32,
    /// Until when nobody asks.
    #[serde(skip)]
    pub paused_until: Option<Time>,
    /// Why.
    pub pause_reason: Option<String>,
}

/// Signs of life, shared by everything that runs.
#[derive(Debug)]
pub struct Vitals {
    started: Instant,
    draining: AtomicBool,
    accepted: [Tally; 3],
    refused: [Tally; Refusal::ALL.len()],
    timestamps_unreadable: Tally,
    timestamps_logged: Throttle<Id>,
    refusals_logged: Throttle<(Refusal, Option<IpAddr>)>,
    api: Mutex<BTreeMap<Id, ApiView>>,
    workers: Mutex<BTreeMap<String, Worker>>,
    silence_max: Duration,
}

/// What is known of a worker.
#[derive(Debug)]
struct Worker {
    /// When it last went round, whatever came of that.
    turned: Instant,
    /// What has failed since it last got on, and when for the first and last time; `None`: nothing.
    failing: Option<(Instant, Instant, Failing)>,
}

impl Worker {
    /// Whether it shows nothing, or has got nowhere from its first failure to its last, for so long.
    fn is_silent(&self, span: Duration) -> bool {
        let has_failed = |(first, last, _): &(Instant, Instant, Failing)| *last - *first > span;
        self.turned.elapsed() > span || self.failing.as_ref().is_some_and(has_failed)
    }
}

/// A worker's failures since it last got on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// The last one, in words.
    pub error: String,
    /// When the first one was.
    pub since: Time,
    /// How many there were.
    pub times: u64,
}

/// How often like refusals of one source are logged, and like faults of one project's callbacks.
const LOGGED_EVERY: Duration = Duration::from_secs(1);

/// A worker that has not shown itself, or has only failed, for this long is taken for dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);

impl Vitals {
    /// A service that has just started.
    pub fn new() -> Vitals {
        Vitals {
            started: Instant::now(),
            draining: AtomicBool::new(false),
            accepted: Default::default(),
            refused: Default::default(),
            timestamps_unreadable: Tally::default(),
            timestamps_logged: Throttle::new(LOGGED_EVERY),
            refusals_logged: Throttle::new(LOGGED_EVERY),
            api: Mutex::default(),
            workers: Mutex::default(),
            silence_max: SILENCE_MAX,
        }
    }

    /// … in which a worker is taken for dead sooner.
    #[cfg(test)]
    pub fn impatient(silence_max: Duration) -> Vitals {
        Vitals {
            silence_max,
            ..Vitals::new()
        }
    }

    /// For how long the service has been running.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Says that no more callbacks are taken.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether the service is on its way out.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Counts a callback that was answered 200.
    pub fn accepted(&self, accepted: Accepted, now: Time) {
        self.accepted[accepted as usize].step(now);
    }

    /// Counts a request that was not. Says whether it is worth a line in the log, and then how many like it were left
    /// out before: each source has one line a second for each reason, so that a noisy one hides no other.
    pub fn refused(&self, why: Refusal, source: Option<IpAddr>, now: Time) -> Option<u64> {
        self.refused[why as usize].step(now);
        let key = (why, source.map(network));
        self.refusals_logged.pass(key, Instant::now())
    }

    /// Number of lines that the log had to drop since the start.
    pub fn log_lines_dropped(&self) -> u64 {
        logged::lines_dropped()
    }

    /// Counts a callback whose time stamp is there and unreadable. Says whether it is worth a line in the log, and then
    /// how many of its project's were left out before.
    pub fn unreadable_timestamp(&self, project: &Id, now: Time) -> Option<u64> {
        self.timestamps_unreadable.step(now);
        self.timestamps_logged.pass(project.clone(), Instant::now())
    }

    /// Callbacks whose time stamp is there and unreadable.
    pub fn timestamps_unreadable(&self) -> Count {
        self.timestamps_unreadable.read()
    }

    /// Callbacks answered 200: new, repeated, and with a conflicting body.
    pub fn accepted_counts(&self) -> BTreeMap<&'static str, Count> {
        ["new", "repeat", "conflict"]
            .into_iter()
            .zip(self.accepted.iter().map(Tally::read))
            .collect()
    }

    /// Requests not answered 200, by reason.
    pub fn refused_counts(&self) -> BTreeMap<Refusal, Count> {
        Refusal::ALL
            .into_iter()
            .zip(self.refused.iter().map(Tally::read))
            .collect()
    }

    /// Notes what the last question for a project came to.
    pub fn asked(&self, project: &Id, at: Time, answered: bool, outcome: String) {
        let mut api = lock(&self.api);
        let view = api.entry(project.clone()).or_default();
        view.last_at = Some(at);
        view.answered = Some(answered);
        view.outcome = Some(outcome);
    }

    /// Notes how a project's gate stands.
    pub fn gate(&self, project: &Id, gate: &Gate) {
        let mut api = lock(&self.api);
        let view = api.entry(project.clone()).or_default();
        view.failures = gate.failures;
        view.paused_until = gate.paused.as_ref().map(|(until, _)| *until);
        view.pause_reason = gate.paused.as_ref().map(|(_, reason)| reason.clone());
    }

    /// How asking goes, by project.
    pub fn api_views(&self) -> BTreeMap<String, ApiView> {
        lock(&self.api)
            .iter()
            .map(|(project, view)| (project.to_string(), view.clone()))
            .collect()
    }

    /// A worker shows that it goes round: it begins, or has nothing to do. That it failed before is not forgotten.
    pub fn beat(&self, worker: &str) {
        self.turned(worker, |_| {});
    }

    /// Notes what came of a worker's step: only success says that it gets on.
    pub fn step<T, E: Display>(&self, worker: &str, outcome: &Result<T, E>, now: Time) {
        self.turned(worker, |known| {
            let Err(error) = outcome else {
                known.failing = None;
                return;
            };
            let first = || (known.turned, known.turned, Failing::begin(now));
            let (_, last, failing) = known.failing.get_or_insert_with(first);
            *last = known.turned;
            failing.error = error.to_string();
            failing.times += 1;
        });
    }

    fn turned(&self, worker: &str, note: impl FnOnce(&mut Worker)) {
        let mut workers = lock(&self.workers);
        let turned = Instant::now();
        let known = workers.entry(worker.to_owned()).or_insert(Worker {
            turned,
            failing: None,
        });
        known.turned = turned;
        note(known);
    }

    /// The workers, each with what has failed since it last got on.
    pub fn workers(&self) -> BTreeMap<String, Option<Failing>> {
        let failing = |known: &Worker| known.failing.as_ref().map(|(.., failing)| failing.clone());
        lock(&self.workers)
            .iter()
            .map(|(worker, known)| (worker.clone(), failing(known)))
            .collect()
    }

    /// The workers that have not shown themselves lately, or have done nothing but fail.
    pub fn silent_workers(&self) -> Vec<String> {
        lock(&self.workers)
            .iter()
            .filter(|(_, known)| known.is_silent(self.silence_max))
            .map(|(worker, _)| worker.clone())
            .collect()
    }
}

impl Failing {
    fn begin(since: Time) -> Failing {
        Failing {
            error: String::new(),
            since,
            times: 0,
        }
    }
}

impl Default for Vitals {
    fn default() -> Vitals {
        Vitals::new()
    }
}

/// The sender that an address speaks for: an IPv6 sender has a whole network of 64 bits to itself.
fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & (u128::MAX << 64)).into(),
    }
}

/// A panic elsewhere cannot leave these maps half written.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
