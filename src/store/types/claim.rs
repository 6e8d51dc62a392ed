//! Claims of orders that are due for a fetch.

use std::sync::Arc;
use std::time::Duration;

use number_order::{Id, OrderKey, Time};

/// Number and kind of the orders to lease.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// Project of the orders.
    pub project: Id,
    /// Maximum number of orders.
    pub orders_max: u32,
    /// Order in which due orders are claimed.
    pub claim_order: ClaimOrder,
    /// Orders that [`ClaimOrder::Isolated`] claims, and no other claim order does.
    pub isolated: Arc<[Id]>,
    /// Time of the claim.
    pub now: Time,
    /// Duration of the lease, in case its holder vanishes.
    pub lease: Duration,
}

/// Order in which due orders are claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOrder {
    /// Highest priority first; the places left over go to the orders that have waited longest.
    Urgent,
    /// Longest waiting first.
    Oldest,
    /// Random order: the trouble of one order must not stand for all orders that were named along with it.
    Chance,
    /// Isolated orders, longest waiting first.
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
