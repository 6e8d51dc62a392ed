//! Rows of the database that cannot be read.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// A row of the database that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnreadableRow {
    /// Table of the unreadable row.
    pub table: &'static str,
    /// Id of the unreadable row in its table.
    pub row: i64,
    /// Sinch's id of the row's project, where it can be read.
    pub project: Option<String>,
    /// Sinch's id of the row's order, where it can be read.
    pub order: Option<String>,
    /// Column of the row that cannot be read, and the reason.
    pub reason: String,
}

impl std::error::Error for UnreadableRow {}

impl fmt::Display for UnreadableRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnreadableRow {
            table, row, reason, ..
        } = self;
        write!(f, "row {row} of {table} cannot be read: {reason}")
    }
}
