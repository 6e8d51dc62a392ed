//! Raises alerts: reports once for each order that its reservation runs out, or that it has hung for long. It also
//! reports that the system's clock was set.

use std::time::Duration;

use super::frame::{Pause, Worker};
use super::logged_id;
use crate::clock;
use crate::store::{AlertFilter, Store, StoreError};
use number_order::Limits;

/// Interval between two checks for alerts. The tightest deadline is a matter of minutes.
const EVERY: Duration = Duration::from_secs(20);

/// Maximum difference, in seconds, that is taken for the clocks' own drift.
const CLOCK_SET_SECS: i64 = 5;

/// Maximum number of orders of a kind that are reported at once; the rest follow at the next check.
const REPORTED_MAX: u32 = 1000;

/// Worker that raises alerts.
pub struct AlertWorker {
    /// Store that holds the orders.
    pub store: Store,
    /// Thresholds at which an alert fires.
    pub limits: Limits,
}

impl Worker for AlertWorker {
    const NAME: &'static str = "alerts";

    /// Number of seconds by which the clock is known to have been set.
    type State = i64;

    async fn step(&self, set_by_secs: &mut i64) -> Result<Pause, StoreError> {
        *set_by_secs = compare_clocks(*set_by_secs);
        self.report().await?;
        Ok(Pause::Idle(EVERY))
    }
}

impl AlertWorker {
    async fn report(&self) -> Result<(), StoreError> {
        let now = clock::now();
        let found = self
            .store
            .alerts(now, &self.limits, AlertFilter::New, REPORTED_MAX);
        let alerts = found.await?;
        for row in &alerts {
            let (project, order) = (row.project.as_str(), logged_id(row.key()));
            let (alert, text, left_secs) = (row.alert.code(), &row.alert, row.left_secs);
            tracing::warn!(
                project,
                %order,
                alert,
                %text,
                left_secs,
                "an order needs attention"
            );
        }
        if alerts.is_empty() {
            Ok(())
        } else {
            self.store.reported(&alerts).await
        }
    }
}

/// Reports once by how much the time of day has been set.
fn compare_clocks(known_secs: i64) -> i64 {
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
