//! Lists of orders and of parked deliveries, page by page, and whether any order of a project is confirmed.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{DELIVERIES_TABLE, each};
use crate::store::sqlite::codes;
use crate::store::sqlite::rows::{StoredOrder, order_text};
use crate::store::sqlite::unreadable::{self, UnreadableRow};
use crate::store::sqlite::{Store, StoreError};
use crate::store::{Listing, OrderFilter, OrderRow, ParkedRow};
use number_order::{Id, Time};

/// Selects a page of orders. Settled orders have an index only by what they are not (`orders_unsettled`,
/// `orders_parked`), so a list of orders that are not settled begins there.
macro_rules! list {
    ($from:literal, $further:literal) => {
        concat!(
            "SELECT ",
            order_text!(),
            " FROM ",
            $from,
            " JOIN projects AS p ON p.id = o.project \
             WHERE o.id > ?1 AND (?2 IS NULL OR p.name = ?2) AND (?3 OR o.parked IS NOT NULL) ",
            $further,
            " ORDER BY o.id LIMIT ?4"
        )
    };
}

const LIST: &str = list!("orders AS o", "");

const LIST_IN_STATE: &str = list!("orders AS o", "AND o.state = ?5");

const LIST_SETTLED: &str = list!(
    "orders AS o",
    "AND (?5 IS NULL OR o.state = ?5) AND o.unsettled_at IS NULL AND o.parked IS NULL"
);

pub(in crate::store::sqlite) const LIST_UNSETTLED: &str = list!(
    "(SELECT id FROM orders INDEXED BY orders_unsettled WHERE unsettled_at IS NOT NULL AND parked IS NULL \
      UNION ALL SELECT id FROM orders INDEXED BY orders_parked WHERE parked IS NOT NULL) AS open \
     CROSS JOIN orders AS o ON o.id = open.id",
    "AND (?5 IS NULL OR o.state = ?5)"
);

const PARKED: &str = "
    SELECT d.id, p.name AS project, d.event, d.received_at, d.order_name, d.decision, d.decision_fields, d.duplicates
    FROM deliveries AS d JOIN projects AS p ON p.id = d.project
    WHERE d.phase = 'parked' AND d.id > ? ORDER BY d.id LIMIT ?";

impl Store {
    pub(in crate::store) async fn orders(
        &self,
        filter: &OrderFilter,
    ) -> Result<Listing<OrderRow>, StoreError> {
        let sql = match (filter.settled, &filter.state) {
            (None, None) => LIST,
            (None, Some(_)) => LIST_IN_STATE,
            (Some(true), _) => LIST_SETTLED,
            (Some(false), _) => LIST_UNSETTLED,
        };
        let found = sqlx::query(sql)
            .bind(filter.after)
            .bind(filter.project.as_ref().map(Id::as_str))
            .bind(!filter.parked)
            .bind(filter.limit)
            .bind(filter.state.as_deref())
            .fetch_all(&mut *self.readers.moment().await?)
            .await?;
        let found = unreadable::each::<StoredOrder>(&found)?;
        self.met.note(&found.unreadable);
        let items: Vec<OrderRow> = found.rows.into_iter().map(OrderRow::from).collect();
        let ids = items.iter().map(|order| order.row);
        let last = last(ids, &found.unreadable, filter.limit);
        Ok(Listing {
            items,
            unreadable: found.unreadable,
            last,
        })
    }

    pub(in crate::store) async fn any_confirmed(&self, project: &Id) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM projects AS p JOIN orders AS o ON o.project = p.id \
                   WHERE p.name = ? AND o.confirmed_state IS NOT NULL)";
        let found = sqlx::query(sql)
            .bind(project.as_str())
            .fetch_one(&mut *self.readers.moment().await?)
            .await?;
        Ok(found.try_get(0)?)
    }

    pub(in crate::store) async fn parked(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Listing<ParkedRow>, StoreError> {
        let found = sqlx::query(PARKED)
            .bind(after)
            .bind(limit)
            .fetch_all(&mut *self.readers.moment().await?)
            .await?;
        let found = each(&found, DELIVERIES_TABLE, parked)?;
        self.met.note(&found.unreadable);
        let ids = found.rows.iter().map(|parked| parked.id);
        let last = last(ids, &found.unreadable, limit);
        Ok(Listing {
            items: found.rows,
            unreadable: found.unreadable,
            last,
        })
    }
}

/// Row after which the next page begins; `None` if this was the last one.
fn last(ids: impl Iterator<Item = i64>, unreadable: &[UnreadableRow], limit: u32) -> Option<i64> {
    let ids: Vec<i64> = ids.chain(unreadable.iter().map(|row| row.row)).collect();
    ids.iter()
        .copied()
        .max()
        .filter(|_| ids.len() == limit as usize)
}

fn parked(row: &SqliteRow) -> sqlx::Result<ParkedRow> {
    Ok(ParkedRow {
        id: row.try_get("id")?,
        project: row.try_get("project")?,
        event: row.try_get("event")?,
        received_at: Time(row.try_get("received_at")?),
        order_name: row.try_get("order_name")?,
        decision: codes::require(row, "decision", "decision_fields")?,
        duplicates: row.try_get("duplicates")?,
    })
}
