//! Following of a number from its order's completion until it is ready: when it is fetched, and what each fetch
//! changes. Pure.
//!
//! As for orders, an event is a hint: it makes the number due, and only an answer to a fetch shows its readiness.

use std::time::Duration;

use super::{Backoff, Endpoint, Failure, Link, NoAnswer, OrderedLink, Policy, Readiness, Time};

/// Minimum time between two fetches of a number that is not ready. It is the time between the first two.
const PAUSE_MIN: Duration = Duration::from_secs(5);

/// Maximum time between two fetches of a number that is not ready, until it is late.
const PAUSE_MAX: Duration = Duration::from_secs(6 * 3600);

/// Time after which a number that is not ready is late. The links of most numbers take minutes, so an operator should
/// look at one that takes days. (Our choice: Sinch names no time.)
pub const LATE_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);

/// Time between two fetches of a number that is late.
const PAUSE_LATE: Duration = Duration::from_secs(24 * 3600);

/// Time after which a number that is not ready is fetched no more by schedule.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);

/// All that is known of a number that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Following {
    /// Time from which the number is followed: when the service learned that the order is COMPLETED.
    pub since: Time,
    /// Readiness that Sinch last showed; `None` until the first answer.
    pub readiness: Option<Readiness>,
    /// Time of the fetch that first showed this readiness.
    pub readiness_since: Option<Time>,
    /// Time of the fetch that first showed the number ready. It stays, whatever becomes of the number.
    pub ready_at: Option<Time>,
    /// Time at which the last fetch was sent, with or without an answer.
    pub fetched_at: Option<Time>,
    /// Time at which the next fetch is due; `None`: the number is ready, or given up.
    pub fetch_at: Option<Time>,
    /// Number of attempts in a row without a usable answer.
    pub attempts: u32,
    /// Reason why the last attempt brought no usable answer; `None` if it did.
    pub failure: Option<NoAnswer>,
    /// Time at which the service received the latest event about the number; `None` once an answer is sure to include
    /// what the event says.
    pub hinted_at: Option<Time>,
}

/// A fetch of a number, with what came of it.
#[derive(Clone, Debug)]
pub struct NumberFetch<'a> {
    /// Time at which the fetch was sent.
    pub sent_at: Time,
    /// Links that the answer shows, `None` if the number is not active; or the reason why there was no usable answer.
    pub result: Result<Option<&'a [Link]>, &'a Failure>,
    /// Time at which the fetch is recorded.
    pub now: Time,
    /// Random number from 0 to 1, which spreads retries.
    pub jitter: f64,
}

impl Following {
    /// Begins to follow a number whose order has just been found to be COMPLETED: its first fetch is due at once.
    pub fn begin(now: Time) -> Following {
        Following {
            since: now,
            readiness: None,
            readiness_since: None,
            ready_at: None,
            fetched_at: None,
            fetch_at: Some(now),
            attempts: 0,
            failure: None,
            hinted_at: None,
        }
    }

    /// Records that an event named the number: it is due at once, though not within the cooldown after a fetch. An
    /// event never shortens a back-off.
    pub fn note_event(&mut self, heard_at: Time, now: Time, policy: &Policy) {
        self.hinted_at = self.hinted_at.max(Some(heard_at));
        if self.attempts > 0 && self.fetch_at.is_some() {
            return;
        }
        let rested_at = self.fetched_at.map(|at| at.plus(policy.cooldown));
        let due_at = rested_at.map_or(now, |at| at.max(now));
        self.fetch_at = Some(self.fetch_at.map_or(due_at, |at| at.min(due_at)));
    }

    /// Records a fetch that an operator requests: the number is due at once.
    pub fn request_fetch(&mut self, now: Time) {
        self.hinted_at = self.hinted_at.max(Some(now));
        (self.attempts, self.failure) = (0, None);
        self.fetch_at = Some(now);
    }

    /// Returns what is known of the number after a fetch. `ordered` are the links that its order asked for.
    #[must_use]
    pub fn fetched(
        &self,
        fetch: &NumberFetch<'_>,
        ordered: &[OrderedLink],
        policy: &Policy,
        backoff: &Backoff,
    ) -> Following {
        let mut next = self.clone();
        next.fetched_at = Some(fetch.sent_at);
        match fetch.result {
            Ok(shown) => next.answered(Readiness::of(ordered, shown), fetch.sent_at, policy),
            Err(failure) => next.failed(failure, fetch, backoff),
        }
        next
    }

    fn answered(&mut self, readiness: Readiness, sent_at: Time, policy: &Policy) {
        if readiness == Readiness::Ready && self.ready_at.is_none() {
            self.ready_at = Some(sent_at);
        }
        if self.readiness.as_ref() != Some(&readiness) {
            self.readiness_since = Some(sent_at);
            self.readiness = Some(readiness);
        }
        (self.attempts, self.failure) = (0, None);
        let is_included = |heard_at: &Time| sent_at >= policy.settles_at(*heard_at);
        self.hinted_at.take_if(|heard_at| is_included(heard_at));
        let hinted_at = self.hinted_at.map(|heard_at| {
            // What an event says that came during the fetch may be shown already, so the next fetch is not put off.
            let shows_at = if sent_at < heard_at {
                heard_at
            } else {
                policy.settles_at(heard_at)
            };
            shows_at.max(sent_at.plus(policy.cooldown))
        });
        let scheduled_at = self.pause(sent_at).map(|pause| sent_at.plus(pause));
        let is_ready = self.readiness == Some(Readiness::Ready);
        let scheduled_at = scheduled_at.filter(|_| !is_ready);
        self.fetch_at = match (hinted_at, scheduled_at) {
            (Some(hinted), Some(scheduled)) => Some(hinted.min(scheduled)),
            (hinted, scheduled) => hinted.or(scheduled),
        };
    }

    /// Records an attempt without a usable answer. If the number itself seems to be the cause, the next fetch waits at
    /// least for the scheduled pause.
    fn failed(&mut self, failure: &Failure, fetch: &NumberFetch<'_>, backoff: &Backoff) {
        self.attempts = self.attempts.saturating_add(1);
        self.failure = Some(failure.reason.clone());
        let wait = backoff.wait(self.attempts, failure.wait_min, fetch.jitter);
        let is_own = matches!(
            failure.reason,
            NoAnswer::UnusableAnswer {
                endpoint: Endpoint::Numbers,
                ..
            }
        );
        let wait = if is_own {
            self.pause(fetch.sent_at).map(|pause| wait.max(pause))
        } else {
            Some(wait)
        };
        self.fetch_at = wait.map(|wait| fetch.now.plus(wait));
    }

    /// Returns the pause that the schedule makes after a fetch; `None` once the number is given up. The pause grows
    /// with the time since completion, since a number that has not been ready for long will hardly be ready soon.
    fn pause(&self, sent_at: Time) -> Option<Duration> {
        let age = sent_at.since(self.since);
        if age >= GIVEN_UP_AFTER {
            None
        } else if age >= LATE_AFTER {
            Some(PAUSE_LATE)
        } else {
            Some((age / 2).clamp(PAUSE_MIN, PAUSE_MAX))
        }
    }

    /// Returns `true` if the number is not known to be ready, and its last fetch came [`LATE_AFTER`] or more after its
    /// order's completion.
    pub fn is_late(&self) -> bool {
        let age = self.fetched_at.map(|at| at.since(self.since));
        let is_ready = self.readiness == Some(Readiness::Ready);
        !is_ready && age.is_some_and(|age| age >= LATE_AFTER)
    }
}
