//! Changes of alerts: which have begun to fire, and which recorded ones are resolved.
//!
//! Each replica looks for changes, and each may find the same one. It is recorded once: an order has one open alert of a
//! kind.

use sqlx::PgConnection;

use super::error::Fault;
use super::lane::bounded;
use super::queries::order_text;
use super::{Store, alerts, outbox};
use crate::store::changes::StoredOrder;
use crate::store::outbox::OutboxTarget;
use crate::store::sql::alerts::{
    AlertFilter, FiredAlert, OpenAlert, changed_alerts, compare_alerts, fired_alerts,
};
use crate::store::sql::unreadable::{self, Read};
use crate::store::{AlertChanges, StoreError};
use number_order::{Limits, Time};

/// Maximum number of orders whose alerts are compared at once.
const ORDERS_MAX: i64 = 500;

/// Orders of active projects with an open alert, page by page, by id. How orders of other projects end is not known, so
/// their alerts stay open.
const SELECT_ORDERS: &str = concat!(
    "SELECT ",
    order_text!(),
    " FROM (SELECT DISTINCT a.order_id FROM alerts AS a JOIN orders AS o ON o.id = a.order_id \
     JOIN projects AS p ON p.id = o.project WHERE a.resolved_at IS NULL AND a.order_id > $1 AND p.active \
     ORDER BY a.order_id LIMIT $2) AS v JOIN orders AS o ON o.id = v.order_id JOIN projects AS p ON p.id = o.project \
     ORDER BY o.id"
);

/// Alerts of orders that are not resolved.
const SELECT_OPEN: &str = "
    SELECT json_build_array(id, order_id, kind, kind_fields)::text FROM alerts
    WHERE order_id = ANY ($1) AND resolved_at IS NULL ORDER BY id";

/// Resolves alerts, in the order of their ids, so that no two replicas wait for each other.
const RESOLVE_ALERTS: &str = "
    UPDATE alerts SET resolved_at = $1 WHERE id IN (
        SELECT id FROM alerts WHERE id = ANY ($2) AND resolved_at IS NULL ORDER BY id FOR NO KEY UPDATE)
    RETURNING order_id, kind, kind_fields, fired_at";

/// Records alerts that fire, but for those of orders that are gone by now. The orders stay until they are recorded.
const INSERT_ALERTS: &str = "
    INSERT INTO alerts (order_id, kind, kind_fields, fired_at)
    SELECT v.order_id, v.kind, v.kind_fields, $1
    FROM unnest($2::bigint[], $3::text[], $4::text[]) AS v (order_id, kind, kind_fields)
        JOIN orders AS o ON o.id = v.order_id
    ORDER BY v.order_id FOR KEY SHARE OF o
    ON CONFLICT DO NOTHING
    RETURNING order_id, kind, kind_fields, fired_at";

impl Store {
    pub(in crate::store) async fn alert_changes(
        &self,
        now: Time,
        limits: &Limits,
        limit: u32,
    ) -> Result<AlertChanges, StoreError> {
        let now = self.shared.clock.database(now);
        bounded(|| self.find_changes(now, limits, limit)).await
    }

    async fn find_changes(
        &self,
        now: Time,
        limits: &Limits,
        limit: u32,
    ) -> Result<AlertChanges, Fault> {
        let met = &self.shared.met;
        let mut work = self.shared.readers.begin_reading().await?;
        let fired = alerts::read(&mut work, now, limits, AlertFilter::WithoutOpen, limit).await?;
        met.note(&fired.unreadable);
        let mut changes = AlertChanges {
            fired: fired.rows,
            resolved: Vec::new(),
        };
        let mut compared_to = 0;
        while changes.resolved.len() < limit as usize {
            let orders = sqlx::query(SELECT_ORDERS)
                .bind(compared_to)
                .bind(ORDERS_MAX);
            let orders: Read<StoredOrder> = unreadable::each(&orders.fetch_all(&mut *work).await?)?;
            met.note(&orders.unreadable);
            let ids: Vec<i64> = orders.rows.iter().map(|stored| stored.id).collect();
            let unreadable = orders.unreadable.iter().map(|row| row.row);
            let Some(last) = ids.iter().copied().chain(unreadable).max() else {
                break;
            };
            compared_to = last;
            let open = sqlx::query(SELECT_OPEN)
                .bind(&ids)
                .fetch_all(&mut *work)
                .await?;
            let open: Read<OpenAlert> = unreadable::each(&open)?;
            met.note(&open.unreadable);
            compare_alerts(orders.rows, open.rows, now, limits, &mut changes);
        }
        work.undo().await?;
        Ok(changes)
    }

    pub(in crate::store) async fn record_alerts(
        &self,
        changes: &AlertChanges,
        now: Time,
    ) -> Result<(), StoreError> {
        let now = self.shared.clock.database(now);
        let fired = fired_alerts(changes);
        let resolved: Vec<i64> = changes.resolved.iter().map(|alert| alert.id).collect();
        let all = bounded(|| self.write_alerts(now, &fired, &resolved)).await;
        let Err(StoreError::Rejected(_)) = all else {
            return all;
        };
        // A change that cannot be recorded is reported again. The other changes are recorded.
        for fired in fired.chunks(1) {
            unless_rejected(bounded(|| self.write_alerts(now, fired, &[])).await)?;
        }
        for resolved in resolved.chunks(1) {
            unless_rejected(bounded(|| self.write_alerts(now, &[], resolved)).await)?;
        }
        Ok(())
    }

    async fn write_alerts(
        &self,
        now: Time,
        fired: &[FiredAlert],
        resolved: &[i64],
    ) -> Result<(), Fault> {
        let mut work = self.shared.commands.begin().await?;
        write(
            &mut work,
            &self.shared.replica.targets,
            now,
            fired,
            resolved,
        )
        .await?;
        work.commit().await?;
        self.shared.told.notify_waiters();
        Ok(())
    }
}

fn unless_rejected(outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    match outcome {
        Err(StoreError::Rejected(_)) => Ok(()),
        other => other,
    }
}

/// Records changes of alerts, and the events that tell of them.
async fn write(
    db: &mut PgConnection,
    targets: &[OutboxTarget],
    now: Time,
    fired: &[FiredAlert],
    resolved: &[i64],
) -> Result<(), Fault> {
    let resolved = sqlx::query(RESOLVE_ALERTS)
        .bind(now.0)
        .bind(resolved)
        .fetch_all(&mut *db)
        .await?;
    let orders: Vec<i64> = fired.iter().map(|(order, ..)| *order).collect();
    let kinds: Vec<&str> = fired.iter().map(|(_, kind, _)| kind.as_str()).collect();
    let fields: Vec<Option<&str>> = fired.iter().map(|(.., fields)| fields.as_deref()).collect();
    let fired = sqlx::query(INSERT_ALERTS)
        .bind(now.0)
        .bind(orders)
        .bind(kinds)
        .bind(fields)
        .fetch_all(&mut *db)
        .await?;
    let events = changed_alerts(&resolved, &fired, now)?;
    outbox::add(db, targets, &events).await
}
