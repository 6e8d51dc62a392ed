//! Comparison of a copy with its source: by the number of rows, their smallest and largest key, and a digest over all.

use super::canonical::{Tally, append_line};
use super::tables::Table;
use super::{CopiedTable, Copy, CopyStoreError, ROWS_MAX};
use crate::store::sql::cells::{Cells, key};

impl Copy<'_> {
    /// Reads a table on both sides, and makes sure that they are equal. Where they are not, the next run starts over.
    pub(super) async fn verify_table(
        &mut self,
        table: &'static Table,
    ) -> Result<CopiedTable, CopyStoreError> {
        let (mut ours, mut theirs) = (Tally::default(), Tally::default());
        let mut differs = None;
        loop {
            if self.stop.is_cancelled() {
                return Err(CopyStoreError::Stopped);
            }
            let (read, found) = tokio::join!(
                self.source.page(table.select, ours.last(), ROWS_MAX),
                self.target
                    .page(table.name, table.columns, theirs.last(), ROWS_MAX),
            );
            let batch = self.batch(table, read?)?;
            let found = found.map_err(|fault| self.lost(fault))?;
            if batch.rows.is_empty() && found.is_empty() {
                break;
            }
            let lines: Vec<&str> = batch.lines.split_inclusive('\n').collect();
            let there = lines_of(&found);
            differs = differs.or(first_other((&batch.rows, &lines), (&found, &there)));
            add(&mut ours, &batch.rows, lines);
            add(&mut theirs, &found, there.iter().map(String::as_str));
            self.progress.rows("compared", table.name, ours.rows());
        }
        let (ours, theirs) = (ours.total(), theirs.total());
        if ours == theirs {
            return Ok(CopiedTable {
                name: table.name,
                rows: ours.rows,
                digest: ours.digest,
            });
        }
        let spoilt = self.target.spoil().await;
        spoilt.map_err(|fault| self.lost(fault))?;
        Err(CopyStoreError::Differs {
            path: self.source.path().to_owned(),
            place: self.target.place().to_owned(),
            table: table.name,
            row: differs.unwrap_or(0),
        })
    }
}

/// Returns the lines of rows of the target. A value that this program never writes has a line that no row of the source
/// has.
fn lines_of(rows: &[Cells]) -> Vec<String> {
    let line = |row: &Cells| {
        let mut line = String::new();
        if let Err((place, value)) = append_line(&mut line, row) {
            line.push_str(&format!("{place} {value}"));
        }
        line
    };
    rows.iter().map(line).collect()
}

fn add<'a>(tally: &mut Tally, rows: &[Cells], lines: impl IntoIterator<Item = &'a str>) {
    for (row, line) in rows.iter().zip(lines) {
        tally.add(row, line);
    }
}

/// Returns the key of the first row that is not the same on both sides.
fn first_other(ours: (&[Cells], &[&str]), theirs: (&[Cells], &[String])) -> Option<i64> {
    let pairs = ours.1.iter().zip(theirs.1);
    let equal = pairs.take_while(|(ours, theirs)| ours == theirs).count();
    let keys = [ours.0, theirs.0].map(|rows| rows.get(equal).and_then(|row| key(row)));
    keys.into_iter().flatten().min()
}
