//! Face of the store for the journal of the orders that are placed from here.

use crate::store::{
    NewPlacement, NewStep, PlacementFound, PlacementRow, StepBegun, StepEnded, StepUpdate, Store,
    StoreError,
};
use number_order::Id;

impl Store {
    /// Records a placement before its first step; one that is recorded stays as it is. Returns it.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    pub async fn begin_placement(
        &self,
        placement: NewPlacement,
    ) -> Result<PlacementFound, StoreError> {
        backend!(self, store => store.begin_placement(placement).await)
    }

    /// Returns a placement; `None` if the journal has none of this reference.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn placement(
        &self,
        project: &Id,
        reference: &str,
    ) -> Result<Option<PlacementRow>, StoreError> {
        backend!(self, store => store.placement(project, reference).await)
    }

    /// Records that a step begins, unless it may not. Its request may be sent once this call has returned.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the request must not be sent then.
    pub async fn begin_step(&self, step: NewStep) -> Result<StepBegun, StoreError> {
        backend!(self, store => store.begin_step(step).await)
    }

    /// Records the outcome of a step. The order that a create made is known from now on, and due for a fetch.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the request is safe to repeat.
    pub async fn end_step(&self, update: StepUpdate) -> Result<StepEnded, StoreError> {
        backend!(self, store => store.end_step(update).await)
    }
}
