//! The canonical text of a row: a line in the text format of PostgreSQL's `COPY`. It is what is written to the target, and
//! what both sides are compared by.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::store::sql::cells::{Cell, key};

/// Appends a row's line to a text; the inner error is the place of a value that no other database takes, with the value
/// in words.
pub(super) fn append_line(line: &mut String, row: &[Cell]) -> Result<(), (usize, String)> {
    for (place, cell) in row.iter().enumerate() {
        if place > 0 {
            line.push('\t');
        }
        match cell {
            Cell::Null => line.push_str("\\N"),
            Cell::Int(value) => line.push_str(&value.to_string()),
            Cell::Text(text) => append_text(line, text),
            Cell::Bytes(bytes) => append_bytes(line, bytes),
            Cell::Odd(value) => return Err((place, value.clone())),
        }
    }
    line.push('\n');
    Ok(())
}

fn append_text(line: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\t', '\n', '\r']) {
        line.push_str(&rest[..at]);
        line.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\t' => "\\t",
            b'\n' => "\\n",
            _ => "\\r",
        });
        rest = &rest[at + 1..];
    }
    line.push_str(rest);
}

fn append_bytes(line: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    line.push_str("\\\\x");
    line.reserve(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            line.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
}

/// Number, smallest and largest key of the rows of a table, and a digest over their lines in the order of their keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    rows: u64,
    keys: Option<(i64, i64)>,
    digest: Sha256,
}

/// What two tallies are compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Total {
    pub rows: u64,
    pub keys: Option<(i64, i64)>,
    /// The digest in hexadecimal digits.
    pub digest: String,
}

impl Tally {
    /// Adds a row with its line.
    pub(super) fn add(&mut self, row: &[Cell], line: &str) {
        let key = key(row).unwrap_or(i64::MIN);
        let first = self.keys.map_or(key, |(first, _)| first);
        self.rows += 1;
        self.keys = Some((first, key));
        self.digest.update(line);
    }

    /// Returns the key of the last row; the smallest number if there was none.
    pub(super) fn last(&self) -> i64 {
        self.keys.map_or(i64::MIN, |(_, last)| last)
    }

    /// Returns the number of rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns what the rows amount to.
    pub(super) fn total(self) -> Total {
        let mut digest = String::with_capacity(64);
        for byte in self.digest.finalize() {
            // Writing to a text cannot fail.
            let _ = write!(digest, "{byte:02x}");
        }
        Total {
            rows: self.rows,
            keys: self.keys,
            digest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_whatever_its_texts_hold() {
        let row = [
            Cell::Int(-7),
            Cell::Null,
            Cell::Text("a\tb\nc\rd\\e \u{b}é\\N".to_owned()),
            Cell::Bytes(vec![0, 255]),
            Cell::Text(String::new()),
        ];
        let mut line = String::new();
        assert_eq!(append_line(&mut line, &row), Ok(()));
        assert_eq!(
            line,
            "-7\t\\N\ta\\tb\\nc\\rd\\\\e \u{b}é\\\\N\t\\\\x00ff\t\n"
        );
        let odd = [Cell::Int(1), Cell::Odd("1.5".to_owned())];
        assert_eq!(append_line(&mut line, &odd), Err((1, "1.5".to_owned())));
    }

    #[test]
    fn rows_that_differ_in_anything_have_other_totals() {
        let total = |rows: &[[&str; 2]]| {
            let mut tally = Tally::default();
            for (id, texts) in (1..).zip(rows) {
                let texts = texts.map(|text| Cell::Text(text.to_owned()));
                let row: Vec<Cell> = [Cell::Int(id)].into_iter().chain(texts).collect();
                let mut line = String::new();
                append_line(&mut line, &row).expect("can be stored");
                tally.add(&row, &line);
            }
            tally.total()
        };
        let rows = [["a", "b"], ["c", "d"]];
        let expected = total(&rows);
        assert_eq!((expected.rows, expected.keys), (2, Some((1, 2))));
        assert_eq!(total(&rows), expected);
        for other in [
            [["a", "b"], ["c", "e"]],
            [["c", "d"], ["a", "b"]],
            [["ab", ""], ["c", "d"]],
        ] {
            assert_ne!(total(&other).digest, expected.digest);
        }
        assert_ne!(total(&rows[..1]), expected);
    }
}
