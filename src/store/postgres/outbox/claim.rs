//! Claims of notifications that are due: the first of each queue, for the length of a lease.

use sqlx::{PgConnection, Row};

use crate::store::postgres::Store;
use crate::store::postgres::error::Fault;
use crate::store::postgres::lane::bounded;
use crate::store::sql::outbox::{TargetState, claim_of_row, target_columns};
use crate::store::{NotificationClaim, NotificationRequest, NotificationsClaimed, StoreError};
use number_order::Time;

/// Selects a target, and the time at which the first of its queues is due.
macro_rules! select_target {
    ($lock:literal) => {
        concat!(
            "SELECT ",
            target_columns!(),
            ", (SELECT min(q.due_at) FROM notification_queues AS q WHERE q.target = t.id) AS due_at \
             FROM targets AS t WHERE t.name = $1 AND t.active",
            $lock
        )
    };
}

const SELECT_TARGET: &str = select_target!("");

/// Locks the target: its rate and its circuit are taken account of by one replica at a time.
const LOCK_TARGET: &str = select_target!(" FOR NO KEY UPDATE OF t");

/// Leases the queues of a target that have been due for the longest time and that no other transaction has.
const LEASE_QUEUES: &str = "
    UPDATE notification_queues AS q SET due_at = $4, lease = $5
    FROM (SELECT id FROM notification_queues WHERE target = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3
        FOR UPDATE SKIP LOCKED) AS v
    WHERE q.id = v.id RETURNING q.subject";

/// Selects the first notification of each of the given queues, with its event.
const SELECT_FIRST: &str = "
    SELECT n.id, n.target, n.subject, n.attempts, e.sequence, e.id AS event_id, e.type, e.body
    FROM unnest($2::bigint[]) AS v (subject)
    CROSS JOIN LATERAL (SELECT * FROM notifications AS f
        WHERE f.target = $1 AND f.subject = v.subject AND f.phase = 'waiting' ORDER BY f.event LIMIT 1) AS n
    JOIN events AS e ON e.sequence = n.event";

/// Counts attempts against the target's rate; a probe keeps others off until its lease has run out.
const UPDATE_TARGET: &str = "UPDATE targets SET next_at = $2, paused_until_at = $3 WHERE id = $1";

impl Store {
    pub(in crate::store) async fn claim_notifications(
        &self,
        request: NotificationRequest,
    ) -> Result<NotificationsClaimed, StoreError> {
        let request = NotificationRequest {
            now: self.shared.clock.database(request.now),
            ..request
        };
        let mut claimed = bounded(|| self.claim_some(&request)).await?;
        claimed.next_at = claimed.next_at.map(|at| self.shared.clock.program(at));
        Ok(claimed)
    }

    async fn claim_some(
        &self,
        request: &NotificationRequest,
    ) -> Result<NotificationsClaimed, Fault> {
        let mut work = self.shared.senders.begin().await?;
        // Mostly nothing is due, and a look takes no lock.
        let target = read_target(&mut work, SELECT_TARGET, &request.target).await?;
        let is_due = target
            .as_ref()
            .is_some_and(|target| target.is_due(request.now) && target.allowed(request).is_ok());
        if !is_due {
            work.undo().await?;
            return Ok(NotificationsClaimed {
                claims: Vec::new(),
                next_at: target.and_then(|target| target.next_claim(request)),
            });
        }
        let claimed = claim(&mut work, request).await?;
        work.commit().await?;
        Ok(claimed)
    }

    /// Wakes those who wait for events.
    pub(in crate::store) fn told(&self) -> &tokio::sync::Notify {
        &self.shared.told
    }
}

async fn read_target(
    db: &mut PgConnection,
    sql: &'static str,
    name: &str,
) -> Result<Option<TargetState>, Fault> {
    let found = sqlx::query(sql).bind(name).fetch_optional(db).await?;
    Ok(found.as_ref().map(TargetState::of_row).transpose()?)
}

/// Leases due notifications, at most what the target's rate and circuit allow.
async fn claim(
    db: &mut PgConnection,
    request: &NotificationRequest,
) -> Result<NotificationsClaimed, Fault> {
    let Some(target) = read_target(db, LOCK_TARGET, &request.target).await? else {
        return Ok(NotificationsClaimed::default());
    };
    let allowed = match target.allowed(request) {
        Ok(allowed) => allowed,
        Err(next_at) => {
            return Ok(NotificationsClaimed {
                claims: Vec::new(),
                next_at,
            });
        }
    };
    let claims = lease(db, &target, request, allowed).await?;
    if let Some((next_at, paused_until)) = target.after_claim(request, claims.len() as u32) {
        sqlx::query(UPDATE_TARGET)
            .bind(target.id)
            .bind(next_at.0)
            .bind(paused_until.map(|at: Time| at.0))
            .execute(&mut *db)
            .await?;
    }
    if claims.len() == request.limit as usize {
        // The caller asks again as soon as it has room.
        return Ok(NotificationsClaimed {
            claims,
            next_at: Some(request.now),
        });
    }
    let after = read_target(db, SELECT_TARGET, &request.target).await?;
    Ok(NotificationsClaimed {
        claims,
        next_at: after.and_then(|target| target.next_claim(request)),
    })
}

async fn lease(
    db: &mut PgConnection,
    target: &TargetState,
    request: &NotificationRequest,
    allowed: u32,
) -> Result<Vec<NotificationClaim>, Fault> {
    // The queue and this random number together identify the lease's holder.
    let lease = fastrand::i64(1..);
    let leased = sqlx::query(LEASE_QUEUES)
        .bind(target.id)
        .bind(request.now.0)
        .bind(i64::from(allowed))
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
        .bind(subjects)
        .fetch_all(db)
        .await?;
    let claims = first.iter().map(|row| claim_of_row(row, lease));
    Ok(claims.collect::<sqlx::Result<_>>()?)
}
