//! Queries of operators about single orders and deliveries. They are read-only and run beside the writer, each answer
//! from one moment: no query can delay a callback or its processing.

mod history;
mod lists;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::codes;
use super::rows::time;
use super::unreadable::{Read, UnreadableRow};
use crate::store::DeliveryRow;
use number_order::Time;

#[cfg(test)]
pub(super) use {
    history::DELIVERIES,
    lists::{select_deliveries, select_orders},
};

const DELIVERIES_TABLE: &str = "deliveries";

/// Columns of a delivery that [`delivery_of_row`] reads, from `deliveries AS d`.
macro_rules! delivery_columns {
    () => {
        "d.id, d.dedup_key, d.status, d.said_at, d.received_at, d.phase, d.decision, d.decision_fields, d.duplicates"
    };
}
use delivery_columns;

fn delivery_of_row(row: &SqliteRow) -> sqlx::Result<DeliveryRow> {
    Ok(DeliveryRow {
        id: row.try_get("id")?,
        event: row.try_get("dedup_key")?,
        status: row.try_get("status")?,
        said_at: time(row, "said_at")?,
        received_at: Time(row.try_get("received_at")?),
        phase: row.try_get("phase")?,
        decision: codes::read(row, "decision", "decision_fields")?,
        duplicates: row.try_get("duplicates")?,
    })
}

/// Reads each of the given rows that can be read, with `read`.
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
