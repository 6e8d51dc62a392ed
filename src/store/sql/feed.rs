//! The feed: what was asked for, as statements have it, and the page that is made of the rows found.

use std::ops::Range;

use strum::VariantArray;

use super::Columns;
use crate::store::{EventPage, FeedEvent, FeedRequest};
use notifications::EventType;

/// Returns the number of the feed after which events with the numbers come.
pub(in crate::store) fn before(numbers: &Range<i64>) -> i64 {
    numbers.start.saturating_sub(1).max(0)
}

/// Selects the number before the first event beyond $1 that is of the time $2 or later, or the newest number: so a reader that
/// begins with a time is told nothing older first.
pub(in crate::store) const BEFORE_TIME: &str = "
    SELECT coalesce(
        (SELECT sequence - 1 FROM events WHERE sequence > $1 AND recorded_at >= $2 ORDER BY sequence LIMIT 1),
        (SELECT max(sequence) FROM events), $1)";

/// Marks of the feed.
pub(in crate::store) struct FeedMarks {
    feed: String,
    /// Number up to which events are pruned.
    pruned_through: i64,
    /// Number of the newest event, of those too that only tried a target.
    newest: i64,
}

impl FeedMarks {
    /// Reads the marks from `feed_id`, `events_pruned_through` and `newest`.
    pub(in crate::store) fn of_row(row: &impl Columns) -> sqlx::Result<FeedMarks> {
        Ok(FeedMarks {
            feed: row.text("feed_id")?.to_owned(),
            pruned_through: row.int("events_pruned_through")?,
            newest: row.int("newest")?,
        })
    }

    /// Returns the number after which the events come that are asked for.
    ///
    /// # Errors
    ///
    /// Returns the page that says why there are none.
    pub(in crate::store) fn start(&self, request: &FeedRequest) -> Result<i64, EventPage> {
        let newest = self.newest;
        let after = request.after.unwrap_or(newest);
        if request.feed.as_ref().is_some_and(|feed| *feed != self.feed) {
            Err(EventPage::Other { newest })
        } else if after > newest {
            Err(EventPage::Ahead { newest })
        } else if after < self.pruned_through {
            let after = self.pruned_through;
            Err(EventPage::Pruned { after })
        } else {
            Ok(after)
        }
    }

    /// Returns the page of the rows that were found after the marks were read. A page that is not full has looked at all
    /// events up to the newest one: numbers are given in the order of commits.
    pub(in crate::store) fn page(
        self,
        request: &FeedRequest,
        after: i64,
        found: &[impl Columns],
    ) -> sqlx::Result<EventPage> {
        let events = found.iter().map(event_of_row);
        let events: Vec<FeedEvent> = events.collect::<sqlx::Result<_>>()?;
        let last = events.last().map_or(after, |event| event.sequence);
        let is_full = events.len() >= request.limit as usize;
        Ok(EventPage::Events {
            feed: self.feed,
            after,
            events,
            through: if is_full { last } else { last.max(self.newest) },
        })
    }
}

impl FeedRequest {
    /// Returns `true` if every event is asked for.
    pub(in crate::store) fn is_for_all(&self) -> bool {
        self.types.is_empty() && self.provisional && self.order.is_none()
    }

    /// Returns the kinds of events that are asked for: each is a range of the index, and is read in its order.
    pub(in crate::store) fn kinds(&self) -> Vec<(&'static str, bool)> {
        let types = if self.types.is_empty() {
            EventType::VARIANTS
        } else {
            &self.types
        };
        let standings: &[bool] = if self.provisional {
            &[false, true]
        } else {
            &[false]
        };
        let kinds = types.iter().flat_map(|one| {
            let kinds = standings.iter();
            kinds.map(|provisional| (one.name(), *provisional))
        });
        kinds.collect()
    }
}

fn event_of_row(row: &impl Columns) -> sqlx::Result<FeedEvent> {
    let event_type = row.text("type")?;
    Ok(FeedEvent {
        sequence: row.int("sequence")?,
        event_type: event_type.parse().map_err(|_| sqlx::Error::ColumnDecode {
            index: "type".to_owned(),
            source: format!("no type of events: {event_type:.40?}").into(),
        })?,
        body: row.text("body")?.to_owned(),
    })
}
