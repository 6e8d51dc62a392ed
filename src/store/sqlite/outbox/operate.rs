//! What operators do about notifications: send them again, resume a target, try it.

use sqlx::{Row, Sqlite, SqliteConnection};

use super::{insert, last_sequence};
use crate::store::outbox::compose_test;
use crate::store::sql::notifications::{REDRIVEN_MAX, count_redriven, redrive};
use crate::store::sql::outbox::draw_event_id;
use crate::store::sqlite::command::{WriteCommand, WriteContext};
use crate::store::sqlite::script::{Script, room_for};
use crate::store::sqlite::{Store, StoreError};
use crate::store::{NotificationFilter, TestEvent};
use number_order::Time;

/// Makes queues due for notifications that wait again. In a queue that there is, another one may wait before them.
const QUEUES: &str = "
    INSERT INTO notification_queues (target, subject, due_at)
    SELECT DISTINCT n.target, n.subject, ?1 FROM notifications AS n
    WHERE n.id IN (SELECT value FROM json_each(?2)) ON CONFLICT DO NOTHING";

/// Makes notifications wait again, with all their attempts.
struct Redrive {
    filter: NotificationFilter,
    /// Row after which they come: one that was sent again, and has been delivered since, is not sent a second time.
    after: i64,
    now: Time,
}

impl WriteCommand for Redrive {
    type Reply = Vec<i64>;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Vec<i64>> {
        let db = &mut context.db;
        let mut query = redrive::<Sqlite>(&self.filter, self.after, "");
        let redriven = query.build().fetch_all(&mut *db).await?;
        let ids = redriven.iter().map(|row| row.try_get::<i64, _>("id"));
        let ids: Vec<i64> = ids.collect::<sqlx::Result<_>>()?;
        sqlx::query(QUEUES)
            .bind(self.now.0)
            .bind(crate::store::sql::json(&ids))
            .execute(db)
            .await?;
        context.outbox.added = true;
        Ok(ids)
    }
}

struct Resume(String);

impl WriteCommand for Resume {
    type Reply = bool;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<bool> {
        let resumed = sqlx::query(
            "UPDATE targets SET switched_off_at = NULL, failures = 0, failing_since_at = NULL, paused_until_at = NULL \
             WHERE name = ?",
        )
        .bind(&self.0)
        .execute(&mut context.db)
        .await?;
        context.outbox.added = true;
        Ok(resumed.rows_affected() > 0)
    }
}

/// Makes due what waits for a target, some queues at a time. One that is being sent is left as it is.
const MAKE_DUE: &str = "
    UPDATE notification_queues SET due_at = ?2 WHERE id IN (
        SELECT q.id FROM targets AS t CROSS JOIN notification_queues AS q ON q.target = t.id
        WHERE t.name = ?1 AND q.due_at > ?2 AND q.lease IS NULL LIMIT ?3)";

struct MakeDue(String, Time);

impl WriteCommand for MakeDue {
    type Reply = u64;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<u64> {
        let made = sqlx::query(MAKE_DUE)
            .bind(&self.0)
            .bind(self.1.0)
            .bind(REDRIVEN_MAX)
            .execute(&mut context.db)
            .await?;
        context.outbox.added = true;
        Ok(made.rows_affected())
    }
}

impl WriteCommand for TestEvent {
    type Reply = Option<i64>;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Option<i64>> {
        let db = &mut context.db;
        let Some(target) = target_id(db, &self.target).await? else {
            return Ok(None);
        };
        let last = last_sequence(db).await?;
        let outbox = compose_test(self, last, target, draw_event_id());
        let mut script = Script::default();
        insert(&mut script, room_for([outbox.events.len()]), &outbox);
        script.execute(db).await?;
        context.outbox.added = true;
        Ok(Some(last + 1))
    }
}

async fn target_id(db: &mut SqliteConnection, name: &str) -> sqlx::Result<Option<i64>> {
    let found = sqlx::query("SELECT id FROM targets WHERE name = ? AND active").bind(name);
    let row = found.fetch_optional(db).await?;
    row.map(|row| row.try_get("id")).transpose()
}

impl Store {
    pub(in crate::store) async fn redrive(
        &self,
        filter: NotificationFilter,
        now: Time,
    ) -> Result<u64, StoreError> {
        let (mut redriven, mut after) = (0, 0);
        loop {
            let filter = filter.clone();
            let some = self.write(Redrive { filter, after, now }).await?;
            redriven += some.len() as u64;
            after = some.iter().copied().max().unwrap_or(after);
            if some.len() < REDRIVEN_MAX as usize {
                return Ok(redriven);
            }
        }
    }

    pub(in crate::store) async fn count_notifications(
        &self,
        filter: &NotificationFilter,
    ) -> Result<u64, StoreError> {
        let mut query = count_redriven::<Sqlite>(filter);
        let row = query.build();
        let row = row.fetch_one(&mut *self.readers.begin().await?).await?;
        Ok(row.try_get::<i64, _>(0)? as u64)
    }

    pub(in crate::store) async fn resume_target(
        &self,
        name: String,
        now: Time,
    ) -> Result<bool, StoreError> {
        if !self.write(Resume(name.clone())).await? {
            return Ok(false);
        }
        while self.write(MakeDue(name.clone(), now)).await? > 0 {}
        Ok(true)
    }

    pub(in crate::store) async fn send_test(
        &self,
        test: TestEvent,
    ) -> Result<Option<i64>, StoreError> {
        self.write(test).await
    }
}
