//! Metrics of the running service: counts since its start or its last reload, times of last events, heartbeats of its workers.

mod secrets;
mod spans;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub use self::secrets::{SecretCount, SecretView, Secrets};
pub use self::spans::{AllSpans, Spans};

use serde::Serialize;
use strum::VariantArray;
use utoipa::ToSchema;

use crate::explain::explained_if_any;
use crate::redact::{self, Throttle};
use crate::store::{Accepted, Circuit, QuarantineReason};
use notifications::{CallbackRefusal, RefusedCallback};
use number_order::{FetchOutcome, Id, NoAnswer, Time};

/// Reason why a request on the callback listener was not answered 200.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    /// The source address is not allowed, or could not be determined.
    Source,
    /// No project has the path that was requested.
    Path,
    /// The request's method is not POST.
    Method,
    /// The request's body is too large.
    Size,
    /// The request's body is compressed.
    Encoding,
    /// The request's signature is missing or wrong.
    Signature,
    /// The request's body arrived too slowly, or broke off.
    Body,
    /// The store could not accept the callback.
    Store,
    /// The request was not HTTP, or its head was broken, too large or never complete.
    Http,
    /// The maximum number of connections was open already.
    Connections,
    /// The system could not hand a connection over, mostly because it has too few open files left.
    System,
}

impl Refusal {
    /// Returns the reason's code, as `/status`, `/metrics` and the log have it.
    pub fn code(self) -> &'static str {
        self.into()
    }
}

/// Counter of occurrences, with the time of the last one.
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

/// Number of occurrences since the start of the service or its last reload, and the time of the last one.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Count {
    /// Number of occurrences since the start of the service or its last reload.
    pub count: u64,
    /// Time of the last occurrence; `null` if there was none.
    pub last_at: Option<Time>,
}

/// State of the fetches of a project.
///
/// Only the texts are serialized. Its figures are declared in the list of figures, for `/status` and `/metrics` alike.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ApiView {
    /// Time at which the project's last fetch was recorded; `None` if there was none since the start or the last reload.
    #[serde(skip)]
    pub last_at: Option<Time>,
    /// `true` if Sinch answered the project's last fetch.
    #[serde(skip)]
    pub answered: Option<bool>,
    /// Outcome of the project's last fetch.
    #[serde(serialize_with = "explained_if_any")]
    #[schema(schema_with = crate::explain::coded_if_any::<FetchOutcome>)]
    pub outcome: Option<FetchOutcome>,
    /// Number of the project's fetches in a row without an answer, whosever fault that was: the last, and those before it.
    #[serde(skip)]
    pub unanswered: u32,
    /// Time at which the first of these fetches was recorded.
    #[serde(skip)]
    pub unanswered_since: Option<Time>,
    /// Number of the project's attempts in a row that failed through the provider.
    #[serde(skip)]
    pub failures: u32,
    /// Time since which the project's circuit has been open.
    #[serde(skip)]
    pub paused_since: Option<Time>,
    /// Time until which the project's circuit is open.
    #[serde(skip)]
    pub paused_until: Option<Time>,
    /// Reason why the project's circuit is open.
    #[serde(serialize_with = "explained_if_any")]
    #[schema(schema_with = crate::explain::coded_if_any::<NoAnswer>)]
    pub pause_reason: Option<NoAnswer>,
}

/// Metrics and heartbeats, shared by all parts of the service.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    reloaded_at: Option<Time>,
    draining: AtomicBool,
    spans: AllSpans,
    accepted: [Tally; 3],
    refused: [Tally; Refusal::VARIANTS.len()],
    timestamps_unreadable: Tally,
    timestamps_logged: Throttle<Id>,
    refusals_logged: Throttle<(Refusal, Option<IpAddr>)>,
    heard: Mutex<BTreeMap<Id, Time>>,
    callbacks_refused: Mutex<BTreeMap<(CallbackRefusal, Option<Id>), Time>>,
    quarantine_dropped: Mutex<BTreeMap<(Id, QuarantineReason), u64>>,
    sources_unexamined: AtomicU64,
    secrets: Secrets,
    api: Mutex<BTreeMap<Id, ApiView>>,
    workers: Mutex<BTreeMap<String, Worker>>,
    silence_max: Duration,
}

