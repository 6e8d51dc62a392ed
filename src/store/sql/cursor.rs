//! Cursors of lists: the id of the last row of a page, which stays valid while rows come and go.

use crate::store::{Cursor, StoreError, UnreadableRow};

/// A list that is read page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum List {
    /// The list of orders.
    Orders,
    /// The list of deliveries.
    Deliveries,
    /// The list of notifications.
    Notifications,
    /// The list of actions.
    Actions,
    /// The list of the quarantine.
    Quarantine,
    /// The list of transitions.
    Transitions,
    /// The list of alerts.
    Alerts,
}

impl List {
    /// Returns the letter by which the list's cursors differ from those of other lists.
    fn letter(self) -> char {
        match self {
            List::Orders => 'o',
            List::Deliveries => 'd',
            List::Notifications => 'n',
            List::Actions => 'a',
            List::Quarantine => 'q',
            List::Transitions => 't',
            List::Alerts => 'f',
        }
    }

    /// Makes the list's cursor after a page that ends with the given row.
    pub(in crate::store) fn cursor(self, row: i64) -> Cursor {
        Cursor(format!("{}{row:016x}", self.letter()))
    }

    /// Makes the cursor of a list that stands by time, after a page that ends at the given time and place within it.
    pub(in crate::store) fn cursor_at(self, (time, place): (i64, i64)) -> Cursor {
        Cursor(format!("{}{time:016x}{place:016x}", self.letter()))
    }

    /// Returns the time and the place within it at which the page before the cursor ended.
    pub(in crate::store) fn place(self, cursor: &Cursor) -> Result<(i64, i64), StoreError> {
        let digits = cursor.0.strip_prefix(self.letter());
        let place = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
        let place = place.map(|both| {
            let [time, place] = [(both >> 64) as u64, both as u64];
            (time.cast_signed(), place.cast_signed())
        });
        place
            .filter(|place| self.cursor_at(*place) == *cursor)
            .ok_or(StoreError::NoSuchCursor)
    }

    /// Returns the row at which the page before the cursor ended.
    pub(in crate::store) fn row(self, cursor: &Cursor) -> Result<i64, StoreError> {
        let digits = cursor.0.strip_prefix(self.letter());
        let row = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let row = row.map(u64::cast_signed);
        // Only a cursor in the spelling that this list makes is accepted: the same number has other spellings, too.
        row.filter(|row| self.cursor(*row) == *cursor)
            .ok_or(StoreError::NoSuchCursor)
    }
}

/// Returns the last row of a page; `None` if no page follows.
pub(in crate::store) fn last(
    ids: impl Iterator<Item = i64>,
    unreadable: &[UnreadableRow],
    newest_first: bool,
    limit: u32,
) -> Option<i64> {
    let ids: Vec<i64> = ids.chain(unreadable.iter().map(|row| row.row)).collect();
    let last = if newest_first {
        ids.iter().min()
    } else {
        ids.iter().max()
    };
    last.copied().filter(|_| ids.len() == limit as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_its_own_cursors_and_no_others() {
        for row in [0, 1, 255, i64::MAX, -1] {
            for (list, other) in [
                (List::Orders, List::Deliveries),
                (List::Deliveries, List::Orders),
            ] {
                let cursor = list.cursor(row);
                assert_eq!(list.row(&cursor), Ok(row));
                assert_eq!(other.row(&cursor), Err(StoreError::NoSuchCursor));
            }
        }
        for place in [(0, 0), (1, -1), (-1, 1), (i64::MAX, i64::MIN)] {
            let cursor = List::Alerts.cursor_at(place);
            assert_eq!(List::Alerts.place(&cursor), Ok(place));
            assert_eq!(List::Alerts.row(&cursor), Err(StoreError::NoSuchCursor));
            assert!(List::Transitions.place(&cursor).is_err());
        }
        for text in [
            "",
            "o",
            "7",
            "o7",
            "o00000000000000070",
            "o+000000000000007",
            "o000000000000000A",
            "O0000000000000007",
            "o000000000000000ß",
        ] {
            let read = List::Orders.row(&Cursor::from_caller(text));
            assert_eq!(read, Err(StoreError::NoSuchCursor), "{text:?}");
        }
    }
}
