//! Face of the store for alerts, and for checks that all is well.

use crate::store::{AlertChanges, Observed, ServiceAlertChanges, Store, StoreError};
use notifications::AlertLimits;
use number_order::{Limits, Time};

impl Store {
    /// Returns the alerts that have begun to fire since they were last recorded, at most `limit` of each kind, the most
    /// urgent first; and those that no longer fire. Changes beyond the limit are found by the next call.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn alert_changes(
        &self,
        now: Time,
        limits: &Limits,
        limit: u32,
    ) -> Result<AlertChanges, StoreError> {
        backend!(self, store => store.alert_changes(now, limits, limit).await)
    }

    /// Records changes of alerts.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the same changes will be found again.
    pub async fn record_alerts(&self, changes: &AlertChanges, now: Time) -> Result<(), StoreError> {
        backend!(self, store => store.record_alerts(changes, now).await)
    }

    /// Looks for alerts about the service that have begun to fire, or that do not any more, and records both with the events
    /// that tell of them. Where several processes share the store, each says what it has seen, and each change is recorded
    /// and returned once.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the same changes will be found again.
    pub async fn check_service(
        &self,
        observed: &Observed,
        limits: &AlertLimits,
        now: Time,
    ) -> Result<ServiceAlertChanges, StoreError> {
        backend!(self, store => store.check_service(observed, limits, now).await)
    }

    /// Writes to the disk, and accepts a callback of each project and undoes it, to prove that both are possible.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]: they are not possible.
    pub async fn probe_write(&self, now: Time) -> Result<(), StoreError> {
        backend!(self, store => store.probe_write(now).await)
    }

    /// Sets the listener that receives the results of the backend's background tasks, each with the task's name, once a
    /// second or more often. A listener that is set later is ignored.
    pub fn on_upkeep(
        &self,
        listener: impl Fn(&'static str, &Result<(), String>) + Send + Sync + 'static,
    ) {
        backend!(self, store => store.on_upkeep(Box::new(listener)));
    }
}
