//! What readers of the feed and operators see of events, notifications and targets.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row};

use crate::store::postgres::Store;
use crate::store::postgres::error::Fault;
use crate::store::postgres::lane::bounded;
use crate::store::postgres::reach::{bounds, shortened};
use crate::store::sql::cursor::List;
use crate::store::sql::feed::{BEFORE_TIME, FeedMarks, before};
use crate::store::sql::notifications::{self, page, select_page, select_targets, target_of_row};
use crate::store::sql::reach::{ALL, Listed, Reach};
use crate::store::{
    EventPage, FeedRequest, Listing, NotificationFilter, NotificationRow, StoreError, TargetRow,
};
use number_order::Time;

/// Selects the marks of the feed: its id, the number up to which events are pruned, and that of the newest one.
const SELECT_MARKS: &str = "
    SELECT s.feed_id, s.events_pruned_through, e.last AS newest FROM service AS s, event_sequence AS e";

const SELECT_ALL: &str = "
    SELECT sequence, type, body FROM events WHERE sequence > $1 AND NOT test ORDER BY sequence LIMIT $2";

/// Selects events of some kinds: of each the first ones, by the index, and of these the first ones. So a kind that is rare
/// costs no look at the others.
pub(in crate::store::postgres) const SELECT_SOME: &str = "
    SELECT e.sequence, e.type, e.body FROM (
        SELECT f.sequence FROM unnest($1::text[], $2::boolean[]) AS v (type, provisional) CROSS JOIN LATERAL (
            SELECT f.sequence FROM events AS f
            WHERE f.type = v.type AND f.provisional = v.provisional AND NOT f.test AND f.sequence > $3
            ORDER BY f.sequence LIMIT $4) AS f
        ORDER BY f.sequence LIMIT $4) AS chosen
    JOIN events AS e ON e.sequence = chosen.sequence ORDER BY e.sequence";

/// Selects events of some kinds about an order. Those of one order are few.
const SELECT_OF_ORDER: &str = "
    SELECT e.sequence, e.type, e.body FROM orders AS o JOIN events AS e ON e.order_id = o.id
    WHERE o.project IN (SELECT id FROM projects) AND o.sinch_id = $1 AND e.sequence + 0 > $4 AND NOT e.test
        AND (e.type, e.provisional) IN (SELECT * FROM unnest($2::text[], $3::boolean[]))
    ORDER BY e.sequence + 0 LIMIT $5";

/// Returns the number of the newest event.
pub(in crate::store::postgres) async fn newest(db: &mut PgConnection) -> sqlx::Result<i64> {
    let row = sqlx::query(SELECT_MARKS).fetch_one(db).await?;
    row.try_get("newest")
}

/// Returns the statement for the events that come after a number.
fn select(request: &FeedRequest, after: i64) -> Query<'_, Postgres, PgArguments> {
    let select = if let Some(order) = &request.order {
        let (types, provisional): (Vec<_>, Vec<_>) = request.kinds().into_iter().unzip();
        let of_order = sqlx::query(SELECT_OF_ORDER).bind(order.as_str());
        of_order.bind(types).bind(provisional)
    } else if request.is_for_all() {
        sqlx::query(SELECT_ALL)
    } else {
        let (types, provisional): (Vec<_>, Vec<_>) = request.kinds().into_iter().unzip();
        sqlx::query(SELECT_SOME).bind(types).bind(provisional)
    };
    select.bind(after).bind(i64::from(request.limit))
}

/// Returns the notifications that a page looks through.
async fn reach(
    db: &mut PgConnection,
    filter: &NotificationFilter,
    after: Option<i64>,
) -> sqlx::Result<Reach> {
    let mut ids = ALL;
    if filter.since.is_some() || filter.until.is_some() {
        let events = bounds(db, Listed::EVENTS, filter.since, filter.until).await?;
        let mut query = notifications::select_bounds::<Postgres>(&events);
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
        bounded(|| self.read_events(request)).await
    }

    async fn read_events(&self, request: &FeedRequest) -> Result<EventPage, Fault> {
        let mut work = self.shared.readers.begin_reading().await?;
        let marks = sqlx::query(SELECT_MARKS).fetch_one(&mut *work).await?;
        let marks = FeedMarks::of_row(&marks)?;
        let page = match marks.start(request) {
            Ok(after) => {
                let found = select(request, after).fetch_all(&mut *work).await?;
                marks.page(request, after, &found)?
            }
            Err(page) => page,
        };
        work.undo().await?;
        Ok(page)
    }

    pub(in crate::store) async fn events_since(&self, time: Time) -> Result<i64, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let numbers = bounds(&mut work, Listed::EVENTS, Some(time), None).await?;
            let after = sqlx::query_scalar(BEFORE_TIME);
            let after = after.bind(before(&numbers)).bind(time.0);
            let after = after.fetch_one(&mut *work).await?;
            work.undo().await?;
            Ok(after)
        })
        .await
    }

    pub(in crate::store) async fn targets(&self) -> Result<Vec<TargetRow>, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let targets = self.read_targets(&mut work).await?;
            work.undo().await?;
            Ok(targets)
        })
        .await
    }

    /// Reads all targets, with the times of circuits by the program's clock.
    pub(in crate::store::postgres) async fn read_targets(
        &self,
        db: &mut PgConnection,
    ) -> sqlx::Result<Vec<TargetRow>> {
        let found = sqlx::query(select_targets!()).fetch_all(db).await?;
        let program = |at: Time| self.shared.clock.program(at);
        let targets = found.iter().map(target_of_row);
        targets.map(|target| Ok(target?.moved(program))).collect()
    }

    pub(in crate::store) async fn notifications(
        &self,
        filter: &NotificationFilter,
    ) -> Result<Listing<NotificationRow>, StoreError> {
        let after = filter.after.as_ref();
        let after = after.map(|cursor| List::Notifications.row(cursor));
        let after = after.transpose()?;
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let reach = reach(&mut work, filter, after).await?;
            let mut query = select_page::<Postgres>(filter, reach);
            let found = query.build().fetch_all(&mut *work).await?;
            work.undo().await?;
            let page = page(&found, filter, reach)?;
            self.shared.met.note(&page.unreadable);
            Ok(page)
        })
        .await
    }
}
