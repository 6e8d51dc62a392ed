//! Face of the store for callbacks that were refused and are perhaps genuine.

use crate::store::{
    Accepted, Listing, NewDelivery, NewQuarantined, QuarantineFilter, QuarantinePart,
    QuarantineReason, QuarantineRow, Quarantining, Store, StoreError,
};
use number_order::Id;

impl Store {
    /// Keeps callbacks that were refused and are perhaps genuine, as far as there is room; returns what became of each. What
    /// is there already stays: of one body, only where it came from and its signature are replaced by the last ones.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; nothing is kept then.
    pub async fn quarantine(
        &self,
        callbacks: Vec<NewQuarantined>,
    ) -> Result<Vec<Quarantining>, StoreError> {
        backend!(self, store => store.quarantine(callbacks).await)
    }

    /// Lists the quarantine.
    ///
    /// # Errors
    ///
    /// Fails if the cursor is not one of this list, or if the database cannot be read.
    pub async fn quarantined(
        &self,
        filter: &QuarantineFilter,
    ) -> Result<Listing<QuarantineRow>, StoreError> {
        backend!(self, store => store.quarantined(filter).await)
    }

    /// Returns some of the quarantine with bodies and signatures, in the order of receipt, beyond a row's id. A project or a
    /// reason that is given leaves the others out.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn quarantine_part(
        &self,
        after: i64,
        project: Option<&Id>,
        reason: Option<QuarantineReason>,
    ) -> Result<QuarantinePart, StoreError> {
        backend!(self, store => store.quarantine_part(after, project, reason).await)
    }

    /// Puts callbacks of the quarantine into the inbox, each with its row's id, and removes the rows in the same commit. What
    /// is on disk already counts as a duplicate; `None`: the row is not there any more.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; all rows are still there then, unless the answer to the commit got lost. The request is safe to
    /// repeat.
    pub async fn admit(
        &self,
        callbacks: Vec<(i64, NewDelivery)>,
    ) -> Result<Vec<Option<Accepted>>, StoreError> {
        backend!(self, store => store.admit(callbacks).await)
    }

    /// Removes a callback from the quarantine; `false`: it is not there.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]. The request is safe to repeat.
    pub async fn dismiss_quarantined(&self, id: i64) -> Result<bool, StoreError> {
        backend!(self, store => store.dismiss_quarantined(id).await)
    }
}
