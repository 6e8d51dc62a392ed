//! Progress of a long copy, as lines for people.

use std::time::{Duration, Instant};

use number_order::counted;

/// Minimum interval between two lines.
const INTERVAL: Duration = Duration::from_secs(1);

/// Teller of the progress.
pub(super) struct Progress<'a> {
    say: &'a mut (dyn FnMut(&str) + Send),
    said_at: Instant,
}

impl<'a> Progress<'a> {
    /// Returns a teller that says nothing within the first interval: a copy that is quick needs no words.
    pub(super) fn new(say: &'a mut (dyn FnMut(&str) + Send)) -> Progress<'a> {
        let said_at = Instant::now();
        Progress { say, said_at }
    }

    /// Says a line whatever was said before.
    pub(super) fn say(&mut self, line: &str) {
        (self.say)(line);
    }

    /// Says how far a table is, unless a line was said a moment ago.
    pub(super) fn rows(&mut self, what: &str, table: &str, rows: u64) {
        if self.said_at.elapsed() >= INTERVAL {
            self.said_at = Instant::now();
            let rows = counted(rows, "row", "rows");
            (self.say)(&format!("{what} {table}: {rows}"));
        }
    }
}
