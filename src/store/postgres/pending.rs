//! The queue of deliveries that wait to be processed.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::store::apply::Waiting;
use number_order::{Event, Status, Time};

/// Reads the head of the queue. The order's row is found by a query of its own for each delivery: as a join, it could
/// become a walk over all orders.
const HEADS: &str = "
    SELECT d.id, d.project, p.sinch_id AS project_sinch_id, d.dedup_key, d.received_at, d.order_sinch_id, d.status, d.said_at,
        d.callback_key, d.number,
        (SELECT o.id FROM orders AS o WHERE o.project = d.project AND o.sinch_id = d.order_sinch_id) AS order_id
    FROM (SELECT id, project, dedup_key, received_at, order_sinch_id, status, said_at, callback_key, number FROM pending
        WHERE id > $1 ORDER BY id LIMIT $2) AS d JOIN projects AS p ON p.id = d.project
    ORDER BY d.id";

/// A delivery that waits to be processed.
pub(super) struct Head {
    pub id: i64,
    pub project: i64,
    pub project_sinch_id: String,
    pub dedup_key: String,
    pub received_at: i64,
    /// Sinch's id of the order that the delivery is about.
    pub order: Option<String>,
    pub status: Option<String>,
    pub said_at: Option<i64>,
    /// Key of the create to whose own path the delivery was sent.
    pub callback_key: Option<String>,
    /// Number that the delivery names, if it is about no order.
    pub number: Option<String>,
    /// Row of the order, if it is known.
    pub order_id: Option<i64>,
}

impl Head {
    fn of_row(row: &PgRow) -> sqlx::Result<Head> {
        Ok(Head {
            id: row.try_get("id")?,
            project: row.try_get("project")?,
            project_sinch_id: row.try_get("project_sinch_id")?,
            dedup_key: row.try_get("dedup_key")?,
            received_at: row.try_get("received_at")?,
            order: row.try_get("order_sinch_id")?,
            status: row.try_get("status")?,
            said_at: row.try_get("said_at")?,
            callback_key: row.try_get("callback_key")?,
            number: row.try_get("number")?,
            order_id: row.try_get("order_id")?,
        })
    }

    /// Returns the delivery as the rules take it; `None` if it is about no order.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let status = self.status.as_deref()?;
        Some(Waiting {
            id: self.id,
            dedup_key: self.dedup_key.clone(),
            event: Event {
                status: Status::from_word(status),
                said_at: self.said_at.map(Time),
                received_at: Time(self.received_at),
            },
        })
    }
}

/// Reads the first deliveries of the queue beyond an id, at most `deliveries_max`.
pub(super) async fn read(
    db: &mut PgConnection,
    after: i64,
    deliveries_max: u32,
) -> sqlx::Result<Vec<Head>> {
    let rows = sqlx::query(HEADS)
        .bind(after)
        .bind(i64::from(deliveries_max))
        .fetch_all(db)
        .await?;
    rows.iter().map(Head::of_row).collect()
}
