//! Face of the store for deliveries: it accepts them and processes them.

use std::ops::RangeInclusive;

use tokio::sync::Notify;

#[cfg(feature = "postgres")]
use crate::store::postgres;
use crate::store::sqlite;
use crate::store::{Accepted, NewDelivery, ProcessReport, ProcessRequest, Store, StoreError};

impl Store {
    /// Returns `true` if [`Store::accept`] would refuse at once, since too many writes wait or the backend is short of
    /// something. The answer may be outdated at any moment; a caller that asks saves useless work.
    pub fn is_full(&self) -> bool {
        backend!(self, store => store.is_full())
    }

    /// Returns the reason why no delivery may be accepted, if the backend is short of something: with SQLite
    /// [`StoreError::LittleSpace`].
    pub fn shortage(&self) -> Option<StoreError> {
        backend!(self, store => store.shortage())
    }

    /// Puts a delivery into the inbox, where it waits to be processed. When the call returns, the delivery is on disk.
    ///
    /// The call never waits for a place in the queue: a delivery for which there is no place is refused at once.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; nothing is promised then.
    pub async fn accept(&self, delivery: NewDelivery) -> Result<Accepted, StoreError> {
        backend!(self, store => store.accept(delivery).await)
    }

    /// Processes the deliveries that have waited longest, and records the decisions.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; nothing has changed then.
    pub async fn process(&self, request: ProcessRequest) -> Result<ProcessReport, StoreError> {
        backend!(self, store => store.process(request).await)
    }

    /// Returns the numbers of deliveries of which one step of processing takes at most one: the least suffices to share a
    /// commit, the greatest is for when more come than are processed.
    pub fn batch_sizes(&self) -> RangeInclusive<u32> {
        match self {
            Store::Sqlite(_) => sqlite::BATCH_SIZES,
            #[cfg(feature = "postgres")]
            Store::Postgres(_) => postgres::BATCH_SIZES,
        }
    }

    /// Returns the share of the last tenth of a second for which callbacks did not need the store, from 0 to 1: none was being
    /// committed, or few were. Other work may have that time.
    pub fn spare(&self) -> f64 {
        backend!(self, store => store.spare())
    }

    /// Wakes the inbox worker. The notification is a hint: a poll is the guarantee.
    pub fn pending(&self) -> &Notify {
        backend!(self, store => store.pending())
    }
}
