//! Orders that an operator should see to before it is too late.

use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use super::rows::{self, json, order_columns};
use super::{Store, StoreError};
use crate::order::{self, Limits, OrderKey, Time};

/// An order in a condition.
#[derive(Clone, Debug, Serialize)]
pub struct ConditionRow {
    /// Sinch's project.
    pub project: String,
    /// Sinch's order id.
    pub order: String,
    /// The confirmed state.
    pub state: Option<&'static str>,
    /// What is the matter, in words.
    pub condition: String,
    /// Its `expireTime`.
    pub expires_at: Option<Time>,
    /// What is left until then; `null`: it has passed, or there is none.
    pub left_secs: Option<u64>,
    /// Since when, by Sinch's clock, it is in its state.
    pub since: Option<Time>,
    #[serde(skip)]
    pub(super) id: i64,
    #[serde(skip)]
    pub(super) key: OrderKey,
    /// The condition that was last reported.
    #[serde(skip)]
    pub(super) alarm: Option<String>,
}

impl ConditionRow {
    /// Which order.
    pub fn key(&self) -> &OrderKey {
        &self.key
    }

    /// Whether it has not been reported yet.
    pub fn is_new(&self) -> bool {
        self.alarm.as_deref() != Some(self.condition.as_str())
    }
}

const EXPIRING: &str = concat!(
    "SELECT ",
    order_columns!(),
    ", o.alarm FROM orders AS o JOIN projects AS p ON p.id = o.project \
     WHERE o.confirmed_state = 'CREATED' AND o.expires_at <= ?1 ORDER BY o.expires_at LIMIT ?2"
);

const LASTING: &str = concat!(
    "SELECT ",
    order_columns!(),
    ", o.alarm FROM orders AS o JOIN projects AS p ON p.id = o.project \
     WHERE o.confirmed_state IN ('IN_REVIEW', 'BLOCKED') AND o.updated_at <= ?1 \
     ORDER BY o.updated_at LIMIT ?2"
);

const REPORTED: &str = "
    UPDATE orders SET alarm = v.value ->> 1 FROM json_each(?) AS v WHERE orders.id = v.value ->> 0";

/// Keeps which conditions were reported, each with its order's row.
pub(super) async fn reported(
    db: &mut SqliteConnection,
    alarms: &[(i64, String)],
) -> sqlx::Result<()> {
    sqlx::query(REPORTED)
        .bind(json(&alarms))
        .execute(db)
        .await?;
    Ok(())
}

impl Store {
    /// The orders that are in a condition now, the most urgent of each kind first, `limit` of each at most.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn conditions(
        &self,
        now: Time,
        limits: &Limits,
        limit: u32,
    ) -> Result<Vec<ConditionRow>, StoreError> {
        let soonest = limits.expiring.iter().max().copied().unwrap_or_default();
        let since = limits.review.min(limits.blocked);
        let before = Time(now.0.saturating_sub(Time(0).plus(since).0));
        let mut found = Vec::new();
        for (sql, bound) in [(EXPIRING, now.plus(soonest)), (LASTING, before)] {
            let query = sqlx::query(sql).bind(bound.0).bind(limit);
            found.extend(query.fetch_all(&self.readers).await?);
        }
        let mut conditions = Vec::new();
        for row in &found {
            let stored = rows::read(row)?;
            let Some(condition) = order::condition(&stored.order, now, limits) else {
                continue;
            };
            let known = stored.order.confirmed.as_ref();
            let expires_at = known.and_then(|c| c.expires_at);
            let left = expires_at.filter(|at| *at > now);
            conditions.push(ConditionRow {
                project: stored.key.project.to_string(),
                order: stored.key.order.to_string(),
                state: known.map(|c| c.state.as_str()),
                condition: condition.to_string(),
                expires_at,
                left_secs: left.map(|at| at.since(now).as_secs()),
                since: known.map(|c| c.updated_at),
                id: stored.id,
                key: stored.key,
                alarm: row.try_get("alarm")?,
            });
        }
        Ok(conditions)
    }
}
