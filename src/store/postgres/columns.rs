//! Rows of PostgreSQL, column by column.

use sqlx::postgres::{PgRow, PgValueRef};
use sqlx::{Row, ValueRef};

use crate::store::sql::Columns;

impl Columns for PgRow {
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
        let value: PgValueRef<'_> = self.try_get_raw(column)?;
        if value.is_null() {
            return Ok(&[]);
        }
        value.as_bytes().map_err(sqlx::Error::Decode)
    }
}
