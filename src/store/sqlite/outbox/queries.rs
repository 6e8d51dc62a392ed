//! What readers of the feed and operators see of events, notifications and targets.

use sqlx::{Sqlite, SqliteConnection};

use crate::store::sql::cursor::List;
use crate::store::sql::feed::{BEFORE_TIME, FeedMarks, before};
use crate::store::sql::json;
use crate::store::sql::notifications::{self, page, select_page, select_targets, target_of_row};
use crate::store::sql::reach::{ALL, Listed, Reach};
use crate::store::sqlite::reach::{bounds, shortened};
use crate::store::sqlite::{Store, StoreError};
use crate::store::{
    EventPage, FeedRequest, Listing, NotificationFilter, NotificationRow, TargetRow,
};
use number_order::Time;

/// Selects the marks of the feed: its id, the number up to which events are pruned, and that of the newest one.
pub(super) const SELECT_MARKS: &str = "
    SELECT feed_id, events_pruned_through,
        (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events') AS newest
    FROM service";

pub(super) const SELECT_ALL: &str = "
    SELECT sequence, type, body FROM events WHERE sequence > ? AND test = 0 ORDER BY sequence LIMIT ?";

/// Selects events of some kinds: of each the first ones, by the index, and of these the first ones. So a kind that is rare
/// costs no look at the others.
pub(in crate::store::sqlite) const SELECT_SOME: &str = "
    SELECT e.sequence, e.type, e.body FROM (
        SELECT i.sequence FROM json_each(?1) AS v CROSS JOIN events AS i ON i.sequence IN (
            SELECT f.sequence FROM events AS f
            WHERE f.type = v.value ->> 0 AND f.provisional = v.value ->> 1 AND f.test = 0 AND f.sequence > ?2
            ORDER BY f.sequence LIMIT ?3)
        ORDER BY i.sequence LIMIT ?3) AS chosen
    CROSS JOIN events AS e ON e.sequence = chosen.sequence ORDER BY e.sequence";

/// Selects events of some kinds about an order. Those of one order are few.
pub(in crate::store::sqlite) const SELECT_OF_ORDER: &str = "
    SELECT e.sequence, e.type, e.body FROM projects AS p
        CROSS JOIN orders AS o ON o.project = p.id AND o.sinch_id = ?1
        CROSS JOIN events AS e INDEXED BY events_order ON e.order_id = o.id
    WHERE e.sequence > ?3 AND e.test = 0
        AND EXISTS (SELECT 1 FROM json_each(?2) AS v WHERE e.type = v.value ->> 0 AND e.provisional = v.value ->> 1)
    ORDER BY e.sequence LIMIT ?4";

/// Reads all targets.
pub(in crate::store::sqlite) async fn targets(
    db: &mut SqliteConnection,
) -> sqlx::Result<Vec<TargetRow>> {
    let found = sqlx::query(select_targets!()).fetch_all(db).await?;
    found.iter().map(target_of_row).collect()
}

/// Returns the notifications that a page looks through.
async fn reach(
    db: &mut SqliteConnection,
    filter: &NotificationFilter,
    after: Option<i64>,
) -> sqlx::Result<Reach> {
    let mut ids = ALL;
    if filter.since.is_some() || filter.until.is_some() {
        let events = bounds(db, Listed::EVENTS, filter.since, filter.until).await?;
        let mut query = notifications::select_bounds::<Sqlite>(&events);
        ids = notifications::bounds_of_row(&query.build().fetch_one(&mut *db).await?)?;
    }
    let reach = Reach::after(after, filter.newest_first, &ids);
    if notifications::looks_through(filter) {
        shortened(db, reach, Listed::NOTIFICATIONS, filter.newest_first).await
    } else {
        Ok(reach)
    }
}

impl Store {
    pub(in crate::store) async fn events(
        &self,
        request: &FeedRequest,
    ) -> Result<EventPage, StoreError> {
        let mut db = self.readers.begin().await?;
        let marks = sqlx::query(SELECT_MARKS).fetch_one(&mut *db).await?;
        let marks = FeedMarks::of_row(&marks)?;
        let after = match marks.start(request) {
            Ok(after) => after,
            Err(page) => return Ok(page),
        };
        let found = if let Some(order) = &request.order {
            let of_order = sqlx::query(SELECT_OF_ORDER).bind(order.as_str());
            of_order.bind(json(&request.kinds()))
        } else if request.is_for_all() {
            sqlx::query(SELECT_ALL)
        } else {
            sqlx::query(SELECT_SOME).bind(json(&request.kinds()))
        };
        let found = found.bind(after).bind(request.limit).fetch_all(&mut *db);
        Ok(marks.page(request, after, &found.await?)?)
    }

    pub(in crate::store) async fn events_since(&self, time: Time) -> Result<i64, StoreError> {
        let mut db = self.readers.begin().await?;
        let numbers = bounds(&mut db, Listed::EVENTS, Some(time), None).await?;
        let after = sqlx::query_scalar(BEFORE_TIME);
        let after = after.bind(before(&numbers)).bind(time.0);
        Ok(after.fetch_one(&mut *db).await?)
    }

    pub(in crate::store) async fn targets(&self) -> Result<Vec<TargetRow>, StoreError> {
        Ok(targets(&mut *self.readers.begin().await?).await?)
    }

    pub(in crate::store) async fn notifications(
        &self,
        filter: &NotificationFilter,
    ) -> Result<Listing<NotificationRow>, StoreError> {
        let after = filter.after.as_ref();
        let after = after.map(|cursor| List::Notifications.row(cursor));
        let after = after.transpose()?;
        let mut db = self.readers.begin().await?;
        let reach = reach(&mut db, filter, after).await?;
        let mut query = select_page::<Sqlite>(filter, reach);
        let found = query.build().fetch_all(&mut *db).await?;
        let page = page(&found, filter, reach)?;
        self.met.note(&page.unreadable);
        Ok(page)
    }
}
