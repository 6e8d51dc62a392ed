//! What the backends share: how the rows of a SQL database become values, and values become columns.
//!
//! No statement is executed here. A backend reads its rows by [`Columns`], so that one function reads those of each.

pub(super) mod actions;
pub(super) mod alerts;
#[cfg(feature = "postgres")]
pub(super) mod cells;
pub(super) mod codes;
mod columns;
pub(super) mod cursor;
pub(super) mod details;
pub(super) mod due;
pub(super) mod feed;
pub(super) mod history;
pub(super) mod inbox;
pub(super) mod lists;
pub(super) mod notifications;
pub(super) mod numbers;
mod open_states;
pub(super) mod orders;
pub(super) mod outbox;
pub(super) mod parked;
pub(super) mod pending;
pub(super) mod placements;
pub(super) mod quarantine;
pub(super) mod reach;
pub(super) mod removal;
pub(super) mod retention;
pub(super) mod retention_report;
pub(super) mod row_fault;
pub(super) mod service_alerts;
pub(super) mod summary;
pub(super) mod timeline;
pub(super) mod unreadable;

pub(super) use columns::{Columns, time};
pub(super) use open_states::open_states;

use serde::Serialize;

/// Returns rows as JSON for the parameter of a statement, which reads them with a function of the database's.
pub(super) fn json(rows: &impl Serialize) -> String {
    serde_json::to_string(rows).expect("rows of numbers and strings are always JSON")
}
