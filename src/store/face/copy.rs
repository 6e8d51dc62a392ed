//! A copy of the whole store, for backups.

use tokio_util::sync::CancellationToken;

use crate::store::Store;
use crate::store::sqlite::{CopyError, DatabaseCopy};

impl Store {
    /// Copies all that the store has at one moment into a file without a name, while everything goes on. `stop` ends that.
    ///
    /// # Errors
    ///
    /// [`CopyError`]; [`CopyError::OnServer`] where the store is no file.
    pub async fn copy(&self, stop: &CancellationToken) -> Result<DatabaseCopy, CopyError> {
        match self {
            Store::Sqlite(store) => store.copy(stop).await,
            #[cfg(feature = "postgres")]
            Store::Postgres(_) => Err(CopyError::OnServer),
        }
    }
}
