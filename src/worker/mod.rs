//! Background workers: they process pending deliveries, fetch the orders that are due from Sinch, raise alerts, and
//! prune what has been kept for long enough.
//!
//! The database links them. The wake-up inside the process is a hint and the poll is the guarantee, so a lost wake-up
//! or a crash costs a moment and nothing else.

mod alerts;
mod blame;
mod circuit;
mod fetch;
mod inbox;
mod limits;
mod rate_limit;
mod recorder;
mod retention;
mod scheduler;
mod signal;
#[cfg(test)]
mod tests;

pub use alerts::AlertWorker;
pub use fetch::Fetcher;
pub use inbox::InboxWorker;
pub use retention::RetentionWorker;

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::clock;
use crate::metrics::Metrics;
use crate::redact::{Throttle, redacted};
use crate::store::StoreError;
use number_order::OrderKey;

/// Maximum time for which a worker waits for work without a wake-up.
const POLL: Duration = Duration::from_secs(1);

/// Pause of a worker after the store has failed to do as asked.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Records the outcome of a worker's step where operators see it. Returns `None` if the store did not do as asked and a
/// retry after a pause makes sense.
///
/// # Errors
///
/// Returns the error if the process must stop.
fn step<T>(
    metrics: &Metrics,
    worker: &str,
    outcome: Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    metrics.step(worker, &outcome, clock::now());
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(error) => retryable(error).map(|()| None),
    }
}

/// Returns `Ok` for an error of the store after which a retry makes sense, and the error itself if the process must
/// stop.
fn retryable(error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Locked
        | StoreError::Full
        | StoreError::LittleSpace { .. }
        | StoreError::Overloaded
        | StoreError::Unread(_)
        | StoreError::Rejected(_) => {
            tell(&error);
            Ok(())
        }
        StoreError::Broken(_) | StoreError::Closed => Err(error),
    }
}

/// Minimum interval between two log lines that report the same failure of the store.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Failures that the log has reported. Every worker retries each second, for as long as the failure lasts.
static TOLD: LazyLock<Throttle<String>> = LazyLock::new(|| Throttle::new(TOLD_EVERY));

fn tell(error: &StoreError) {
    let reason = match error {
        // The free space is another number each time.
        StoreError::LittleSpace { .. } => "little space".to_owned(),
        other => other.to_string(),
    };
    if let Some(left_out) = TOLD.pass(reason, Instant::now()) {
        tracing::error!(%error, left_out, "the store refused a write; trying again");
    }
}

/// Returns an order's id as the log shows it. Some events give a telephone number where the id should be.
fn logged_id(key: &OrderKey) -> Cow<'_, str> {
    redacted(key.order.as_str())
}
