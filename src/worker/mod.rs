//! Carries the work: looks at news as soon as there are any, asks Sinch for the orders that are due, minds
//! deadlines, and clears away what has been kept for long enough.
//!
//! What links them is the database. The wake-up inside the process is a hint; the poll is the
//! guarantee, so a lost wake-up or a crash costs a moment and nothing else.

mod ask;
mod blame;
mod budget;
mod clear;
mod gate;
mod limits;
mod look;
mod mind;
mod pace;
mod settle;
#[cfg(test)]
mod tests;
mod word;

pub use ask::Asker;
pub use clear::Clearer;
pub use look::Looker;
pub use mind::Minder;

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::clock;
use crate::logged::{Throttle, masked};
use crate::order::OrderKey;
use crate::store::StoreError;
use crate::vitals::Vitals;

/// How long to wait at most before looking for work without having been woken.
const POLL: Duration = Duration::from_secs(1);

/// How long to wait after the store could not do as asked.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Notes what came of a step where operators see it. `None`: the store did not do as asked, and it makes sense to try
/// again after a pause.
///
/// # Errors
///
/// When the process must stop.
fn step<T>(
    vitals: &Vitals,
    worker: &str,
    outcome: Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    vitals.step(worker, &outcome, clock::now());
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(error) => passing(error).map(|()| None),
    }
}

/// Sorts a store's error: `Ok` where trying again makes sense, the error where the process must stop.
fn passing(error: StoreError) -> Result<(), StoreError> {
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

/// How often the log says that the store still does not do as asked, for the same reason.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The reasons that the log has told of. All workers try again each second, for as long as it takes.
static TOLD: LazyLock<Throttle<String>> = LazyLock::new(|| Throttle::new(TOLD_EVERY));

fn tell(error: &StoreError) {
    let reason = match error {
        // How little there is, is another number each time.
        StoreError::LittleSpace { .. } => "little space".to_owned(),
        other => other.to_string(),
    };
    if let Some(left_out) = TOLD.pass(reason, Instant::now()) {
        tracing::error!(%error, left_out, "the store did not do as asked; trying again");
    }
}

/// An order's id as the log shows it. Some events give a telephone number where the id should be.
fn logged(key: &OrderKey) -> Cow<'_, str> {
    masked(key.order.as_str())
}
