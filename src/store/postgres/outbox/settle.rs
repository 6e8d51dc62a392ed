//! Results of sending notifications: what they change of the notification, its queue and its target.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::{PgConnection, Row};

use crate::store::postgres::Store;
use crate::store::postgres::error::Fault;
use crate::store::postgres::lane::bounded;
use crate::store::sql::json;
use crate::store::sql::outbox::{
    HealthText, ResultText, TargetState, attempts_by_target, health_after, target_columns,
};
use crate::store::{NotificationResult, StoreError};

/// Rows of the results, from the statement's first parameter.
macro_rules! results {
    () => {
        "json_to_recordset($1::json) AS v (id bigint, target bigint, subject bigint, lease bigint, phase text, \
         made bigint, attempted_at bigint, failure text, failure_fields text, due_at bigint)"
    };
}

/// Locks the queues of those results whose lease still holds, in the order in which all lock queues.
const LOCK_QUEUES: &str = concat!(
    "SELECT v.id FROM ",
    results!(),
    " JOIN notification_queues AS q ON q.target = v.target AND q.subject = v.subject AND q.lease = v.lease \
     ORDER BY q.target, q.subject FOR UPDATE OF q"
);

const UPDATE_NOTIFICATIONS: &str = concat!(
    "UPDATE notifications AS n SET phase = v.phase, attempts = least(n.attempts + v.made, 4294967295), \
     attempted_at = CASE v.made WHEN 1 THEN v.attempted_at ELSE n.attempted_at END, \
     failure = CASE v.made WHEN 1 THEN v.failure ELSE n.failure END, \
     failure_fields = CASE v.made WHEN 1 THEN v.failure_fields ELSE n.failure_fields END FROM ",
    results!(),
    " WHERE n.id = v.id AND n.phase = 'waiting'"
);

/// Releases the queues: they are due when their first notification is.
const RELEASE_QUEUES: &str = concat!(
    "UPDATE notification_queues AS q SET lease = NULL, due_at = v.due_at FROM ",
    results!(),
    " WHERE q.target = v.target AND q.subject = v.subject AND q.lease = v.lease"
);

/// Removes the given queues in which nothing waits any more.
const REMOVE_QUEUES: &str = concat!(
    "DELETE FROM notification_queues AS q USING ",
    results!(),
    " WHERE q.target = v.target AND q.subject = v.subject AND q.lease IS NULL AND NOT EXISTS \
     (SELECT 1 FROM notifications AS n WHERE n.target = q.target AND n.subject = q.subject AND n.phase = 'waiting')"
);

const LOCK_TARGET: &str = concat!(
    "SELECT ",
    target_columns!(),
    ", NULL::bigint AS due_at FROM targets AS t WHERE t.id = $1 FOR NO KEY UPDATE"
);

const UPDATE_TARGET: &str = "
    UPDATE targets SET failures = $2, failing_since_at = $3, paused_until_at = $4, delivered_at = $5,
        switched_off_at = $6, failure = $7, failure_fields = $8
    WHERE id = $1";

impl Store {
    pub(in crate::store) async fn settle_notifications(
        &self,
        results: Arc<[NotificationResult]>,
    ) -> Result<(), StoreError> {
        let clock = self.shared.clock;
        let results: Vec<NotificationResult> = results
            .iter()
            .map(|result| result.moved(|at| clock.database(at)))
            .collect();
        bounded(|| self.settle_some(&results)).await
    }

    async fn settle_some(&self, results: &[NotificationResult]) -> Result<(), Fault> {
        let mut work = self.shared.senders.begin().await?;
        settle(&mut work, results).await?;
        work.commit().await
    }
}

/// Records the results of sending notifications. Those of holders whose lease has run out change nothing.
async fn settle(db: &mut PgConnection, results: &[NotificationResult]) -> Result<(), Fault> {
    let texts: Vec<ResultText> = results.iter().map(ResultText::new).collect();
    let held = sqlx::query(LOCK_QUEUES)
        .bind(json(&texts))
        .fetch_all(&mut *db)
        .await?;
    let held = held.iter().map(|row| row.try_get::<i64, _>("id"));
    let held: HashSet<i64> = held.collect::<sqlx::Result<_>>()?;
    let texts = texts.into_iter().filter(|text| held.contains(&text.id));
    let texts = json(&texts.collect::<Vec<_>>());
    for sql in [UPDATE_NOTIFICATIONS, RELEASE_QUEUES, REMOVE_QUEUES] {
        sqlx::query(sql).bind(&texts).execute(&mut *db).await?;
    }
    for (target, results) in attempts_by_target(results, &held) {
        settle_target(db, target, &results).await?;
    }
    Ok(())
}

/// Changes the health of a target by the given results, in their order.
async fn settle_target(
    db: &mut PgConnection,
    target: i64,
    results: &[&NotificationResult],
) -> Result<(), Fault> {
    let row = sqlx::query(LOCK_TARGET)
        .bind(target)
        .fetch_one(&mut *db)
        .await?;
    let (health, failure) = health_after(TargetState::of_row(&row)?.health, results);
    let text = HealthText::new(&health, failure);
    sqlx::query(UPDATE_TARGET)
        .bind(target)
        .bind(text.failures)
        .bind(text.failing_since_at)
        .bind(text.paused_until_at)
        .bind(text.delivered_at)
        .bind(text.switched_off_at)
        .bind(text.failure)
        .bind(text.failure_fields)
        .execute(db)
        .await?;
    Ok(())
}
