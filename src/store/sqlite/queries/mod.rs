//! Queries of operators about single orders and deliveries. They are read-only and run beside the writer, each answer
//! from one moment: nothing here can delay a callback or its processing.

mod history;
mod lists;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::unreadable::{Read, UnreadableRow};

#[cfg(test)]
pub(super) use {history::DELIVERIES, lists::select_orders};

const DELIVERIES_TABLE: &str = "deliveries";

/// Reads each of these rows that can be read.
fn each<T>(
    found: &[SqliteRow],
    table: &'static str,
    read: fn(&SqliteRow) -> sqlx::Result<T>,
) -> sqlx::Result<Read<T>> {
    let mut all = Read::default();
    for row in found {
        match read(row) {
            Ok(row) => all.rows.push(row),
            Err(error) => all.unreadable.push(UnreadableRow {
                table,
                row: row.try_get("id")?,
                project: None,
                order: None,
                reason: error.to_string(),
            }),
        }
    }
    Ok(all)
}
