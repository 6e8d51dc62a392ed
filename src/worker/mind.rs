//! Minds deadlines: says once of each order that its reservation runs out, or that it has hung for long;
//! and says when the system's clock was set.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{STORE_PAUSE, logged, step};
use crate::clock;
use crate::order::Limits;
use crate::store::{Store, StoreError, Which};
use crate::vitals::Vitals;

/// How often deadlines are looked at. The tightest is a matter of minutes.
const EVERY: Duration = Duration::from_secs(20);

/// A smaller difference is the clocks' own drift.
const CLOCK_SET_SECS: i64 = 5;

/// The most orders of a kind that are reported at once; the rest come with the next look.
const REPORTED_MAX: u32 = 1000;

/// The worker that minds deadlines.
pub struct Minder {
    /// Where the orders are.
    pub store: Store,
    /// When a condition begins.
    pub limits: Limits,
    /// Where it shows that it is alive.
    pub vitals: Arc<Vitals>,
}

impl Minder {
    /// Works until told to stop.
    ///
    /// # Errors
    ///
    /// When the store cannot be used any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut set_by_secs = 0;
        self.vitals.beat("mind");
        while !stop.is_cancelled() {
            set_by_secs = self.compare_clocks(set_by_secs);
            let pause = match step(&self.vitals, "mind", self.report().await)? {
                Some(()) => EVERY,
                None => STORE_PAUSE,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Says once by how much the time of day has been set.
    fn compare_clocks(&self, known_secs: i64) -> i64 {
        let set_by_secs = clock::set_by_secs();
        if (set_by_secs - known_secs).abs() <= CLOCK_SET_SECS {
            return known_secs;
        }
        tracing::warn!(
            set_by_secs,
            "the system's clock was set; a restart follows it"
        );
        set_by_secs
    }

    async fn report(&self) -> Result<(), StoreError> {
        let now = clock::now();
        let found = self
            .store
            .conditions(now, &self.limits, Which::New, REPORTED_MAX);
        let conditions = found.await?;
        for row in &conditions {
            let (project, order) = (row.project.as_str(), logged(row.key()));
            let (condition, left_secs) = (row.condition.as_str(), row.left_secs);
            tracing::warn!(
                project,
                %order,
                condition,
                left_secs,
                "an order needs attention"
            );
        }
        match conditions.is_empty() {
            true => Ok(()),
            false => self.store.reported(&conditions).await,
        }
    }
}
