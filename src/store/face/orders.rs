//! Face of the store for requests about orders: to fetch them, to watch them, and to watch one no more.

use crate::store::{Store, StoreError, Unwatched, WatchRequest};
use number_order::{OrderKey, Time};

impl Store {
    /// Makes an order and its followed numbers due for a fetch now, even if it was parked; `false`: it is not known.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    pub async fn request_fetch(&self, key: OrderKey, now: Time) -> Result<bool, StoreError> {
        backend!(self, store => store.request_fetch(key, now).await)
    }

    /// Makes orders known, and due for a fetch at once; those that are known already stay as they are. Returns the
    /// number of the others.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the first of many may be known then. The request is safe to repeat.
    pub async fn watch(&self, request: WatchRequest) -> Result<u64, StoreError> {
        backend!(self, store => store.watch(request).await)
    }

    /// Removes an order that Sinch never showed and no callback named.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the order is still there then.
    pub async fn unwatch(&self, key: OrderKey) -> Result<Unwatched, StoreError> {
        backend!(self, store => store.unwatch(key).await)
    }
}
