//! Changes of alerts: which have begun to fire, and which recorded ones are resolved.
//!
//! Time alone makes an alert fire, so no write can tell when. Orders without an open alert are found by the ranges of
//! states and times in which one fires. All orders with an open alert are compared with what fires for them now.

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::command::{WriteCommand, WriteContext};
use super::rows::order_text;
use super::savepoint::{begin_savepoint, end_savepoint};
use super::script::Script;
use super::{Store, StoreError, alerts, outbox};
use crate::store::AlertChanges;
use crate::store::changes::StoredOrder;
use crate::store::sql::alerts::{
    AlertFilter, FiredAlert, OpenAlert, changed_alerts, compare_alerts, fired_alerts,
};
use crate::store::sql::json;
use crate::store::sql::unreadable::{self, Read};
use number_order::{Limits, Time};

/// Maximum number of orders whose alerts are compared at once.
const ORDERS_MAX: u32 = 500;

/// Orders of active projects with an open alert, page by page, by id. How orders of other projects end is not known, so
/// their alerts stay open.
pub(super) const SELECT_ORDERS: &str = concat!(
    "SELECT ",
    order_text!(),
    " FROM alerts AS a CROSS JOIN orders AS o ON o.id = a.order_id \
     JOIN projects AS p ON p.id = o.project \
     WHERE a.resolved_at IS NULL AND a.order_id > ? AND p.active GROUP BY a.order_id ORDER BY a.order_id LIMIT ?"
);

/// Alerts of orders that are not resolved.
// The index is named, since without statistics SQLite takes the one that has resolved alerts, too.
pub(super) const SELECT_OPEN: &str = "
    SELECT json_array(a.id, a.order_id, a.kind, a.kind_fields)
    FROM json_each(?) AS v CROSS JOIN alerts AS a INDEXED BY alerts_open ON a.order_id = v.value
    WHERE a.resolved_at IS NULL ORDER BY a.id";

impl Store {
    pub(in crate::store) async fn alert_changes(
        &self,
        now: Time,
        limits: &Limits,
        limit: u32,
    ) -> Result<AlertChanges, StoreError> {
        let mut db = self.readers.begin().await?;
        let fired = alerts::read(&mut db, now, limits, AlertFilter::WithoutOpen, limit).await?;
        self.met.note(&fired.unreadable);
        let mut changes = AlertChanges {
            fired: fired.rows,
            resolved: Vec::new(),
        };
        let mut compared_to = 0;
        while changes.resolved.len() < limit as usize {
            let orders = sqlx::query(SELECT_ORDERS)
                .bind(compared_to)
                .bind(ORDERS_MAX);
            let orders: Read<StoredOrder> = unreadable::each(&orders.fetch_all(&mut *db).await?)?;
            self.met.note(&orders.unreadable);
            let ids: Vec<i64> = orders.rows.iter().map(|stored| stored.id).collect();
            let unreadable = orders.unreadable.iter().map(|row| row.row);
            let Some(last) = ids.iter().copied().chain(unreadable).max() else {
                break;
            };
            compared_to = last;
            let open = sqlx::query(SELECT_OPEN)
                .bind(json(&ids))
                .fetch_all(&mut *db)
                .await?;
            let open: Read<OpenAlert> = unreadable::each(&open)?;
            self.met.note(&open.unreadable);
            compare_alerts(orders.rows, open.rows, now, limits, &mut changes);
        }
        Ok(changes)
    }

    pub(in crate::store) async fn record_alerts(
        &self,
        changes: &AlertChanges,
        now: Time,
    ) -> Result<(), StoreError> {
        self.write(RecordAlerts {
            now,
            fired: fired_alerts(changes),
            resolved: changes.resolved.iter().map(|alert| alert.id).collect(),
        })
        .await
    }
}

const RESOLVE_ALERTS: &str = "
    UPDATE alerts SET resolved_at = ?1 WHERE id IN (SELECT value FROM json_each(?2)) AND resolved_at IS NULL
    RETURNING order_id, kind, kind_fields, fired_at";

/// Records alerts that fire. The database refuses one of an order that is gone by now, for its foreign key.
const INSERT_ALERTS: &str = "
    INSERT INTO alerts (order_id, kind, kind_fields, fired_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, ?1 FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING
    RETURNING order_id, kind, kind_fields, fired_at";

/// Records changes of alerts.
struct RecordAlerts {
    now: Time,
    fired: Vec<FiredAlert>,
    /// Rows of the alerts that no longer fire.
    resolved: Vec<i64>,
}

impl WriteCommand for RecordAlerts {
    type Reply = ();

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<()> {
        if try_changes(context, self.now, &self.fired, &self.resolved).await? {
            return Ok(());
        }
        // A change that cannot be recorded is reported again. The other changes are recorded.
        for fired in self.fired.chunks(1) {
            try_changes(context, self.now, fired, &[]).await?;
        }
        for resolved in self.resolved.chunks(1) {
            try_changes(context, self.now, &[], resolved).await?;
        }
        Ok(())
    }
}

/// Records all of the given changes, or none if the database refuses one of them. Returns `true` if they are recorded.
async fn try_changes(
    context: &mut WriteContext,
    now: Time,
    fired: &[FiredAlert],
    resolved: &[i64],
) -> sqlx::Result<bool> {
    begin_savepoint(&mut context.db).await?;
    let done = record_changes(context, now, fired, resolved).await;
    Ok(end_savepoint(&mut context.db, done).await?.is_ok())
}

/// Records changes of alerts, and the events that tell of them.
async fn record_changes(
    context: &mut WriteContext,
    now: Time,
    fired: &[FiredAlert],
    resolved: &[i64],
) -> sqlx::Result<()> {
    let db = &mut context.db;
    let resolved = changed(db, RESOLVE_ALERTS, now, json(&resolved)).await?;
    let fired = changed(db, INSERT_ALERTS, now, json(&fired)).await?;
    let events = changed_alerts(&resolved, &fired, now)?;
    let left = outbox::add(db, &mut context.outbox, Script::default(), &events).await?;
    left.execute(db).await
}

/// Changes alerts, and returns those that were not so before.
async fn changed(
    db: &mut SqliteConnection,
    sql: &'static str,
    now: Time,
    rows: String,
) -> sqlx::Result<Vec<SqliteRow>> {
    sqlx::query(sql).bind(now.0).bind(rows).fetch_all(db).await
}
