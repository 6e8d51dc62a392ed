//! Face of the store for what operators do with what is parked, and with all that is kept about an order.

use crate::store::{Dismissed, Kept, NewDelivery, ParkedFound, Store, StoreError};
use number_order::{OrderKey, Time};

impl Store {
    /// Returns a parked delivery.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn parked(&self, delivery: i64) -> Result<ParkedFound, StoreError> {
        backend!(self, store => store.parked(delivery).await)
    }

    /// Puts a parked delivery into the inbox as it was read again, in place of the parked one; `false`: it is not
    /// parked any more. Its time of receipt stays.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the delivery stays as it was then.
    pub async fn replay(&self, delivery: i64, again: NewDelivery) -> Result<bool, StoreError> {
        backend!(self, store => store.replay(delivery, again).await)
    }

    /// Records that an operator has seen to a parked delivery.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]. The request is safe to repeat.
    pub async fn dismiss_delivery(
        &self,
        delivery: i64,
        now: Time,
    ) -> Result<Dismissed, StoreError> {
        backend!(self, store => store.dismiss_delivery(delivery, now).await)
    }

    /// Records that an operator has seen to a parked order. An event or a fetch ends that.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]. The request is safe to repeat.
    pub async fn dismiss_order(&self, key: OrderKey, now: Time) -> Result<Dismissed, StoreError> {
        backend!(self, store => store.dismiss_order(key, now).await)
    }

    /// Counts what is kept about an order; `None`: the order is not known.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn kept(&self, key: &OrderKey) -> Result<Option<Kept>, StoreError> {
        backend!(self, store => store.kept(key).await)
    }

    /// Removes an order with all that is kept about it, and returns what there was; `None`: the order is not known. The
    /// reference under which it was placed stays, without the ordered number, so that it never orders again.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; some of its deliveries may be gone then. The request is safe to repeat.
    pub async fn forget(&self, key: OrderKey) -> Result<Option<Kept>, StoreError> {
        backend!(self, store => store.forget(key).await)
    }
}
