//! Face of the store for what other systems are told.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::store::{
    EventPage, FeedRequest, Listing, NotificationFilter, NotificationRequest, NotificationResult,
    NotificationRow, NotificationsClaimed, Store, StoreError, TargetRow, TestEvent,
};
use number_order::Time;

/// Notifications: due ones are claimed, and the results of sending them are recorded.
impl Store {
    /// Leases due notifications of a target: the first of each order that has been due for the longest time.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; nothing is leased then.
    pub async fn claim_notifications(
        &self,
        request: NotificationRequest,
    ) -> Result<NotificationsClaimed, StoreError> {
        backend!(self, store => store.claim_notifications(request).await)
    }

    /// Records the results of sending claimed notifications. A result that comes after its lease ran out, and after
    /// another sender took the notification, changes nothing.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the notifications are sent again once their leases have run out.
    pub async fn settle_notifications(
        &self,
        results: Arc<[NotificationResult]>,
    ) -> Result<(), StoreError> {
        backend!(self, store => store.settle_notifications(results).await)
    }

    /// Wakes the senders and the readers of the feed, since events were recorded. The notification is a hint: a poll is
    /// the guarantee.
    pub fn told(&self) -> &Notify {
        backend!(self, store => store.told())
    }

    /// Returns events of the feed, without those that tried a target. What it costs does not grow with the events that are
    /// left out.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn events(&self, request: &FeedRequest) -> Result<EventPage, StoreError> {
        backend!(self, store => store.events(request).await)
    }

    /// Returns a number of the feed after which all events of the given time or later come, and before them few others.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn events_since(&self, time: Time) -> Result<i64, StoreError> {
        backend!(self, store => store.events_since(time).await)
    }

    /// Returns all targets, also those that are not configured any more.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn targets(&self) -> Result<Vec<TargetRow>, StoreError> {
        backend!(self, store => store.targets().await)
    }

    /// Lists notifications.
    ///
    /// # Errors
    ///
    /// Fails if the cursor is not one of this list, or if the database cannot be read.
    pub async fn notifications(
        &self,
        filter: &NotificationFilter,
    ) -> Result<Listing<NotificationRow>, StoreError> {
        backend!(self, store => store.notifications(filter).await)
    }

    /// Returns the number of notifications that [`Store::redrive`] would send again.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn count_notifications(
        &self,
        filter: &NotificationFilter,
    ) -> Result<u64, StoreError> {
        backend!(self, store => store.count_notifications(filter).await)
    }

    /// Makes notifications wait again that do not wait, with all their attempts, and returns their number.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; some may wait again then. The request is safe to repeat.
    pub async fn redrive(&self, filter: NotificationFilter, now: Time) -> Result<u64, StoreError> {
        backend!(self, store => store.redrive(filter, now).await)
    }

    /// Closes the circuit of a target, switches it on again, and makes due what waits for it; `false`: there is no such
    /// target.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]. The request is safe to repeat.
    pub async fn resume_target(&self, name: String, now: Time) -> Result<bool, StoreError> {
        backend!(self, store => store.resume_target(name, now).await)
    }

    /// Records an event that tries a target, and returns its number; `None`: no such target is configured.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    pub async fn send_test(&self, test: TestEvent) -> Result<Option<i64>, StoreError> {
        backend!(self, store => store.send_test(test).await)
    }
}
