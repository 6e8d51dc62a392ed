//! Retention report: what is due to be pruned is counted, with a statement for each kind.

mod samples;
mod statements;

use std::time::Duration;

use super::{Columns, codes, time};
use crate::store::{KindReport, Precision, RetentionKind, RetentionPeriods, RowCount, StayReason};
use number_order::Time;
pub(in crate::store) use statements::{Dialect, statement};

/// Kinds in the sequence in which they are read: what is due of deliveries decides what is due of bodies and orders.
pub(in crate::store) const SEQUENCE: [RetentionKind; 9] = [
    RetentionKind::Deliveries,
    RetentionKind::Parked,
    RetentionKind::Bodies,
    RetentionKind::Quarantine,
    RetentionKind::Fetches,
    RetentionKind::Events,
    RetentionKind::Alerts,
    RetentionKind::Actions,
    RetentionKind::Orders,
];

/// Ids up to which each kind is pruned already, and the first delivery that is not processed.
struct Marks {
    bodies: i64,
    deliveries: i64,
    fetches: i64,
    events: i64,
    waiting: i64,
}

/// Report that is being read, kind by kind in [`SEQUENCE`].
pub(in crate::store) struct Report {
    marks: Marks,
    periods: RetentionPeriods,
    now: Time,
    kinds: Vec<KindReport>,
    /// Last delivery that is due, of those that are not parked.
    last_delivery: i64,
    last_parked: i64,
}

impl Report {
    /// Returns a report that has no kind yet, given the row of the progress of retention.
    pub fn new(
        progress: &impl Columns,
        periods: &RetentionPeriods,
        now: Time,
    ) -> sqlx::Result<Report> {
        let marks = Marks {
            bodies: progress.int("bodies_emptied_through")?,
            deliveries: progress.int("deliveries_pruned_through")?,
            fetches: progress.int("fetches_pruned_through")?,
            events: progress.int("events_pruned_through")?,
            waiting: progress.int_if_any("first_waiting")?.unwrap_or(i64::MAX),
        };
        Ok(Report {
            last_delivery: marks.deliveries,
            last_parked: 0,
            marks,
            periods: periods.clone(),
            now,
            kinds: Vec::new(),
        })
    }

    /// Returns the parameters of the statement of a kind.
    pub fn parameters(&self, kind: RetentionKind) -> Vec<i64> {
        let period: Duration = kind.period(&self.periods);
        let due_at = self.now.minus(period).0;
        let Marks {
            bodies,
            deliveries,
            fetches,
            events,
            waiting,
        } = self.marks;
        match kind {
            // What is removed whole need not be emptied.
            RetentionKind::Bodies => vec![bodies.max(self.last_delivery), waiting, due_at, bodies],
            RetentionKind::Deliveries => vec![deliveries, waiting, due_at, 0],
            RetentionKind::Fetches => vec![fetches, i64::MAX, due_at, 0],
            RetentionKind::Events => vec![events, i64::MAX, due_at, 0],
            RetentionKind::Parked => vec![waiting, due_at],
            RetentionKind::Quarantine => vec![i64::MAX, due_at],
            RetentionKind::Alerts | RetentionKind::Actions => vec![due_at],
            RetentionKind::Orders => vec![due_at, self.last_delivery, self.last_parked],
        }
    }

    /// Adds a kind, given the row of its statement.
    pub fn add(&mut self, kind: RetentionKind, row: &impl Columns) -> sqlx::Result<()> {
        match kind {
            RetentionKind::Deliveries => self.last_delivery = row.int("last")?,
            RetentionKind::Parked => self.last_parked = row.int("last")?,
            _ => {}
        }
        self.kinds.push(KindReport {
            kind,
            rows: row_count(row.int("rows")?, row.flag("rows_are_exact")?, kind),
            due: row_count(row.int("due")?, row.flag("due_is_exact")?, kind),
            oldest_at: time(row, "oldest_at")?,
            stays: stay_reason(row)?,
        });
        Ok(())
    }

    /// Returns the kinds, in their own order.
    pub fn finish(mut self) -> Vec<KindReport> {
        self.kinds.sort_by_key(|report| report.kind);
        self.kinds
    }
}

fn stay_reason(row: &impl Columns) -> sqlx::Result<Option<StayReason>> {
    let Some(code) = row.text_if_any("stays")? else {
        return Ok(None);
    };
    let value = codes::value(code, None).map_err(|error| sqlx::Error::ColumnDecode {
        index: "stays".to_owned(),
        source: error.into(),
    })?;
    Ok(Some(value))
}

fn row_count(count: i64, is_exact: bool, kind: RetentionKind) -> RowCount {
    let precision = match kind {
        _ if is_exact => Precision::Exact,
        RetentionKind::Parked
        | RetentionKind::Quarantine
        | RetentionKind::Alerts
        | RetentionKind::Actions => Precision::AtLeast,
        RetentionKind::Bodies
        | RetentionKind::Deliveries
        | RetentionKind::Fetches
        | RetentionKind::Orders
        | RetentionKind::Events => Precision::About,
    };
    RowCount {
        count: count.try_into().unwrap_or_default(),
        precision,
    }
}
