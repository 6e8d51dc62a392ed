//! Callbacks of the projects: those answered 200, those whose time stamp cannot be read, and those for which the quarantine had
//! no room.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use super::count::{Count, Tally};
use super::{LOGGED_EVERY, Metrics, lock};
use crate::redact::Throttle;
use crate::store::{Accepted, QuarantineReason};
use number_order::{Id, Time};

/// What is counted of callbacks.
#[derive(Debug)]
pub(super) struct Callbacks {
    accepted: [Tally; 3],
    heard: Mutex<BTreeMap<Id, Time>>,
    timestamps_unreadable: Tally,
    timestamps_logged: Throttle<Id>,
    quarantine_dropped: Mutex<BTreeMap<(Id, QuarantineReason), u64>>,
}

impl Default for Callbacks {
    fn default() -> Callbacks {
        Callbacks {
            accepted: Default::default(),
            heard: Mutex::default(),
            timestamps_unreadable: Tally::default(),
            timestamps_logged: Throttle::new(LOGGED_EVERY),
            quarantine_dropped: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts a callback of a project that was answered 200.
    pub fn accepted(&self, accepted: Accepted, project: &Id, now: Time) {
        self.callbacks.accepted[accepted as usize].step(now);
        let mut heard = lock(&self.callbacks.heard);
        match heard.get_mut(project) {
            Some(at) => *at = now,
            None => {
                heard.insert(project.clone(), now);
            }
        }
    }

    /// Returns the counts of callbacks answered 200: new, duplicate, and with a conflicting body.
    pub fn accepted_counts(&self) -> BTreeMap<&'static str, Count> {
        ["new", "duplicate", "conflict"]
            .into_iter()
            .zip(self.callbacks.accepted.iter().map(Tally::read))
            .collect()
    }

    /// Returns the projects of which a callback was answered 200, each with the time of the last one.
    pub fn heard(&self) -> BTreeMap<Id, Time> {
        lock(&self.callbacks.heard).clone()
    }

    /// Counts a callback whose time stamp is present and unreadable. Returns `Some` if it is worth a line in the log,
    /// with the number of the project's lines that were left out before.
    pub fn unreadable_timestamp(&self, project: &Id, now: Time) -> Option<u64> {
        self.callbacks.timestamps_unreadable.step(now);
        self.callbacks
            .timestamps_logged
            .pass(project.clone(), Instant::now())
    }

    /// Returns the count of callbacks whose time stamp is present and unreadable.
    pub fn timestamps_unreadable(&self) -> Count {
        self.callbacks.timestamps_unreadable.read()
    }

    /// Counts a callback of a project that was refused, is perhaps genuine, and could not be kept.
    pub fn quarantine_dropped(&self, project: &Id, reason: QuarantineReason) {
        let mut dropped = lock(&self.callbacks.quarantine_dropped);
        *dropped.entry((project.clone(), reason)).or_default() += 1;
    }

    /// Returns the number of these callbacks for a project and a reason.
    pub fn quarantine_drops(&self, project: &str, reason: QuarantineReason) -> u64 {
        let dropped = lock(&self.callbacks.quarantine_dropped);
        let of_both =
            |(its, why): &&(Id, QuarantineReason)| its.as_str() == project && *why == reason;
        dropped
            .keys()
            .find(of_both)
            .and_then(|key| dropped.get(key))
            .copied()
            .unwrap_or(0)
    }
}
