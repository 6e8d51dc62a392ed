//! Raises alerts: reports once for each order that its reservation runs out, or that it has been in a state for too
//! long, and once when that is over. It also reports that the system's clock was set.

use std::borrow::Cow;
use std::time::Duration;

use super::frame::{Pause, Worker};
use super::logged_id;
use crate::clock;
use crate::store::{AlertChanges, Store, StoreError};
use number_order::{Limits, Time};

/// Interval between two checks for alerts. The tightest deadline is a few minutes.
const CHECK_INTERVAL: Duration = Duration::from_secs(20);

/// Maximum difference between two clocks, in seconds, that counts as their own drift.
const CLOCK_SET_SECS: i64 = 5;

/// Maximum number of alerts of a kind that one check reports. The others follow at the next check.
const REPORTED_MAX: u32 = 1000;

/// Worker that raises alerts.
pub struct AlertWorker {
    /// Store that holds the orders.
    pub store: Store,
    /// Thresholds at which an alert fires.
    pub limits: Limits,
}

/// State that the worker keeps from one step to the next.
#[derive(Default)]
pub struct AlertState {
    /// Number of seconds by which the time of day is known to have been set since the start.
    set_by_secs: i64,
    /// Changes of alerts that were reported at the given time and could not be recorded yet. They are not reported
    /// again.
    unrecorded: Option<(AlertChanges, Time)>,
}

impl Worker for AlertWorker {
    type State = AlertState;

    fn name(&self) -> Cow<'static, str> {
        "alerts".into()
    }

    async fn step(&self, state: &mut AlertState) -> Result<Pause, StoreError> {
        state.set_by_secs = compare_clocks(state.set_by_secs);
        if state.unrecorded.is_none() {
            state.unrecorded = self.report().await?;
        }
        if let Some((changes, reported_at)) = &state.unrecorded {
            self.store.record_alerts(changes, *reported_at).await?;
            state.unrecorded = None;
        }
        Ok(Pause::Idle(CHECK_INTERVAL))
    }
}

impl AlertWorker {
    /// Reports the alerts that have begun to fire and those that are resolved. Returns these changes with the time, if
    /// there are any.
    async fn report(&self) -> Result<Option<(AlertChanges, Time)>, StoreError> {
        let now = clock::now();
        let changes = self
            .store
            .alert_changes(now, &self.limits, REPORTED_MAX)
            .await?;
        for row in &changes.fired {
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
        for resolved in &changes.resolved {
            let (project, order) = (resolved.key.project.as_str(), logged_id(&resolved.key));
            let (alert, text) = (resolved.alert.code(), &resolved.alert);
            tracing::info!(project, %order, alert, %text, "an alert is resolved");
        }
        Ok((!changes.is_empty()).then_some((changes, now)))
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
