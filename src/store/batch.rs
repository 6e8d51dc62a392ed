//! Statements for many rows.
//!
//! A statement costs a hop to SQLite's thread and back, which ten rows more do not: so a batch of any size
//! is written with few statements, each of which is prepared once.

use std::iter;

/// How many rows a statement may have. A usual batch takes two statements at most.
const ROWS: [usize; 17] = [1, 2, 3, 4, 5, 6, 7, 8, 16, 24, 32, 40, 48, 56, 64, 128, 256];

/// A statement in each of the sizes that batches are made of.
pub(super) struct Statements(Vec<String>);

impl Statements {
    /// From what stands before the rows, the form of a row, and what stands after them.
    pub(super) fn new(before: &str, row: &str, after: &str) -> Statements {
        let sized = |rows: &usize| format!("{before}{}{after}", vec![row; *rows].join(", "));
        Statements(ROWS.iter().map(sized).collect())
    }

    /// The statements for these rows, each with the rows that it takes.
    pub(super) fn over<'a, T>(
        &'static self,
        mut rows: &'a [T],
    ) -> impl Iterator<Item = (&'static str, &'a [T])> {
        iter::from_fn(move || {
            let size = ROWS
                .partition_point(|size| *size <= rows.len())
                .checked_sub(1)?;
            let (these, rest) = rows.split_at(ROWS[size]);
            rows = rest;
            Some((self.0[size].as_str(), these))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static STATEMENTS: LazyLock<Statements> =
        LazyLock::new(|| Statements::new("VALUES ", "(?)", ""));

    #[test]
    fn every_row_is_in_one_statement_of_its_size() {
        for count in 0..1000 {
            let rows: Vec<usize> = (0..count).collect();
            let mut seen = Vec::new();
            for (sql, rows) in STATEMENTS.over(&rows) {
                assert_eq!(sql.matches("(?)").count(), rows.len());
                seen.extend_from_slice(rows);
            }
            assert_eq!(seen, rows);
        }
    }
}
