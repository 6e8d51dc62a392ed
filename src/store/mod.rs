//! The store: where deliveries and orders are kept.
//!
//! This module is its face: [`Store`], a closed enum of backends, and the types that cross it. Both speak of orders and
//! deliveries, and of no database. A backend is a folder: [`sqlite`] keeps everything in one file,
//! [`postgres`] in a database that any number of processes share. Only backends name
//! sqlx, and `sql`, which has what they share.

/// Calls the backend, whichever it is.
macro_rules! backend {
    ($store:expr, $backend:ident => $call:expr) => {
        match $store {
            Store::Sqlite($backend) => $call,
            #[cfg(feature = "postgres")]
            Store::Postgres($backend) => $call,
        }
    };
}

mod actions_face;
mod apply;
mod changes;
mod copy_face;
#[cfg(feature = "postgres")]
pub mod copy_store;
mod error;
mod event_subject;
mod notifications_face;
mod opening;
mod outbox;
mod parked_face;
#[cfg(feature = "postgres")]
pub mod postgres;
mod quarantine_face;
mod retention_face;
mod sql;
pub mod sqlite;
#[cfg(test)]
mod tests;
mod types;

pub use error::{OpenError, StoreError};
pub use opening::{Held, Run, Settings, check, hold, open};
pub use sql::inbox::event_name;
pub use types::{
    Accepted, ActionFilter, ActionRow, AlertChanges, AlertFilter, AlertQuery, AlertRow, AnyAlert,
    Body, Circuit, Claim, ClaimOrder, ClaimRequest, Claimed, Convergence, Cursor, DELIVERY_PHASES,
    DeliveryContent, DeliveryFilter, DeliveryKind, DeliveryRow, Dismissed, DueNumber, EventPage,
    FeedEvent, FeedRequest, FetchResult, FetchRow, Found, Holdings, Kept, KindReport, ListedAlert,
    ListedDelivery, ListedTransition, Listing, NOTIFICATION_PHASES, NewAction, NewDelivery,
    NewPlacement, NewQuarantined, NewStep, NextNumber, NotificationClaim, NotificationFilter,
    NotificationOutcome, NotificationRequest, NotificationResult, NotificationRow,
    NotificationsClaimed, NumberChange, NumberFetchResult, NumberQuery, NumberRecorded, NumberRow,
    Observed, OrderDetail, OrderFilter, OrderRow, Ordered, Origin, ParkedDelivery, ParkedFound,
    PlacementFound, PlacementRow, Precision, ProcessReport, ProcessRequest, Processed, Pruned,
    QuarantineFilter, QuarantinePart, QuarantineReason, QuarantineRow, Quarantined, Quarantining,
    Rate, Recorded, RecordedAlert, ResolvedAlert, RetentionKind, RetentionPeriods, RowCount,
    ServiceAlertChanges, ServiceAlertRow, Span, Standing, StateCount, StayReason, StepBegun,
    StepEnded, StepRow, StepUpdate, Summary, TargetRow, TargetSettings, TestEvent,
    TransitionFilter, TransitionRow, UnreadableRow, Unwatched, WatchRequest,
};

use std::ops::RangeInclusive;
use std::sync::Arc;

use tokio::sync::Notify;

use notifications::AlertLimits;
use number_order::{Id, Limits, OrderKey, Time};

/// Receiver of the results of a backend's background tasks, each with the task's name.
type Listener = Box<dyn Fn(&'static str, &Result<(), String>) + Send + Sync>;

/// A handle on the store, whichever its backend is; clones share it.
#[derive(Clone)]
pub enum Store {
    /// One SQLite database file.
    Sqlite(sqlite::Store),
    /// A PostgreSQL database, which several processes may share.
    #[cfg(feature = "postgres")]
    Postgres(postgres::Store),
}

/// Deliveries: the store accepts them and processes them.
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

    /// Wakes the inbox worker. The notification is a hint: a poll is the guarantee.
    pub fn pending(&self) -> &Notify {
        backend!(self, store => store.pending())
    }
}

/// Fetches: due orders are claimed, and the results are recorded.
impl Store {
    /// Leases orders that are due for a fetch, as many as the project's rate allows, and counts the attempts.
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
    /// store to itself, and nobody else changes the circuit.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn shared_circuit(&self, project: &Id) -> Result<Option<Circuit>, StoreError> {
        backend!(self, store => store.shared_circuit(project).await)
    }

    /// Stores a project's circuit, which was known as it was `before`. Where several processes share the store, a change
    /// that another one has made meanwhile stays, unless the circuit is open for longer now.
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

