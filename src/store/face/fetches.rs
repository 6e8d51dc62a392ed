//! Face of the store for fetches: what is due is claimed, and the results are recorded.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::store::{
    Circuit, Claim, ClaimRequest, Claimed, FetchResult, NextNumber, NumberFetchResult,
    NumberRecorded, Rate, Recorded, Store, StoreError,
};
use number_order::{Id, Time};

impl Store {
    /// Leases orders that are due for a fetch, at most what the project's rate allows, and counts the attempts.
    ///
    /// The backend counts the fetches against the rate, so that all processes that share it keep to one rate together.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; nothing is leased then.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Claimed, StoreError> {
        backend!(self, store => store.claim(request).await)
    }

    /// Records the results of fetching claimed orders, and releases them; returns the effect of each.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the leases are then kept until they run out.
    pub async fn record(&self, results: Arc<[FetchResult]>) -> Result<Vec<Recorded>, StoreError> {
        backend!(self, store => store.record(results).await)
    }

    /// Releases a claim that was not fetched, as if it had never been made; the attempt does not count.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the lease is then kept until it runs out.
    pub async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        backend!(self, store => store.release(claim).await)
    }

    /// Returns a project's circuit as it was last stored, in this run or an earlier one.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn circuit(&self, project: &Id) -> Result<Circuit, StoreError> {
        backend!(self, store => store.circuit(project).await)
    }

    /// Returns a project's circuit as the processes that share the store have left it; `None` if this process has the
    /// store to itself, and no other changes the circuit.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn shared_circuit(&self, project: &Id) -> Result<Option<Circuit>, StoreError> {
        backend!(self, store => store.shared_circuit(project).await)
    }

    /// Stores a project's circuit, which was known as it was `before`. Where several processes share the store, a change
    /// that another one has made since stays, unless the circuit is open for longer now.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    pub async fn save_circuit(
        &self,
        project: Id,
        before: Circuit,
        circuit: Circuit,
    ) -> Result<(), StoreError> {
        backend!(self, store => store.save_circuit(project, before, circuit).await)
    }

    /// Returns `true` if Sinch has ever shown an order of this project, among those that are still kept.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn any_confirmed(&self, project: &Id) -> Result<bool, StoreError> {
        backend!(self, store => store.any_confirmed(project).await)
    }

    /// Wakes the fetchers, since an order may be due. The notification is a hint: a poll is the guarantee.
    pub fn due(&self) -> &Notify {
        backend!(self, store => store.due())
    }

    /// Returns the number of a project that has been due for the longest time, and counts its fetch against the
    /// project's rate. None is leased: one worker of a process fetches a project's numbers, one after the other.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn due_number(
        &self,
        project: &Id,
        rate: Rate,
        now: Time,
    ) -> Result<NextNumber, StoreError> {
        backend!(self, store => store.due_number(project, rate, now).await)
    }

    /// Records the result of fetching a number, and returns its effect.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the number is still due then.
    pub async fn record_number(
        &self,
        result: NumberFetchResult,
    ) -> Result<NumberRecorded, StoreError> {
        backend!(self, store => store.record_number(result).await)
    }
}
