//! Statements for many rows.
//!
//! A statement costs a hop to SQLite's thread and back, which on a busy machine costs more than the rows it carries.
//! For this reason a batch is written with one statement, and each size of statement is prepared once.

/// Numbers of rows for which a statement for many rows is prepared. A batch takes the smallest that fits; the places
/// left over stay NULL, since to SQLite an unbound parameter is NULL.
const ROWS: [usize; 14] = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512];

/// Statement that begins each transaction that writes. IMMEDIATE: a deferred transaction that reads first can lose its
/// right to write.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Statement that commits a transaction.
pub(super) const COMMIT: &str = "COMMIT";

/// Maximum number of rows in one statement.
pub(super) const ROWS_MAX: usize = ROWS[ROWS.len() - 1];

/// One statement, prepared for each number of rows in [`ROWS`].
pub(super) struct Statements {
    sized: Vec<String>,
    columns: usize,
}

impl Statements {
    /// Builds the statements from the text before the rows, the form of a row, and the text after the rows. The
    /// statement must pass over rows that are all NULL, and may have no parameter after the rows.
    pub(super) fn new(before: &str, row: &str, after: &str) -> Statements {
        let sized = |rows: &usize| format!("{before}{}{after}", vec![row; *rows].join(", "));
        Statements {
            sized: ROWS.iter().map(sized).collect(),
            columns: row.matches('?').count(),
        }
    }

    /// Returns the number of columns of a row.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the statements that take the given rows, each with the rows that it takes.
    pub(super) fn over<'a, T>(
        &'static self,
        rows: &'a [T],
    ) -> impl Iterator<Item = (&'static str, &'a [T])> {
        self.with_room(0, rows).map(|(sql, _, rows)| (sql, rows))
    }

    /// Returns the statements that take the given rows, each with its room for rows and with the rows that it takes. None has
    /// less room than is said, which is at most [`ROWS_MAX`].
    pub(super) fn with_room<'a, T>(
        &'static self,
        room: usize,
        rows: &'a [T],
    ) -> impl Iterator<Item = (&'static str, usize, &'a [T])> {
        rows.chunks(ROWS_MAX).map(move |rows| {
            let size = fitting_size(rows.len().max(room));
            (self.sized[size].as_str(), ROWS[size], rows)
        })
    }
}

/// Returns the number of rows for which the smallest statement has room that takes this number of rows.
pub(super) fn fitting_room(rows: usize) -> usize {
    ROWS[fitting_size(rows.min(ROWS_MAX))]
}

/// Returns the index of the smallest size that has room for the given number of rows, which is not above the largest
/// size.
fn fitting_size(rows: usize) -> usize {
    ROWS.partition_point(|room| *room < rows)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static STATEMENTS: LazyLock<Statements> =
        LazyLock::new(|| Statements::new("VALUES ", "(?)", ""));

    #[test]
    fn every_row_is_in_one_statement_that_has_room_for_it() {
        for count in 0..2000 {
            let rows: Vec<usize> = (0..count).collect();
            let mut seen = Vec::new();
            for (sql, rows) in STATEMENTS.over(&rows) {
                let room = sql.matches("(?)").count();
                assert!(rows.len() <= room && room <= 2 * rows.len());
                seen.extend_from_slice(rows);
            }
            assert_eq!(seen, rows);
        }
    }
}
