//! How much may be asked for one project.

use std::time::Duration;

use super::budget::burst;

/// For so many lanes one order that is kept apart may be under way, beside them; one at least.
const LANES_PER_APART: u32 = 4;

/// For each lane so many questions may hang, beside those that the lanes are for.
const HANGING_PER_LANE: u32 = 2;

/// However fast Sinch answers, no more orders are in hand.
const AHEAD_MAX: u32 = 512;

/// How fast the questions for one project may follow each other.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Questions under way at once, but for those that hang or are asked apart.
    pub lanes: u32,
    /// Questions a second at most, over time.
    pub asks_per_second: f64,
    /// The longest that the probes of a closed gate are to lie apart.
    pub probes_apart_max: Duration,
}

impl Limits {
    /// In hand are no more than a tenth of a second's questions: at a rate at which a commit is short against
    /// the time between two questions, none.
    pub fn ahead_max(&self) -> u32 {
        burst(self.asks_per_second).min(AHEAD_MAX)
    }

    /// Questions at most that are under way about orders that are kept apart.
    pub fn apart_max(&self) -> u32 {
        (self.lanes / LANES_PER_APART).max(1)
    }

    /// Questions at most that hang without a lane.
    pub fn hanging_max(&self) -> u32 {
        self.lanes * HANGING_PER_LANE
    }

    /// Questions that are under way at the very most, those included that hang or are asked apart.
    pub fn questions_max(&self) -> u32 {
        self.lanes + self.hanging_max() + self.apart_max()
    }
}
