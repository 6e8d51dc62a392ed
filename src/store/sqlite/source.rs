//! A database that no service works on, opened to be read from its beginning to its end. Its files stay as they are: what
//! is in a write-ahead log is read there.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sqlx::sqlite::SqliteRow;
use sqlx::{Executor, Row, SqliteConnection, TypeInfo, ValueRef};
use tokio_util::sync::CancellationToken;

use super::copy::{CopyError, heed_stop};
use super::integrity::check_integrity;
use super::location::{beside, unusable};
use super::no_checkpoint::NoCheckpoint;
use super::open::{Held, OpenError, hold};
use super::schema;
use crate::store::sql::cells::{Cell, Cells};

/// Selects what every run of the service changes.
const STATE: &str = "
    SELECT json_array(processed_through, bodies_emptied_through, deliveries_pruned_through, fetches_pruned_through,
        write_probed_at, clean_shutdown, (SELECT max(id) FROM orders), (SELECT max(id) FROM deliveries),
        (SELECT max(id) FROM fetches), (SELECT max(id) FROM placement_steps), (SELECT installed_on FROM _sqlx_migrations))
    FROM service";

/// A database that is read. No other process works on it while this value exists.
pub(in crate::store) struct Source {
    path: PathBuf,
    opened: NoCheckpoint,
    held: Held,
    flaws: Vec<String>,
}

impl Source {
    /// Takes the database's locks, and examines the database. All that is read of it afterwards is of one moment. `stop`
    /// breaks off whatever is being read.
    pub(in crate::store) async fn open(
        named: &Path,
        stop: &CancellationToken,
    ) -> Result<Source, CopyError> {
        let held = hold(named)?;
        let path = held.location.path.clone();
        if held.location.is_empty() {
            return Err(CopyError::Nothing(path));
        }
        let opened = NoCheckpoint::open(&path).await;
        let mut opened = opened.map_err(|error| unusable(&path, &error.to_string()))?;
        match examine(&mut opened.db, &path, stop).await {
            Ok(flaws) => Ok(Source {
                path,
                opened,
                held,
                flaws,
            }),
            Err(error) => {
                // The examination's own fault is what counts.
                let _ = opened.close().await;
                Err(error)
            }
        }
    }

    /// Returns the path of the database, free of links.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the rows that are not as this program writes them: a sentence each.
    pub(in crate::store) fn flaws(&self) -> &[String] {
        &self.flaws
    }

    /// Returns a text that is another one once anything has been written to the database.
    pub(in crate::store) async fn state(&mut self) -> Result<String, CopyError> {
        let row = self.row(STATE).await?;
        let files = ["", "-wal"].map(|suffix| {
            let file = std::fs::metadata(beside(&self.path, suffix)).ok();
            let written = file.as_ref().and_then(|file| file.modified().ok());
            let written = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            let length = file.map_or(0, |file| file.len());
            // An empty log comes and goes with those who read.
            (length, written.filter(|_| length > 0))
        });
        Ok(format!("{row:?} {files:?}"))
    }

    /// Returns the rows that a statement selects. Its parameters are the key beyond which it reads, and the maximum number
    /// of rows.
    pub(in crate::store) async fn page(
        &mut self,
        sql: &'static str,
        after: i64,
        rows_max: i64,
    ) -> Result<Vec<Cells>, CopyError> {
        let query = sqlx::query(sql).bind(after).bind(rows_max);
        let rows = query.fetch_all(&mut self.opened.db).await;
        let rows = rows.and_then(|rows| rows.iter().map(cells).collect());
        rows.map_err(|error| self.unreadable(&error))
    }

    /// Returns the row that a statement without parameters selects, if there is one.
    pub(in crate::store) async fn row(
        &mut self,
        sql: &'static str,
    ) -> Result<Option<Cells>, CopyError> {
        let row = sqlx::query(sql).fetch_optional(&mut self.opened.db).await;
        let row = row.and_then(|row| row.as_ref().map(cells).transpose());
        row.map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &sqlx::Error) -> CopyError {
        unusable(&self.path, &error.to_string()).into()
    }

    /// Closes the database, and leaves its files as they were.
    pub(in crate::store) async fn close(self) -> Result<(), CopyError> {
        let Source {
            path, opened, held, ..
        } = self;
        let closed = opened.close().await;
        drop(held);
        closed.map_err(|error| unusable(&path, &error.to_string()).into())
    }
}

/// Makes sure that the database is whole and of this program's schema, and begins to read it. Returns its flaws.
async fn examine(
    db: &mut SqliteConnection,
    path: &Path,
    stop: &CancellationToken,
) -> Result<Vec<String>, CopyError> {
    if !schema::inspect(db, path).await?.is_current {
        return Err(OpenError::Unusable {
            path: path.to_owned(),
            reason: "its schema is an older one: start this version of the service on it once, and stop it again"
                .to_owned(),
        }
        .into());
    }
    let failed = |error: sqlx::Error| unusable(path, &error.to_string());
    heed_stop(db, stop).await.map_err(failed)?;
    let found = check_integrity(db).await.map_err(failed)?;
    let found = found.map_err(|reason| CopyError::damaged(path, reason))?;
    db.execute("BEGIN").await.map_err(failed)?;
    Ok(found.flaws)
}

fn cells(row: &SqliteRow) -> sqlx::Result<Cells> {
    (0..row.len()).map(|column| cell(row, column)).collect()
}

fn cell(row: &SqliteRow, column: usize) -> sqlx::Result<Cell> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let kind = value.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INTEGER" => Cell::Int(row.try_get_unchecked(column)?),
        "BLOB" => Cell::Bytes(row.try_get_unchecked(column)?),
        "TEXT" => match String::from_utf8(row.try_get_unchecked(column)?) {
            Ok(text) => Cell::Text(text),
            Err(error) => Cell::Odd(format!(
                "bytes that are no text in UTF-8: {}",
                error.as_bytes().escape_ascii()
            )),
        },
        _ => Cell::Odd(format!("a number that is not whole ({kind})")),
    })
}
