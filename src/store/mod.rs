//! The store: where deliveries and orders are kept.
//!
//! This module is its face: [`Store`], a closed enum of backends, with its methods in `face`, and the types that cross it. All
//! speak of orders and deliveries, and of no database. A backend is a folder: [`sqlite`] keeps everything in one file,
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

mod apply;
mod changes;
#[cfg(feature = "postgres")]
pub mod copy_store;
mod error;
mod event_subject;
mod face;
mod opening;
mod outbox;
#[cfg(feature = "postgres")]
pub mod postgres;
mod spare;
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