/// State of a worker, as its heartbeats and steps show it.
#[derive(Debug)]
struct Worker {
    /// Time of the worker's last heartbeat or step, successful or not.
    turned: Instant,
    /// Failures since the worker's last success, with the times of the first and the last; `None` if there were none.
    failing: Option<(Instant, Instant, Failing)>,
}

impl Worker {
    /// Returns `true` if there was no heartbeat or step for longer than `span`, or if more than `span` lies between the
    /// worker's first failure and its last.
    fn is_silent(&self, span: Duration) -> bool {
        let has_failed = |(first, last, _): &(Instant, Instant, Failing)| *last - *first > span;
        self.turned.elapsed() > span || self.failing.as_ref().is_some_and(has_failed)
    }
}

/// Failures of a worker since its last success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Failing {
    /// Error of the worker's last failure, in words.
    pub error: String,
    /// Time of the worker's first failure since its last success.
    pub since: Time,
    /// Number of failures since the worker's last success.
    pub times: u64,
}

/// Minimum interval between two log lines about similar refusals of one source, or about faults of one project's
/// callbacks.
const LOGGED_EVERY: Duration = Duration::from_secs(1);

/// Time without a heartbeat, or with failures only, after which a worker counts as dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);

impl Metrics {
    /// Returns the metrics of a service that has just started.
    pub fn new() -> Metrics {
        Metrics {
            started: Instant::now(),
            reloaded_at: None,
            draining: AtomicBool::new(false),
            spans: AllSpans::default(),
            accepted: Default::default(),
            refused: Default::default(),
            timestamps_unreadable: Tally::default(),
            timestamps_logged: Throttle::new(LOGGED_EVERY),
            refusals_logged: Throttle::new(LOGGED_EVERY),
            heard: Mutex::default(),
            callbacks_refused: Mutex::default(),
            quarantine_dropped: Mutex::default(),
            sources_unexamined: AtomicU64::new(0),
            secrets: Secrets::default(),
            api: Mutex::default(),
            workers: Mutex::default(),
            silence_max: SILENCE_MAX,
        }
    }

    /// Returns metrics that take a worker for dead after `silence_max`.
    #[cfg(test)]
    pub fn impatient(silence_max: Duration) -> Metrics {
        Metrics {
            silence_max,
            ..Metrics::new()
        }
    }

    /// Returns the metrics of a service that has been running since `started` and goes on with another configuration now:
    /// all that is counted is counted anew.
    pub fn after_reload(started: Instant, now: Time) -> Metrics {
        Metrics {
            started,
            reloaded_at: Some(now),
            ..Metrics::new()
        }
    }

    /// Returns the time for which the service has been running, through all reloads.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the time of the last reload; `None` if there was none.
    pub fn reloaded_at(&self) -> Option<Time> {
        self.reloaded_at
    }

    /// Returns the time from which on everything is counted: that of the start, or of the last reload.
    pub fn counted_since(&self, now: Time) -> Time {
        self.reloaded_at.unwrap_or_else(|| now.minus(self.uptime()))
    }

    /// Returns the histograms of how long things take.
    pub fn spans(&self) -> &AllSpans {
        &self.spans
    }

    /// Returns what is known of the secrets of callbacks.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Notes that the service shuts down, and accepts no more callbacks.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Returns `true` if the service is shutting down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Counts a callback of a project that was answered 200.
    pub fn accepted(&self, accepted: Accepted, project: &Id, now: Time) {
        self.accepted[accepted as usize].step(now);
        let mut heard = lock(&self.heard);
        match heard.get_mut(project) {
            Some(at) => *at = now,
            None => {
                heard.insert(project.clone(), now);
            }
        }
    }

    /// Returns the projects of which a callback was answered 200, each with the time of the last one.
    pub fn heard(&self) -> BTreeMap<Id, Time> {
        lock(&self.heard).clone()
    }

    /// Notes that a callback from an allowed address was refused though Sinch seems to have meant it for a project.
    pub fn callback_refused(&self, refusal: CallbackRefusal, project: Option<&Id>, now: Time) {
        lock(&self.callbacks_refused).insert((refusal, project.cloned()), now);
    }

