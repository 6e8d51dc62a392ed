//! Claims of notifications that are due: the first of each queue, for the length of a lease.

use sqlx::{Row, SqliteConnection};

use crate::store::sql::outbox::{TargetState, claims_of_json, target_columns};
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

/// Queues of a target that have been due for the longest time.
macro_rules! due_queues {
    () => {
        "(SELECT id, subject FROM notification_queues WHERE target = ?1 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?3 + 0)"
    };
}

/// Selects, as one JSON text, the first notification of each due queue, with its event.
pub(super) const SELECT_FIRST: &str = concat!(
    "SELECT json_group_array(json_array(n.id, n.target, n.subject, n.attempts, e.sequence, e.id, e.type, e.body)) FROM ",
    due_queues!(),
    " AS due CROSS JOIN notifications AS n ON n.id = (SELECT first.id FROM notifications AS first \
        WHERE first.target = ?1 AND first.subject = due.subject AND first.phase = 'waiting' ORDER BY first.event LIMIT 1) \
     CROSS JOIN events AS e ON e.sequence = n.event"
);

/// Leases the due queues.
pub(super) const LEASE_QUEUES: &str = concat!(
    "UPDATE notification_queues SET due_at = ?4, lease = ?5 WHERE id IN (SELECT id FROM ",
    due_queues!(),
    ")"
);

/// Counts attempts against the target's rate; a probe keeps others off until its lease has run out.
const UPDATE_TARGET: &str = "UPDATE targets SET next_at = ?2, paused_until_at = ?3 WHERE id = ?1";

impl WriteCommand for NotificationRequest {
    type Reply = NotificationsClaimed;
    const CHANGES_ORDERS: bool = false;

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
        if claims.len() == self.limit as usize {
            // The caller asks again as soon as it has room.
            return Ok(NotificationsClaimed {
                claims,
                next_at: Some(self.now),
            });
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

/// Leases due notifications, at most the number that is allowed.
async fn lease(
    db: &mut SqliteConnection,
    target: &TargetState,
    request: &NotificationRequest,
    allowed: u32,
) -> sqlx::Result<Vec<NotificationClaim>> {
    // The queue and this random number together identify the lease's holder.
    let lease = fastrand::i64(1..);
    let first = sqlx::query(SELECT_FIRST)
        .bind(target.id)
        .bind(request.now.0)
        .bind(allowed)
        .fetch_one(&mut *db)
        .await?;
    let claims = claims_of_json(first.try_get_unchecked::<&[u8], _>(0)?, lease)?;
    sqlx::query(LEASE_QUEUES)
        .bind(target.id)
        .bind(request.now.0)
        .bind(allowed)
        .bind(request.now.plus(request.lease).0)
        .bind(lease)
        .execute(db)
        .await?;
    Ok(claims)
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
