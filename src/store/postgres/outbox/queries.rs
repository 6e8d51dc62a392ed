//! What readers of the feed and operators see of events, notifications and targets.

use sqlx::{PgConnection, Postgres, Row};

use crate::store::postgres::Store;
use crate::store::postgres::error::Fault;
use crate::store::postgres::lane::bounded;
use crate::store::sql::cursor::List;
use crate::store::sql::notifications::{page, select_page, select_targets, target_of_row};
use crate::store::sql::outbox::feed_page;
use crate::store::{
    EventPage, Listing, NotificationFilter, NotificationRow, StoreError, TargetRow,
};
use number_order::Time;

/// Selects the marks of the feed: the number up to which events are pruned, and that of the newest one.
const SELECT_MARKS: &str = "
    SELECT s.events_pruned_through, e.last AS newest FROM service AS s, event_sequence AS e";

const SELECT_EVENTS: &str = "
    SELECT sequence, type, provisional, body FROM events WHERE sequence > $1 AND NOT test ORDER BY sequence LIMIT $2";

/// Returns the number of the newest event.
pub(in crate::store::postgres) async fn newest(db: &mut PgConnection) -> sqlx::Result<i64> {
    let row = sqlx::query(SELECT_MARKS).fetch_one(db).await?;
    row.try_get("newest")
}

impl Store {
    pub(in crate::store) async fn events(
        &self,
        after: Option<i64>,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        bounded(|| self.read_events(after, limit)).await
    }

    async fn read_events(&self, after: Option<i64>, limit: u32) -> Result<EventPage, Fault> {
        let mut work = self.shared.readers.begin_reading().await?;
        let marks = sqlx::query(SELECT_MARKS).fetch_one(&mut *work).await?;
        let newest: i64 = marks.try_get("newest")?;
        let from = after.unwrap_or(newest);
        let found = sqlx::query(SELECT_EVENTS)
            .bind(from)
            .bind(i64::from(limit))
            .fetch_all(&mut *work)
            .await?;
        work.undo().await?;
        let pruned_through = marks.try_get("events_pruned_through")?;
        Ok(feed_page(from, pruned_through, newest, &found)?)
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
            let mut query = select_page::<Postgres>(filter, after);
            let found = query.build().fetch_all(&mut *work).await?;
            work.undo().await?;
            Ok(page(&found, filter)?)
        })
        .await
    }
}