    /// Returns the last of these callbacks for each reason and project.
    pub fn callbacks_refused(&self) -> Vec<RefusedCallback> {
        let refused = lock(&self.callbacks_refused);
        let each = refused
            .iter()
            .map(|((refusal, project), at)| RefusedCallback {
                refusal: *refusal,
                project: project.clone(),
                at: *at,
            });
        each.collect()
    }

    /// Counts a callback of a project that was refused, is perhaps genuine, and could not be kept.
    pub fn quarantine_dropped(&self, project: &Id, reason: QuarantineReason) {
        let mut dropped = lock(&self.quarantine_dropped);
        *dropped.entry((project.clone(), reason)).or_default() += 1;
    }

    /// Returns the number of these callbacks for a project and a reason.
    pub fn quarantine_drops(&self, project: &str, reason: QuarantineReason) -> u64 {
        let dropped = lock(&self.quarantine_dropped);
        let of_both =
            |(its, why): &&(Id, QuarantineReason)| its.as_str() == project && *why == reason;
        dropped
            .keys()
            .find(of_both)
            .and_then(|key| dropped.get(key))
            .copied()
            .unwrap_or(0)
    }

    /// Counts a request from a source that is not allowed, which was refused without an examination.
    pub fn source_unexamined(&self) {
        self.sources_unexamined.fetch_add(1, Relaxed);
    }

    /// Returns the number of these requests.
    pub fn sources_unexamined(&self) -> u64 {
        self.sources_unexamined.load(Relaxed)
    }

    /// Returns the time at which a callback of a project was last refused for its signature, if one was.
    pub fn signature_refused_at(&self, project: &Id) -> Option<Time> {
        let key = (CallbackRefusal::Signature, Some(project.clone()));
        lock(&self.callbacks_refused).get(&key).copied()
    }

    /// Counts a request that was not answered 200. Returns `Some` if it is worth a line in the log, with the number of
    /// similar requests that were left out before. Each source has one line a second for each reason, so that a noisy
    /// source hides no other.
    pub fn refused(&self, why: Refusal, source: Option<IpAddr>, now: Time) -> Option<u64> {
        self.refused[why as usize].step(now);
        let key = (why, source.map(sender_network));
        self.refusals_logged.pass(key, Instant::now())
    }

    /// Returns the number of lines that the log had to drop since the start.
    pub fn log_lines_dropped(&self) -> u64 {
        redact::lines_dropped()
    }

    /// Counts a callback whose time stamp is present and unreadable. Returns `Some` if it is worth a line in the log,
    /// with the number of the project's lines that were left out before.
    pub fn unreadable_timestamp(&self, project: &Id, now: Time) -> Option<u64> {
        self.timestamps_unreadable.step(now);
        self.timestamps_logged.pass(project.clone(), Instant::now())
    }

    /// Returns the count of callbacks whose time stamp is present and unreadable.
    pub fn timestamps_unreadable(&self) -> Count {
        self.timestamps_unreadable.read()
    }

