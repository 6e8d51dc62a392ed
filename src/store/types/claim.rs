//! Claims of orders that are due for a fetch.

use std::sync::Arc;
use std::time::Duration;

use number_order::{Id, OrderKey, Time};

/// Request to lease due orders, by their number and kind.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// Project of the orders to lease.
    pub project: Id,
    /// Maximum number of orders to lease, as far as the rate allows.
    pub orders_max: u32,
    /// Maximum rate of the project's fetches.
    pub rate: Rate,
    /// Order in which due orders are claimed.
    pub claim_order: ClaimOrder,
    /// Isolated orders, which only [`ClaimOrder::Isolated`] claims.
    pub isolated: Arc<[Id]>,
    /// Time until which the project's circuit is open, as the claimer knows it; `None`: it is closed. Where several
    /// processes share the circuit, nothing is leased to one that does not know of a change, and one order at a time to
    /// all of them together while the circuit is not closed.
    pub known_pause: Option<Time>,
    /// Time of the claim.
    pub now: Time,
    /// Duration of the lease, after which another worker may claim the orders.
    pub lease: Duration,
}

/// Rate of fetches: one each interval, and after a pause as many at once as the burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Time between two fetches of the project, a microsecond at least.
    pub interval: Duration,
    /// Maximum number of fetches at once after a pause, one at least.
    pub burst: u32,
}

impl Rate {
    /// Returns the rate of this many fetches a second as an average over time, with room to catch up after a pause of a
    /// tenth of a second.
    pub fn per_second(requests: f64) -> Rate {
        // The interval is in whole microseconds, rounded up, so that the rate is never exceeded.
        let interval_us = (1e6 / requests.max(1e-3)).ceil().max(1.0);
        Rate {
            interval: Duration::from_micros(interval_us as u64),
            burst: Rate::in_a_tenth(requests).max(1),
        }
    }

    /// Returns the number of fetches that a rate allows in a tenth of a second.
    pub fn in_a_tenth(requests_per_second: f64) -> u32 {
        (requests_per_second / 10.0) as u32
    }
}

impl Rate {
    /// Returns the number of requests that may be sent now, `wanted` at most, and the time from which they are counted.
    /// `next_at` is the time from which the next one counts: after a pause it lies in the past, and the requests missed
    /// since then, up to the burst, may be caught up on.
    pub(in crate::store) fn allowed(&self, next_at: Time, wanted: u32, now: Time) -> (u32, Time) {
        let burst = self.interval * self.burst;
        let earliest = now.minus(burst);
        // The clocks of processes differ a little. A time that lies further ahead was computed before the clock was set back.
        let from = if next_at > now.plus(burst) {
            earliest
        } else {
            next_at.max(earliest)
        };
        let passed = now.since(from).as_micros() / self.interval.as_micros().max(1);
        let allowed = u32::try_from(passed).unwrap_or(u32::MAX);
        (allowed.min(wanted), from)
    }
}

/// Result of a claim of due orders.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// The rate allows no fetch before the given time.
    NotBefore(Time),
    /// Orders were leased; the list is empty if none is due.
    Leased {
        /// Orders that were leased to the caller.
        claims: Vec<Claim>,
        /// Number of orders that the rate allowed. Only those that were leased count against the rate.
        allowed: u32,
    },
}

impl Claimed {
    /// Returns the leased orders.
    pub fn claims(self) -> Vec<Claim> {
        match self {
            Claimed::NotBefore(_) => Vec::new(),
            Claimed::Leased { claims, .. } => claims,
        }
    }
}

/// Order in which due orders are claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOrder {
    /// Orders of the highest priority come first; the places left over go to the orders that have waited longest.
    Urgent,
    /// Orders that have waited longest come first.
    Oldest,
    /// Due orders are claimed in random order: the failures of one order must not be taken for those of all orders that
    /// were named along with it.
    Chance,
    /// Isolated orders, of which those that have waited longest come first.
    Isolated,
}

/// An order that is leased to the caller, who must fetch it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Row of the leased order.
    pub(in crate::store) order_id: i64,
    /// Fencing token of the lease: it keeps out a holder whose lease has run out.
    pub(in crate::store) lease: i64,
    /// Key of the leased order: its project and its id.
    pub key: OrderKey,
    /// Number of the order's attempts without an answer, this one included.
    pub attempts: u32,
}
