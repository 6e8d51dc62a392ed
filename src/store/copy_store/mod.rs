//! Copy of an installation from a file of SQLite's into a PostgreSQL database, before the service begins to use that.
//!
//! This module knows both schemas, and neither database: the backends read and write rows for it. Rows are copied in the
//! order of their keys, some at a time, each time in one transaction. So what a killed run has left is the beginning of
//! a table, and the next run goes on behind it. In the end both sides are read again and compared; only then may the
//! service start on the copy.

mod canonical;
mod derive;
mod error;
mod progress;
mod tables;
#[cfg(test)]
mod tests;
mod verify;

pub use error::CopyStoreError;

use std::path::Path;

use tokio_util::sync::CancellationToken;

use self::canonical::append_line;
use self::progress::Progress;
use self::tables::{TABLES, Table, WITH_IDS};
use super::postgres::{self, Begun, Target, TargetFault};
use super::sql::cells::{Cell, Cells, key};
use super::sqlite::Source;

/// Maximum number of rows that are read, and written in one transaction.
const ROWS_MAX: i64 = 1000;

/// Maximum number of characters that an error shows of a value.
const SHOWN_MAX: usize = 60;

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedStore {
    /// Place of the copy.
    pub place: String,
    /// Tables of the copy.
    pub tables: Vec<CopiedTable>,
    /// Rows of the source that are not as this program writes them: a sentence each.
    pub flaws: Vec<String>,
}

/// A table of a copy, as it was found equal on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// Name of the table.
    pub name: &'static str,
    /// Number of its rows.
    pub rows: u64,
    /// SHA-256 over the rows' canonical texts in the order of their keys, in hexadecimal digits.
    pub digest: String,
}

/// Copies an installation from a file of SQLite's, on which no service works, into a PostgreSQL database that is empty or
/// holds an unfinished copy. `stop` ends the copy between two transactions. `say` gets lines about the progress, not
/// more than one a second.
///
/// # Errors
///
/// [`CopyStoreError`]; the database then holds an unfinished copy, on which no service starts, or is as it was.
pub async fn copy_store(
    from: &Path,
    to: &postgres::Settings,
    stop: &CancellationToken,
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<CopiedStore, CopyStoreError> {
    let copied = try_copy(from, to, stop, Progress::new(say)).await;
    match copied {
        // Whatever failed was broken off.
        Err(CopyStoreError::Source(_)) if stop.is_cancelled() => Err(CopyStoreError::Stopped),
        copied => copied,
    }
}

async fn try_copy<'a>(
    from: &Path,
    to: &postgres::Settings,
    stop: &'a CancellationToken,
    progress: Progress<'a>,
) -> Result<CopiedStore, CopyStoreError> {
    let source = Source::open(from, stop).await?;
    let target = match Target::open(to).await {
        Ok(Some(target)) => target,
        other => {
            source.close().await?;
            other?;
            return Err(CopyStoreError::Busy);
        }
    };
    let mut copy = Copy {
        source,
        target,
        stop,
        progress,
    };
    let copied = copy.run().await;
    let closed = copy.source.close().await;
    let copied = copied?;
    closed?;
    Ok(copied)
}

/// A copy that is being made.
struct Copy<'a> {
    source: Source,
    target: Target,
    stop: &'a CancellationToken,
    progress: Progress<'a>,
}

/// Rows of the target, with their lines behind one another.
#[derive(Default)]
struct Batch {
    rows: Vec<Cells>,
    lines: String,
}

