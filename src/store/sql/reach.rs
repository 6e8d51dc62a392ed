//! Part of a list that one page looks through, by the ids of its rows.
//!
//! Where no index has the rows that a filter asks for, a page looks through a limited number of rows, and the next page goes on
//! there. So no answer takes long, however rare the rows are.
//!
//! Ids grow with time, so a time leads to an id. Every 64th row is in an index by its time, which costs next to nothing when
//! rows are inserted. Rows that come at once may stand in any order, and a clock may be set: so the search begins a minute and
//! 64 rows before, and the times themselves are compared as well.

use std::ops::Range;

use sqlx::{Database, Encode, QueryBuilder, Type};

use super::columns::Columns;
use number_order::Time;

/// Rows of a list that a page looks through, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Reach {
    pub first: i64,
    pub last: i64,
    /// `true` if the list goes on behind these rows.
    pub goes_on: bool,
}

/// A table whose rows are listed by id, and found by time.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Listed {
    pub table: &'static str,
    pub id: &'static str,
    /// Column of the rows' times.
    pub time: &'static str,
    /// Maximum number of rows that one page looks through.
    pub rows_max: i64,
}

/// All ids.
pub(in crate::store) const ALL: Range<i64> = i64::MIN..i64::MAX;

/// Every this many-th row is in the index by time.
pub(in crate::store) const SPARSE: i64 = 64;

/// Time by which rows that came at once may stand in another order, in microseconds.
const DISORDER: i64 = 60_000_000;

/// Returns the time, in microseconds, from which a row may be one of those since a time.
pub(in crate::store) fn begin(since: Time) -> i64 {
    since.0.saturating_sub(DISORDER)
}

/// Returns the time, in microseconds, before which a row may be one of those until a time.
pub(in crate::store) fn end(until: Time) -> i64 {
    until.0.saturating_add(DISORDER)
}

impl Listed {
    pub const ORDERS: Listed = Listed {
        table: "orders",
        id: "id",
        time: "first_seen_at",
        rows_max: 10_000,
    };
    pub const DELIVERIES: Listed = Listed {
        table: "deliveries",
        id: "id",
        time: "received_at",
        rows_max: 20_000,
    };
    pub const EVENTS: Listed = Listed {
        table: "events",
        id: "sequence",
        time: "recorded_at",
        rows_max: 20_000,
    };
    pub const NOTIFICATIONS: Listed = Listed {
        table: "notifications",
        id: "id",
        time: "",
        rows_max: 20_000,
    };

    /// Returns the source of the rows that the index by time has.
    pub fn sparse(self) -> String {
        let Listed { table, id, .. } = self;
        format!("FROM {table} WHERE {id} % {SPARSE} = 0")
    }

    /// Builds the query for the first and the last row of a reach.
    pub fn select_ends<DB>(self, reach: Reach) -> QueryBuilder<DB>
    where
        DB: Database,
        i64: for<'q> Encode<'q, DB> + Type<DB>,
    {
        let Listed { table, id, .. } = self;
        let mut query = QueryBuilder::new("SELECT ");
        for (function, name) in [("min", "first"), ("max", "last")] {
            query.push(format_args!(
                "(SELECT {function}({id}) FROM {table} WHERE {id} >= "
            ));
            query.push_bind(reach.first);
            query
                .push(format_args!(" AND {id} <= "))
                .push_bind(reach.last);
            let more = if name == "first" { ", " } else { "" };
            query.push(format_args!(") AS {name}{more}"));
        }
        query
    }
}

/// Reads the ids between which the rows of a span of time lie. Where that has a beginning, a backend selects the `first` row of
/// the index since then, and the `newest` of all; where it has an end, the `last` before it, and the `oldest` of all.
pub(in crate::store) fn bounds_of_row(
    row: &impl Columns,
    since: Option<Time>,
    until: Option<Time>,
) -> sqlx::Result<Range<i64>> {
    let int = |column| row.int_if_any(column);
    let (mut first, mut end) = (i64::MIN, i64::MAX);
    if since.is_some() {
        // Where the index has no row of that time yet, those behind its newest row may be.
        let found = int("first")?.map_or_else(|| int("newest"), |id| Ok(Some(id)))?;
        first = found.map_or(i64::MIN, |id| id.saturating_sub(SPARSE));
    }
    if until.is_some() {
        let found = int("last")?.map_or_else(|| int("oldest"), |id| Ok(Some(id)))?;
        end = found.map_or(i64::MAX, |id| id.saturating_add(SPARSE + 1));
    }
    Ok(first..end)
}

