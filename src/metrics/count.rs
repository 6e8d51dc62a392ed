//! Counters of occurrences, each with the time of the last one.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use serde::Serialize;
use utoipa::ToSchema;

use number_order::Time;

/// Counter of occurrences, with the time of the last one.
#[derive(Debug, Default)]
pub(super) struct Tally {
    count: AtomicU64,
    last_at: AtomicI64,
}

impl Tally {
    pub(super) fn step(&self, now: Time) {
        self.count.fetch_add(1, Relaxed);
        self.last_at.store(now.0, Relaxed);
    }

    pub(super) fn read(&self) -> Count {
        let count = self.count.load(Relaxed);
        Count {
            count,
            last_at: (count > 0).then(|| Time(self.last_at.load(Relaxed))),
        }
    }
}

/// Number of occurrences since the start of the service or its last reload, and the time of the last one.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Count {
    /// Number of occurrences since the start of the service or its last reload.
    pub count: u64,
    /// Time of the last occurrence; `null` if there was none.
    pub last_at: Option<Time>,
}
