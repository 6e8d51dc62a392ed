//! What operators do about notifications: send them again, resume a target, try it.

use sqlx::{PgConnection, Postgres, Row};

use super::{insert, take_numbers};
use crate::store::outbox::compose_test;
use crate::store::postgres::Store;
use crate::store::postgres::error::Fault;
use crate::store::postgres::lane::bounded;
use crate::store::sql::notifications::{self, REDRIVEN_MAX, count_redriven};
use crate::store::sql::outbox::draw_event_id;
use crate::store::{NotificationFilter, StoreError, TestEvent};
use number_order::Time;

/// Makes queues due for notifications that wait again. In a queue that there is, another one may wait before them.
const QUEUES: &str = "
    INSERT INTO notification_queues (target, subject, due_at)
    SELECT DISTINCT n.target, n.subject, $1::bigint FROM notifications AS n WHERE n.id = ANY ($2)
    ORDER BY n.target, n.subject
    ON CONFLICT (target, subject) DO UPDATE SET due_at = notification_queues.due_at";

const RESUME: &str = "
    UPDATE targets SET switched_off_at = NULL, failures = 0, failing_since_at = NULL, paused_until_at = NULL
    WHERE name = $1";

/// Makes due what waits for a target, some queues at a time. One that is being sent is left as it is.
const MAKE_DUE: &str = "
    UPDATE notification_queues SET due_at = $2 WHERE id IN (
        SELECT q.id FROM notification_queues AS q
        WHERE q.target = (SELECT id FROM targets WHERE name = $1) AND q.due_at > $2 AND q.lease IS NULL
        LIMIT $3 FOR UPDATE SKIP LOCKED)";

impl Store {
    pub(in crate::store) async fn redrive(
        &self,
        filter: NotificationFilter,
        now: Time,
    ) -> Result<u64, StoreError> {
        let now = self.shared.clock.database(now);
        let (mut redriven, mut after) = (0, 0);
        loop {
            let some = bounded(async || {
                let mut work = self.shared.commands.begin().await?;
                let some = redrive(&mut work, &filter, after, now).await?;
                work.commit().await?;
                Ok(some)
            });
            let some = some.await?;
            self.shared.told.notify_waiters();
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
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let mut query = count_redriven::<Postgres>(filter);
            let row = query.build().fetch_one(&mut *work).await?;
            work.undo().await?;
            Ok(row.try_get::<i64, _>(0)?.cast_unsigned())
        })
        .await
    }

    pub(in crate::store) async fn resume_target(
        &self,
        name: String,
        now: Time,
    ) -> Result<bool, StoreError> {
        let now = self.shared.clock.database(now);
        let resumed = bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let resumed = sqlx::query(RESUME).bind(&name).execute(&mut *work).await?;
            work.commit().await?;
            Ok(resumed.rows_affected() > 0)
        });
        let is_known = resumed.await?;
        while is_known && self.make_due(&name, now).await? > 0 {}
        self.shared.told.notify_waiters();
        Ok(is_known)
    }

    /// Makes due some of what waits for a target, and returns the number of queues.
    async fn make_due(&self, name: &str, now: Time) -> Result<u64, StoreError> {
        bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let made = sqlx::query(MAKE_DUE)
                .bind(name)
                .bind(now.0)
                .bind(i64::from(REDRIVEN_MAX))
                .execute(&mut *work)
                .await?;
            work.commit().await?;
            Ok(made.rows_affected())
        })
        .await
    }

    pub(in crate::store) async fn send_test(
        &self,
        test: TestEvent,
    ) -> Result<Option<i64>, StoreError> {
        let test = TestEvent {
            now: self.shared.clock.database(test.now),
            ..test
        };
        let sequence = bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let sequence = add_test(&mut work, &test).await?;
            work.commit().await?;
            Ok(sequence)
        });
        let sequence = sequence.await?;
        self.shared.told.notify_waiters();
        Ok(sequence)
    }
}

/// Makes some notifications wait again, with all their attempts, and returns their rows. One that was sent again, and has been
/// delivered since, does not come after the last row.
async fn redrive(
    db: &mut PgConnection,
    filter: &NotificationFilter,
    after: i64,
    now: Time,
) -> Result<Vec<i64>, Fault> {
    let mut query = notifications::redrive::<Postgres>(filter, after, " FOR NO KEY UPDATE OF n");
    let redriven = query.build().fetch_all(&mut *db).await?;
    let ids = redriven.iter().map(|row| row.try_get::<i64, _>("id"));
    let ids: Vec<i64> = ids.collect::<sqlx::Result<_>>()?;
    sqlx::query(QUEUES)
        .bind(now.0)
        .bind(&ids)
        .execute(db)
        .await?;
    Ok(ids)
}

async fn add_test(db: &mut PgConnection, test: &TestEvent) -> Result<Option<i64>, Fault> {
    let found = sqlx::query("SELECT id FROM targets WHERE name = $1 AND active").bind(&test.target);
    let Some(row) = found.fetch_optional(&mut *db).await? else {
        return Ok(None);
    };
    let last = take_numbers(db, 1).await?;
    let outbox = compose_test(test, last, row.try_get("id")?, draw_event_id());
    insert(db, &outbox).await?;
    Ok(Some(last + 1))
}
