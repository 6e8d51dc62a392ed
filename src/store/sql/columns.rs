//! Rows of any backend's database, read column by column.

use number_order::Time;

/// A row of a backend's database.
///
/// # Errors
///
/// Each method fails if the row has no such column, or if the column holds another kind of value.
pub(in crate::store) trait Columns {
    /// Returns the integer in a column; `None` for NULL.
    fn int_if_any(&self, column: &str) -> sqlx::Result<Option<i64>>;

    /// Returns the text in a column; `None` for NULL.
    fn text_if_any(&self, column: &str) -> sqlx::Result<Option<&str>>;

    /// Returns the truth in a column; `None` for NULL.
    fn flag_if_any(&self, column: &str) -> sqlx::Result<Option<bool>>;

    /// Returns the bytes in the column at this place, of whatever kind the value is.
    fn bytes(&self, column: usize) -> sqlx::Result<&[u8]>;

    /// Returns the integer in a column that is never NULL.
    fn int(&self, column: &str) -> sqlx::Result<i64> {
        present(column, self.int_if_any(column)?)
    }

    /// Returns the text in a column that is never NULL.
    fn text(&self, column: &str) -> sqlx::Result<&str> {
        present(column, self.text_if_any(column)?)
    }

    /// Returns the truth in a column that is never NULL.
    fn flag(&self, column: &str) -> sqlx::Result<bool> {
        present(column, self.flag_if_any(column)?)
    }
}

/// Returns the value of a column, or the fault that it is NULL.
pub(super) fn present<T>(column: &str, value: Option<T>) -> sqlx::Result<T> {
    value.ok_or_else(|| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: "it is NULL".into(),
    })
}

/// Returns the time in the given column of a row; `None` for NULL.
pub(in crate::store) fn time(row: &impl Columns, column: &str) -> sqlx::Result<Option<Time>> {
    Ok(row.int_if_any(column)?.map(Time))
}
