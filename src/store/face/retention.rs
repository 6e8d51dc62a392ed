//! Face of the store for retention: what has been kept for long enough is counted, and pruned.

use crate::store::{KindReport, Pruned, RetentionPeriods, Store, StoreError};
use number_order::Time;

impl Store {
    /// Prunes some of what has been kept for its retention period. If nothing is left to prune, the backend may return
    /// some free space to the disk instead.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; everything is still there then.
    pub async fn prune(&self, periods: RetentionPeriods, now: Time) -> Result<Pruned, StoreError> {
        backend!(self, store => store.prune(periods, now).await)
    }

    /// Counts what there is of each kind that retention prunes, and what of it these periods make due. A few thousand rows are
    /// counted exactly as they would be pruned; of more the number is estimated, so that no call takes long.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn retention_report(
        &self,
        periods: &RetentionPeriods,
        now: Time,
    ) -> Result<Vec<KindReport>, StoreError> {
        backend!(self, store => store.retention_report(periods, now).await)
    }
}
