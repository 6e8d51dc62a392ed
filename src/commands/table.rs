//! Tables for people: columns that are aligned by the width that a terminal gives each character.
//!
//! A terminal breaks a line that is too long wherever it ends, in the middle of a time too. So a table that does not fit has
//! its texts wrapped in their columns; if that is not enough, each row goes on in the lines below it, from column to column.
//! What goes into a file or a pipe has one line for each row.

use std::borrow::Cow;

use textwrap::core::display_width;

use super::output::{print_line, terminal_columns, whole_words};
use super::shown;

/// Blanks between two columns of a table.
const COLUMN_GAP: &str = "  ";

/// Blanks before the columns that stand below the first of a row.
const BELOW: &str = "    ";

/// Table of `N` columns that is printed part by part. A later part is at least as wide as those before it.
pub(super) struct Table<const N: usize> {
    head: [&'static str; N],
    is_begun: bool,
    widths: [usize; N],
    /// Widths of the longest words, which stay whole.
    words: [usize; N],
}

impl<const N: usize> Table<N> {
    /// Returns a table with these heads, of which nothing is printed yet.
    pub fn new(head: [&'static str; N]) -> Table<N> {
        Table {
            head,
            is_begun: false,
            widths: [0; N],
            words: [0; N],
        }
    }

    /// Prints rows of the table: below the heads, if they are the first.
    pub fn print(&mut self, rows: Vec<[String; N]>) {
        for line in self.format_rows(rows, terminal_columns()) {
            print_line(line);
        }
    }

    /// Returns the lines of these rows, within the columns of a terminal, if there is one.
    fn format_rows(&mut self, rows: Vec<[String; N]>, columns: Option<usize>) -> Vec<String> {
        if rows.is_empty() {
            return Vec::new();
        }
        let safe = |row: [String; N]| row.map(|cell| shown::line(&cell));
        let rows: Vec<[String; N]> = rows.into_iter().map(safe).collect();
        let head = self.head.map(str::to_owned);
        for row in rows.iter().chain([&head]) {
            for (place, cell) in row.iter().enumerate() {
                self.widths[place] = self.widths[place].max(display_width(cell));
                self.words[place] = self.words[place].max(longest_word(cell));
            }
        }
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        let head = is_first.then_some(head);
        let all = head.iter().chain(&rows);
        match (self.fitted(columns), columns) {
            (None, Some(columns)) => {
                let parts = self.parts(columns);
                all.flat_map(|row| format_parts(row, &parts)).collect()
            }
            (widths, _) => {
                let widths = widths.unwrap_or(self.widths);
                all.flat_map(|row| format_row(row, &widths)).collect()
            }
        }
    }

    /// Returns the widths of the columns within those of a terminal; `None`: their longest words do not fit.
    fn fitted(&self, columns: Option<usize>) -> Option<[usize; N]> {
        let mut widths = self.widths;
        let Some(columns) = columns else {
            return Some(widths);
        };
        loop {
            let excess = total(&widths).saturating_sub(columns);
            if excess == 0 {
                return Some(widths);
            }
            let slack = |place: &usize| widths[*place] - self.words[*place];
            let widest = (0..N).max_by_key(slack).filter(|place| slack(place) > 0)?;
            let less = excess.min(slack(&widest));
            widths[widest] -= less;
        }
    }

    /// Returns the widths of the columns in parts that stand below each other, each within the columns of a terminal. Only a
    /// word can be too long.
    fn parts(&self, columns: usize) -> Vec<Vec<usize>> {
        let room = columns.saturating_sub(BELOW.len());
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for (width, word) in self.widths.into_iter().zip(self.words) {
            let width = width.min(room).max(word);
            match parts.last_mut() {
                Some(part) if total(part) + COLUMN_GAP.len() + width <= room => part.push(width),
                _ => parts.push(vec![width]),
            }
        }
        parts
    }
}

/// Returns the number of columns of a terminal that columns of a table take, with the gaps between them.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + COLUMN_GAP.len() * widths.len().saturating_sub(1)
}

/// Returns the lines of a row in parts below each other, without those that have nothing in them.
fn format_parts(row: &[String], parts: &[Vec<usize>]) -> Vec<String> {
    let (mut rest, mut lines) = (row, Vec::new());
    for (number, widths) in parts.iter().enumerate() {
        let (cells, others) = rest.split_at(widths.len());
        rest = others;
        let indent = if number == 0 { "" } else { BELOW };
        let part = format_row(cells, widths).into_iter();
        let part = part.filter(|line| number == 0 || !line.is_empty());
        lines.extend(part.map(|line| format!("{indent}{line}")));
    }
    lines
}

fn longest_word(cell: &str) -> usize {
    cell.split(' ').map(display_width).max().unwrap_or(0)
}

/// Returns the lines of a row whose cells have these widths.
fn format_row(row: &[String], widths: &[usize]) -> Vec<String> {
    let cells: Vec<Vec<_>> = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| {
            if display_width(cell) <= *width {
                vec![Cow::Borrowed(cell.as_str())]
            } else {
                textwrap::wrap(cell, whole_words(*width))
            }
        })
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let line = |number: usize| {
        let parts = cells.iter().zip(widths).map(|(lines, width)| {
            let part = lines.get(number).map_or("", |part| part.as_ref());
            let blanks = width.saturating_sub(display_width(part));
            format!("{part}{}", " ".repeat(blanks))
        });
        let line = parts.collect::<Vec<_>>().join(COLUMN_GAP);
        line.trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(cells: [&str; 2]) -> [String; 2] {
        cells.map(str::to_owned)
    }

    #[test]
    fn columns_are_aligned_by_the_width_that_is_shown() {
        let mut table = Table::new(["NAME", "TYPE"]);
        assert_eq!(table.format_rows(Vec::new(), None), Vec::<String>::new());
        // The first name has two characters of two columns each, the second has a mark that takes no column.
        let rows = vec![
            row(["日本", "A"]),
            row(["e\u{301}…", "B"]),
            row(["a\u{1b}b", ""]),
        ];
        assert_eq!(
            table.format_rows(rows, None),
            ["NAME  TYPE", "日本  A", "e\u{301}…    B", "a b"]
        );
        let later = vec![row(["longer", "C"]), row(["x", "D"])];
        assert_eq!(
            table.format_rows(later, Some(80)),
            ["longer  C", "x       D"]
        );
        let last = vec![row(["y", "E"])];
        assert_eq!(table.format_rows(last, None), ["y       E"]);
    }

    #[test]
    fn a_text_that_does_not_fit_is_wrapped_in_its_column() {
        let rows = || {
            vec![
                row(["it waits for an answer", "2026-11-30T10:03:00Z"]),
                row(["it is told", ""]),
            ]
        };
        let mut table = Table::new(["STORY", "TIME"]);
        assert_eq!(
            table.format_rows(rows(), Some(36)),
            [
                "STORY           TIME",
                "it waits for    2026-11-30T10:03:00Z",
                "an answer",
                "it is told"
            ]
        );
        // Nothing is wrapped where no terminal breaks lines.
        let mut table = Table::new(["STORY", "TIME"]);
        assert_eq!(
            table.format_rows(rows(), None)[1],
            "it waits for an answer  2026-11-30T10:03:00Z"
        );
    }

    #[test]
    fn a_table_whose_words_do_not_fit_goes_on_below() {
        let time = "2026-11-30T10:03:00Z";
        let rows = [
            ["o1", "it waits for an answer", time, "p"],
            ["o2", "", "", ""],
        ];
        let rows = rows.map(|row| row.map(str::to_owned)).to_vec();
        let mut table = Table::new(["ORDER", "STORY", "TIME", "PROJECT"]);
        assert_eq!(
            table.format_rows(rows.clone(), Some(34)),
            [
                "ORDER  STORY",
                "    TIME                  PROJECT",
                "o1     it waits for an answer",
                "    2026-11-30T10:03:00Z  p",
                "o2"
            ]
        );
        // The heads stand above the first part alone. A word that is longer than the terminal is wide stays whole.
        let later = table.format_rows(rows, Some(10));
        assert_eq!(later[0], "o1");
        assert!(later.contains(&format!("    {time}")), "{later:?}");
    }

    proptest! {
        #[test]
        fn no_word_is_broken_and_no_line_of_a_table_is_too_long(
            texts in proptest::collection::vec("[a-z]{1,9}( [a-z0-9-]{1,9}){0,6}", 1..6),
            columns in 10_usize..60,
        ) {
            let mut table = Table::new(["TIME", "STORY"]);
            let rows = texts.iter().map(|text| row(["2026-11-30", text]));
            let lines = table.format_rows(rows.collect(), Some(columns)).join("\n");
            for word in texts.iter().flat_map(|text| text.split(' ')) {
                prop_assert!(lines.split_whitespace().any(|one| one == word), "{word}: {lines}");
            }
            // A word may be longer than the terminal is wide.
            let longest = lines.lines().map(display_width).max().unwrap_or(0);
            prop_assert!(longest <= columns.max(BELOW.len() + 10), "{longest}: {lines}");
        }
    }
}
