//! Requests on the callback listener that were not answered 200, and the reasons.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use strum::VariantArray;

use super::count::{Count, Tally};
use super::{LOGGED_EVERY, Metrics, lock};
use crate::redact::Throttle;
use notifications::{CallbackRefusal, RefusedCallback};
use number_order::{Id, Time};

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

/// What is counted of refusals.
#[derive(Debug)]
pub(super) struct Refusals {
    counts: [Tally; Refusal::VARIANTS.len()],
    logged: Throttle<(Refusal, Option<IpAddr>)>,
    of_callbacks: Mutex<BTreeMap<(CallbackRefusal, Option<Id>), Time>>,
    sources_unexamined: AtomicU64,
}

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals {
            counts: Default::default(),
            logged: Throttle::new(LOGGED_EVERY),
            of_callbacks: Mutex::default(),
            sources_unexamined: AtomicU64::new(0),
        }
    }
}

impl Metrics {
    /// Counts a request that was not answered 200. Returns `Some` if it is worth a line in the log, with the number of
    /// similar requests that were left out before. Each source has one line a second for each reason, so that a noisy
    /// source hides no other.
    pub fn refused(&self, why: Refusal, source: Option<IpAddr>, now: Time) -> Option<u64> {
        self.refusals.counts[why as usize].step(now);
        let key = (why, source.map(sender_network));
        self.refusals.logged.pass(key, Instant::now())
    }

    /// Returns the counts of requests not answered 200, by reason.
    pub fn refused_counts(&self) -> BTreeMap<Refusal, Count> {
        let reasons = Refusal::VARIANTS.iter().copied();
        reasons
            .zip(self.refusals.counts.iter().map(Tally::read))
            .collect()
    }

    /// Notes that a callback from an allowed address was refused though Sinch seems to have meant it for a project.
    pub fn callback_refused(&self, refusal: CallbackRefusal, project: Option<&Id>, now: Time) {
        lock(&self.refusals.of_callbacks).insert((refusal, project.cloned()), now);
    }

    /// Returns the last of these callbacks for each reason and project.
    pub fn callbacks_refused(&self) -> Vec<RefusedCallback> {
        let refused = lock(&self.refusals.of_callbacks);
        let each = refused
            .iter()
            .map(|((refusal, project), at)| RefusedCallback {
                refusal: *refusal,
                project: project.clone(),
                at: *at,
            });
        each.collect()
    }

    /// Returns the time at which a callback of a project was last refused for its signature, if one was.
    pub fn signature_refused_at(&self, project: &Id) -> Option<Time> {
        let key = (CallbackRefusal::Signature, Some(project.clone()));
        lock(&self.refusals.of_callbacks).get(&key).copied()
    }

    /// Counts a request from a source that is not allowed, which was refused without an examination.
    pub fn source_unexamined(&self) {
        self.refusals.sources_unexamined.fetch_add(1, Relaxed);
    }

    /// Returns the number of these requests.
    pub fn sources_unexamined(&self) -> u64 {
        self.refusals.sources_unexamined.load(Relaxed)
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

#[cfg(test)]
mod tests {
    use super::*;

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
