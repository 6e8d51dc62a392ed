//! Tables for people: columns that are aligned by the width that a terminal gives each character.

use textwrap::core::display_width;

use super::output::print_line;
use super::shown;

/// Blanks between two columns of a table.
const COLUMN_GAP: &str = "  ";

/// Table of `N` columns that is printed part by part. A later part is at least as wide as those before it.
pub(super) struct Table<const N: usize> {
    widths: [usize; N],
    head: Option<[&'static str; N]>,
}

impl<const N: usize> Table<N> {
    /// Returns a table with these heads, of which nothing is printed yet.
    pub fn new(head: [&'static str; N]) -> Table<N> {
        Table {
            widths: [0; N],
            head: Some(head),
        }
    }

    /// Prints rows of the table: below the heads, if they are the first.
    pub fn print(&mut self, rows: Vec<[String; N]>) {
        for line in self.format_rows(rows) {
            print_line(line);
        }
    }

    fn format_rows(&mut self, rows: Vec<[String; N]>) -> Vec<String> {
        if rows.is_empty() {
            return Vec::new();
        }
        let head = self.head.take().map(|head| head.map(str::to_owned));
        let rows: Vec<[String; N]> = head.into_iter().chain(rows).collect();
        let rows: Vec<[String; N]> = rows
            .into_iter()
            .map(|row| row.map(|cell| shown::line(&cell)))
            .collect();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = display_width(cell).max(*width);
            }
        }
        rows.iter().map(|row| self.format_row(row)).collect()
    }

    fn format_row(&self, row: &[String; N]) -> String {
        let cells = row.iter().zip(self.widths).map(|(cell, width)| {
            let blanks = width.saturating_sub(display_width(cell));
            format!("{cell}{}", " ".repeat(blanks))
        });
        let line = cells.collect::<Vec<_>>().join(COLUMN_GAP);
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 2]) -> [String; 2] {
        cells.map(str::to_owned)
    }

    #[test]
    fn columns_are_aligned_by_the_width_that_is_shown() {
        let mut table = Table::new(["NAME", "TYPE"]);
        assert_eq!(table.format_rows(Vec::new()), Vec::<String>::new());
        // The first name has two characters of two columns each, the second has a mark that takes no column.
        let rows = vec![
            row(["日本", "A"]),
            row(["e\u{301}…", "B"]),
            row(["a\u{1b}b", ""]),
        ];
        assert_eq!(
            table.format_rows(rows),
            ["NAME  TYPE", "日本  A", "e\u{301}…    B", "a b"]
        );
        let later = vec![row(["longer", "C"]), row(["x", "D"])];
        assert_eq!(table.format_rows(later), ["longer  C", "x       D"]);
        assert_eq!(table.format_rows(vec![row(["y", "E"])]), ["y       E"]);
    }
}
