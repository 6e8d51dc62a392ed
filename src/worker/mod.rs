//! Background workers: they process pending deliveries, fetch the orders that are due from Sinch, raise alerts, and
//! prune what has been kept for long enough.
//!
//! The database links them. The wake-up inside the process is a hint and the poll is the guarantee, so a lost wake-up
//! or a crash costs a moment and nothing else.

mod alerts;
mod fetch;
mod frame;
mod inbox;
mod retention;
#[cfg(test)]
mod tests;

pub use alerts::AlertWorker;
pub use fetch::Fetcher;
pub use frame::{Worker, run};
pub use inbox::InboxWorker;
pub use retention::RetentionWorker;

use std::borrow::Cow;

use crate::redact::redacted;
use number_order::OrderKey;

/// Returns an order's id as the log shows it. Some events give a telephone number where the id should be.
fn logged_id(key: &OrderKey) -> Cow<'_, str> {
    redacted(key.order.as_str())
}