impl Reach {
    /// Returns the rows after an earlier page, of those within bounds.
    pub fn after(page: Option<i64>, newest_first: bool, bounds: &Range<i64>) -> Reach {
        let (mut first, mut last) = (bounds.start, bounds.end.saturating_sub(1));
        match page {
            Some(page) if newest_first => last = last.min(page.saturating_sub(1)),
            Some(page) => first = first.max(page.saturating_add(1)),
            None => {}
        }
        Reach {
            first,
            last,
            goes_on: false,
        }
    }

    /// Returns as many of the rows as one page looks through, given the first and the last that there are, from
    /// [`Listed::select_ends`].
    pub fn shortened(
        self,
        listed: Listed,
        newest_first: bool,
        ends: &impl Columns,
    ) -> sqlx::Result<Reach> {
        let (Some(first), Some(last)) = (ends.int_if_any("first")?, ends.int_if_any("last")?)
        else {
            return Ok(self);
        };
        Ok(self.within(first, last, listed.rows_max, newest_first))
    }

    fn within(self, first: i64, last: i64, rows_max: i64, newest_first: bool) -> Reach {
        if last.saturating_sub(first) < rows_max {
            return self;
        }
        let goes_on = true;
        if newest_first {
            let first = last - rows_max + 1;
            Reach {
                first,
                last,
                goes_on,
            }
        } else {
            let last = first + rows_max - 1;
            Reach {
                first,
                last,
                goes_on,
            }
        }
    }

    /// Returns the row at which the next page begins, given the last row of a full page; `None`: the list ends.
    pub fn next(self, full: Option<i64>, newest_first: bool) -> Option<i64> {
        let end = if newest_first { self.first } else { self.last };
        full.or(self.goes_on.then_some(end))
    }

    /// Restricts a query to these rows, and ends it by their order and the page's length.
    pub fn push<DB>(self, query: &mut QueryBuilder<DB>, id: &str, newest_first: bool, limit: u32)
    where
        DB: Database,
        i64: for<'q> Encode<'q, DB> + Type<DB>,
    {
        self.push_ends(query, id);
        let direction = if newest_first { "DESC" } else { "ASC" };
        query.push(format_args!(" ORDER BY {id} {direction} LIMIT "));
        query.push_bind(i64::from(limit));
    }

    /// Restricts a query to these rows.
    pub fn push_ends<DB>(self, query: &mut QueryBuilder<DB>, id: &str)
    where
        DB: Database,
        i64: for<'q> Encode<'q, DB> + Type<DB>,
    {
        if self.first != i64::MIN {
            query
                .push(format_args!(" AND {id} >= "))
                .push_bind(self.first);
        }
        if self.last < i64::MAX - 1 {
            query
                .push(format_args!(" AND {id} <= "))
                .push_bind(self.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_through_all_rows_once() {
        for newest_first in [false, true] {
            let (mut seen, mut page) = (Vec::<i64>::new(), None);
            loop {
                let reach = Reach::after(page, newest_first, &ALL);
                let left: Vec<i64> = (3..=31)
                    .filter(|id| (reach.first..=reach.last).contains(id))
                    .collect();
                let (Some(first), Some(last)) = (left.first(), left.last()) else {
                    panic!("a page is asked for beyond the end: {reach:?}");
                };
                let reach = reach.within(*first, *last, 10, newest_first);
                // Every third row is what the filter asks for.
                let rows = left
                    .iter()
                    .filter(|id| (reach.first..=reach.last).contains(id) && *id % 3 == 0);
                seen.extend(rows);
                page = reach.next(None, newest_first);
                if page.is_none() {
                    break;
                }
            }
            seen.sort_unstable();
            assert_eq!(seen, (3..=31).filter(|id| id % 3 == 0).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_full_page_ends_with_its_last_row() {
        let reach = Reach {
            first: 1,
            last: 10,
            goes_on: true,
        };
        for (full, newest_first, expected) in [
            (Some(4), false, Some(4)),
            (None, false, Some(10)),
            (None, true, Some(1)),
        ] {
            assert_eq!(reach.next(full, newest_first), expected);
        }
        let whole = Reach {
            goes_on: false,
            ..reach
        };
        assert_eq!(whole.next(None, false), None);
    }
}
