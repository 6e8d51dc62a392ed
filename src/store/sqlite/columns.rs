//! Columns of SQLite's rows.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::store::sql::Columns;

impl Columns for SqliteRow {
    fn int_if_any(&self, column: &str) -> sqlx::Result<Option<i64>> {
        self.try_get(column)
    }

    fn text_if_any(&self, column: &str) -> sqlx::Result<Option<&str>> {
        self.try_get(column)
    }

    fn flag_if_any(&self, column: &str) -> sqlx::Result<Option<bool>> {
        self.try_get(column)
    }

    fn bytes(&self, column: usize) -> sqlx::Result<&[u8]> {
        self.try_get_unchecked(column)
    }
}

/// Returns a text that no decision depends on: bytes in it that are not UTF-8 are shown as `�`.
pub(super) fn lossy(row: &SqliteRow, column: &str) -> sqlx::Result<String> {
    let bytes: Option<&[u8]> = row.try_get_unchecked(column)?;
    Ok(String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned())
}
