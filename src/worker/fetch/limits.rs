//! Limits on the fetches of one project.

use std::time::Duration;

use crate::store::Rate;

/// Number of slots for which one permit for an isolated order is given. Such a fetch is in flight beside the slots, and
/// at least one is allowed.
const SLOTS_PER_ISOLATED: u32 = 4;

/// Number of fetches that may hang for each slot, outside the slots.
const HANGING_PER_SLOT: u32 = 2;

/// Maximum number of prefetched orders of a project, whatever its rate.
const PREFETCHED_MAX: u32 = 512;

/// Limits on the number and the rate of one project's fetches.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Maximum number of the project's fetches in flight, not counting those that hang and those of isolated orders.
    pub slots: u32,
    /// Maximum number of the project's fetches a second, as an average over time.
    pub requests_per_second: f64,
    /// Maximum interval between two probes of the project's open circuit.
    pub probe_interval_max: Duration,
}

impl Limits {
    /// Returns the rate of the fetches.
    pub fn rate(&self) -> Rate {
        Rate::per_second(self.requests_per_second)
    }

    /// Returns the maximum number of prefetched orders: the fetches of a tenth of a second. At a low rate, where a
    /// commit takes much less time than there is between two fetches, no order is prefetched.
    pub fn prefetched_max(&self) -> u32 {
        Rate::in_a_tenth(self.requests_per_second).min(PREFETCHED_MAX)
    }
}

/// Returns the maximum number of fetches in flight of isolated orders.
pub fn isolated_max(slots: u32) -> u32 {
    (slots / SLOTS_PER_ISOLATED).max(1)
}

/// Returns the maximum number of fetches that hang without a slot.
pub fn hanging_max(slots: u32) -> u32 {
    slots * HANGING_PER_SLOT
}

/// Returns the maximum number of all fetches in flight, including those that hang and those of isolated orders.
pub fn in_flight_max(slots: u32) -> u32 {
    slots + hanging_max(slots) + isolated_max(slots)
}
