//! Types that cross the store's face. They speak of orders and deliveries, and of no database.

mod circuit;
mod claim;
mod removal;
mod retention;
mod summary;
mod unreadable;

pub use circuit::Circuit;
pub use claim::{Claim, ClaimOrder, ClaimRequest};
pub use removal::{Forgot, Holdings};
pub use retention::{Pruned, RetentionPeriods};
pub use summary::{Convergence, Standing, StateCount, Summary};
pub use unreadable::UnreadableRow;

/// Result of accepting a delivery; in every case it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The delivery is new.
    New,
    /// The same event was there already and has been counted again.
    Duplicate,
    /// The same event was there with another body; both are kept.
    Conflict,
}
