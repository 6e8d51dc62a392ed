//! Prunes what has been kept for long enough, and returns its space to the disk. Callbacks have priority.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::Instant;

use super::frame::{POLL, Pause, Worker};
use crate::clock;
use crate::store::{Pruned, RetentionPeriods, Store, StoreError};

/// Maximum interval between two checks for something to prune. If the shortest retention period is shorter, the
/// interval is that period, but at least a second.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Length of the pause after a step of pruning, as a multiple of the step's time. In the pause the writer is free for
/// others.
const PAUSE_FACTOR: u32 = 9;

/// Maximum pause after a step of pruning, for the case that the disk made it slow.
const REST_MAX: Duration = Duration::from_secs(1);

/// Worker that prunes what has been kept for long enough.
pub struct RetentionWorker {
    /// Store that is pruned.
    pub store: Store,
    /// Retention period of each kind of row. Bodies have the shortest.
    pub periods: RetentionPeriods,
}

/// Rows pruned and space returned since that was last logged.
#[derive(Default)]
pub struct Done(Pruned);

impl Worker for RetentionWorker {
    type State = Done;

    fn name(&self) -> Cow<'static, str> {
        "retention".into()
    }

    async fn step(&self, done: &mut Done) -> Result<Pause, StoreError> {
        let began = Instant::now();
        if self.prune(done).await? {
            return Ok(Pause::Rest((began.elapsed() * PAUSE_FACTOR).min(REST_MAX)));
        }
        std::mem::take(done).log();
        Ok(Pause::Idle(self.periods.bodies.clamp(POLL, CHECK_INTERVAL)))
    }

    fn stopped(&self, done: Done) {
        done.log();
    }
}

impl RetentionWorker {
    /// Prunes some rows, or returns some space. Returns `false` if nothing is left to do for now.
    async fn prune(&self, done: &mut Done) -> Result<bool, StoreError> {
        let pruned = self.store.prune(self.periods.clone(), clock::now()).await?;
        done.add(&pruned);
        Ok(pruned.taken > 0 || pruned.released_bytes > 0)
    }
}

impl Done {
    fn add(&mut self, step: &Pruned) {
        let Done(pruned) = self;
        pruned.bodies += step.bodies;
        pruned.deliveries += step.deliveries;
        pruned.parked += step.parked;
        pruned.quarantined += step.quarantined;
        pruned.fetches += step.fetches;
        pruned.orders += step.orders;
        pruned.events += step.events;
        pruned.alerts += step.alerts;
        pruned.actions += step.actions;
        pruned.numbers += step.numbers;
        pruned.released_bytes += step.released_bytes;
    }

    fn log(&self) {
        let Pruned {
            taken: _,
            bodies,
            deliveries,
            parked,
            quarantined,
            fetches,
            orders,
            events,
            alerts,
            actions,
            numbers,
            released_bytes,
        } = self.0;
        let rows = bodies + deliveries + parked + quarantined + fetches + orders + events;
        if rows + alerts + actions + numbers > 0 {
            tracing::info!(
                bodies,
                deliveries,
                parked,
                quarantined,
                fetches,
                orders,
                events,
                alerts,
                actions,
                numbers,
                "cleared what was kept for long enough"
            );
        }
        if released_bytes > 0 {
            let bytes = released_bytes;
            tracing::info!(bytes, "gave space back to the disk");
        }
    }
}