/// Alerts, and checks that all is well.
impl Store {
    /// Returns the alerts that have begun to fire since they were last recorded, at most `limit` of each kind, the most
    /// urgent first; and those that no longer fire. Changes beyond the limit are found by the next call.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn alert_changes(
        &self,
        now: Time,
        limits: &Limits,
        limit: u32,
    ) -> Result<AlertChanges, StoreError> {
        backend!(self, store => store.alert_changes(now, limits, limit).await)
    }

    /// Records changes of alerts.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the same changes will be found again.
    pub async fn record_alerts(&self, changes: &AlertChanges, now: Time) -> Result<(), StoreError> {
        backend!(self, store => store.record_alerts(changes, now).await)
    }

    /// Looks for alerts about the service that have begun to fire, or that do not any more, and records both with the events
    /// that tell of them. Where several processes share the store, each says what it has seen, and each change is recorded
    /// and returned once.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the same changes will be found again.
    pub async fn check_service(
        &self,
        observed: &Observed,
        limits: &AlertLimits,
        now: Time,
    ) -> Result<ServiceAlertChanges, StoreError> {
        backend!(self, store => store.check_service(observed, limits, now).await)
    }

    /// Writes to the disk, and accepts a callback of each project and undoes it, to prove that both are possible.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]: they are not possible.
    pub async fn probe_write(&self, now: Time) -> Result<(), StoreError> {
        backend!(self, store => store.probe_write(now).await)
    }

    /// Sets the listener that receives the results of the backend's background tasks, each with the task's name, once a
    /// second or more often. A listener that is set later is ignored.
    pub fn on_upkeep(
        &self,
        listener: impl Fn(&'static str, &Result<(), String>) + Send + Sync + 'static,
    ) {
        backend!(self, store => store.on_upkeep(Box::new(listener)));
    }
}

/// The journal of the orders that are placed from here.
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

/// Operators' requests and queries.
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

    /// Returns the names of all processes that serve a project from a shared store; none if the store is not shared.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn serving(&self, project: &Id) -> Result<Vec<String>, StoreError> {
        backend!(self, store => store.serving(project).await)
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

    /// Returns `true` if the database knows a project: it is configured, or something may be left of it.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn knows(&self, project: &Id) -> Result<bool, StoreError> {
        backend!(self, store => store.knows(project).await)
    }

    /// Counts what there is of a project; `None` if the database does not know it.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn holdings(&self, project: &Id) -> Result<Option<Holdings>, StoreError> {
        backend!(self, store => store.holdings(project).await)
    }

    /// Lists orders.
    ///
    /// # Errors
    ///
    /// Fails if the cursor is not one of this list, or if the database cannot be read.
    pub async fn orders(&self, filter: &OrderFilter) -> Result<Listing<OrderRow>, StoreError> {
        backend!(self, store => store.orders(filter).await)
    }

    /// Finds the order with the given id, in any project.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn find(&self, order: &Id) -> Result<Found, StoreError> {
        backend!(self, store => store.find(order).await)
    }

    /// Returns an order with its history; `None` if the order is not known.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn history(&self, key: &OrderKey) -> Result<Option<OrderDetail>, StoreError> {
        backend!(self, store => store.history(key).await)
    }

    /// Lists transitions, by the time at which they were recorded.
    ///
    /// # Errors
    ///
    /// Fails if the cursor is not one of this list, or if the database cannot be read.
    pub async fn transitions(
        &self,
        filter: &TransitionFilter,
    ) -> Result<Listing<ListedTransition>, StoreError> {
        backend!(self, store => store.transitions(filter).await)
    }

    /// Lists alerts about orders and about the service, by the time at which they began to fire.
    ///
    /// # Errors
    ///
    /// Fails if the cursor is not one of this list, or if the database cannot be read.
    pub async fn alerts(&self, filter: &AlertFilter) -> Result<Listing<ListedAlert>, StoreError> {
        backend!(self, store => store.alerts(filter).await)
    }

    /// Returns the ids of all projects that the database knows.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn projects(&self) -> Result<Vec<String>, StoreError> {
        backend!(self, store => store.projects().await)
    }

    /// Lists deliveries.
    ///
    /// # Errors
    ///
    /// Fails if the cursor is not one of this list, or if the database cannot be read.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
    ) -> Result<Listing<ListedDelivery>, StoreError> {
        backend!(self, store => store.deliveries(filter).await)
    }

    /// Returns the raw body of a delivery; `None` if there is no such delivery.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn body(&self, delivery: i64) -> Result<Option<Body>, StoreError> {
        backend!(self, store => store.body(delivery).await)
    }

    /// Returns the summary, with at most `alerts_max` orders of each kind of alert.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn standing(
        &self,
        now: Time,
        limits: &Limits,
        alerts_max: u32,
    ) -> Result<Standing, StoreError> {
        backend!(self, store => store.standing(now, limits, alerts_max).await)
    }
}
