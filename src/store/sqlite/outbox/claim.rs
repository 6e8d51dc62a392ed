//! Claims of notifications that are due: the first of each queue, for the length of a lease.

use sqlx::{Row, SqliteConnection};

use crate::store::sql::json;
use crate::store::sql::outbox::{TargetState, claim_of_row, target_columns};
use crate::store::sqlite::command::{WriteCommand, WriteContext};
use crate::store::sqlite::{Store, StoreError};
use crate::store::{NotificationClaim, NotificationRequest, NotificationsClaimed};

/// Selects a target, and the time at which the first of its queues is due.
pub(super) const SELECT_TARGET: &str = concat!(
    "SELECT ",
    target_columns!(),
    ", (SELECT min(q.due_at) FROM notification_queues AS q WHERE q.target = t.id) AS due_at \
     FROM targets AS t WHERE t.name = ? AND t.active"
);

/// Leases the queues of a target that have been due for the longest time.
pub(super) const LEASE_QUEUES: &str = "
    UPDATE notification_queues SET due_at = ?4, lease = ?5
    WHERE target = ?1 AND subject IN (
        SELECT subject FROM notification_queues WHERE target = ?1 AND due_at <= ?2 ORDER BY due_at LIMIT ?3 + 0)
    RETURNING subject";

/// Selects the first notification of each of the given queues, with its event.
pub(super) const SELECT_FIRST: &str = "
    SELECT n.id, n.target, n.subject, n.attempts, e.sequence, e.id AS event_id, e.type, e.body
    FROM json_each(?2) AS v
    CROSS JOIN notifications AS n ON n.id = (SELECT first.id FROM notifications AS first
        WHERE first.target = ?1 AND first.subject = v.value AND first.phase = 'waiting' ORDER BY first.event LIMIT 1)
    CROSS JOIN events AS e ON e.sequence = n.event";

/// Counts attempts against the target's rate; a probe keeps others off until its lease has run out.
const UPDATE_TARGET: &str = "UPDATE targets SET next_at = ?2, paused_until_at = ?3 WHERE id = ?1";

impl WriteCommand for NotificationRequest {
    type Reply = NotificationsClaimed;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<NotificationsClaimed> {
        let db = &mut context.db;
        let Some(target) = read_target(db, &self.target).await? else {
            return Ok(NotificationsClaimed::default());
        };
        let allowed = match target.allowed(self) {
            Ok(allowed) => allowed,
            Err(next_at) => {
                return Ok(NotificationsClaimed {
                    claims: Vec::new(),
                    next_at,
                });
            }
        };
        let claims = lease(db, &target, self, allowed).await?;
        let after = target.after_claim(self, claims.len() as u32);
        if let Some((next_at, paused_until)) = after {
            sqlx::query(UPDATE_TARGET)
                .bind(target.id)
                .bind(next_at.0)
                .bind(paused_until.map(|at| at.0))
                .execute(&mut *db)
                .await?;
        }
        let next_at = read_target(db, &self.target).await?;
        Ok(NotificationsClaimed {
            claims,
            next_at: next_at.and_then(|target| target.next_claim(self)),
        })
    }
}

async fn read_target(db: &mut SqliteConnection, name: &str) -> sqlx::Result<Option<TargetState>> {
    let found = sqlx::query(SELECT_TARGET).bind(name).fetch_optional(db);
    found.await?.as_ref().map(TargetState::of_row).transpose()
}

/// Leases due notifications, as many as are allowed.
async fn lease(
    db: &mut SqliteConnection,
    target: &TargetState,
    request: &NotificationRequest,
    allowed: u32,
) -> sqlx::Result<Vec<NotificationClaim>> {
    // The queue and this random number together identify the lease's holder.
    let lease = fastrand::i64(1..);
    let leased = sqlx::query(LEASE_QUEUES)
        .bind(target.id)
        .bind(request.now.0)
        .bind(allowed)
        .bind(request.now.plus(request.lease).0)
        .bind(lease)
        .fetch_all(&mut *db)
        .await?;
    let subjects = leased.iter().map(|row| row.try_get::<i64, _>("subject"));
    let subjects: Vec<i64> = subjects.collect::<sqlx::Result<_>>()?;
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let first = sqlx::query(SELECT_FIRST)
        .bind(target.id)
        .bind(json(&subjects))
        .fetch_all(db)
        .await?;
    first.iter().map(|row| claim_of_row(row, lease)).collect()
}

impl Store {
    pub(in crate::store) async fn claim_notifications(
        &self,
        request: NotificationRequest,
    ) -> Result<NotificationsClaimed, StoreError> {
        // Mostly nothing is due, and a read costs no commit.
        let found = sqlx::query(SELECT_TARGET)
            .bind(&request.target)
            .fetch_optional(&mut *self.readers.begin().await?)
            .await?;
        let Some(row) = found else {
            return Ok(NotificationsClaimed::default());
        };
        let target = TargetState::of_row(&row)?;
        if target.is_due(request.now) && target.allowed(&request).is_ok() {
            return self.write(request).await;
        }
        let next_at = target.next_claim(&request);
        Ok(NotificationsClaimed {
            claims: Vec::new(),
            next_at,
        })
    }

    /// Wakes those who wait for events.
    pub(in crate::store) fn told(&self) -> &tokio::sync::Notify {
        &self.told
    }
}
