//! Face of the store for what operators have done, and who they were.

use crate::store::{ActionFilter, ActionRow, Listing, NewAction, Store, StoreError};

impl Store {
    /// Records an action that is about to begin, and returns its row. So none is done that is not recorded.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the action must not begin then.
    pub async fn begin_action(&self, action: NewAction) -> Result<i64, StoreError> {
        backend!(self, store => store.begin_action(action).await)
    }

    /// Records the status with which an action was answered, and the beginning of its request's body.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the action stays recorded as one whose end is not known.
    pub async fn end_action(
        &self,
        action: i64,
        status: u16,
        body: Option<String>,
    ) -> Result<(), StoreError> {
        backend!(self, store => store.end_action(action, status, body).await)
    }

    /// Returns a page of recorded actions.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read, or if the cursor is of another list.
    pub async fn actions(&self, filter: &ActionFilter) -> Result<Listing<ActionRow>, StoreError> {
        backend!(self, store => store.actions(filter).await)
    }
}
