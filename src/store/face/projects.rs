//! Face of the store for projects: which are known, who serves them, and what is left of those that are not configured any
//! more.

use crate::store::{Holdings, Store, StoreError};
use number_order::Id;

impl Store {
    /// Returns the ids of all projects that the database knows.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn projects(&self) -> Result<Vec<String>, StoreError> {
        backend!(self, store => store.projects().await)
    }

    /// Returns `true` if the database knows a project: it is configured, or something may be left of it.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn knows(&self, project: &Id) -> Result<bool, StoreError> {
        backend!(self, store => store.knows(project).await)
    }

    /// Returns the names of all processes that serve a project from a shared store; none if the store is not shared.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn serving(&self, project: &Id) -> Result<Vec<String>, StoreError> {
        backend!(self, store => store.serving(project).await)
    }

    /// Counts what there is of a project; `None` if the database does not know it.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn holdings(&self, project: &Id) -> Result<Option<Holdings>, StoreError> {
        backend!(self, store => store.holdings(project).await)
    }

    /// Removes some of what is left of a project that is not configured any more, and returns what was removed;
    /// nothing, if all of it is gone.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; everything is still there then.
    pub async fn drop_some(&self, project: Id) -> Result<Holdings, StoreError> {
        backend!(self, store => store.drop_some(project).await)
    }
}
