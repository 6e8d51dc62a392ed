//! Queries of operators about single orders and deliveries. They are read-only, each answer from one moment, on
//! connections of their own: no query can delay a callback or its processing.

mod history;
mod lists;
mod timeline;

pub(super) use lists::LATE;
#[cfg(test)]
pub(super) use lists::select_deliveries;

/// An order as the JSON of a `StoredOrder`, from `orders AS o JOIN projects AS p`.
macro_rules! order_text {
    () => {
        concat!(
            "json_build_array(",
            $crate::store::sql::orders::order_columns!(),
            ")::text"
        )
    };
}
pub(super) use order_text;

/// A followed number as the JSON of a `StoredNumber`, from `order_numbers AS n JOIN orders AS o JOIN projects AS p`.
macro_rules! number_text {
    () => {
        concat!(
            "json_build_array(",
            $crate::store::sql::numbers::number_columns!(),
            ")::text"
        )
    };
}
use number_text;

/// Columns of a delivery that `history::delivery_of_row` reads, from [`delivery_tables`]. What was decided on a delivery
/// about an order stands in a row of its own, and whether one came again, too.
macro_rules! delivery_columns {
    () => {
        "d.id, d.dedup_key, d.status, d.said_at, d.received_at, \
         CASE WHEN d.kind = 'other' THEN 'recorded' WHEN d.kind = 'not-understood' OR c.parked THEN 'parked' \
             WHEN c.delivery_id IS NULL THEN 'waiting' ELSE 'processed' END AS phase, \
         coalesce(d.decision, c.decision) AS decision, \
         CASE WHEN d.decision IS NULL THEN c.decision_fields ELSE d.decision_fields END AS decision_fields, \
         coalesce(r.n, 0) AS duplicates, \
         (SELECT dismissed_at FROM dismissals WHERE delivery_id = d.id) AS dismissed_at"
    };
}
use delivery_columns;

/// Tables of a delivery, to be joined with `deliveries AS d`. Each row is looked up by its key: the limits keep the server
/// from merging whole tables, of which it would read all rows before the page's first.
macro_rules! delivery_tables {
    () => {
        " LEFT JOIN LATERAL (SELECT * FROM decisions WHERE delivery_id = d.id LIMIT 1) AS c ON true \
         LEFT JOIN LATERAL (SELECT * FROM duplicates WHERE delivery_id = d.id LIMIT 1) AS r ON true"
    };
}
use delivery_tables;
