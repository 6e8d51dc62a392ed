//! Background workers: they process pending deliveries, fetch the orders that are due from Sinch and then their numbers,
//! raise alerts, tell other systems what has changed, and prune what has been kept for long enough.
//!
//! The workers work together only through the database. A wake-up is a hint, and a poll is the guarantee, so a lost
//! wake-up or a crash costs a moment and nothing else.

mod alerts;
mod fetch;
mod frame;
mod gather;
mod inbox;
mod notify;
mod numbers;
mod quarantine;
mod retention;
mod rhythm;
mod secrets;
mod service_alerts;
#[cfg(test)]
mod tests;
mod traced;

pub use alerts::AlertWorker;
pub use fetch::Fetcher;
pub use frame::{Worker, run};
pub use inbox::InboxWorker;
pub use notify::{Command, Endpoint, EndpointError, JudgedAddress, Receiver, Sender, TargetFault};
pub use numbers::NumberWorker;
pub use quarantine::QuarantineWorker;
pub use retention::RetentionWorker;
pub use secrets::SecretWorker;
pub use service_alerts::ServiceAlertWorker;

use std::borrow::Cow;

use crate::redact::redacted;
use number_order::OrderKey;

/// Returns an order's id as the log shows it. Some events have a telephone number in place of the id.
fn logged_id(key: &OrderKey) -> Cow<'_, str> {
    redacted(key.order.as_str())
}
