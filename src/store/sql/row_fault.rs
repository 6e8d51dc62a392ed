//! Rows of orders that the database refuses to have changed: how a batch meets them, and their reason in words.

/// Mode in which a write handles the orders of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum BatchMode {
    /// All orders are written together: one that the database refuses to change fails the write.
    Together,
    /// One order is written after the other: one whose row the database refuses to change is parked. This takes longer.
    OneByOne,
}

/// Returns the reason, in words, for which the database refused to change an order's row.
pub(in crate::store) fn unwritable_order(row: i64, refusal: &str) -> String {
    format!("row {row} of orders cannot be written: {refusal}")
}
