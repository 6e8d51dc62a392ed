//! Queries of operators about single orders and deliveries. They are read-only and run beside the writer, each answer
//! from one moment: no query can delay a callback or its processing.

mod history;
mod lists;
mod timeline;

#[cfg(test)]
pub(super) use {
    history::{DELIVERIES, SELECT_BY_SINCH_ID},
    lists::{select_deliveries, select_orders},
};

/// Columns of a delivery that `history::delivery_of_row` reads, from `deliveries AS d`.
macro_rules! delivery_columns {
    () => {
        "d.id, d.dedup_key, d.status, d.said_at, d.received_at, d.phase, d.decision, d.decision_fields, d.duplicates, \
         (SELECT dismissed_at FROM dismissals WHERE delivery_id = d.id) AS dismissed_at"
    };
}
use delivery_columns;
