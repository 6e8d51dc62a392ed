//! What readers of the feed and operators see of events, notifications and targets.

use sqlx::{Row, Sqlite, SqliteConnection};

use crate::store::sql::cursor::List;
use crate::store::sql::notifications::{page, select_page, select_targets, target_of_row};
use crate::store::sql::outbox::feed_page;
use crate::store::sqlite::{Store, StoreError};
use crate::store::{EventPage, Listing, NotificationFilter, NotificationRow, TargetRow};

/// Selects the marks of the feed: the number up to which events are pruned, and that of the newest one.
pub(super) const SELECT_MARKS: &str = "
    SELECT events_pruned_through, (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events') AS newest
    FROM service";

pub(super) const SELECT_EVENTS: &str = "
    SELECT sequence, type, provisional, body FROM events WHERE sequence > ? AND test = 0 ORDER BY sequence LIMIT ?";

/// Reads all targets.
pub(in crate::store::sqlite) async fn targets(
    db: &mut SqliteConnection,
) -> sqlx::Result<Vec<TargetRow>> {
    let found = sqlx::query(select_targets!()).fetch_all(db).await?;
    found.iter().map(target_of_row).collect()
}

impl Store {
    pub(in crate::store) async fn events(
        &self,
        after: Option<i64>,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        let mut db = self.readers.begin().await?;
        let marks = sqlx::query(SELECT_MARKS).fetch_one(&mut *db).await?;
        let newest: i64 = marks.try_get("newest")?;
        let from = after.unwrap_or(newest);
        let found = sqlx::query(SELECT_EVENTS)
            .bind(from)
            .bind(limit)
            .fetch_all(&mut *db)
            .await?;
        let pruned_through = marks.try_get("events_pruned_through")?;
        Ok(feed_page(from, pruned_through, newest, &found)?)
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
        let found = select_page::<Sqlite>(filter, after.transpose()?)
            .build()
            .fetch_all(&mut *self.readers.begin().await?)
            .await?;
        Ok(page(&found, filter)?)
    }
}
