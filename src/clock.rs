//! The wall clock: the only place that reads it.

use crate::order::Time;

/// Now, in UTC, whatever `TZ` says.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Time {
    jiff::Timestamp::now().into()
}