    /// Returns the counts of callbacks answered 200: new, duplicate, and with a conflicting body.
    pub fn accepted_counts(&self) -> BTreeMap<&'static str, Count> {
        ["new", "duplicate", "conflict"]
            .into_iter()
            .zip(self.accepted.iter().map(Tally::read))
            .collect()
    }

    /// Returns the counts of requests not answered 200, by reason.
    pub fn refused_counts(&self) -> BTreeMap<Refusal, Count> {
        let reasons = Refusal::VARIANTS.iter().copied();
        reasons.zip(self.refused.iter().map(Tally::read)).collect()
    }

    /// Records the outcome of a project's fetch, which is the last one from now on.
    pub fn fetched(&self, project: &Id, at: Time, answered: bool, outcome: FetchOutcome) {
        let mut api = lock(&self.api);
        let view = api.entry(project.clone()).or_default();
        view.last_at = Some(at);
        view.answered = Some(answered);
        view.outcome = Some(outcome);
        if answered {
            view.unanswered = 0;
            view.unanswered_since = None;
        } else {
            view.unanswered = view.unanswered.saturating_add(1);
            view.unanswered_since.get_or_insert(at);
        }
    }

    /// Records the state of a project's circuit.
    pub fn circuit(&self, project: &Id, circuit: &Circuit) {
        let mut api = lock(&self.api);
        let view = api.entry(project.clone()).or_default();
        view.failures = circuit.failures;
        view.paused_since = circuit.paused_since;
        view.paused_until = circuit.paused.as_ref().map(|(until, _)| *until);
        view.pause_reason = circuit.paused.as_ref().map(|(_, reason)| reason.clone());
    }

    /// Returns the state of the fetches of each project.
    pub fn api_views(&self) -> BTreeMap<String, ApiView> {
        lock(&self.api)
            .iter()
            .map(|(project, view)| (project.to_string(), view.clone()))
            .collect()
    }

    /// Records the heartbeat of a worker that begins or has nothing to do. Its earlier failures are not forgotten.
    pub fn heartbeat(&self, worker: &str) {
        self.update_worker(worker, |_| {});
    }

    /// Records the outcome of a worker's step. Only a success clears the worker's failures.
    pub fn step<T, E: Display>(&self, worker: &str, outcome: &Result<T, E>, now: Time) {
        self.update_worker(worker, |known| {
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

    fn update_worker(&self, worker: &str, note: impl FnOnce(&mut Worker)) {
        let mut workers = lock(&self.workers);
        let turned = Instant::now();
        let known = workers.entry(worker.to_owned()).or_insert(Worker {
            turned,
            failing: None,
        });
        known.turned = turned;
        note(known);
    }

    /// Returns the workers, each with its failures since its last success.
    pub fn workers(&self) -> BTreeMap<String, Option<Failing>> {
        let failing = |known: &Worker| known.failing.as_ref().map(|(.., failing)| failing.clone());
        lock(&self.workers)
            .iter()
            .map(|(worker, known)| (worker.clone(), failing(known)))
            .collect()
    }

    /// Returns the workers that have given no heartbeat lately, or have only failed.
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

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

/// Returns the network that stands for the sender at an address: an IPv6 sender has a whole network of 64 bits to
/// itself.
pub fn sender_network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & (u128::MAX << 64)).into(),
    }
}

/// Locks a map. A panic elsewhere cannot leave the map half written.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use number_order::{Endpoint, Outcome, State};

    #[test]
    fn fetches_in_a_row_without_an_answer_are_counted_until_one_is_answered() {
        let metrics = Metrics::new();
        let project = Id::new("p1").expect("an id");
        let endpoint = Endpoint::Orders;
        let fails = FetchOutcome::NoAnswer(NoAnswer::TimedOut { endpoint });
        let shown = Outcome::FirstAnswer {
            state: State::Blocked,
        };
        let fetched = |secs, outcome: FetchOutcome| {
            let answered = matches!(outcome, FetchOutcome::Answer(_));
            metrics.fetched(&project, Time(secs), answered, outcome);
            let view = &metrics.api_views()["p1"];
            (view.unanswered, view.unanswered_since)
        };
        assert_eq!(fetched(1, fails.clone()), (1, Some(Time(1))));
        assert_eq!(fetched(2, fails.clone()), (2, Some(Time(1))));
        assert_eq!(fetched(3, FetchOutcome::Answer(shown)), (0, None));
        assert_eq!(fetched(4, fails), (1, Some(Time(4))));
    }

    #[test]
    fn a_reload_begins_the_counts_anew_and_not_the_time_of_running() {
        let started = Instant::now();
        let metrics = Metrics::after_reload(started, Time(9));
        assert_eq!(metrics.reloaded_at(), Some(Time(9)));
        assert_eq!(metrics.counted_since(Time(20)), Time(9));
        assert!(metrics.uptime() <= started.elapsed());
        let metrics = Metrics::new();
        assert_eq!(metrics.reloaded_at(), None);
        let now = Time(60_000_000);
        assert!(metrics.counted_since(now) <= now);
    }

    #[test]
    fn the_document_lists_every_reason_for_a_refusal_and_no_other() {
        let document = include_str!("../../docs/codes.md");
        let section = document.split("## Refusals of callbacks\n").nth(1);
        let rows = section.unwrap_or_default().lines();
        let rows = rows.filter_map(|line| line.strip_prefix("| `"));
        let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        let codes: Vec<&str> = Refusal::VARIANTS.iter().map(|why| why.code()).collect();
        assert_eq!(listed, codes);
    }
}
