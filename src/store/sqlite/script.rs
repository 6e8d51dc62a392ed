//! Scripts: statements that are sent to SQLite's thread together.
//!
//! A hop to that thread and back takes some 0.1 ms on a machine with little to do, and callbacks wait while a transaction
//! lasts. So a transaction sends as few scripts as it can: each ends where something must be read before it goes on.

use sqlx::encode::Encode;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Sqlite, SqliteConnection, Type};

use super::batch::{Statements, fitting_room};

/// Statements that are still to be sent, with their arguments. Each argument is `?`: a number would count from the
/// script's first statement.
#[derive(Default)]
#[must_use]
pub(super) struct Script {
    sql: String,
    arguments: SqliteArguments,
    fault: Option<BoxDynError>,
}

impl Script {
    /// Adds a statement, whose arguments are bound next.
    pub(super) fn add(&mut self, sql: &str) -> &mut Script {
        self.sql.push_str(sql);
        self.sql.push_str(";\n");
        self
    }

    /// Binds the next argument of the statement that was added last.
    pub(super) fn bind<'t>(
        &mut self,
        value: impl Encode<'t, Sqlite> + Type<Sqlite>,
    ) -> &mut Script {
        if let Err(fault) = self.arguments.add(value) {
            self.fault.get_or_insert(fault);
        }
        self
    }

    /// Adds statements that take all the given rows, each of which `bind` binds. `first` binds what comes before the rows of
    /// each statement. Statements with room for the same number of rows make the same script: each script is prepared once.
    pub(super) fn add_rows<T>(
        &mut self,
        statements: &'static Statements,
        room: usize,
        rows: &[T],
        first: impl Fn(&mut Script),
        bind: impl Fn(&mut Script, &T),
    ) {
        for (sql, room, rows) in statements.with_room(room, rows) {
            first(self.add(sql));
            for row in rows {
                bind(self, row);
            }
            for _ in 0..(room - rows.len()) * statements.columns() {
                self.bind(None::<i64>);
            }
        }
    }

    /// Sends the statements. Returns all rows that they select.
    pub(super) async fn fetch(self, db: &mut SqliteConnection) -> sqlx::Result<Vec<SqliteRow>> {
        if let Some(fault) = self.fault {
            return Err(sqlx::Error::Encode(fault));
        }
        if self.sql.is_empty() {
            return Ok(Vec::new());
        }
        let query = sqlx::query_with(AssertSqlSafe(self.sql), self.arguments);
        query.fetch_all(db).await
    }

    /// Sends the statements.
    pub(super) async fn execute(self, db: &mut SqliteConnection) -> sqlx::Result<()> {
        self.fetch(db).await.map(drop)
    }
}

/// Returns the room that statements need for the longest of several lists of rows.
pub(super) fn room_for<const N: usize>(lengths: [usize; N]) -> usize {
    fitting_room(lengths.into_iter().max().unwrap_or(0))
}
