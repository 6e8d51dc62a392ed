//! Claims of orders that are due for a fetch.

use std::sync::Arc;
use std::time::Duration;

use number_order::{Id, OrderKey, Time};

/// Number and kind of the orders to lease.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// Project of the orders.
    pub project: Id,
    /// Maximum number of orders, as far as the rate allows so many.
    pub orders_max: u32,
    /// Maximum rate of the project's fetches.
    pub rate: Rate,
    /// Order in which due orders are claimed.
    pub claim_order: ClaimOrder,
    /// Orders that [`ClaimOrder::Isolated`] claims, and no other claim order does.
    pub isolated: Arc<[Id]>,
    /// Time of the claim.
    pub now: Time,
    /// Duration of the lease, after which another worker may claim the orders.
    pub lease: Duration,
}

/// Rate of fetches: one each interval, and after a pause as many at once as the burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Time between two fetches, a microsecond at least.
    pub interval: Duration,
    /// Maximum number of fetches at once, one at least.
    pub burst: u32,
}

/// Result of a claim.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// The rate allows no fetch before the given time.
    NotBefore(Time),
    /// Orders were leased; the list is empty if none is due.
    Leased {
        /// Leased orders.
        claims: Vec<Claim>,
        /// Number of orders that the rate allowed. It counts only those that were leased as fetched.
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
    /// Row of the order.
    pub(in crate::store) order_id: i64,
    /// Fencing token: it keeps out a holder whose lease has run out.
    pub(in crate::store) lease: i64,
    /// Key of the order.
    pub key: OrderKey,
    /// Attempts without an answer, this one included.
    pub attempts: u32,
}