impl Copy<'_> {
    async fn run(&mut self) -> Result<CopiedStore, CopyStoreError> {
        self.begin().await?;
        for table in &TABLES {
            self.copy_table(table).await?;
        }
        let mut tables = Vec::new();
        for table in &TABLES {
            tables.push(self.verify_table(table).await?);
        }
        self.end().await?;
        Ok(CopiedStore {
            place: self.target.place().to_owned(),
            tables,
            flaws: self.source.flaws().to_vec(),
        })
    }

    async fn begin(&mut self) -> Result<(), CopyStoreError> {
        let state = self.source.state().await?;
        let path = self.source.path().display().to_string();
        let names = TABLES.map(|table| table.name);
        let begun = self.target.begin(&path, &state, &names).await;
        match begun.map_err(|fault| self.lost(fault))? {
            Begun::New => Ok(()),
            Begun::GoesOn => {
                self.progress
                    .say("an earlier run has copied a part: going on behind it");
                Ok(())
            }
            Begun::Anew => {
                self.progress.say(
                    "an unfinished copy of another state of the file, or of another file, is removed: beginning anew",
                );
                Ok(())
            }
            Begun::InUse(reason) => Err(CopyStoreError::InUse {
                place: self.target.place().to_owned(),
                reason,
            }),
        }
    }

    /// Copies the rows of a table behind those that are there. While the target writes some, the next ones are read.
    async fn copy_table(&mut self, table: &'static Table) -> Result<(), CopyStoreError> {
        let last = self.target.last(table.name, table.key()).await;
        let mut after = last.map_err(|fault| self.lost(fault))?.unwrap_or(i64::MIN);
        let mut batch = Batch::default();
        let mut written = 0;
        loop {
            if self.stop.is_cancelled() {
                return Err(CopyStoreError::Stopped);
            }
            let (wrote, next) = tokio::join!(
                write(&mut self.target, table, &batch),
                self.source.page(table.select, after, ROWS_MAX),
            );
            if let Err(fault) = wrote {
                return Err(self.refused(table, batch, fault).await);
            }
            written += batch.rows.len() as u64;
            self.progress.rows("copied", table.name, written);
            batch = self.batch(table, next?)?;
            match batch.rows.last() {
                Some(row) => after = key(row).unwrap_or(i64::MAX),
                None => return Ok(()),
            }
        }
    }

    /// Makes rows of the target from rows of the source.
    fn batch(&self, table: &'static Table, rows: Vec<Cells>) -> Result<Batch, CopyStoreError> {
        let mut batch = Batch::default();
        for mut row in rows {
            (table.derive)(&mut row);
            derive::make_storable(&mut row);
            append_line(&mut batch.lines, &row).map_err(|(place, value)| {
                let column = table.columns.split(", ").nth(place).unwrap_or("?");
                let reason = format!("its {column} has {value}");
                self.refused_row(table, &row, reason)
            })?;
            batch.rows.push(row);
        }
        Ok(batch)
    }

    /// Finds the first row that the target does not take, and returns the error that names it. The rows before it are
    /// copied.
    async fn refused(
        &mut self,
        table: &'static Table,
        batch: Batch,
        fault: TargetFault,
    ) -> CopyStoreError {
        let TargetFault::Refused(reason) = fault else {
            return self.lost(fault);
        };
        for (row, line) in batch.rows.iter().zip(batch.lines.split_inclusive('\n')) {
            let alone = self
                .target
                .write(table.name, table.columns, line.as_bytes());
            match alone.await {
                Ok(()) => {}
                Err(TargetFault::Refused(reason)) => return self.refused_row(table, row, reason),
                Err(fault) => return self.lost(fault),
            }
        }
        // Each was taken on its own.
        self.lost(TargetFault::Lost(reason))
    }

    fn refused_row(&self, table: &Table, row: &[Cell], reason: String) -> CopyStoreError {
        CopyStoreError::Refused {
            path: self.source.path().to_owned(),
            table: table.name,
            row: key(row).unwrap_or(0),
            reason,
            values: shown(table, row),
        }
    }

    fn lost(&self, fault: TargetFault) -> CopyStoreError {
        CopyStoreError::lost(self.target.place(), fault)
    }

    /// Ends the copy: new rows get ids beyond all that were ever used.
    async fn end(&mut self) -> Result<(), CopyStoreError> {
        let mut ids = Vec::new();
        for table in TABLES.iter().filter(|table| WITH_IDS.contains(&table.name)) {
            let last = self.target.last(table.name, table.key()).await;
            let mut used = last.map_err(|fault| self.lost(fault))?.unwrap_or(0);
            if let Some(sql) = table.used_ids {
                let row = self.source.row(sql).await?;
                let more = row.and_then(|row| key(&row));
                used = used.max(more.unwrap_or(0));
            }
            ids.push((table.name, used));
        }
        let ended = self.target.end(&ids).await;
        ended.map_err(|fault| self.lost(fault))
    }
}

async fn write(target: &mut Target, table: &Table, batch: &Batch) -> Result<(), TargetFault> {
    if batch.rows.is_empty() {
        return Ok(());
    }
    let lines = batch.lines.as_bytes();
    target.write(table.name, table.columns, lines).await
}

/// Returns the values of a row for people, without the body of a callback.
fn shown(table: &Table, row: &[Cell]) -> String {
    let columns = table.columns.split(", ").zip(row);
    let values = columns.filter_map(|(column, cell)| match cell {
        Cell::Null | Cell::Bytes(_) => None,
        Cell::Int(value) => Some(format!("{column} = {value}")),
        Cell::Text(text) | Cell::Odd(text) => {
            let text: String = text.chars().take(SHOWN_MAX).collect();
            Some(format!("{column} = {text:?}"))
        }
    });
    values.collect::<Vec<_>>().join(", ")
}
