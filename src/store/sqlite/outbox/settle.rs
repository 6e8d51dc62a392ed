//! Results of sending notifications: what they change of the notification, its queue and its target.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::{Row, SqliteConnection};

use crate::store::NotificationResult;
use crate::store::sql::json;
use crate::store::sql::outbox::{
    HealthText, ResultText, TargetState, attempts_by_target, health_after, target_columns,
};
use crate::store::sqlite::command::{WriteCommand, WriteContext};
use crate::store::sqlite::{Store, StoreError};

/// Selects, as one JSON text, those notifications of results whose lease still holds.
pub(super) const SELECT_HELD: &str = "
    SELECT json_group_array(n.id)
    FROM (SELECT value ->> 'id' AS id, value ->> 'lease' AS lease FROM json_each(?)) AS v
    CROSS JOIN notifications AS n ON n.id = v.id AND n.phase = 'waiting'
    CROSS JOIN notification_queues AS q ON q.target = n.target AND q.subject = n.subject AND q.lease = v.lease";

/// Writes the given results to their notifications.
pub(super) const UPDATE_NOTIFICATIONS: &str = "
    UPDATE notifications SET phase = v.phase, attempts = min(attempts + v.made, 4294967295),
        attempted_at = iif(v.made, v.attempted_at, notifications.attempted_at),
        failure = iif(v.made, v.failure, notifications.failure),
        failure_fields = iif(v.made, v.failure_fields, notifications.failure_fields)
    FROM (SELECT value ->> 'id' AS id, value ->> 'phase' AS phase, value ->> 'made' AS made,
            value ->> 'attempted_at' AS attempted_at, value ->> 'failure' AS failure,
            value ->> 'failure_fields' AS failure_fields FROM json_each(?)) AS v
    WHERE notifications.id = v.id";

/// Releases the queues: they are due when their first notification is.
pub(super) const RELEASE_QUEUES: &str = "
    UPDATE notification_queues SET lease = NULL, due_at = v.due_at
    FROM (SELECT value ->> 'target' AS target, value ->> 'subject' AS subject, value ->> 'lease' AS lease,
            value ->> 'due_at' AS due_at FROM json_each(?)) AS v
    WHERE notification_queues.target = v.target AND notification_queues.subject = v.subject
        AND notification_queues.lease = v.lease";

/// Removes the given queues in which nothing waits any more.
pub(super) const REMOVE_QUEUES: &str = "
    DELETE FROM notification_queues
    WHERE (target, subject) IN (SELECT value ->> 'target', value ->> 'subject' FROM json_each(?)) AND lease IS NULL
        AND NOT EXISTS (SELECT 1 FROM notifications AS n
            WHERE n.target = notification_queues.target AND n.subject = notification_queues.subject
                AND n.phase = 'waiting')";

const SELECT_TARGET: &str = concat!(
    "SELECT ",
    target_columns!(),
    ", NULL AS due_at FROM targets AS t WHERE t.id = ?"
);

const UPDATE_TARGET: &str = "
    UPDATE targets SET failures = ?2, failing_since_at = ?3, paused_until_at = ?4, delivered_at = ?5,
        switched_off_at = ?6, failure = ?7, failure_fields = ?8
    WHERE id = ?1";

/// Records the results of sending notifications. Those of holders whose lease has run out change nothing.
struct Settle(Arc<[NotificationResult]>);

impl WriteCommand for Settle {
    type Reply = ();
    const CHANGES_ORDERS: bool = false;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<()> {
        let db = &mut context.db;
        let texts: Vec<ResultText> = self.0.iter().map(ResultText::new).collect();
        let held = sqlx::query(SELECT_HELD)
            .bind(json(&texts))
            .fetch_one(&mut *db)
            .await?;
        let held: HashSet<i64> = serde_json::from_slice(held.try_get_unchecked(0)?)
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        let texts = texts.into_iter().filter(|text| held.contains(&text.id));
        let texts = json(&texts.collect::<Vec<_>>());
        for sql in [UPDATE_NOTIFICATIONS, RELEASE_QUEUES, REMOVE_QUEUES] {
            sqlx::query(sql).bind(&texts).execute(&mut *db).await?;
        }
        for (target, results) in attempts_by_target(&self.0, &held) {
            settle_target(db, target, &results).await?;
        }
        Ok(())
    }
}

/// Changes the health of a target by the given results, in their order.
async fn settle_target(
    db: &mut SqliteConnection,
    target: i64,
    results: &[&NotificationResult],
) -> sqlx::Result<()> {
    let row = sqlx::query(SELECT_TARGET)
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

impl Store {
    pub(in crate::store) async fn settle_notifications(
        &self,
        results: Arc<[NotificationResult]>,
    ) -> Result<(), StoreError> {
        self.write(Settle(results)).await
    }
}
