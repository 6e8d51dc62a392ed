//! Heartbeats and steps of the workers, by which a dead one is known.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Serialize;
use utoipa::ToSchema;

use super::{Metrics, lock};
use number_order::Time;

/// Time without a heartbeat, or with failures only, after which a worker counts as dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// State of all workers, by their names.
#[derive(Debug)]
pub(super) struct Workers {
    each: Mutex<BTreeMap<String, Worker>>,
    silence_max: Duration,
}

impl Workers {
    /// Returns no workers yet. One counts as dead after `silence_max`.
    pub(super) fn judged_after(silence_max: Duration) -> Workers {
        Workers {
            each: Mutex::default(),
            silence_max,
        }
    }
}

impl Default for Workers {
    fn default() -> Workers {
        Workers::judged_after(SILENCE_MAX)
    }
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

impl Failing {
    fn begin(since: Time) -> Failing {
        Failing {
            error: String::new(),
            since,
            times: 0,
        }
    }
}

impl Metrics {
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
        let mut workers = lock(&self.workers.each);
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
        lock(&self.workers.each)
            .iter()
            .map(|(worker, known)| (worker.clone(), failing(known)))
            .collect()
    }

    /// Returns the workers that have given no heartbeat lately, or have only failed.
    pub fn silent_workers(&self) -> Vec<String> {
        lock(&self.workers.each)
            .iter()
            .filter(|(_, known)| known.is_silent(self.workers.silence_max))
            .map(|(worker, _)| worker.clone())
            .collect()
    }
}
