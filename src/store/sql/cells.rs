//! Rows as they are copied from one database to another: column by column, whatever the columns are.

/// A value of a row that is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Cell {
    Null,
    /// An integer, or a truth as 0 or 1.
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// A value that this program never writes and no other database takes, in words.
    Odd(String),
}

/// Values of a row that is copied, its key first.
pub(in crate::store) type Cells = Vec<Cell>;

/// Returns the key of a row; `None`: it is no integer.
pub(in crate::store) fn key(row: &[Cell]) -> Option<i64> {
    match row.first() {
        Some(Cell::Int(key)) => Some(*key),
        _ => None,
    }
}
